"""Which headers go through a route, each way."""

from __future__ import annotations

import pytest

from graphgw.routes.exchange import RequestHead
from graphgw.routes.headers import (
    ForwardRules,
    forward_answer,
    forward_request,
    read_headers,
)

Pairs = list[tuple[bytes, bytes]]


def forwarded(
    raw: Pairs, rules: ForwardRules | None = None, *, is_trusted: bool = False
) -> Pairs:
    rules = rules or ForwardRules()
    head = RequestHead(
        "GET", "/", headers=read_headers(raw), raw_headers=tuple(raw), peer="10.0.0.9"
    )
    return forward_request(
        head, rules.dropped, is_trusted=is_trusted, keeps_host=rules.preserve_host
    )


def names(pairs: Pairs) -> set[bytes]:
    return {name for name, _ in pairs}


@pytest.mark.parametrize(
    "name",
    [
        "connection", "keep-alive", "proxy-connection", "proxy-authorization", "te",
        "trailer", "transfer-encoding", "upgrade", "http2-settings", "expect", "host",
        "content-length", "cookie", "authorization", "remote-user", "x-user-id",
        "x-forwarded-user", "x-auth-request-email", "x-ms-client-principal-id",
        "x_user_id", "x-original-url", "x-http-method-override", "forwarded",
        "x-real-ip", "x-forwarded-prefix",
    ],
)  # fmt: skip
def test_a_header_does_not_go_on(name: str):
    sent = forwarded([(name.encode(), b"1"), (b"x-kept", b"2")])

    assert names(sent) == {
        b"x-kept", b"x-forwarded-for", b"x-forwarded-proto", b"via",
        *({b"x-forwarded-host"} if name == "host" else ()),
    }  # fmt: skip


def test_connection_takes_away_what_it_names_but_not_credentials():
    rules = ForwardRules(authorization=True)
    sent = forwarded(
        [
            (b"connection", b"Close, X-Secret"),
            (b"connection", b"authorization"),
            (b"x-secret", b"1"),
            (b"authorization", b"a"),
        ],
        rules,
    )

    assert b"x-secret" not in names(sent)
    assert (b"authorization", b"a") in sent


def test_headers_of_claims_are_the_gateways_own():
    rules = ForwardRules(identity=frozenset((b"x-tenant",)))

    assert b"x-tenant" not in names(forwarded([(b"x-tenant", b"evil")], rules))


@pytest.mark.parametrize(
    ("is_trusted", "chain", "host", "proto"),
    [
        (False, b"10.0.0.9", b"shop", b"http"),
        (True, b"1.2.3.4, 10.0.0.9", b"www", b"https"),
    ],
)
def test_only_trusted_peers_are_believed(
    chain: bytes, host: bytes, proto: bytes, *, is_trusted: bool
):
    given = [
        (b"host", b"shop"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"x-forwarded-host", b"www"),
        (b"x-forwarded-proto", b"https"),
    ]

    sent = dict(forwarded(given, is_trusted=is_trusted))

    assert sent[b"x-forwarded-for"] == chain
    assert sent[b"x-forwarded-host"] == host
    assert sent[b"x-forwarded-proto"] == proto


def test_a_header_that_comes_twice_goes_on_twice():
    given = [(b"x-a", b"1"), (b"x-a", b"2")]

    assert forwarded(given)[:2] == given


def test_hop_by_hop_headers_and_cookies_do_not_come_back():
    given = [
        (b"connection", b"x-private"),
        (b"x-private", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"transfer-encoding", b"chunked"),
        (b"set-cookie", b"a=1"),
        (b"x-kept", b"2"),
    ]

    closed = forward_answer(given, 200, set_cookie=False)
    opened = forward_answer(given, 200, set_cookie=True)

    assert names(closed) == {b"x-kept", b"via"}
    assert (b"set-cookie", b"a=1") in opened


def test_connection_cannot_take_the_length_of_an_answer_away():
    given = [(b"connection", b"content-length"), (b"content-length", b"2")]

    assert (b"content-length", b"2") in forward_answer(given, 200, set_cookie=False)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_an_answer_without_a_body_has_no_length(status: int):
    given = [(b"content-length", b"9")]

    assert names(forward_answer(given, status, set_cookie=False)) == {b"via"}


def test_lines_of_one_header_are_one_list():
    given = [(b"a", b"1"), (b"cookie", b"x=1"), (b"a", b"2"), (b"cookie", b"y=2")]

    assert read_headers(given) == {"a": "1, 2", "cookie": "x=1; y=2"}
