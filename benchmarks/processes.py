"""Start the processes of a run: backends, subgraphs and targets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from benchmarks.backends.counter import read_count
from benchmarks.backends.rows import COUNT
from benchmarks.targets import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.targets import Series, Target

__all__ = ["Backends", "Process", "compose", "start_target"]

_NAMES: Final = ("user", "product", "order", "notification")
_GRPC: Final = frozenset({"order", "notification"})
_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 5.0


class Process:
    """A process of ours that listens on a loopback port."""

    def __init__(
        self,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        log: Path,
        *,
        folder: Path = ROOT,
    ) -> None:
        self.port = _free_port()
        self._log = log
        self._name = " ".join(command)
        port = str(self.port)
        with log.open("wb") as errors:
            # The log goes where a container's would: away, but it is written.
            self._process = subprocess.Popen(
                [part.replace("{port}", port) for part in command],
                cwd=folder,
                env={**os.environ, **environment, "PORT": port},
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


class Backends:
    """The four services of one series, and how often they were called."""

    def __init__(self, series: Series, folder: Path, rows: int = COUNT) -> None:
        module = "benchmarks.backends" if series == "local" else "benchmarks.remote"
        self._calls = {name: folder / f"{series}-{name}.calls" for name in _NAMES}
        self._processes = {
            name: Process(
                (
                    *(sys.executable, "-m", module, name),
                    *("--port", "{port}", "--calls", str(calls)),
                    *("--rows", str(rows)),
                ),
                {},
                folder / f"{series}-{name}.log",
            )
            for name, calls in self._calls.items()
        }
        self.environment = {
            f"{name.upper()}_URL": _url(series, name, process.port)
            for name, process in self._processes.items()
        }

    def wait_until_listening(self) -> None:
        """Wait for all four."""
        for process in self._processes.values():
            process.wait_until_listening()

    def count_calls(self) -> int:
        """Return the calls of all four since they were started."""
        return sum(map(read_count, self._calls.values()))

    def end(self) -> None:
        """End all four."""
        for process in self._processes.values():
            process.end()


def _url(series: Series, name: str, port: int) -> str:
    if series == "remote":
        return f"http://127.0.0.1:{port}/graphql"
    return f"{'grpc' if name in _GRPC else 'http'}://127.0.0.1:{port}"


def compose(environment: Mapping[str, str], output: Path) -> None:
    """Write the supergraph of the remote subgraphs.

    Raises:
        CalledProcessError: They do not compose.
    """
    command = [sys.executable, "-m", "graphgw.cli.main", "compose"]
    command += ["--config", "benchmarks/remote/graphgw.yaml", "--output", str(output)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)


def start_target(
    target: Target, environment: Mapping[str, str], supergraph: Path, folder: Path
) -> Process:
    """Start a target over the backends that the environment names."""
    command = tuple(
        part.replace("{supergraph}", str(supergraph)) for part in target.command
    )
    settings = {"NODE_ENV": "production", "SUPERGRAPH": str(supergraph)}
    log = folder / f"{target.name}.log"
    return Process(command, {**environment, **settings}, log, folder=target.folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
