"""Real processes for tests: start one, wait until it listens, end it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ROOT", "RunningProcess", "start_backend", "start_process"]

ROOT = Path(__file__).parents[2]
_LISTENING = re.compile(r"listening on (?:\w+://)?([\w.\[\]:-]+):(\d+)")


@dataclass
class RunningProcess:
    """A child process and the last lines that it printed."""

    name: str
    process: subprocess.Popen[str]
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=500), repr=False)
    port: int = 0
    reader: threading.Thread | None = None

    def read(self) -> None:
        """Collect output until the process ends; runs in a thread."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for_port(self, seconds: float = 30.0) -> int:
        """Return the port once the process says that it listens."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for line in list(self.lines):
                if found := _LISTENING.search(line):
                    self.port = int(found[2])
                    return self.port
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not listen:\n" + "\n".join(self.lines))

    def stop(self, seconds: float = 15.0) -> int:
        """End the process and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.reader is not None:
            self.reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.returncode


def start_process(
    name: str,
    *command: str,
    environment: dict[str, str] | None = None,
    folder: Path = ROOT,
) -> RunningProcess:
    """Start a command, in the project's folder unless told otherwise."""
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = RunningProcess(name, process)
    running.reader = threading.Thread(target=running.read, daemon=True)
    running.reader.start()
    return running


def start_backend(name: str, *options: str, port: int = 0) -> RunningProcess:
    """Start one of the example's backends; without ``port`` on a free one."""
    return start_process(
        name, sys.executable, "-m", f"backends.{name}", "--port", str(port), *options
    )
