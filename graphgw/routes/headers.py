"""Which headers go through a route: to the service, and back to the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphgw.routes.exchange import RequestHead

__all__ = [
    "ForwardRules",
    "forward_answer",
    "forward_request",
    "is_identity_header",
    "is_of_connection",
    "read_headers",
]

_HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Headers of one connection; see RFC 9110, section 7.6.1."""

_OF_MESSAGE: Final = frozenset((b"content-length", b"expect", b"host"))
_FORWARDED: Final = frozenset(
    (
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-real-ip",
    )
)
_OVERRIDES: Final = frozenset(
    (
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url",
    )
)
"""Headers by which some servers take a request for another than was decided on."""

_NEVER_NAMED: Final = frozenset(
    (b"authorization", b"cookie", b"host", b"content-length", b"content-type")
)
"""What ``connection`` cannot take away from a request."""

_IDENTITY: Final = frozenset(
    (
        b"remote-user",
        b"x-authenticated-user",
        b"x-authenticated-userid",
        b"x-consumer-id",
        b"x-consumer-username",
        b"x-credential-identifier",
        b"x-email",
        b"x-forwarded-access-token",
        b"x-forwarded-email",
        b"x-forwarded-groups",
        b"x-forwarded-preferred-username",
        b"x-forwarded-user",
        b"x-groups",
        b"x-remote-user",
        b"x-roles",
        b"x-scopes",
        b"x-user",
        b"x-user-email",
        b"x-user-id",
        b"x-user-name",
        b"x-user-roles",
        b"x-username",
    )
)
_IDENTITY_PREFIXES: Final = (b"x-auth-request-", b"x-ms-client-principal")
_VIA: Final = b"1.1 graphgw"


@dataclass(frozen=True, slots=True)
class ForwardRules:
    """What of a client's credentials goes on, and what an answer may set.

    ``identity`` are headers that the gateway itself sets from claims; ``credentials``
    those that the client proves itself by.
    """

    cookies: bool = False
    set_cookie: bool = False
    authorization: bool = False
    preserve_host: bool = False
    identity: frozenset[bytes] = frozenset()
    credentials: frozenset[bytes] = frozenset((b"authorization",))

    @property
    def dropped(self) -> frozenset[bytes]:
        """The names that never go on."""
        names = _HOP_BY_HOP | _OF_MESSAGE | _FORWARDED | _OVERRIDES
        names |= _IDENTITY | self.identity
        if not self.cookies:
            names |= {b"cookie"}
        return names if self.authorization else names | self.credentials


def is_of_connection(name: bytes) -> bool:
    """Tell whether a header belongs to one connection or one message's framing."""
    return name in _HOP_BY_HOP or name in _OF_MESSAGE


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by name; one that came in several lines is one list."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        before = headers.get(name)
        separator = "; " if name == "cookie" else ", "
        headers[name] = value if before is None else f"{before}{separator}{value}"
    return headers


def is_identity_header(name: bytes) -> bool:
    """Tell whether a header says who is asking, which clients may not say."""
    return name in _IDENTITY or name.startswith(_IDENTITY_PREFIXES)


def forward_request(
    head: RequestHead, dropped: frozenset[bytes], *, is_trusted: bool, keeps_host: bool
) -> list[tuple[bytes, bytes]]:
    """Return the headers that go on to a service.

    Headers of the connection and those that ``connection`` names stay here; so do
    identity headers, and names with ``_``, which some servers read as ``-``. What a
    peer says of clients before it is added to only if the peer ``is_trusted``, else
    it is replaced.
    """
    connection = head.headers.get("connection")
    if connection is not None:
        dropped |= _named_by(connection.encode("latin-1")) - _NEVER_NAMED
    kept = [
        pair
        for pair in head.raw_headers
        if (name := pair[0]) not in dropped
        and b"_" not in name
        and not name.startswith(_IDENTITY_PREFIXES)
    ]
    host = head.headers.get("host", "").encode("latin-1")
    if keeps_host and host:
        kept.append((b"host", host))
    kept += _forwarded(head, host, is_trusted=is_trusted)
    return kept


def _forwarded(
    head: RequestHead, host: bytes, *, is_trusted: bool
) -> Iterator[tuple[bytes, bytes]]:
    before = head.headers if is_trusted else {}
    peer = (head.peer or "unknown").encode("latin-1")
    chain = before.get("x-forwarded-for")
    via = before.get("via")
    yield (
        b"x-forwarded-for",
        b"%b, %b" % (chain.encode("latin-1"), peer) if chain else peer,
    )
    scheme = before.get("x-forwarded-proto") or head.scheme
    yield b"x-forwarded-proto", scheme.encode("latin-1")
    named = before.get("x-forwarded-host")
    name = named.encode("latin-1") if named else host
    if name:
        yield b"x-forwarded-host", name
    yield b"via", b"%b, %b" % (via.encode("latin-1"), _VIA) if via else _VIA


def forward_answer(
    headers: Iterable[tuple[bytes, bytes]], status: int, *, set_cookie: bool
) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer that go back to the client.

    ``content-length`` stays unless the status has no body.
    """
    raw = list(headers)
    dropped = _NOT_ANSWERED[status in _BODILESS, set_cookie]
    for name, value in raw:
        if name == b"connection":
            dropped |= _named_by(value) - _ANSWER_NEVER_NAMED
    kept = [pair for pair in raw if pair[0] not in dropped]
    kept.append((b"via", _VIA))
    return kept


_BODILESS: Final = frozenset((204, 205, 304))
_COOKIES: Final = frozenset((b"set-cookie", b"set-cookie2"))
_LENGTH: Final = frozenset((b"content-length",))
_NOT_ANSWERED: Final = {
    (False, True): _HOP_BY_HOP,
    (False, False): _HOP_BY_HOP | _COOKIES,
    (True, True): _HOP_BY_HOP | _LENGTH,
    (True, False): _HOP_BY_HOP | _LENGTH | _COOKIES,
}
"""Headers that stay here, by whether there is no body and whether cookies pass."""
_ANSWER_NEVER_NAMED: Final = frozenset(
    (b"content-length", b"content-type", b"cache-control", b"content-encoding")
)


def _named_by(connection: bytes) -> frozenset[bytes]:
    """Return the headers that a ``connection`` header names."""
    tokens = connection.lower().split(b",")
    return frozenset(token.strip() for token in tokens)
