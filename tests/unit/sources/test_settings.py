import pytest

from graphgw.sources.settings import (
    BreakerSettings,
    ServiceSettings,
    TLSSettings,
    find_problems,
)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"url": "users:80"}, "url"),
        ({"url": "ftp://users"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://users:port"}, "url"),
        ({"url": "http://a:b@users"}, "url"),
        ({"url": "http://users?x=1"}, "url"),
        ({"url": "http://us ers"}, "url"),
        ({"url": "http://users", "timeout": 0}, "timeout"),
        ({"url": "http://users", "max_in_flight": 0}, "max_in_flight"),
        ({"url": "http://users", "forward_headers": ("Host",)}, "forward_headers"),
        ({"url": "http://users", "forward_headers": ("a b",)}, "forward_headers"),
        (
            {"url": "http://users", "breaker": BreakerSettings(failure_ratio=2)},
            "breaker.failure_ratio",
        ),
        ({"kind": "grpc"}, "addresses"),
        ({"kind": "grpc", "addresses": ("orders",)}, "addresses"),
        ({"kind": "grpc", "addresses": ("orders:0",)}, "addresses"),
        ({"kind": "grpc", "addresses": ("a:1", "b:1")}, "addresses"),
        ({"kind": "grpc", "addresses": ("10.0.0.1:1", "[::1]:1")}, "addresses"),
    ],
)
def test_every_mistake_is_named_with_its_place(options, where):
    problems = find_problems(ServiceSettings(name="user", **options))

    assert [problem.where for problem in problems] == [f"services.user.{where}"]


@pytest.mark.parametrize(
    "settings",
    [
        ServiceSettings(name="user", url="http://users.internal:8080/api"),
        ServiceSettings(name="user", url="https://users"),
        ServiceSettings(name="order", kind="grpc", addresses=("orders:50051",)),
        ServiceSettings(
            name="order", kind="grpc", addresses=("10.0.0.1:1", "10.0.0.2:1")
        ),
        ServiceSettings(name="order", kind="grpc", addresses=("[::1]:1", "[::2]:1")),
    ],
)
def test_sound_settings_have_no_problems(settings):
    assert find_problems(settings) == []


def test_a_url_alone_tells_the_kind_of_service():
    http = ServiceSettings.from_url("user", "http://users")
    grpc = ServiceSettings.from_url("order", "grpc://10.0.0.1:1,10.0.0.2:1")
    tls = ServiceSettings.from_url("order", "grpcs://orders:443")

    assert (http.kind, http.url) == ("http", "http://users")
    assert (grpc.kind, grpc.addresses) == ("grpc", ("10.0.0.1:1", "10.0.0.2:1"))
    assert grpc.tls is None
    assert tls.tls == TLSSettings()


def test_header_values_do_not_print():
    settings = ServiceSettings(name="user", headers=(("x-key", "secret"),))

    assert "secret" not in repr(settings)
