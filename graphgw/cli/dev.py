"""``graphgw dev``: the example's processes and the gateway, on one console."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from watchfiles import awatch

from graphgw.cli.child import Child
from graphgw.cli.token import ensure_key_pair
from graphgw.config.load import load_settings
from graphgw.config.settings import DevProcess
from graphgw.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence

    from watchfiles import Change

    from graphgw.config.settings import Settings

__all__ = ["run"]

_COLOURS: Final = ("cyan", "magenta", "yellow", "blue", "green", "red")
_WATCHED: Final = (".py", ".yaml", ".yml", ".graphql")
_UNWATCHED: Final = frozenset(
    ("node_modules", "tests", "docs", "benchmarks", "__pycache__", "build", "dist")
)
_START_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_ANSWER_SECONDS: Final = 2.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not listened on


def run(
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path(
        "graphgw.yaml"
    ),
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[
        int | None, typer.Option(help="The gateway's port; 0 takes a free one.")
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="Also start this optional process."),
    ] = None,
) -> None:
    """Run everything that a newcomer needs; Ctrl-C ends it."""
    settings = load_settings(config)
    processes = _choose(settings.dev, with_ or ())
    listen = host or settings.server.host
    number = settings.server.port if port is None else port
    place = _Place(listen, number or _free_port(listen), config.resolve())
    problems = list(_check_ports(processes, place))
    if problems:
        raise ConfigurationError(problems)
    ensure_key_pair(place.folder / ".graphgw")
    asyncio.run(_Console(settings, processes, place).run())


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the gateway listens, and by which configuration."""

    host: str
    port: int
    config: Path

    @property
    def folder(self) -> Path:
        """The folder in which everything runs."""
        return self.config.parent

    @property
    def near_host(self) -> str:
        """The host by which this machine reaches the gateway."""
        return _EVERYWHERE.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = f"[{self.near_host}]" if ":" in self.near_host else self.near_host
        return f"http://{host}:{self.port}"


class _Console:
    """All processes, what they print, and when they end."""

    def __init__(
        self, settings: Settings, processes: Sequence[DevProcess], place: _Place
    ) -> None:
        self._console = Console(highlight=False)
        self._settings = settings
        self._place = place
        self._backends = [
            Child(process, _COLOURS[i % len(_COLOURS)], self._console, place.folder)
            for i, process in enumerate(processes)
        ]
        self._gateway = Child(
            _gateway_process(place), "bold green", self._console, place.folder
        )

    async def run(self) -> None:
        """Start everything, and end it on a signal."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stopped.set)
        front: list[asyncio.Task[None]] = []
        async with asyncio.TaskGroup() as group:
            backends = [group.create_task(child.run()) for child in self._backends]
            front.append(group.create_task(self._start(group, front)))
            await stopped.wait()
            self._console.print("\nstopping")
            for task in front:
                task.cancel()
            await asyncio.wait(front)  # what the gateway has taken it still answers
            for task in backends:
                task.cancel()

    async def _start(
        self, group: asyncio.TaskGroup, tasks: list[asyncio.Task[None]]
    ) -> None:
        """Start the gateway once the backends listen, and watch the sources."""
        await asyncio.gather(*map(self._wait_for, self._backends))
        tasks.append(group.create_task(self._gateway.run()))
        tasks += (group.create_task(watch) for watch in self._watches())
        await self._greet()

    async def _wait_for(self, child: Child) -> None:
        """Wait until a process listens; one that does not holds nobody up for long."""
        if child.port is None:
            return
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _until_open("127.0.0.1", child.port)
        except TimeoutError:
            child.say(f"does not listen on port {child.port} yet")

    async def _greet(self) -> None:
        """Say where everything is, once the gateway has a graph to serve."""
        place = self._place
        await _until_ready(place.near_host, place.port)
        lines = (
            f"\n  GraphiQL   [bold]{place.url}/[/]",
            f"  GraphQL    [bold]{place.url}{self._settings.server.path}[/]",
            f"  Metrics    {place.url}/metrics",
            f"  Health     {place.url}/health\n",
        )
        self._console.print("\n".join(lines), soft_wrap=True)

    def _watches(self) -> Iterator[Coroutine[Any, Any, None]]:
        folder = self._place.folder
        yield self._reload([folder], recursive=False)
        inner = [
            path
            for path in sorted(folder.iterdir())
            if path.is_dir() and path.name not in _UNWATCHED and path.name[0] != "."
        ]
        if inner:
            yield self._reload(inner, recursive=True)

    async def _reload(self, folders: Sequence[Path], *, recursive: bool) -> None:
        async for changes in awatch(
            *folders, watch_filter=_is_source, recursive=recursive
        ):
            names = sorted({Path(path).name for _, path in changes})
            self._gateway.say(f"{', '.join(names)} changed: starting again")
            await self._gateway.restart()


def _choose(processes: Sequence[DevProcess], wanted: Sequence[str]) -> list[DevProcess]:
    known = [process.name for process in processes]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ConfigurationError(
            [
                Problem(
                    f'there is no process "{name}"',
                    where="dev.processes",
                    mend=f"known are: {', '.join(known) or 'none'}",
                )
                for name in unknown
            ]
        )
    return [p for p in processes if not p.optional or p.name in wanted]


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
    return path.endswith(_WATCHED) and _UNWATCHED.isdisjoint(Path(path).parts)


# Ports


def _check_ports(processes: Sequence[DevProcess], place: _Place) -> Iterator[Problem]:
    """Find ports that two processes want, or that others hold already."""
    wanted = [(process.name, "127.0.0.1", process.port) for process in processes]
    wanted.append(("gateway", place.host, place.port))
    owners: dict[int, str] = {}
    for name, host, port in wanted:
        if port is None:
            continue
        if port in owners:
            yield Problem(
                f"port {port} is wanted by {owners[port]} too",
                where=name,
                mend="give it another port",
            )
            continue
        owners[port] = name
        message = _try_port(host, port)
        if message is not None:
            mend = "end what listens there, or choose another port"
            if name == "gateway":
                mend += ": graphgw dev --port 4001, or make run PORT=4001"
            yield Problem(message, where=name, mend=mend)


def _try_port(host: str, port: int) -> str | None:
    """Return why nothing can listen at a port; ``None`` if something can."""
    try:
        with _listening(host, port):
            return None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} is taken"
        return f"cannot listen on {host}:{port}: {error.strerror}"


def _free_port(host: str) -> int:
    with contextlib.suppress(OSError), _listening(host, 0) as listener:
        port: int = listener.getsockname()[1]
        return port
    return 0


def _listening(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=_family(host))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def _until_open(host: str, port: int) -> None:
    """Return once something listens."""
    while True:
        with contextlib.suppress(OSError):
            async with _connected(host, port):
                return
        await asyncio.sleep(_LOOK_SECONDS)


async def _until_ready(host: str, port: int) -> None:
    """Return once a gateway says that it has a graph to serve."""
    while True:
        with contextlib.suppress(OSError, ValueError):
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                _connected(host, port) as (reader, writer),
            ):
                writer.write(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                if b" 200 " in await reader.readline():
                    return
        await asyncio.sleep(_LOOK_SECONDS)


@contextlib.asynccontextmanager
async def _connected(
    host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
