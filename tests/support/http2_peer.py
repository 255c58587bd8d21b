"""An HTTP/2 server written frame by frame, to say what no decent server would."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from hpack import Decoder, Encoder

from graphgw.sources.grpc_transport import frames

__all__ = ["Frame", "HTTP2Peer", "PeerConnection", "as_message"]

HEAD = ((":status", "200"), ("content-type", "application/grpc"))
WELL = (("grpc-status", "0"),)


def as_message(data: bytes, flag: int = 0) -> bytes:
    """Return a message with its prefix."""
    return bytes((flag,)) + len(data).to_bytes(4, "big") + data


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes


class PeerConnection:
    """One client's connection: reads its frames, sends whatever it is told to."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.encoder = Encoder()
        self.decoder = Decoder()

    async def read_frame(self) -> Frame:
        word, flags, stream_id = frames.HEADER.unpack(await self.reader.readexactly(9))
        payload = await self.reader.readexactly(word >> 8)
        return Frame(word & 0xFF, flags, stream_id, payload)

    async def read(self, *kinds: int) -> Frame:
        """Return the next frame of one of these kinds."""
        while True:
            frame = await self.read_frame()
            if frame.kind in kinds:
                return frame

    async def greet(self, settings: dict[int, int] | None = None) -> None:
        """Take the preface and send settings."""
        assert await self.reader.readexactly(24) == frames.PREFACE
        self.send(frames.encode_settings(settings or {}))

    async def read_call(self) -> tuple[int, dict[str, str]]:
        """Return the next call's stream and headers."""
        frame = await self.read(frames.HEADERS)
        return frame.stream_id, dict(self.decoder.decode(frame.payload))

    def send(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    def frame(self, kind: int, flags: int, stream_id: int, payload: bytes = b""):
        self.send(frames.encode_frame(kind, flags, stream_id, payload))

    def headers(self, stream_id: int, fields, *, ends=False) -> None:
        flags = frames.END_HEADERS | (frames.END_STREAM if ends else 0)
        block = self.encoder.encode(list(fields))
        self.frame(frames.HEADERS, flags, stream_id, block)

    def data(self, stream_id: int, payload: bytes) -> None:
        self.frame(frames.DATA, 0, stream_id, payload)

    def answer(self, stream_id: int, data: bytes = b"ok") -> None:
        """Answer a call as it should be."""
        self.headers(stream_id, HEAD)
        self.data(stream_id, as_message(data))
        self.headers(stream_id, WELL, ends=True)


Script = Callable[[PeerConnection], Awaitable[None]]


@dataclass
class HTTP2Peer:
    """Runs a script for each connection, the last one again for those beyond.

    What a script raises, the test raises in the end.
    """

    scripts: tuple[Script, ...]
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 0
    errors: list[Exception] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(
            self.serve, self.host, self.port, ssl=self.tls
        )
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()
        if self.errors:
            raise self.errors[0]

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def serve(self, reader, writer) -> None:
        self.tasks.append(asyncio.current_task())
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        try:
            await script(PeerConnection(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except Exception as error:  # noqa: BLE001 - the test shall see it
            self.errors.append(error)
        finally:
            writer.close()
