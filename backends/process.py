"""What the four processes share: options, the line they print, and how they end."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

__all__ = ["Options", "explain_failure", "read_options", "run_until_stopped"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a service is started."""

    host: str
    port: int
    """0 for any free port."""
    database: Path | None
    """The SQLite file; without one the rows live in memory."""
    delay: float
    """Seconds that every call waits."""


def read_options(
    name: str, default_port: int, arguments: Sequence[str] | None = None
) -> Options:
    """Read the command line; the process ends if it is wrong."""
    parser = argparse.ArgumentParser(
        prog=f"python -m backends.{name}",
        description=f"The example {name} service, with the same seeded rows each time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="IPv4 address to listen on")
    parser.add_argument(
        "--port", type=int, default=default_port, help="0 for any free port"
    )
    parser.add_argument(
        "--database", type=Path, help="SQLite file to keep changes in (else: memory)"
    )
    parser.add_argument(
        "--delay-ms", type=int, default=0, help="make every call this much slower"
    )
    values = parser.parse_args(arguments)
    return Options(values.host, values.port, values.database, values.delay_ms / 1000)


async def run_until_stopped(
    name: str, server: AbstractAsyncContextManager[str]
) -> None:
    """Say where the server listens, and leave it at SIGTERM or SIGINT.

    Args:
        name: The service's name.
        server: Listens while it is entered, and says at which URL.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with server as url:
        sys.stdout.write(f"{name} service listening on {url}\n")
        sys.stdout.flush()
        await stopped.wait()


@contextmanager
def explain_failure(options: Options) -> Iterator[None]:
    """End the process with one line if it cannot listen where it should."""
    try:
        yield
    except OSError as error:
        where = f"{options.host}:{options.port}"
        raise SystemExit(f"cannot listen on {where}: {error.strerror}") from error
