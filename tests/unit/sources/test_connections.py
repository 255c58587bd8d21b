import pytest
from support.faulty_backend import FaultyBackend

from graphgw.errors import ConfigurationError
from graphgw.sources.connections import Connections, open_httpx_transport
from graphgw.sources.grpc_service import GRPCService
from graphgw.sources.http_service import HTTPService
from graphgw.sources.rest import rest_source
from graphgw.sources.settings import ServiceSettings

USER = ServiceSettings(name="user", url="http://users")
ORDER = ServiceSettings(name="order", kind="grpc", addresses=("orders:1",))


class Closing:
    """A transport that remembers that it was closed."""

    def __init__(self, settings):
        self.settings = settings
        self.is_closed = False

    async def send(self, request):
        raise AssertionError(request)

    async def aclose(self):
        self.is_closed = True


@pytest.fixture
def opened():
    return []


@pytest.fixture
def open_transport(opened):
    def open_one(settings):
        opened.append(Closing(settings))
        return opened[-1]

    return open_one


async def test_services_are_found_by_kind_and_name():
    connections = Connections([USER, ORDER])

    assert isinstance(connections.http("user"), HTTPService)
    assert isinstance(connections.grpc("order"), GRPCService)
    assert connections.names == ("user", "order")
    await connections.aclose()


@pytest.mark.parametrize(
    ("kind", "name", "known"),
    [("http", "order", '"user"'), ("grpc", "user", '"order"'), ("http", "x", '"user"')],
)
async def test_an_unknown_name_is_told_the_known_ones(kind, name, known):
    connections = Connections([USER, ORDER])

    with pytest.raises(ConfigurationError) as caught:
        getattr(connections, kind)(name)

    assert f'no {kind} service "{name}"' in caught.value.message
    assert known in caught.value.message
    await connections.aclose()


def test_all_mistakes_are_told_at_once():
    wrong = [
        ServiceSettings(name="a", url="x"),
        ServiceSettings(name="b", url="http://b", timeout=0),
        USER,
        USER,
    ]

    with pytest.raises(ConfigurationError) as caught:
        Connections(wrong)

    assert [problem.where for problem in caught.value.problems] == [
        "services.a.url",
        "services.b.timeout",
        "services.user",
    ]


async def test_a_service_with_the_same_settings_survives_a_reload(
    open_transport, opened
):
    old = Connections([USER], open_transport=open_transport)
    new = old.replace([USER, ORDER])

    assert new.http("user") is old.http("user")
    await old.aclose()
    assert not opened[0].is_closed
    await new.aclose()
    assert opened[0].is_closed


async def test_a_service_with_other_settings_is_opened_anew(open_transport, opened):
    old = Connections([USER], open_transport=open_transport)
    changed = ServiceSettings(name="user", url="http://users", timeout=1)
    new = old.replace([changed])

    assert new.http("user") is not old.http("user")
    await old.aclose()
    assert [one.is_closed for one in opened] == [True, False]
    await new.aclose()


async def test_a_reload_that_fails_changes_nothing(open_transport, opened):
    old = Connections([USER], open_transport=open_transport)

    with pytest.raises(ConfigurationError):
        old.replace([USER, ServiceSettings(name="a", url="x")])
    await old.aclose()

    assert opened[0].is_closed


async def test_services_may_be_opened_later(open_transport, opened):
    connections = Connections([USER], open_transport=open_transport)
    later = ServiceSettings(name="remote", url="http://remote")

    first = connections.open(later)

    assert connections.open(later) is first
    assert connections.http("remote") is first
    changed = ServiceSettings(name="remote", url="http://other")
    assert connections.open(changed) is not first
    await connections.aclose()
    assert [one.is_closed for one in opened] == [True] * 3


async def test_the_headers_that_go_on_are_known():
    connections = Connections(
        [
            ServiceSettings(
                name="a", url="http://a", forward_headers=("Authorization",)
            ),
            ServiceSettings(name="b", url="http://b", forward_headers=("x-tenant",)),
        ]
    )

    assert connections.forward_headers == {"authorization", "x-tenant"}
    await connections.aclose()


async def test_httpx_may_carry_the_calls(make_context):
    async with FaultyBackend() as backend:
        settings = ServiceSettings(name="user", url=backend.url(""))
        connections = Connections([settings], open_transport=open_httpx_transport)
        context = make_context(sources=connections)
        users = rest_source("user")

        for path in ("/ok", "/gzip", "/chunked", "/set-cookie"):
            assert await users.get(path, context) == {"data": {"ok": True}}
        echoed = await users.get("/echo", context)

        assert "cookie" not in echoed["headers"]
        await connections.aclose()
