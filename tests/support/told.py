"""An observer that a test waits on: what it was told of a service's addresses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from graphgw.telemetry.events import AddressCalled, AddressChanged

__all__ = ["Told"]


@dataclass
class Told:
    """Keeps every event, in order."""

    events: list[object] = field(default_factory=list)
    noted: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, event: object) -> None:
        """Note an event (``Observer``)."""
        self.events.append(event)
        self.noted.set()

    async def changes_are(self, *expected: str) -> None:
        """Wait until these and no others are the changes, for 5 seconds at most."""
        async with asyncio.timeout(5):
            while self.changes() != [*expected]:
                self.noted.clear()
                await self.noted.wait()

    def changes(self) -> list[str]:
        """Return what became of addresses."""
        return [e.change for e in self.events if isinstance(e, AddressChanged)]

    def outcomes(self) -> list[str]:
        """Return how calls ended."""
        return [e.outcome for e in self.events if isinstance(e, AddressCalled)]
