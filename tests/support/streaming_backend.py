"""An HTTP backend for what is passed on: bodies of any length, echoes, odd framing.

It speaks raw bytes in a thread of its own and notes what came over the wire, so that a
test sees what a proxy really sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

__all__ = ["Received", "StreamingBackend"]

MIB = 1024 * 1024
PIECE = b"x" * (64 * 1024)


@dataclass
class Received:
    """One request as it came in; header lines as they were written."""

    method: str
    target: str
    lines: list[str]
    body_bytes: int = 0
    body: bytes = b""
    is_whole: bool = False

    def values(self, name: str) -> list[str]:
        """Return the values of a header, in order."""
        found = (line.split(":", 1) for line in self.lines)
        return [value.strip() for key, value in found if key.lower() == name.lower()]


@dataclass
class StreamingBackend:
    """The backend; use it as a context manager."""

    requests: list[Received] = field(default_factory=list)
    sent_bytes: int = 0
    in_flight: int = 0
    cancelled: int = 0
    port: int = 0
    hold: threading.Event = field(default_factory=threading.Event)
    """Paths under ``/held`` wait for it before they read or write on."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Received:
        return self.requests[-1]

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")[:-2]
                method, target, _ = first.split(" ")
                request = Received(method, target, lines)
                self.requests.append(request)
                self.in_flight += 1
                try:
                    await self._answer(request, reader, writer)
                finally:
                    self.in_flight -= 1
                await writer.drain()
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self.cancelled += 1
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(
        self,
        request: Received,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        parts = urlsplit(request.target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        kind = parts.path.rpartition("/")[2]
        if kind == "early":
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
            await writer.drain()
            writer.close()
            return
        if kind == "held":
            await asyncio.get_running_loop().run_in_executor(None, self.hold.wait)
        await self._read_body(request, reader, writer)
        if kind in {"big", "chunked", "endless"}:
            await self._send_big(kind, int(query.get("mb", "1")), writer)
        elif kind == "events":
            await self._send_events(int(query.get("n", "3")), writer)
        elif kind in ODD:
            writer.write(ODD[kind])
            if kind in CLOSING:
                await writer.drain()
                writer.close()
        else:
            self._echo(request, query, writer)

    async def _read_body(
        self,
        request: Received,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if "100-continue" in request.values("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.values("transfer-encoding"):
            while size := int(await reader.readline(), 16):
                await self._read_piece(request, reader, size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            await self._read_piece(
                request, reader, int((request.values("content-length") or ["0"])[0])
            )
        request.is_whole = True

    async def _read_piece(
        self, request: Received, reader: asyncio.StreamReader, size: int
    ) -> None:
        while size:
            data = await reader.read(min(size, 256 * 1024))
            if not data:
                raise asyncio.IncompleteReadError(b"", size)
            size -= len(data)
            request.body_bytes += len(data)
            if request.body_bytes <= MIB:
                request.body += data

    async def _send_big(
        self, kind: str, mib: int, writer: asyncio.StreamWriter
    ) -> None:
        framing = {
            "big": f"content-length: {mib * MIB}",
            "chunked": "transfer-encoding: chunked",
            "endless": "connection: close",
        }
        writer.write(f"HTTP/1.1 200 OK\r\n{framing[kind]}\r\n\r\n".encode())
        piece = PIECE
        if kind == "chunked":
            piece = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
        for _ in range(mib * MIB // len(PIECE)):
            writer.write(piece)
            self.sent_bytes += len(PIECE)
            await writer.drain()
        if kind == "chunked":
            writer.write(b"0\r\n\r\n")
        if kind == "endless":
            writer.close()

    async def _send_events(self, count: int, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for number in range(count):
            event = b"data: %d\n\n" % number
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")

    def _echo(
        self, request: Received, query: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        body = json.dumps(
            {
                "method": request.method,
                "target": request.target,
                "headers": [line.split(": ", 1) for line in request.lines],
                "bytes": request.body_bytes,
                "body": request.body.decode("utf-8", "replace"),
            }
        ).encode()
        status = query.get("status", "200")
        extra = "".join(f"{line}\r\n" for line in query.get("header", "").split("|"))
        head = (
            f"HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{extra if query.get('header') else ''}\r\n"
        )
        writer.write(head.encode())
        if request.method != "HEAD":
            writer.write(body)


ODD = {
    "none": b"HTTP/1.1 204 No Content\r\n\r\n",
    "unchanged": b'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 9\r\n\r\n',
    "interim": (
        b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    ),
    "trailers": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-late\r\n\r\n"
        b"2\r\nok\r\n0\r\nx-late: yes\r\n\r\n"
    ),
    "hops": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-private\r\n"
        b"x-private: 1\r\nkeep-alive: timeout=5\r\nproxy-authenticate: Basic\r\n"
        b"set-cookie: a=1\r\nset-cookie: b=2\r\nx-kept: yes\r\n\r\nok"
    ),
    "two-lengths": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok"
    ),
    "both": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n"
    ),
    "extra": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
    ),
    "cut": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
    "cut-chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    "upgrade": (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\n"
        b"connection: upgrade\r\n\r\n"
    ),
    "garbage": b"this is no HTTP\r\n\r\n",
    "split": b"HTTP/1.1 200 OK\r\nx-a: b\rc: d\r\ncontent-length: 2\r\n\r\nok",
}
CLOSING = {"cut", "cut-chunk", "garbage"}
