"""GraphQL over HTTP on bare asyncio: one POST, one answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
import orjson
import uvloop
from graphql import GraphQLError

from benchmarks.remote.prepare import DocumentError, Preparer

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.backends.counter import CallCounter
    from benchmarks.remote.rows import Graph

__all__ = ["Answerer", "run_server"]

_MOST_DOCUMENTS: Final = 500


class Answerer:
    """Answers requests; each document is prepared when it comes for the first time."""

    def __init__(self, graph: Graph) -> None:
        self._preparer = Preparer(graph)
        self._prepared: dict[str, Callable[[dict[str, Any]], bytes]] = {}

    def answer(self, body: bytes) -> bytes:
        """Return the answer to the body of a request."""
        try:
            request = orjson.loads(body)
            text = request["query"]
            prepared = self._prepared.get(text)
            if prepared is None:
                if len(self._prepared) >= _MOST_DOCUMENTS:
                    self._prepared.clear()
                prepared = self._prepared[text] = self._preparer.prepare(text)
            return prepared(request.get("variables") or {})
        except (GraphQLError, DocumentError, LookupError, TypeError, ValueError) as bad:
            return orjson.dumps({"errors": [{"message": f"cannot answer: {bad}"}]})


def run_server(graph: Graph, port: int, counter: CallCounter) -> None:
    """Serve one subgraph until the process is ended."""
    answer = Answerer(graph).answer

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(answer, counter), "127.0.0.1", port, backlog=1024
        )
        await server.serve_forever()

    uvloop.run(serve())


class _Connection(asyncio.Protocol):
    def __init__(self, answer: Callable[[bytes], bytes], counter: CallCounter) -> None:
        self._answer = answer
        self._counter = counter
        self._parser = httptools.HttpRequestParser(self)
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._parts = []

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._counter.add()
        body = self._answer(b"".join(self._parts))
        if self._transport is not None:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
