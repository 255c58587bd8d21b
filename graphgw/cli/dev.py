"""``graphgw dev``: the example's processes and the gateway, on one console."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.text import Text
from watchfiles import awatch

from graphgw.cli.token import ensure_key_pair
from graphgw.config.load import load_settings
from graphgw.config.settings import DevProcess
from graphgw.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watchfiles import Change

    from graphgw.config.settings import Settings

__all__ = ["run"]

_COLOURS: Final = ("cyan", "magenta", "yellow", "blue", "green", "red")
_WATCHED: Final = (".py", ".yaml", ".graphql")
_UNWATCHED: Final = {".venv", ".git", "node_modules", "tests", "__pycache__"}
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0
_MAX_PAUSE: Final = 10.0


def run(
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path(
        "graphgw.yaml"
    ),
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="The gateway's port.")] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="Also start this optional process."),
    ] = None,
) -> None:
    """Run everything that a newcomer needs; Ctrl-C ends it."""
    settings = load_settings(config)
    chosen = set(with_ or ())
    wanted = tuple(p for p in settings.dev if not p.optional or p.name in chosen)
    place = _Place(
        host or settings.server.host,
        settings.server.port if port is None else port,
        config,
    )
    ensure_key_pair(config.parent / ".graphgw")
    asyncio.run(_Console(settings, wanted, place).run())


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    port: int
    config: Path

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class _Child:
    """A process that is started again when it ends by itself."""

    def __init__(self, process: DevProcess, colour: str, console: Console) -> None:
        self.name = process.name
        self.port = process.port
        self._command = process.command
        self._environment = dict(process.environment)
        self._colour = colour
        self._console = console
        self._process: asyncio.subprocess.Process | None = None
        self._is_restarting = False

    async def run(self) -> None:
        """Run until cancelled; a process that dies comes back after a pause."""
        pause = 0.5
        try:
            while True:
                began = asyncio.get_running_loop().time()
                code = await self._run_once()
                if self._is_restarting:
                    self._is_restarting = False
                    continue
                lived = asyncio.get_running_loop().time() - began
                pause = 0.5 if lived > _MAX_PAUSE else min(pause * 2, _MAX_PAUSE)
                self.say(f"ended with code {code}; starts again in {pause:g} s")
                await asyncio.sleep(pause)
        finally:
            await self.stop()

    async def _run_once(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        async for line in self._process.stdout:
            self.say(line.decode(errors="replace").rstrip())
        return await self._process.wait()

    def say(self, line: str) -> None:
        """Print one line under the process's name."""
        prefix = Text(f"{self.name:>12} │ ", style=self._colour)
        self._console.print(prefix + Text.from_ansi(line), soft_wrap=True)

    async def restart(self) -> None:
        """End the process; ``run`` starts it again at once."""
        self._is_restarting = True
        await self.stop()

    async def stop(self) -> None:
        """End the process, by force if it does not listen."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class _Console:
    def __init__(
        self, settings: Settings, processes: Sequence[DevProcess], place: _Place
    ) -> None:
        self._console = Console(highlight=False)
        self._settings = settings
        self._place = place
        self._backends = [
            _Child(process, _COLOURS[i % len(_COLOURS)], self._console)
            for i, process in enumerate(processes)
        ]
        self._gateway = _Child(_gateway_process(place), "bold green", self._console)

    async def run(self) -> None:
        """Start everything, and end it on a signal."""
        await self._check_ports()
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stopped.set)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(child.run()) for child in self._backends]
            tasks.append(group.create_task(self._start_gateway(group, tasks)))
            await stopped.wait()
            self._console.print("\nstopping")
            for task in tasks:
                task.cancel()

    async def _start_gateway(
        self, group: asyncio.TaskGroup, tasks: list[asyncio.Task[None]]
    ) -> None:
        ports = [child.port for child in self._backends if child.port is not None]
        for port in ports:
            await _wait_for_port("127.0.0.1", port)
        tasks.append(group.create_task(self._gateway.run()))
        if await _wait_for_port(self._place.host, self._place.port):
            self._greet()
        tasks.append(group.create_task(self._reload()))

    async def _reload(self) -> None:
        folder = self._place.config.resolve().parent
        async for changes in awatch(folder, watch_filter=_is_source):
            names = sorted({Path(path).name for _, path in changes})
            self._gateway.say(f"{', '.join(names)} changed: starting again")
            await self._gateway.restart()

    def _greet(self) -> None:
        url = self._place.url
        print_ = self._console.print
        print_(f"\n  GraphiQL   [bold]{url}/[/]")
        print_(f"  GraphQL    [bold]{url}{self._settings.server.path}[/]")
        print_(f"  Metrics    {url}/metrics")
        print_(f"  Health     {url}/health\n")

    async def _check_ports(self) -> None:
        places = [(child.name, "127.0.0.1", child.port) for child in self._backends]
        places.append(("gateway", self._place.host, self._place.port))
        problems = [
            Problem(
                f"port {port} is taken",
                where=name,
                mend="end what listens there, or choose another port",
            )
            for name, host, port in places
            if port is not None and await _is_open(host, port)
        ]
        if problems:
            raise ConfigurationError(problems)


def _gateway_process(place: _Place) -> DevProcess:
    command = (
        *(sys.executable, "-m", "graphgw.cli.main", "serve"),
        *("--config", str(place.config)),
        *("--host", place.host, "--port", str(place.port)),
    )
    return DevProcess(
        name="gateway",
        command=command,
        port=place.port,
        environment=(("LOG_FORMAT", "console"), ("FORCE_COLOR", "1")),
    )


def _is_source(_: Change, path: str) -> bool:
    parts = Path(path).parts
    return path.endswith(_WATCHED) and _UNWATCHED.isdisjoint(parts)


async def _wait_for_port(host: str, port: int) -> bool:
    loop = asyncio.get_running_loop()
    ends = loop.time() + _START_SECONDS
    while loop.time() < ends:
        if await _is_open(host, port):
            return True
        await asyncio.sleep(0.05)
    return False


async def _is_open(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
