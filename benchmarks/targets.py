"""What is measured, and how its processes are started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.backends.counter import read_count

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TARGETS", "BackendProcesses", "Process", "Target", "start_target"]

ROOT: Final = Path(__file__).parents[1]
_BACKENDS: Final = ("user", "product", "order", "notification")
_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers the five operations."""

    name: str
    command: tuple[str, ...]
    """The interpreter's arguments; ``{port}`` is where it is to listen."""
    is_graphql: bool = True
    is_slow: bool = False
    """Whether it is measured once only, since each answer takes long."""


def _gateway(name: str, config: str) -> Target:
    serve = ("-m", "graphgw.cli.main", "serve", "--port", "{port}")
    return Target(name, (*serve, "--config", f"benchmarks/{config}"))


def _asgi(name: str, module: str, *, is_graphql: bool, is_slow: bool) -> Target:
    command = ("-m", "benchmarks.serve_asgi", f"{module}:app", "{port}")
    return Target(name, command, is_graphql, is_slow)


TARGETS: Final = {
    target.name: target
    for target in (
        _asgi("by_hand", "benchmarks.by_hand.app", is_graphql=False, is_slow=False),
        _gateway("gateway", "graphgw.yaml"),
        _gateway("gateway_sharing", "graphgw-sharing.yaml"),
        _gateway("gateway_policies", "graphgw-policies.yaml"),
        _asgi(
            "strawberry",
            "benchmarks.strawberry_app.app",
            is_graphql=True,
            is_slow=True,
        ),
    )
}


class Process:
    """A process of ours that listens on a loopback port."""

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path
    ) -> None:
        self.port = _free_port()
        self._log = log
        self._name = " ".join(arguments)
        command = [part.replace("{port}", str(self.port)) for part in arguments]
        with log.open("wb") as errors:
            # The log goes where a container's would: away, but it is written.
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self.pid = self._process.pid

    def wait_until_listening(self) -> float:
        """Return the seconds that it took.

        Raises:
            RuntimeError: The process ended, or does not listen in time.
        """
        began = time.perf_counter()
        while time.perf_counter() - began < _START_SECONDS:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return time.perf_counter() - began
            time.sleep(0.02)
        self.end()
        text = self._log.read_text(errors="replace")
        raise RuntimeError(f"{self._name} does not listen:\n{text[-2000:]}")

    def end(self) -> None:
        """End the process, at the latest after a few seconds."""
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class BackendProcesses:
    """The four backends, and how often they were called."""

    def __init__(self, folder: Path) -> None:
        self._calls = [folder / f"{name}.calls" for name in _BACKENDS]
        self.processes = [
            Process(
                (
                    *("-m", "benchmarks.backends", name, "--port", "{port}"),
                    *("--calls", str(path)),
                ),
                {},
                folder / f"{name}.log",
            )
            for name, path in zip(_BACKENDS, self._calls, strict=True)
        ]
        user, product, order, notification = (item.port for item in self.processes)
        self.environment = {
            "USER_URL": f"http://127.0.0.1:{user}",
            "PRODUCT_URL": f"http://127.0.0.1:{product}",
            "ORDER_URL": f"grpc://127.0.0.1:{order}",
            "NOTIFICATION_URL": f"grpc://127.0.0.1:{notification}",
        }

    def wait_until_listening(self) -> None:
        """Wait for all four."""
        for process in self.processes:
            process.wait_until_listening()

    def count_calls(self) -> int:
        """Return the calls of all four since they were started."""
        return sum(read_count(path) for path in self._calls)

    def end(self) -> None:
        """End all four."""
        for process in self.processes:
            process.end()


def start_target(
    target: Target, environment: Mapping[str, str], folder: Path
) -> Process:
    """Start a target over the backends that the environment names."""
    return Process(target.command, environment, folder / f"{target.name}.log")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
