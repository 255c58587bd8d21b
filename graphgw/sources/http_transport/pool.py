"""The connections to one origin: kept, bounded, watched, and replaced in time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from graphgw.sources.http_transport.connection import Connection
from graphgw.sources.http_transport.failures import (
    disconnected,
    timed_out,
    unreachable,
)
from graphgw.sources.http_transport.heads import KnownHeads
from graphgw.sources.http_transport.origins import encode_origin

if TYPE_CHECKING:
    import ssl

    from graphgw.sources.http_transport.origins import Origin
    from graphgw.sources.http_transport.resolver import Resolver
    from graphgw.sources.http_transport.settings import TransportSettings
    from graphgw.types import Deadline

__all__ = ["Pool"]

_TICK: Final = 0.02
"""How late a deadline may be noticed, in seconds."""
_IDLE_TICK: Final = 1.0


class Pool:
    """Hands out connections to one origin, one call each at a time.

    The last used is handed out first, so that those beyond need grow idle and are
    closed. One timer watches all deadlines: calls need none of their own.
    """

    __slots__ = (
        "_connections",
        "_idle",
        "_is_closed",
        "_is_empty",
        "_is_fast",
        "_loop",
        "_next_address",
        "_opening",
        "_resolver",
        "_settings",
        "_timer",
        "_tls",
        "_waiters",
        "head",
        "heads",
        "origin",
    )

    def __init__(
        self,
        origin: Origin,
        settings: TransportSettings,
        resolver: Resolver,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.origin = origin
        self.head = encode_origin(origin, settings.accept_encoding)
        self.heads = KnownHeads()
        self._settings = settings
        self._resolver = resolver
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._opening = 0
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._next_address = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_fast = False
        self._is_closed = False
        self._is_empty = asyncio.Event()

    @property
    def size(self) -> int:
        """How many connections are open or being opened."""
        return len(self._connections) + self._opening

    @property
    def idle(self) -> int:
        """How many connections wait for a call."""
        return len(self._idle)

    def take(self) -> Connection | None:
        """Return an idle connection that is still good, if there is one."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_usable and self._loop.time() < connection.good_until:
                return connection
            connection.abort()
        return None

    def watch(self) -> None:
        """Look at the deadlines at short intervals, as long as calls are under way."""
        if self._is_fast:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._is_fast = True
        self._timer = self._loop.call_later(_TICK, self._sweep)

    async def acquire(
        self, deadline: Deadline, source: str, *, is_fresh: bool = False
    ) -> Connection:
        """Return a connection: an idle one, a new one, or the next that is free.

        Raises:
            SourceUnreachableError: None can be made.
            SourceTimeoutError: The deadline passed meanwhile.
        """
        if is_fresh and self._idle and self.size >= self._settings.max_connections:
            self._idle.pop(0).abort()
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(deadline.remaining()):
                while not self._is_closed:
                    if not is_fresh and (connection := self.take()) is not None:
                        return connection
                    if self.size < self._settings.max_connections:
                        return await self._open(source)
                    free = await self._wait()
                    if free is not None and free.is_usable:
                        return free
        except TimeoutError as error:
            raise timed_out(source) from error
        raise disconnected(source)

    def release(self, connection: Connection) -> None:
        """Take back a connection whose answer is complete."""
        settings = self._settings
        now = self._loop.time()
        end = connection.opened_at + settings.max_connection_age
        if self._is_closed or now >= end:
            connection.abort()
            return
        connection.good_until = min(end, now + settings.keep_alive)
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is closed; its place is free."""
        self._connections.discard(connection)
        if not self._connections:
            self._is_empty.set()
        if connection in self._idle:
            self._idle.remove(connection)
        self._free_place()

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        self._is_closed = True
        self._is_empty.clear()
        if self._timer is not None:
            self._timer.cancel()
        for connection in tuple(self._connections):
            connection.close()
        # Whoever waits for a place finds out that there is none to come.
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._connections:
            await self._is_empty.wait()

    async def _wait(self) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # What was handed over in the same turn goes to the next in line.
                connection = waiter.result()
                if connection is None:
                    self._free_place()
                else:
                    self.release(connection)
            else:
                self._waiters.remove(waiter)
            raise

    def _free_place(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _open(self, source: str) -> Connection:
        self._opening += 1
        is_open = False
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                connection = await self._connect()
            is_open = connection.is_usable and not self._is_closed
        except TimeoutError as error:
            raise unreachable(source, "no connection was made in time") from error
        except OSError as error:
            raise unreachable(source, str(error)) from error
        finally:
            self._opening -= 1
            if not is_open:
                self._free_place()
        if not is_open:
            connection.abort()
            raise unreachable(source, "the connection was closed at once")
        self._connections.add(connection)
        return connection

    async def _connect(self) -> Connection:
        addresses = await self._resolver.resolve(self.origin.host)
        seconds = self._settings.connect_timeout / len(addresses)
        first = self._next_address
        self._next_address = (first + 1) % len(addresses)
        failure: OSError = OSError("the host has no address")
        for step in range(len(addresses)):
            address = addresses[(first + step) % len(addresses)]
            try:
                async with asyncio.timeout(seconds):
                    return await self._connect_to(address)
            except OSError as error:
                failure = error
        raise failure

    async def _connect_to(self, address: str) -> Connection:
        settings, tls = self._settings, self._tls
        name = None
        if tls is not None:
            name = (settings.tls and settings.tls.server_name) or self.origin.host
        _, connection = await self._loop.create_connection(
            self._new_connection,
            address,
            self.origin.port,
            ssl=tls,
            server_hostname=name,
        )
        return connection

    def _new_connection(self) -> Connection:
        return Connection(self, self._settings, self._loop)

    def _sweep(self) -> None:
        is_busy = False
        for connection in tuple(self._connections):
            deadline = connection.deadline
            if deadline is None:
                continue
            is_busy = True
            if deadline.is_over:
                connection.expire()
        if is_busy:
            self._timer = self._loop.call_later(_TICK, self._sweep)
            return
        self._is_fast = False
        now = self._loop.time()
        for connection in tuple(self._idle):
            if now >= connection.good_until:
                connection.abort()
        self._timer = (
            self._loop.call_later(_IDLE_TICK, self._sweep)
            if self._connections
            else None
        )
