"""What may be kept of the answers at routes, how long, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from graphgw.routes.cache_rules import (
    CacheKeys,
    KeptAnswer,
    find_lifetime,
    is_unchanged,
    read_varying,
)
from graphgw.routes.exchange import RequestHead
from graphgw.routes.settings import RequestChanges, RouteCache, RouteSettings
from graphgw.types import ANONYMOUS, Principal

ADA = Principal("ada", claims={"iss": "a"})
BOB = Principal("bob", claims={"iss": "a"})


def keys(scope: Any = "PRIVATE", **settings: Any) -> CacheKeys:
    cache = RouteCache(scope=scope, vary=settings.pop("vary", ()))
    route = RouteSettings(name="r", path="/*", service="s", cache=cache, **settings)
    return CacheKeys(route, frozenset({"authorization", "x-api-key"}))


def head(path: str = "/a", query: str = "", **headers: str) -> RequestHead:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestHead("GET", path, query, headers={"host": "h", **named})


@pytest.mark.parametrize(
    ("control", "default", "private", "seconds"),
    [
        ("max-age=60", None, True, 60),
        ("max-age=60, s-maxage=5", None, False, 5),
        ("max-age=60, s-maxage=5", None, True, 60),
        ("MAX-AGE=60", None, True, 60),
        ('max-age="60"', None, True, 60),
        ("", None, True, 0),
        ("", 30.0, True, 30),
        ("public", 30.0, True, 30),
        ("max-age=0", 30.0, True, 0),
        ("max-age=-1", 30.0, True, 0),
        ("max-age=x", 30.0, True, 0),
        ("no-store, max-age=60", 30.0, True, 0),
        ("no-cache", 30.0, True, 0),
        ('no-cache="set-cookie"', 30.0, True, 0),
        ("private, max-age=60", None, True, 60),
        ("private, max-age=60", None, False, 0),
        ("max-age=99999999999999", None, True, 365 * 86_400),
    ],
)
def test_an_answer_is_kept_as_long_as_its_service_allows(
    control: str, default: float | None, seconds: float, *, private: bool
):
    headers = [(b"cache-control", control.encode())] if control else []

    found = find_lifetime(200, headers, default=default, is_private=private)

    assert found == seconds


def test_the_age_of_an_answer_counts():
    headers = [(b"cache-control", b"max-age=60"), (b"age", b"50")]

    assert find_lifetime(200, headers, default=None, is_private=True) == 10


def test_an_answer_with_a_cookie_is_never_kept():
    headers = [(b"cache-control", b"max-age=60"), (b"set-cookie", b"a=1")]

    assert find_lifetime(200, headers, default=60.0, is_private=True) == 0


@pytest.mark.parametrize(
    ("status", "seconds"), [(404, 60), (301, 60), (500, 0), (206, 0), (201, 0)]
)
def test_only_some_statuses_are_kept(status: int, seconds: float):
    headers = [(b"cache-control", b"max-age=60")]

    assert find_lifetime(status, headers, default=9.0, is_private=True) == seconds


def test_a_failure_is_not_kept_by_default():
    assert find_lifetime(404, [], default=60.0, is_private=True) == 0


@pytest.mark.parametrize(
    "other",
    [head("/b"), head(query="x"), head(host="i"), head(accept_encoding="gzip")],
)
def test_requests_that_differ_have_other_keys(other: RequestHead):
    assert keys().base(head(), ADA) != keys().base(other, ADA)


@pytest.mark.parametrize("other", [BOB, ANONYMOUS, Principal("ada", api_key="k")])
def test_private_answers_are_for_one_principal(other: Principal):
    private, public = keys(), keys("PUBLIC")

    assert private.base(head(), ADA) != private.base(head(), other)
    assert public.base(head(), ADA) == public.base(head(), other)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"forward_authorization": True}, "authorization"),
        ({"forward_authorization": True}, "x-api-key"),
        ({"forward_cookies": True}, "cookie"),
        ({"vary": ("X-Tenant",)}, "x-tenant"),
    ],
)
def test_what_the_service_is_sent_of_the_client_is_in_the_key(
    settings: dict[str, Any], name: str
):
    made = keys("PUBLIC", **settings)
    one = RequestHead("GET", "/a", headers={name: "1"})
    two = RequestHead("GET", "/a", headers={name: "2"})

    assert made.base(one, ANONYMOUS) != made.base(two, ANONYMOUS)
    assert keys("PUBLIC").base(one, ANONYMOUS) == keys("PUBLIC").base(two, ANONYMOUS)


def test_answers_made_from_claims_are_never_for_all():
    made = keys("PUBLIC", request=RequestChanges(claims=(("x-user", "sub"),)))

    assert made.is_private


def test_answers_vary_by_the_headers_that_they_name():
    made = keys()
    base = made.base(head(), ADA)

    one = made.variant(base, head(accept="a"), ("accept",))
    two = made.variant(base, head(accept="b"), ("accept",))

    assert one != two


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([], ()),
        ([b"Accept, accept-language"], ("accept", "accept-language")),
        ([b"B", b"a,"], ("a", "b")),
        ([b"*"], None),
        ([b"a", b"*"], None),
    ],
)
def test_the_names_of_vary_are_read(values: list[bytes], names: tuple[str, ...] | None):
    assert read_varying((b"vary", value) for value in values) == names


@pytest.mark.parametrize(
    ("given", "is_same"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        ('"b"', False),
        (None, False),
    ],
)
def test_a_client_that_has_the_answer_is_told_so(given: str | None, *, is_same: bool):
    headers = {} if given is None else {"if-none-match": given}

    assert is_unchanged(headers, b'W/"a"') is is_same


def test_a_kept_answer_is_read_as_it_was_written():
    answer = KeptAnswer(404, ((b"x", b"\xff"),), b"\x00body", 12.5, 60.0)

    assert KeptAnswer.decode(answer.encode()) == answer


@pytest.mark.parametrize("data", [b"", b"junk", b"\x00\x00\x00\x02[]", b"\xff" * 9])
def test_junk_in_the_store_is_no_answer(data: bytes):
    assert KeptAnswer.decode(data) is None
