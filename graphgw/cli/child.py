"""A child process of ``graphgw dev``: its lines are named, its end is not the last."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import IO, TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from graphgw.config.settings import DevProcess

__all__ = ["Child"]

_STOP_SECONDS: Final = 5.0
_LAST_WORDS_SECONDS: Final = 0.5
_FIRST_PAUSE: Final = 0.5
_MAX_PAUSE: Final = 10.0
_LINE_BYTES: Final = 1024 * 1024


class Child:
    """A process that is started again when it ends by itself.

    It leads a process group of its own, so that Ctrl-C reaches it only through us.
    """

    def __init__(
        self, process: DevProcess, colour: str, console: Console, folder: Path
    ) -> None:
        self.name = process.name
        self.port = process.port
        self._command = process.command
        self._environment = dict(process.environment)
        self._colour = colour
        self._console = console
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._wanted_again = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; a process that dies comes back after a pause."""
        clock = asyncio.get_running_loop().time
        pause = _FIRST_PAUSE
        while True:
            began = clock()
            self._wanted_again.clear()
            end = await self._run_once()
            if self._wanted_again.is_set():
                pause = _FIRST_PAUSE
                continue
            if clock() - began > _MAX_PAUSE:
                pause = _FIRST_PAUSE
            self.say(f"{end}; starts again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted_again.wait(), pause)
            pause = min(pause * 2, _MAX_PAUSE)

    async def _run_once(self) -> str:
        """Run the process to its end, or end it; return how it ended."""
        # A pipe of our own: asyncio's would make us wait for all who inherit it.
        read_end, write_end = os.pipe()
        with os.fdopen(read_end, "rb", 0) as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=write_end,
                    stderr=write_end,
                    cwd=self._folder,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
                    start_new_session=True,
                )
            except OSError as error:
                return f"cannot start {self._command[0]}: {error.strerror}"
            finally:
                os.close(write_end)
            self._process = process
            printing = asyncio.create_task(self._print(output))
            try:
                return _describe(await process.wait())
            finally:
                await self.stop()
                await asyncio.wait((printing,), timeout=_LAST_WORDS_SECONDS)
                printing.cancel()
                await asyncio.wait((printing,))

    async def _print(self, output: IO[bytes]) -> None:
        reader = asyncio.StreamReader(limit=_LINE_BYTES)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), output
        )
        try:
            while not reader.at_eof():
                try:
                    line = await reader.readline()
                except ValueError:
                    line = b"(a line that is too long to show)"
                if line:
                    self.say(line.decode(errors="replace").rstrip())
        finally:
            transport.close()

    def say(self, line: str) -> None:
        """Print one line under the process's name."""
        prefix = Text(f"{self.name:>12} │ ", style=self._colour)
        self._console.print(prefix + Text.from_ansi(line), soft_wrap=True)

    async def restart(self) -> None:
        """End the process, or its pause; ``run`` starts it again at once."""
        self._wanted_again.set()
        await self.stop()

    async def stop(self) -> None:
        """End the process and all that it started, by force if need be."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                self.say(f"does not end within {_STOP_SECONDS:g} s: killed")
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # the rest of its group
        await process.wait()


def _describe(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
