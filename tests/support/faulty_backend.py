"""An HTTP backend that fails in every way that a gateway must survive.

Each fault is a path, as in ``/slow?ms=500``. It speaks raw bytes over asyncio, since
most of what it does no HTTP server would do. Run it by hand with
``python tests/support/faulty_backend.py``.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlsplit

__all__ = ["FaultyBackend", "Hit", "Stats"]

OK = b'{"data":{"ok":true}}'
_MIB = 1024 * 1024


@dataclass
class Hit:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    def number(self, name: str, default: int) -> int:
        return int(self.query.get(name, default))


@dataclass
class Stats:
    """What the backend saw since its start."""

    connections: int = 0
    in_flight: int = 0
    cancelled: int = 0
    hits: list[Hit] = field(default_factory=list)
    by_path: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return len(self.hits)


class FaultyBackend:
    """The backend, on a free loopback port::

        async with FaultyBackend() as backend:
            backend.url("/slow?ms=500")

    ``release`` lets go of every call to ``/gate``; ``has_waiting(n)`` waits until
    ``n`` calls are in flight, ``is_quiet`` until none is.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.port = port
        self.stats = Stats()
        self.release = asyncio.Event()
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, limit=16 * _MIB
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def has_waiting(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.stats.in_flight >= count)

    async def is_quiet(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.stats.in_flight == 0)

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.stats.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        hits: asyncio.Queue[Hit | None] = asyncio.Queue()
        gone = asyncio.Event()
        listening = asyncio.ensure_future(_listen(reader, hits, gone))
        try:
            while (hit := await hits.get()) is not None:
                self.stats.hits.append(hit)
                self.stats.by_path[hit.path] += 1
                if not await self._answer(hit, writer, gone):
                    return
        except OSError:
            return
        finally:
            listening.cancel()
            writer.close()
            await asyncio.gather(
                listening, writer.wait_closed(), return_exceptions=True
            )

    async def _answer(
        self, hit: Hit, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> bool:
        """Answer, unless the client goes first; tell whether to read on."""
        await self._count(1)
        fault = _FAULTS.get(hit.path, _not_found)
        answering = asyncio.ensure_future(fault(self, hit, writer))
        leaving = asyncio.ensure_future(gone.wait())
        try:
            await asyncio.wait(
                {answering, leaving}, return_when=asyncio.FIRST_COMPLETED
            )
            if not answering.done():
                self.stats.cancelled += 1
                return False
            return answering.result()
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            await self._count(-1)

    async def _count(self, change: int) -> None:
        self.stats.in_flight += change
        async with self._changed:
            self._changed.notify_all()


async def _listen(
    reader: asyncio.StreamReader,
    hits: asyncio.Queue[Hit | None],
    gone: asyncio.Event,
) -> None:
    """Read requests until the client goes, also while one is being answered."""
    try:
        while (hit := await _read_request(reader)) is not None:
            hits.put_nowait(hit)
    finally:
        gone.set()
        hits.put_nowait(None)


async def _read_request(reader: asyncio.StreamReader) -> Hit | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    parts = urlsplit(target)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Hit(method, parts.path, query, headers, body)


Fault = Callable[[FaultyBackend, Hit, asyncio.StreamWriter], Awaitable[bool]]


def _message(
    body: bytes,
    status: str = "200 OK",
    *headers: str,
    kind: str | None = "application/json",
) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    if kind is not None:
        lines.append(f"content-type: {kind}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _fixed(message: bytes, *, keeps: bool = True) -> Fault:
    async def answer(_: FaultyBackend, __: Hit, writer: asyncio.StreamWriter) -> bool:
        writer.write(message)
        await writer.drain()
        return keeps

    return answer


def _body(body: bytes, kind: str | None = "application/json") -> Fault:
    return _fixed(_message(body, kind=kind))


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, linger
    )
    writer.transport.abort()


async def _not_found(_: FaultyBackend, __: Hit, writer: asyncio.StreamWriter) -> bool:
    writer.write(_message(b'{"error":"no such path"}', "404 Not Found"))
    return True


async def _slow(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(hit.number("ms", 500) / 1000)
    writer.write(_message(OK))
    return True


async def _trickle(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    for byte in _message(OK):
        writer.write(bytes([byte]))
        await asyncio.sleep(hit.number("ms", 1000) / 1000)
    return True


async def _hang(_: FaultyBackend, __: Hit, ___: asyncio.StreamWriter) -> bool:
    await asyncio.Event().wait()
    return False


async def _gate(backend: FaultyBackend, _: Hit, writer: asyncio.StreamWriter) -> bool:
    await backend.release.wait()
    writer.write(_message(OK))
    return True


async def _reset_now(_: FaultyBackend, __: Hit, writer: asyncio.StreamWriter) -> bool:
    _reset(writer)
    return False


async def _reset_mid_body(
    _: FaultyBackend, __: Hit, writer: asyncio.StreamWriter
) -> bool:
    writer.write(_message(OK)[:-5])
    await writer.drain()
    await asyncio.sleep(0.05)
    _reset(writer)
    return False


async def _status(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    code = hit.number("code", 503)
    writer.write(_message(b'{"error":"as asked"}', f"{code} Status"))
    return True


async def _retry_after(
    _: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter
) -> bool:
    header = f"retry-after: {hit.query.get('s', '1')}"
    writer.write(_message(b"{}", "429 Too Many Requests", header))
    return True


async def _flaky(
    backend: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter
) -> bool:
    fails = backend.stats.by_path[hit.path] % hit.number("every", 3) == 0
    writer.write(_message(b"{}", "503 Unavailable") if fails else _message(OK))
    return True


async def _fail_then_ok(
    backend: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter
) -> bool:
    fails = backend.stats.by_path[hit.path] <= hit.number("n", 3)
    writer.write(_message(b"{}", "503 Unavailable") if fails else _message(OK))
    return True


async def _huge(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    """Send many MiB in chunks, so that no length warns of them."""
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    for _ in range(hit.number("mb", 64)):
        writer.write(b"100000\r\n" + b" " * _MIB + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    return True


async def _huge_length(
    _: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter
) -> bool:
    size = hit.number("mb", 64) * _MIB
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % size
    )
    await asyncio.Event().wait()
    return False


async def _gzip_bomb(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    deflater = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    parts = [deflater.compress(b" " * _MIB) for _ in range(hit.number("mb", 200))]
    body = b"".join(parts) + deflater.flush()
    writer.write(_message(body, "200 OK", "content-encoding: gzip"))
    return True


async def _headers(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    lines = [f"x-filler-{at}: {'a' * 40}" for at in range(hit.number("n", 5000))]
    writer.write(_message(OK, "200 OK", *lines))
    return True


async def _endless_header(
    _: FaultyBackend, __: Hit, writer: asyncio.StreamWriter
) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\nx-endless: ")
    while True:
        writer.write(b"a" * 4096)
        await writer.drain()
        await asyncio.sleep(0)


async def _echo(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    answer = {
        "method": hit.method,
        "path": hit.path,
        "query": hit.query,
        "headers": hit.headers,
        "body": hit.body.decode("utf-8", "replace"),
    }
    writer.write(_message(json.dumps(answer).encode()))
    return True


async def _deep(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    depth = hit.number("n", 100_000)
    writer.write(_message(b'{"data":' + b"[" * depth + b"]" * depth + b"}"))
    return True


async def _redirect(
    backend: FaultyBackend, _: Hit, writer: asyncio.StreamWriter
) -> bool:
    writer.write(
        _message(b"{}", "302 Found", f"location: {backend.url('/redirect-target')}")
    )
    return True


async def _no_body(_: FaultyBackend, hit: Hit, writer: asyncio.StreamWriter) -> bool:
    """Answer without a body; to ``HEAD``, with the length that it would have."""
    is_head = hit.method == "HEAD"
    writer.write(
        _HEAD + b"content-length: 100\r\n\r\n"
        if is_head
        else b"HTTP/1.1 204 No Content\r\n\r\n"
    )
    return True


def _chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_COOKIE = "set-cookie: session=secret; Path=/"

_FAULTS: dict[str, Fault] = {
    # Sound answers.
    "/ok": _body(OK),
    "/chunked": _fixed(_chunked(OK[:7], OK[7:])),
    "/trailers": _fixed(
        _chunked(OK, end=b"0\r\ncontent-type: text/html\r\nx-trailer: 1\r\n\r\n")
    ),
    "/gzip": _fixed(_message(gzip.compress(OK), "200 OK", "content-encoding: gzip")),
    "/until-close": _fixed(_HEAD + b"\r\n" + OK, keeps=False),
    "/old": _fixed(
        b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + OK, keeps=False
    ),
    "/informational": _fixed(
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + _message(OK)
    ),
    "/no-body": _no_body,
    "/echo": _echo,
    "/gate": _gate,
    # Time.
    "/slow": _slow,
    "/trickle": _trickle,
    "/hang": _hang,
    "/accept-only": _hang,
    # Connections.
    "/reset": _reset_now,
    "/reset-mid-body": _reset_mid_body,
    "/close": _fixed(b"", keeps=False),
    "/close-mid-head": _fixed(_HEAD[:-10], keeps=False),
    "/close-mid-body": _fixed(_message(OK)[:-5], keeps=False),
    "/close-mid-chunk": _fixed(_chunked(OK, end=b"")[:-5], keeps=False),
    "/close-before-last-chunk": _fixed(_chunked(OK, end=b""), keeps=False),
    "/stale": _fixed(_message(OK), keeps=False),
    # Bodies.
    "/garbage": _body(b"\x00\x01{]garbage"),
    "/empty": _body(b""),
    "/scalar": _body(b"42"),
    "/null": _body(b"null"),
    "/array": _body(b"[1,2]"),
    "/wrong-type": _body(OK, "text/plain"),
    "/no-type": _body(OK, None),
    "/html": _fixed(_message(b"<h1>Oops</h1>", "502 Bad Gateway", kind="text/html")),
    "/invalid-utf8": _body(b'{"data":{"ok":"\xff\xfe"}}'),
    "/lone-surrogate": _body(b'{"data":{"ok":"\\ud800"}}'),
    "/nan": _body(b'{"data":{"ok":NaN}}'),
    "/infinity": _body(b'{"data":{"ok":-Infinity}}'),
    "/big-int": _body(b'{"data":{"ok":' + b"9" * 100_000 + b"}}"),
    "/deep": _deep,
    "/dup-keys": _body(b'{"data":{"ok":1},"data":{"ok":2}}'),
    "/proto-keys": _body(b'{"data":{"__proto__":{"a":1},"constructor":2,"ok":true}}'),
    # Not a GraphQL answer.
    "/no-data-no-errors": _body(b"{}"),
    "/data-not-object": _body(b'{"data":[1]}'),
    "/errors-not-list": _body(b'{"errors":"none"}'),
    "/wrong-entity-count": _body(b'{"data":{"_entities":[null,null,null,null,null]}}'),
    "/extra-fields": _body(b'{"data":{"ok":true,"secret":"s"},"extra":1}'),
    # Statuses.
    "/status": _status,
    "/retry-after": _retry_after,
    "/flaky": _flaky,
    "/fail-then-ok": _fail_then_ok,
    "/redirect": _redirect,
    "/redirect-target": _body(OK),
    "/redirect-out": _fixed(
        _message(b"{}", "307 Temporary Redirect", "location: http://198.51.100.1/")
    ),
    "/set-cookie": _fixed(_message(OK, "200 OK", _COOKIE)),
    # Sizes.
    "/huge": _huge,
    "/huge-length": _huge_length,
    "/gzip-bomb": _gzip_bomb,
    "/headers": _headers,
    "/endless-header": _endless_header,
    # Broken HTTP.
    "/bad-gzip": _fixed(_message(b"no gzip", "200 OK", "content-encoding: gzip")),
    "/cut-gzip": _fixed(
        _message(gzip.compress(OK)[:-9], "200 OK", "content-encoding: gzip")
    ),
    "/unknown-encoding": _fixed(_message(OK, "200 OK", "content-encoding: zip")),
    "/bad-status-line": _fixed(b"HTTP/9.9 WAT\r\n\r\n", keeps=False),
    "/bad-chunk": _fixed(_chunked(end=b"14\r\n" + OK + b"XX0\r\n\r\n"), keeps=False),
    "/bad-chunk-size": _fixed(_chunked(end=b"0x14\r\n" + OK + b"\r\n"), keeps=False),
    "/negative-length": _fixed(_HEAD + b"content-length: -1\r\n\r\n" + OK),
    "/two-lengths": _fixed(
        _HEAD + b"content-length: 20\r\ncontent-length: 5\r\n\r\n" + OK
    ),
    "/length-and-chunked": _fixed(
        _HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
        b"14\r\n" + OK + b"\r\n0\r\n\r\n"
    ),
    "/unknown-coding": _fixed(
        _HEAD + b"transfer-encoding: gzip\r\n\r\n" + OK, keeps=False
    ),
    "/switch": _fixed(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n"
        b"connection: upgrade\r\n\r\nhello"
    ),
    "/two-answers": _fixed(_message(OK) + _message(b'{"data":{"ok":"stolen"}}')),
}


async def _main() -> None:
    async with FaultyBackend() as backend:
        sys.stdout.write(f"listening on {backend.url('')}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
