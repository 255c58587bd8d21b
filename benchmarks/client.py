"""A closed-loop client in a process of its own, told what to do on its stdin.

It reads one JSON order a line and writes one JSON result a line. It looks at status
and length of answers, and whether there are errors in them, but decodes nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import httptools
import orjson
import uvloop

from benchmarks.operations import find_operation, http_request

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LoadOrder", "LoadResult", "main"]

_OK = 200
_PATIENCE = 60.0
"""Seconds that the last answers may take."""


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """What to send, to where, how long and how many at a time."""

    port: int
    operation: str
    is_graphql: bool
    seconds: float
    connections: int
    offset: int = 0
    """The variables to begin with."""
    tokens: tuple[str, ...] = ()
    """Sent in turn, if there are any."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of it; times in milliseconds."""

    requests: int
    failures: int
    seconds: float
    bytes: int
    p50: float
    p99: float


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0
        self._is_failed = False
        self._transport: asyncio.Transport | None = None
        self.finished: asyncio.Future[None] = run.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.finished.done():
            self._run.failures += 1
            self.finished.set_result(None)

    def send(self) -> None:
        self._is_failed = False
        self._sent = time.perf_counter()
        cast("asyncio.Transport", self._transport).write(self._run.next_request())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._run.bytes += len(body)
        if b'"errors"' in body:
            self._is_failed = True

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        run = self._run
        run.latencies.append(now - self._sent)
        if self._is_failed or self._parser.get_status_code() != _OK:
            run.failures += 1
        if now < run.end:
            self.send()
        elif not self.finished.done():
            self.finished.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Run:
    """One order while it runs."""

    def __init__(self, order: LoadOrder) -> None:
        self.loop = asyncio.get_running_loop()
        operation = find_operation(order.operation)
        self._requests = [
            http_request(
                operation,
                variables,
                is_graphql=order.is_graphql,
                token=order.tokens[number % len(order.tokens)] if order.tokens else "",
            )
            for number, variables in enumerate(operation.variants)
        ]
        self._next = order.offset
        self.latencies: list[float] = []
        self.failures = 0
        self.bytes = 0
        self.end = 0.0

    def next_request(self) -> bytes:
        """Return the bytes of the next request."""
        self._next += 1
        return self._requests[self._next % len(self._requests)]


async def _carry_out(order: LoadOrder) -> LoadResult:
    run = _Run(order)
    connections = []
    for _ in range(order.connections):
        _, connection = await run.loop.create_connection(
            lambda: _Connection(run), "127.0.0.1", order.port
        )
        connections.append(connection)
    began = time.perf_counter()
    run.end = began + order.seconds
    for connection in connections:
        connection.send()
    finished = [connection.finished for connection in connections]
    _, late = await asyncio.wait(finished, timeout=order.seconds + _PATIENCE)
    seconds = time.perf_counter() - began
    for future in late:
        future.set_result(None)
    for connection in connections:
        connection.close()
    latencies = sorted(run.latencies)
    return LoadResult(
        requests=len(latencies),
        failures=run.failures + len(late),
        seconds=seconds,
        bytes=run.bytes,
        p50=_quantile(latencies, 0.5) * 1000,
        p99=_quantile(latencies, 0.99) * 1000,
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def main() -> None:
    """Carry out orders until stdin ends."""
    for line in sys.stdin:
        given: dict[str, Any] = orjson.loads(line)
        result = uvloop.run(_carry_out(LoadOrder(**given)))
        sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
