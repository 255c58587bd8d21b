"""Turns host names into addresses, off the event loop, and remembers them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol

from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphgw.types import Clock

__all__ = ["Resolver", "SystemResolver", "look_up"]

_THREADS: Final = 4
_FRESH_SECONDS: Final = 30.0


class Resolver(Protocol):
    """Finds the IP addresses of a host."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return at least one address, the preferred ones first.

        Raises:
            OSError: There is none, or it could not be found out.
        """
        ...

    def close(self) -> None:
        """Let go of threads and sockets."""
        ...


class SystemResolver:
    """Asks the system in threads of its own, once for all who wait.

    Addresses are asked for again after half a minute; where that fails, those that
    were known before serve on.
    """

    __slots__ = ("_clock", "_executor", "_known", "_look_up", "_running")

    def __init__(
        self,
        look_up_host: Callable[[str], Sequence[str]] | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._look_up = look_up_host or look_up
        self._clock = clock
        self._executor: ThreadPoolExecutor | None = None
        self._known: dict[str, tuple[Sequence[str], float]] = {}
        self._running: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the host's addresses; see ``Resolver.resolve``."""
        if _is_address(host):
            return (host,)
        known = self._known.get(host)
        if known is not None and self._clock.monotonic() < known[1]:
            return known[0]
        try:
            return await asyncio.shield(self._ask(host))
        except OSError:
            if known is None:
                raise
            return known[0]

    def close(self) -> None:
        """Let go of the threads; look-ups under way end by themselves."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _ask(self, host: str) -> asyncio.Future[Sequence[str]]:
        running = self._running.get(host)
        if running is not None:
            return running
        if self._executor is None:
            self._executor = ThreadPoolExecutor(_THREADS, "graphgw-resolver")
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, self._look_up, host)
        self._running[host] = future
        future.add_done_callback(lambda done: self._note(host, done))
        return future

    def _note(self, host: str, done: asyncio.Future[Sequence[str]]) -> None:
        self._running.pop(host, None)
        if not done.cancelled() and done.exception() is None:
            self._known[host] = (
                done.result(),
                self._clock.monotonic() + _FRESH_SECONDS,
            )


def look_up(host: str) -> Sequence[str]:
    """Ask the system for a host's addresses; blocks.

    Raises:
        OSError: There is none, or the name service does not answer.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    # A dict keeps the system's order of preference and drops repetitions.
    return tuple({str(entry[4][0]): None for entry in found})


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
