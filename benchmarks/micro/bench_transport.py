"""A call to a backend through the transport, over a real socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.types import Deadline

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
_CALLS = 32


class _Server(asyncio.Protocol):
    """Answers whatever comes; every request fits into one read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        if isinstance(self._transport, asyncio.Transport):
            self._transport.write(_ANSWER)


def bench_transport(
    benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop
) -> None:
    """32 calls at once; the server runs in the same loop and is timed, too."""
    server = loop.run_until_complete(loop.create_server(_Server, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    transport = HTTPTransport()

    async def call() -> None:
        deadline = Deadline.after(10.0)
        request = HTTPRequest("GET", f"http://127.0.0.1:{port}/users?ids=u1", deadline)
        await asyncio.gather(*[transport.send(request) for _ in range(_CALLS)])

    benchmark(lambda: loop.run_until_complete(call()))

    loop.run_until_complete(transport.aclose())
    server.close()
    loop.run_until_complete(server.wait_closed())
