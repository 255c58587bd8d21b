"""``python -m benchmarks proxy``: CPU per proxied request, side by side in one run."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import httptools
import uvloop

from benchmarks.cpu import cpu_seconds
from benchmarks.processes import Backends, Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main"]

_HERE: Final = Path(__file__).parent
_OK: Final = 200
_TARGETS: Final = {
    "by_hand": (
        "-m",
        "benchmarks.serve_asgi",
        "benchmarks.proxy.by_hand:app",
        "{port}",
    ),
    "gateway": (
        *("-m", "graphgw.cli.main", "serve", "--port", "{port}"),
        *("--config", str(_HERE / "graphgw.yaml")),
    ),
}
_ECHO: Final = ("-m", "benchmarks.serve_asgi", "benchmarks.proxy.echo:app", "{port}")
_REST: Final = b"HTTP/1.1\r\nhost: bench\r\naccept: */*\r\nuser-agent: bench\r\n\r\n"


def _send_same() -> Iterator[bytes]:
    return itertools.repeat(b"GET /users?ids=u1,u2,u3 " + _REST)


def _send_other() -> Iterator[bytes]:
    """Yield requests of which no two are the same."""
    return (
        b"GET /users?ids=u1,u2,u3&n=%d " % number + _REST
        for number in itertools.count(time.time_ns())
    )


def _post(body: bytes, lines: bytes = b"") -> bytes:
    length = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return b"POST /echo " + _REST.removesuffix(b"\r\n") + lines + length + body


def _post_same() -> Iterator[bytes]:
    return itertools.repeat(_post(b'{"name": "Ada", "roles": ["a", "b"], "age": 36}'))


def _post_other() -> Iterator[bytes]:
    """Yield requests with a body of which no two are the same, nor equally long."""
    return (
        _post(b'{"name": "%b", "number": %d}' % (b"a" * (number % 97), number))
        for number in itertools.count(time.time_ns())
    )


def _post_traced() -> Iterator[bytes]:
    """Yield requests with a body and a header that no other has."""
    return (
        _post(b'{"name": "Ada"}', b"x-trace: %d\r\n" % number)
        for number in itertools.count(time.time_ns())
    )


_REQUESTS: Final = {
    "same": _send_same,
    "other": _send_other,
    "body": _post_same,
    "bodies": _post_other,
    "traced": _post_traced,
}


class _Client(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], end: float) -> None:
        self._requests = requests
        self._end = end
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self.finished = asyncio.get_running_loop().create_future()
        self.count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        transport = cast("asyncio.Transport", self._transport)
        if self._parser.get_status_code() != _OK:
            self.finished.set_exception(RuntimeError("an answer is not 200"))
            transport.close()
            return
        self.count += 1
        if time.perf_counter() < self._end:
            transport.write(next(self._requests))
        else:
            transport.close()
            self.finished.set_result(None)


async def _load(
    port: int, requests: Iterator[bytes], connections: int, seconds: float
) -> int:
    loop = asyncio.get_running_loop()
    end = time.perf_counter() + seconds
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Client(requests, end), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.gather(*(client.finished for client in clients))
    return sum(client.count for client in clients)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each target in turn, some rounds, and print microseconds and ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks proxy")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args(arguments)
    found: dict[tuple[str, str], list[float]] = {
        (kind, name): [] for kind in _REQUESTS for name in _TARGETS
    }
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        backends = Backends("local", folder)
        stack.callback(backends.end)
        backends.wait_until_listening()
        echo = Process((sys.executable, *_ECHO), {}, folder / "echo.log")
        stack.callback(echo.end)
        echo.wait_until_listening()
        environment = {
            **backends.environment,
            "ECHO_URL": f"http://127.0.0.1:{echo.port}",
        }
        running = {}
        for name, command in _TARGETS.items():
            whole = (sys.executable, *command)
            log = folder / f"{name}.log"
            running[name] = Process(whole, environment, log)
            stack.callback(running[name].end)
        for process in running.values():
            process.wait_until_listening()
        time.sleep(2)
        for number in range(given.rounds + 1):
            for (kind, name), values in found.items():
                process = running[name]
                before = cpu_seconds(process.pid)
                requests = _REQUESTS[kind]()
                count = uvloop.run(
                    _load(process.port, requests, given.connections, given.seconds)
                )
                used = (cpu_seconds(process.pid) - before) * 1e6 / count
                if number:  # the first warms up
                    values.append(used)
    for (kind, name), values in found.items():
        base = statistics.median(found[kind, "by_hand"])
        middle = statistics.median(values)
        print(f"{kind:6} {name:8} {middle:7.1f} us  {middle / base:.2f} x by_hand")
