"""Pages of other sites: which may read what the gateway answers (CORS)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from graphgw.types import Headers

__all__ = ["allow_origin", "allow_request", "without_cross_origin"]

_VARY: Final = (b"vary", b"Origin")
_PREFIX: Final = b"access-control-"
_HARMLESS: Final = b"access-control-expose-headers"


def allow_origin(
    headers: Headers, origins: Collection[str]
) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that tell a browser whether a page may read the answer."""
    if not origins:
        return ()
    origin = headers.get("origin")
    if origin not in origins and "*" not in origins:
        return (_VARY,)
    allowed = (origin or "*").encode("latin-1")
    return (_VARY, (b"access-control-allow-origin", allowed))


def allow_request(
    headers: Headers, methods: Iterable[str]
) -> list[tuple[bytes, bytes]]:
    """Return the headers that allow a page whose origin is allowed a request."""
    wanted = headers.get("access-control-request-headers", "content-type")
    return [
        (b"access-control-allow-methods", ", ".join(methods).encode("latin-1")),
        (b"access-control-allow-headers", wanted.encode("latin-1")),
        (b"access-control-max-age", b"600"),
    ]


def without_cross_origin(
    headers: Iterable[tuple[bytes, bytes]],
) -> list[tuple[bytes, bytes]]:
    """Return headers without what a service says of pages of other sites."""
    return [
        pair
        for pair in headers
        if not pair[0].startswith(_PREFIX) or pair[0] == _HARMLESS
    ]
