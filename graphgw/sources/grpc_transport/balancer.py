"""Spreads calls over the connections to all addresses of a service."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from graphgw.sources.grpc_transport.connection import Connection
from graphgw.sources.grpc_transport.endpoints import Endpoint, parse_target
from graphgw.sources.grpc_transport.failures import (
    disconnected,
    timed_out,
    unreachable,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

    from graphgw.sources.http_transport.resolver import Resolver
    from graphgw.sources.settings import ServiceSettings
    from graphgw.types import Deadline

__all__ = ["Balancer"]

_TICK: Final = 1.0
_FRESH_SECONDS: Final = 30.0
"""How old the addresses of host names become."""


class Balancer:
    """Holds a connection to each address, more where their streams are used up.

    Connections are opened when a call needs one; calls then go to one after the
    other. Calls for which there is no room wait in line.
    """

    __slots__ = (
        "_endpoints",
        "_failure",
        "_failures",
        "_is_closed",
        "_is_empty",
        "_is_looking_up",
        "_known_until",
        "_last_unknown",
        "_loop",
        "_next",
        "_open",
        "_ready",
        "_resolver",
        "_settings",
        "_targets",
        "_tasks",
        "_timer",
        "_tls",
        "waiters",
    )

    def __init__(
        self,
        settings: ServiceSettings,
        resolver: Resolver,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._settings = settings
        self._resolver = resolver
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._targets = tuple(parse_target(address) for address in settings.addresses)
        self._endpoints: list[Endpoint] = []
        self._ready: list[Connection] = []
        self._open: set[Connection] = set()
        self._next = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_looking_up = False
        self._known_until = 0.0
        self._failures = 0
        self._last_unknown = 0
        self._failure = "it has no address"
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._is_empty = asyncio.Event()
        self.waiters: deque[asyncio.Future[bool]] = deque()
        """Calls for which there is no room; told whether they alone may look again."""

    @property
    def size(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def take(self) -> Connection | None:
        """Return the next connection that has room for a call, if there is one."""
        ready = self._ready
        count = len(ready)
        for _ in range(count):
            self._next = place = (self._next + 1) % count
            connection = ready[place]
            if len(connection.calls) < connection.max_streams:
                return connection
        return None

    async def acquire(self, deadline: Deadline) -> Connection:
        """Return a connection that has room for a call, as soon as there is one.

        Raises:
            SourceUnreachableError: No address can be reached.
            SourceTimeoutError: The deadline passed meanwhile.
        """
        source = self._settings.name
        # One call tries each address once: not again after failures from now on.
        since = self._failures
        is_new, is_next = True, False
        while not self._is_closed:
            if deadline.is_over:
                # The room that this one was woken for is another's.
                self.free()
                raise timed_out(source)
            must_queue = is_new and self.waiters
            connection = None if must_queue else self.take()
            if connection is not None:
                return connection
            self._open_more(since)
            if not self._tasks and not self._ready:
                raise unreachable(source, self._failure)
            is_next = await self._wait(deadline, is_next=is_next)
            is_new = False
        raise disconnected(source)

    def free(self) -> None:
        """Let the first in line look for a connection."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(True)
                return

    def free_all(self) -> None:
        """Let everyone in line look for a connection."""
        waiters = tuple(self.waiters)
        self.waiters.clear()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(False)

    def retire(self, connection: Connection) -> None:
        """Give a connection no more calls."""
        if connection in self._ready:
            self._ready.remove(connection)
        self.free_all()

    def forget(self, connection: Connection) -> None:
        """Note that a connection is closed."""
        self._open.discard(connection)
        for endpoint in self._endpoints:
            if connection in endpoint.connections:
                endpoint.connections.remove(connection)
        if not self._open:
            self._is_empty.set()
        self.free_all()

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        self._is_closed = True
        self._is_empty.clear()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in tuple(self._open):
            connection.close()
        self.free_all()
        if self._open:
            await self._is_empty.wait()

    async def _wait(self, deadline: Deadline, *, is_next: bool) -> bool:
        """Stand in line, at its head if it was one's turn; tell whether it is now."""
        waiter: asyncio.Future[bool] = self._loop.create_future()
        if is_next:
            self.waiters.appendleft(waiter)
        else:
            self.waiters.append(waiter)
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await waiter
        except TimeoutError:
            # The deadline may have moved on: the caller looks at it again.
            return waiter.done() and not waiter.cancelled()
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.free()
            raise
        finally:
            if waiter in self.waiters:
                self.waiters.remove(waiter)

    def _open_more(self, since: int) -> None:
        """Begin what can bring a connection, but for what failed ``since`` then."""
        is_old = not self._endpoints or self._loop.time() >= self._known_until
        if is_old and self._last_unknown <= since:
            self._look_up()
        if self._ready or not self._is_looking_up:
            self._open_missing(since)
        if self._tasks or not self._ready:
            return
        # All streams are taken: one more connection, where there are fewest.
        now = self._loop.time()
        fit = [item for item in self._endpoints if item.may_connect(now, since)]
        if fit and len(self._open) < self._settings.max_connections:
            self._connect(min(fit, key=lambda item: len(item.connections)))

    def _open_missing(self, since: int) -> None:
        now = self._loop.time()
        for endpoint in self._endpoints:
            if not endpoint.is_usable and endpoint.may_connect(now, since):
                self._connect(endpoint)

    def _look_up(self) -> None:
        if not self._is_looking_up:
            self._is_looking_up = True
            self._run(self._find_endpoints())

    def _connect(self, endpoint: Endpoint) -> None:
        endpoint.is_connecting = True
        self._run(self._open_connection(endpoint))

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_done)

    def _note_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.free_all()

    async def _find_endpoints(self) -> None:
        """Ask for the addresses of every host; keep what is known of those known."""
        found: dict[tuple[str, int], Endpoint] = {}
        known = {(item.address, item.target.port): item for item in self._endpoints}
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                for target in self._targets:
                    for address in await self._resolver.resolve(target.host):
                        key = (address, target.port)
                        found[key] = known.get(key) or Endpoint(target, address)
        except (TimeoutError, OSError) as error:
            # One that ``timeout`` raises has no words of its own.
            self._failure = str(error) or "its name was not found in time"
            self._failures += 1
            self._last_unknown = self._failures
            return
        finally:
            self._is_looking_up = False
            self._known_until = self._loop.time() + _FRESH_SECONDS
        self._endpoints = list(found.values())[: self._settings.max_connections]
        for endpoint in known.values():
            if endpoint not in self._endpoints:
                for connection in tuple(endpoint.connections):
                    connection.retire()
        if self._ready:
            self._open_missing(self._failures)

    async def _open_connection(self, endpoint: Endpoint) -> None:
        connection = Connection(self, self._settings)
        failure = "no connection was made in time"
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._loop.create_connection(
                    lambda: connection,
                    endpoint.address,
                    endpoint.target.port,
                    ssl=self._tls,
                    server_hostname=self._choose_name(endpoint),
                )
                if connection.is_open:
                    self._open.add(connection)
                failure = await connection.ready
            if not failure and not connection.max_streams:
                failure = "it takes no calls"
        except TimeoutError:
            pass
        except OSError as error:
            failure = str(error)
        finally:
            endpoint.is_connecting = False
            if failure:
                connection.abort()
        if failure:
            self._failure = failure
            self._failures += 1
            endpoint.note_failure(self._failures, self._loop.time())
            # Maybe it has moved.
            self._known_until = 0.0
        else:
            endpoint.note_success()
            self._add(endpoint, connection)

    def _choose_name(self, endpoint: Endpoint) -> str | None:
        tls = self._settings.tls
        if self._tls is None:
            return None
        return (tls and tls.server_name) or endpoint.target.host

    def _add(self, endpoint: Endpoint, connection: Connection) -> None:
        now = self._loop.time()
        for older in tuple(endpoint.connections):
            if older.is_worn(now):
                older.retire()
        if endpoint not in self._endpoints:
            connection.retire()
            return
        endpoint.connections.append(connection)
        self._ready.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK, self._watch)

    def _watch(self) -> None:
        """Look after all connections, as long as there are any."""
        now = self._loop.time()
        for connection in tuple(self._open):
            connection.watch(now)
        for endpoint in self._endpoints:
            # What is lost is opened anew while others serve; else a call does it.
            is_lost = bool(self._ready) and not endpoint.is_usable
            if (is_lost or endpoint.is_worn(now)) and endpoint.may_connect(
                now, self._failures
            ):
                self._connect(endpoint)
        if now >= self._known_until:
            self._look_up()
        is_needed = bool(self._open)
        self._timer = self._loop.call_later(_TICK, self._watch) if is_needed else None
