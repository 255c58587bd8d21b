"""SIGHUP: the configuration is read again and taken over while requests run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

from graphgw.errors import ConfigurationError
from graphgw.telemetry.events import InternalFailure, SnapshotSwapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphgw.config.settings import Settings
    from graphgw.gateway import Gateway

__all__ = ["Reconfiguration"]


class Reconfiguration:
    """Gives a gateway its settings anew at each SIGHUP.

    A configuration that is wrong changes nothing; the observers are told why.

    Args:
        gateway: The gateway; it runs.
        load: Reads the settings; runs in a thread.
    """

    def __init__(self, gateway: Gateway, load: Callable[[], Settings]) -> None:
        self._gateway = gateway
        self._load = load
        self._asked = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen to the signal meanwhile."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        task = asyncio.create_task(self._serve())
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the process ends anyway
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _serve(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()  # who asks from here on is served once more
            try:
                await self._reconfigure()
            except Exception as error:  # noqa: BLE001 - a failure must not end this
                failure = InternalFailure("", "reconfiguration", error)
                self._gateway.observer.observe(failure)

    async def _reconfigure(self) -> None:
        try:
            settings = await asyncio.to_thread(self._load)
        except ConfigurationError as error:
            self._gateway.observer.observe(SnapshotSwapped("", str(error)))
            return
        with contextlib.suppress(ConfigurationError):  # the gateway has told it
            late = await self._gateway.reconfigure(settings)
            for name in late:
                sys.stderr.write(f"{name}: only a new process takes changes over\n")
