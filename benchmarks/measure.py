"""Run targets and operations in turn, and measure each round of each pair."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from benchmarks.backends.rows import COUNT
from benchmarks.callers import mint_tokens
from benchmarks.client import LoadOrder, LoadResult
from benchmarks.cpu import cpu_seconds, resident_bytes
from benchmarks.operations import (
    OPERATIONS,
    BenchmarkOperation,
    find_operation,
    http_request,
)
from benchmarks.processes import Backends, compose, start_target
from benchmarks.targets import ROOT, TARGETS, find_default_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.processes import Process
    from benchmarks.targets import Target

__all__ = ["DisagreementError", "Options", "Sample", "measure"]

_STRIDE: Final = 131
"""How far apart in the rotation the rounds begin."""


class DisagreementError(Exception):
    """Two targets answer an operation differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long, how often and what is measured."""

    targets: tuple[str, ...] = find_default_targets(with_peers=False)
    operations: tuple[str, ...] = tuple(OPERATIONS)
    rounds: int = 3
    seconds: float = 1.5
    connections: int = 32
    rows: int = COUNT
    """Users, and products, that the backends have."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one operation at one target."""

    target: str
    operation: str
    cpu_ms: float
    """CPU of the whole process and its children for each request."""
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    calls: float
    """Backend calls for each request."""
    failures: int
    answer_bytes: int
    """Length of a mean answer."""
    resident_bytes: int


def measure(options: Options) -> Iterator[Sample]:
    """Start everything, check that answers agree, and measure.

    Raises:
        DisagreementError: Two targets answer an operation differently.
        RuntimeError: A process cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="graphgw-bench-") as name:
        folder = Path(name)
        with contextlib.ExitStack() as stack:
            running = _start(options, folder, stack)
            for operation in options.operations:
                _check_agreement(find_operation(operation), running)
            client = stack.enter_context(_LoadClient())
            yield from _rounds(options, running, client)


@dataclass(frozen=True, slots=True)
class _Running:
    """A target, its process and what that calls."""

    target: Target
    process: Process
    backends: Backends
    tokens: tuple[str, ...]
    """Those of the target's callers, if it has some."""


def _start(
    options: Options, folder: Path, stack: contextlib.ExitStack
) -> list[_Running]:
    """Start the targets and what they call; the stack ends them."""
    targets = [TARGETS[name] for name in options.targets]
    supergraph = folder / "supergraph.graphql"
    backends = {}
    for series in dict.fromkeys(target.series for target in targets):
        backends[series] = Backends(series, folder, options.rows)
        stack.callback(backends[series].end)
    for found in backends.values():
        found.wait_until_listening()
    if "remote" in backends:
        compose(backends["remote"].environment, supergraph)
    key_file = folder / "callers.pem"
    tokens = mint_tokens(key_file) if any(t.has_callers for t in targets) else ()
    running = []
    for target in targets:
        called = backends[target.series]
        environment = {**called.environment, "BENCH_KEY_FILE": str(key_file)}
        process = start_target(target, environment, supergraph, folder)
        stack.callback(process.end)
        own = tokens if target.has_callers else ()
        running.append(_Running(target, process, called, own))
    for one in running:
        one.process.wait_until_listening()
    return running


def _rounds(
    options: Options,
    running: Sequence[_Running],
    client: _LoadClient,
) -> Iterator[Sample]:
    for number in range(options.rounds):
        for operation in options.operations:
            for one in running:
                target = one.target
                if target.is_slow and number:
                    continue
                order = LoadOrder(
                    port=one.process.port,
                    operation=operation,
                    is_graphql=target.is_graphql,
                    seconds=options.seconds,
                    connections=options.connections,
                    offset=number * _STRIDE,
                    tokens=one.tokens,
                )
                if number == 0 and not target.is_slow:
                    client.carry_out(_with_seconds(order, target.warm_up))
                yield _sample(one, order, client)


def _sample(one: _Running, order: LoadOrder, client: _LoadClient) -> Sample:
    backends, pid = one.backends, one.process.pid
    calls, cpu = backends.count_calls(), cpu_seconds(pid)
    result = client.carry_out(order)
    cpu = cpu_seconds(pid) - cpu
    calls = backends.count_calls() - calls
    count = max(result.requests, 1)
    return Sample(
        target=one.target.name,
        operation=order.operation,
        cpu_ms=cpu * 1000 / count,
        requests_per_second=result.requests / result.seconds,
        p50_ms=result.p50,
        p99_ms=result.p99,
        calls=calls / count,
        failures=result.failures,
        answer_bytes=result.bytes // count,
        resident_bytes=resident_bytes(pid),
    )


def _with_seconds(order: LoadOrder, seconds: float) -> LoadOrder:
    return LoadOrder(**{**asdict(order), "seconds": seconds})


class _LoadClient:
    """The client process."""

    def __enter__(self) -> _LoadClient:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.client"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def carry_out(self, order: LoadOrder) -> LoadResult:
        """Return what came of an order.

        Raises:
            RuntimeError: The client ended.
        """
        pipes = self._process.stdin, self._process.stdout
        if pipes[0] is None or pipes[1] is None:
            raise RuntimeError("the client has no pipes")
        pipes[0].write(orjson.dumps(asdict(order)) + b"\n")
        pipes[0].flush()
        line = pipes[1].readline()
        if not line:
            raise RuntimeError("the client ended")
        return LoadResult(**orjson.loads(line))


def _check_agreement(
    operation: BenchmarkOperation, running: Sequence[_Running]
) -> None:
    variables = operation.variants[0]
    first: tuple[str, Any] | None = None
    for one in running:
        target, process = one.target, one.process
        request = http_request(operation, variables, is_graphql=target.is_graphql)
        answer = _comparable(_ask(process.port, request))
        if first is None:
            first = target.name, answer
        elif answer != first[1]:
            raise DisagreementError(
                f"{operation.name}: {target.name} and {first[0]} answer differently:"
                f"\n{str(answer)[:500]}\n{str(first[1])[:500]}"
            )


def _ask(port: int, request: bytes) -> Any:
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"content-type": "application/json", "accept": "application/json"}
        connection.request(method, target, body or None, headers)
        return orjson.loads(connection.getresponse().read())
    finally:
        connection.close()


def _comparable(value: Any) -> Any:
    """Return the answer with all points in time written in one way."""
    if isinstance(value, dict):
        return {
            key: _moment(item) if key.endswith("At") else _comparable(item)
            for key, item in value.items()
        }
    return [_comparable(item) for item in value] if isinstance(value, list) else value


def _moment(text: Any) -> Any:
    return text[:19] if isinstance(text, str) else text
