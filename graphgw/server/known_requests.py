"""Requests at routes that need no parser: their heads, or their headers, came before.

The parser has been at every head once before any part of it is remembered, so nothing
is served here that it would refuse. Bodies are part of nothing: only requests whose
head tells the length of a short one, or has none, are remembered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from graphgw.operations.cache import BoundedCache
from graphgw.routes.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from graphgw.server.routes import KnownRequest, RoutesFront
    from graphgw.types import Headers

__all__ = ["BODY_BYTES", "KnownRequests", "body_length"]

_ENTRIES: Final = 2000
_BYTES: Final = 4 * 1024 * 1024
_BYTES_PER_BYTE: Final = 4
_REQUEST_BYTES: Final = 1000
_LINE_END: Final = b"\r\n"
_LINE: Final = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[A-Za-z0-9._~!$&'()*+,=:@/-]*)"
    rb"(?:\?([A-Za-z0-9._~!$&'()*+,;=:@/?%-]*))? HTTP/1\.1"
)
"""Request lines that nobody reads in another way; all others are the parser's."""

BODY_BYTES: Final = 64 * 1024
"""Longer bodies go the usual way, which holds a fast client back."""
_DIGITS: Final = len(str(BODY_BYTES))
_NOT_HERE: Final = frozenset((b"transfer-encoding", b"expect", b"upgrade"))

RawPairs = tuple[tuple[bytes, bytes], ...]


class KnownRequests:
    """What heads come to, by all of their bytes and by those of their headers.

    Args:
        routes: Reads requests at routes.
        is_own: Tells paths of the graph, which no route answers.
        max_head_bytes: The longest head.
    """

    __slots__ = (
        "_headers",
        "_is_own",
        "_max_head_bytes",
        "_once",
        "_requests",
        "_routes",
    )

    def __init__(
        self, routes: RoutesFront, is_own: Callable[[str], bool], max_head_bytes: int
    ) -> None:
        self._routes = routes
        self._is_own = is_own
        self._max_head_bytes = max_head_bytes
        self._requests: BoundedCache[bytes, KnownRequest] = BoundedCache(
            max_entries=_ENTRIES, max_bytes=_BYTES
        )
        self._headers: BoundedCache[bytes, tuple[RawPairs, Headers]] = BoundedCache(
            max_entries=_ENTRIES, max_bytes=_BYTES
        )
        self._once: set[int] = set()
        """Hashes of heads that came once; what comes twice is remembered."""

    def find(
        self, data: bytes, scheme: str, client: tuple[str, int] | None
    ) -> KnownRequest | None:
        """Return what a head comes to, if it is known.

        Args:
            data: The head; its only empty line is its end.
            scheme: The connection's.
            client: Who is at its other end.
        """
        known = self._requests.get(data)
        if known is not None and self._routes.is_current(known):
            return known
        at = data.find(_LINE_END)
        seen = self._headers.get(data[at:])
        line = None if seen is None else _LINE.fullmatch(data, 0, at)
        if seen is None or line is None or len(data) > self._max_head_bytes:
            return None
        method, path, query = line.groups(b"")
        scope = {
            "type": "http",
            "method": method.decode(),
            "path": path.decode(),
            "raw_path": path,
            "query_string": query,
            "headers": seen[0],
            "scheme": scheme,
            "client": client,
        }
        known = self._read(scope, seen[1])
        if known is not None:
            self._keep(data, known)
        return known

    def learn(self, data: bytes, scope: dict[str, Any]) -> KnownRequest | None:
        """Remember a head that the parser found to be that of one whole request.

        Returns:
            What it comes to, if a route answers it.
        """
        raw: RawPairs = tuple(scope["headers"])
        if body_length(raw) is None:
            return None
        headers = read_headers(raw)
        known = self._read(scope, headers)
        if known is not None:
            rest = data[data.find(_LINE_END) :]
            size = _BYTES_PER_BYTE * len(rest) + _REQUEST_BYTES
            self._headers.put(rest, (raw, headers), size)
            self._keep(data, known)
        return known

    def _read(self, scope: dict[str, Any], headers: Headers) -> KnownRequest | None:
        if self._is_own(scope["path"]):
            return None
        return self._routes.read(scope, headers)

    def _keep(self, data: bytes, known: KnownRequest) -> None:
        mark = hash(data)
        if mark in self._once:
            self._once.discard(mark)
            size = _BYTES_PER_BYTE * len(data) + _REQUEST_BYTES
            self._requests.put(data, known, size)
            return
        if len(self._once) >= _ENTRIES:
            self._once.clear()
        self._once.add(mark)


def body_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the length of a body that follows a head; ``None`` if it is not for here.

    That is a long one, one in chunks, one that waits to be asked for, and one whose
    length is said twice.
    """
    length: int | None = None
    for name, value in headers:
        if name == b"content-length":
            if length is not None or not value.isdigit() or len(value) > _DIGITS:
                return None
            length = int(value)
        elif name in _NOT_HERE:
            return None
    return 0 if length is None else length if length <= BODY_BYTES else None
