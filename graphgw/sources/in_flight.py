"""Identical reads that are in flight at the same time are sent once."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from graphgw.errors import SourceError, SourceTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from graphgw.types import Deadline

__all__ = ["InFlight"]

T = TypeVar("T")
_Outcome: TypeAlias = "tuple[T] | SourceError | None"


class InFlight(Generic[T]):
    """Lets reads join the one that is under way with the same key.

    The first makes the call in its own task; those that join share its answer, or
    its error. If the first is cancelled or runs out of its own time, one of the
    others makes the call anew, so nobody fails for another's sake. ``separate`` keeps
    reads from joining those that began earlier: after a write they might be stale.
    """

    __slots__ = ("_generation", "_running", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._generation = 0
        self._running: dict[Hashable, list[asyncio.Future[_Outcome[T]]]] = {}

    def separate(self) -> None:
        """Keep later reads apart from those under way."""
        self._generation += 1

    async def run(
        self, key: Hashable, deadline: Deadline, call: Callable[[], Awaitable[T]]
    ) -> T:
        """Return what ``call`` returns, or what another's equal call does.

        Raises:
            SourceError: The call failed, or the deadline passed while waiting.
        """
        full_key = (key, self._generation)
        running = self._running
        while (waiters := running.get(full_key)) is not None:
            outcome = await self._wait(waiters, deadline)
            if isinstance(outcome, SourceError):
                raise outcome
            if outcome is not None:
                return outcome[0]
        waiters = running[full_key] = []
        outcome = None
        try:
            answer = await call()
            outcome = (answer,)
        except SourceTimeoutError:
            raise
        except SourceError as error:
            outcome = error
            raise
        finally:
            del running[full_key]
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(outcome)
        return answer

    async def _wait(
        self, waiters: list[asyncio.Future[_Outcome[T]]], deadline: Deadline
    ) -> _Outcome[T]:
        waiter: asyncio.Future[_Outcome[T]] = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        try:
            async with asyncio.timeout(deadline.remaining()):
                outcome = await waiter
        except TimeoutError as error:
            raise SourceTimeoutError(
                f'service "{self._source}" did not answer in time', source=self._source
            ) from error
        # Each who raises it needs a traceback of its own.
        return copy.copy(outcome) if isinstance(outcome, SourceError) else outcome
