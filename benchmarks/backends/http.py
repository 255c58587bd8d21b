"""A REST backend on bare asyncio: encoded rows joined with commas."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs, urlsplit

import httptools
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.backends.counter import CallCounter

__all__ = ["run_http"]


def run_http(
    path: str, rows: Mapping[str, bytes], port: int, counter: CallCounter
) -> None:
    """Serve one list of rows until the process is ended.

    ``?ids=u1,u2`` answers those rows, ``?limit=10&after=u7`` ten rows from u8 on. The
    list is a ring, so that every cursor is followed by as many rows as are wanted.
    """
    answer = _Rows(path, rows).answer

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(answer, counter), "127.0.0.1", port, backlog=1024
        )
        await server.serve_forever()

    uvloop.run(serve())


class _Rows:
    def __init__(self, path: str, rows: Mapping[str, bytes]) -> None:
        self._path = path
        self._rows = rows
        self._ring = [*rows.values(), *rows.values()]
        self._positions = {row_id: index for index, row_id in enumerate(rows)}

    def answer(self, target: str) -> bytes:
        url = urlsplit(target)
        if url.path != self._path:
            return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
        query = parse_qs(url.query)
        if "ids" in query:
            ids = query["ids"][0].split(",")
            found = [self._rows[row_id] for row_id in ids if row_id in self._rows]
            return _encode(found, b'"has_more":false,"next_cursor":null')
        limit = int(query.get("limit", ["20"])[0])
        after = query.get("after", [""])[0]
        start = self._positions.get(after, -1) + 1
        return _encode(
            self._ring[start : start + limit], b'"has_more":true,"next_cursor":"u1"'
        )


def _encode(rows: list[bytes], page: bytes) -> bytes:
    body = b'{"items":[%b],%b,"total":%d}' % (b",".join(rows), page, len(rows))
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


class _Connection(asyncio.Protocol):
    def __init__(self, answer: Callable[[str], bytes], counter: CallCounter) -> None:
        self._answer = answer
        self._counter = counter
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._target = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_message_complete(self) -> None:
        self._counter.add()
        if self._transport is not None:
            self._transport.write(self._answer(self._target.decode()))
