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

    __slots__ = ("_generation", "_source", "_under_way")

    def __init__(self, source: str) -> None:
        self._source = source
        self._generation = 0
        self._under_way: dict[Hashable, Sharers[T]] = {}

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
        sharers = self._under_way.get(full_key)
        if sharers is None:
            sharers = self._start(full_key, deadline, call)
        return await sharers.wait(sharers.join(deadline))

    def _start(
        self,
        key: Hashable,
        deadline: Deadline,
        call: Callable[[Deadline], Awaitable[T]],
    ) -> Sharers[T]:
        def is_over() -> None:
            self._land(key, sharers)

        sharers: Sharers[T] = Sharers(deadline, is_over=is_over, late=self._late)
        self._under_way[key] = sharers
        loop = asyncio.get_running_loop()
        sharers.task = loop.create_task(self._fly(key, sharers, call))
        return sharers

    async def _fly(
        self,
        key: Hashable,
        sharers: Sharers[T],
        call: Callable[[Deadline], Awaitable[T]],
    ) -> None:
        outcome: Outcome[T] = SourceDisconnectedError(
            f'service "{self._source}" was closed during the call', source=self._source
        )
        try:
            outcome = (await _call_in_time(sharers, call),)
        except Exception as error:  # noqa: BLE001 - raised by those who wait
            outcome = error
        finally:
            self._land(key, sharers)
            sharers.settle_all(outcome)

    def _land(self, key: Hashable, sharers: Sharers[T]) -> None:
        if self._under_way.get(key) is sharers:
            del self._under_way[key]

    def _late(self) -> SourceTimeoutError:
        return SourceTimeoutError(
            f'service "{self._source}" did not answer in time', source=self._source
        )


async def _call_in_time(
    sharers: Sharers[T], call: Callable[[Deadline], Awaitable[T]]
) -> T:
    """Call; call again if time ran out that was the first one's, and others have more.

    A transport that looks at the deadline as it goes needs no second call; one that
    set a timer at the start does.
    """
    while True:
        deadline = sharers.deadline
        until = deadline.at
        try:
            return await call(deadline)
        except SourceTimeoutError:
            if deadline.at <= until or deadline.is_over:
                raise
