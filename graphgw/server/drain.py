"""One server process: it keeps its connections' time, and drains before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import signal
import time
from typing import TYPE_CHECKING, Final

import uvicorn

from graphgw.server.direct import direct_protocol
from graphgw.server.protocol import TICK_SECONDS, GuardedProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType

    from graphgw.gateway import Gateway
    from graphgw.server.front import GraphQLFront
    from graphgw.server.mailboxes import WorkerRelay
    from graphgw.server.reconfiguration import Reconfiguration

__all__ = ["DrainingServer"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LOOP_TURNS_A_TICK: Final = round(TICK_SECONDS / 0.1)
_YOUNG_OBJECTS: Final = 100_000
"""New objects before the garbage collector looks at them: rows come by the thousand,
and hardly anything here refers to itself."""

_LOOK_SECONDS: Final = 0.02
_ENDED_BY_SIGNAL: Final = 128
_MESSAGE_BYTES: Final = 1024 * 1024


class DrainingServer(uvicorn.Server):
    """Serves a gateway until a signal comes, then lets nobody down.

    After the first signal the gateway is not ready any more, and each answer closes
    its connection. The socket and idle connections stay open for ``shutdown_delay``,
    because the next request may be on its way, unless nobody was here for as long
    before; then they are closed, and what runs has ``shutdown_grace`` to end. A
    second signal ends the process at once.

    Args:
        gateway: The gateway; it is started and closed here.
        front: Its ASGI application.
        is_wanted: Asked ten times a second; the process drains once it is false.
        reconfiguration: Listens to SIGHUP while the gateway runs.
        take_note: Called about once a second, and when serving begins.
        relay: Hears what other workers invalidate while the gateway runs.
    """

    def __init__(
        self,
        gateway: Gateway,
        front: GraphQLFront,
        is_wanted: Callable[[], bool] = lambda: True,
        reconfiguration: Reconfiguration | None = None,
        take_note: Callable[[], None] = lambda: None,
        relay: WorkerRelay | None = None,
    ) -> None:
        settings = gateway.settings.server
        self._gateway = gateway
        self._front = front
        self._is_wanted = is_wanted
        self._reconfiguration = reconfiguration
        self._take_note = take_note
        self._relay = relay
        self._delay = settings.shutdown_delay
        self._protocol = direct_protocol(settings, front)
        self._requests = 0
        self._last_used = -math.inf
        super().__init__(
            uvicorn.Config(
                front,
                loop="uvloop",
                http=self._protocol,
                lifespan="off",
                access_log=False,
                log_level="error",
                server_header=False,
                proxy_headers=False,  # the authenticator knows whom to believe
                timeout_graceful_shutdown=max(1, round(settings.shutdown_grace)),
                ws_max_size=_largest_message(gateway),
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the gateway and serve it.

        Raises:
            ConfigurationError: The gateway cannot start.
        """
        hearing = (
            contextlib.nullcontext() if self._relay is None else self._relay.listening()
        )
        async with self._gateway:
            gc.collect()
            gc.freeze()  # what is there now stays: never look at it again
            self._take_note()
            gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
            listening = (
                contextlib.nullcontext()
                if self._reconfiguration is None
                else self._reconfiguration.listening()
            )
            async with listening:
                with hearing:
                    await super().serve(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Keep the connections' time."""
        self._note_use()
        if counter % _LOOP_TURNS_A_TICK == 0:
            self._tick()
        if not self._is_wanted():
            self.should_exit = True
        return await super().on_tick(counter)

    def _tick(self) -> None:
        self._take_note()
        for connection in self._connections():
            connection.tick()

    def _connections(self) -> list[GuardedProtocol]:
        return [
            connection
            for connection in self.server_state.connections
            if isinstance(connection, GuardedProtocol)
        ]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then close."""
        self._front.stop()
        self._protocol.is_draining = True
        for connection in self._connections():
            connection.drain()
        clock = asyncio.create_task(self._keep_time())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._delay):
                    await self._until_unused()
            await super().shutdown(sockets)
        finally:
            clock.cancel()

    async def _until_unused(self) -> None:
        """Wait until nobody was here for ``shutdown_delay``."""
        self._note_use()
        while time.monotonic() - self._last_used < self._delay:
            await asyncio.sleep(_LOOK_SECONDS)
            self._note_use()

    def _note_use(self) -> None:
        """Note the time if somebody is connected, or was since the last look."""
        requests = self.server_state.total_requests
        if self.server_state.connections or requests != self._requests:
            self._requests = requests
            self._last_used = time.monotonic()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._tick()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on the first signal; after that the process ends with code 0."""
        for number in _SIGNALS:
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; end at once when asked again."""
        if self.should_exit:
            os._exit(_ENDED_BY_SIGNAL + sig)
        super().handle_exit(sig, frame)


def _largest_message(gateway: Gateway) -> int:
    """Return how large a WebSocket message may be; each route looks at its own."""
    sockets = (route.websocket for route in gateway.settings.routes)
    sizes = (socket.max_frame_bytes for socket in sockets if socket is not None)
    return max(sizes, default=_MESSAGE_BYTES)
