"""Requests at routes that need no parser: their bytes, or their headers', came before.

The parser has been at every head once before any part of it is remembered, so nothing
is served here that it would refuse. Only requests without a body are remembered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from graphgw.operations.cache import BoundedCache
from graphgw.routes.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphgw.server.routes import KnownRequest, RoutesFront
    from graphgw.types import Headers

__all__ = ["KnownRequests"]

_ENTRIES: Final = 2000
_BYTES: Final = 4 * 1024 * 1024
_BYTES_PER_BYTE: Final = 4
_REQUEST_BYTES: Final = 1000
_LINE_END: Final = b"\r\n"
_LINE: Final = re.compile(
    rb"(GET|HEAD|DELETE|OPTIONS) (/[A-Za-z0-9._~!$&'()*+,=:@/-]*)"
    rb"(?:\?([A-Za-z0-9._~!$&'()*+,;=:@/?%-]*))? HTTP/1\.1"
)
"""Request lines that nobody reads in another way; all others are the parser's."""

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
        """Return what a chunk comes to, if it is a head that is known.

        Args:
            data: The chunk; its only empty line is its end.
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
        """Remember a chunk that the parser found to be one request without a body.

        Returns:
            What it comes to, if a route answers it.
        """
        raw: RawPairs = tuple(scope["headers"])
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
        known = self._routes.read(scope, headers)
        return None if known is None or known.head.has_body else known

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
