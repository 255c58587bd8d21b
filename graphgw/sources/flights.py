"""Identical reads that are in flight at the same time are sent once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from graphgw.errors import SourceDisconnectedError, SourceTimeoutError
from graphgw.sources.sharers import Sharers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from graphgw.sources.sharers import Outcome
    from graphgw.types import Deadline

__all__ = ["Flights"]

T = TypeVar("T")


class Flights(Generic[T]):
    """Lets reads join the one that is under way with the same key.

    The call belongs to nobody: it has until the latest deadline of those who wait,
    and is cancelled when the last of them is gone. What comes of it is shared, a
    failure too. ``separate`` keeps reads from joining those that began earlier:
    after a write they might be stale.
    """

    __slots__ = ("_generation", "source", "under_way")

    def __init__(self, source: str) -> None:
        self.source = source
        self.under_way: dict[Hashable, _Flight[T]] = {}
        self._generation = 0

    def separate(self) -> None:
        """Keep later reads apart from those under way."""
        self._generation += 1

    async def run(
        self,
        key: Hashable,
        deadline: Deadline,
        call: Callable[[Deadline], Awaitable[T]],
    ) -> T:
        """Return what ``call`` returns, or what another's equal call does.

        Args:
            key: Everything that is sent.
            deadline: Until when this read waits.
            call: Makes the call; the deadline that it gets may move on meanwhile.

        Raises:
            SourceError: The call failed, or the deadline passed while waiting.
        """
        full_key = (self._generation, key)
        flight = self.under_way.get(full_key)
        if flight is None:
            flight = _Flight(self, full_key, deadline)
            self.under_way[full_key] = flight
            loop = asyncio.get_running_loop()
            flight.task = loop.create_task(flight.fly(call))
        return await flight.wait(flight.join(deadline))


class _Flight(Sharers[T]):
    """One call, and who waits for it."""

    __slots__ = ("_flights", "_key")

    def __init__(self, flights: Flights[T], key: Hashable, deadline: Deadline) -> None:
        super().__init__(deadline)
        self._flights = flights
        self._key = key

    def close(self) -> None:
        """Let later reads make a call of their own."""
        if self._flights.under_way.get(self._key) is self:
            del self._flights.under_way[self._key]

    def make_late_error(self) -> SourceTimeoutError:
        """Return the error of who runs out of time before the others."""
        source = self._flights.source
        return SourceTimeoutError(
            f'service "{source}" did not answer in time', source=source
        )

    async def fly(self, call: Callable[[Deadline], Awaitable[T]]) -> None:
        """Make the call and tell those who wait.

        It is made again if time ran out that was the first one's, and others have
        more: a transport that looks at the deadline as it goes needs no second call,
        one that sets a timer at the start does.
        """
        outcome: Outcome[T] | None = None
        deadline = self.deadline
        try:
            while outcome is None:
                until = deadline.at
                try:
                    outcome = (await call(deadline),)
                except SourceTimeoutError as error:
                    if deadline.at <= until or deadline.is_over:
                        outcome = error
        except Exception as error:  # noqa: BLE001 - raised by those who wait
            outcome = error
        finally:
            self.close()
            self.settle_all(outcome or self._make_closed_error())

    def _make_closed_error(self) -> SourceDisconnectedError:
        source = self._flights.source
        return SourceDisconnectedError(
            f'service "{source}" was closed during the call', source=source
        )
