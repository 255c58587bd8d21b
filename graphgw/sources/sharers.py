"""Those who wait for one piece of work: each by its own deadline, the last ends it."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from graphgw.sources.deadlines import LatestDeadline

if TYPE_CHECKING:
    from graphgw.types import Deadline

__all__ = ["Outcome", "Seat", "Sharers", "copy_error"]

T = TypeVar("T")
Outcome: TypeAlias = "tuple[T] | BaseException"
Seat: TypeAlias = "asyncio.Future[Outcome[T]]"
"""One who waits; its outcome is a value in a tuple, or what is raised."""


class Sharers(Generic[T]):
    """Waits for one task in the name of several.

    The task has until ``deadline``, the latest of all. It is cancelled when the last
    one leaves: cancelled itself, or out of its own time. A class that derives from
    this one says what is done then, and settles the seats when the task is done.
    """

    __slots__ = ("_timers", "_untimed", "deadline", "task", "waiting")

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = LatestDeadline(deadline.at, deadline.clock)
        self.waiting: dict[Seat[T], Deadline] = {}
        self.task: asyncio.Task[None] | None = None
        self._timers: dict[Seat[T], asyncio.TimerHandle] | None = None
        # These have as long as the task itself, which minds its deadline.
        self._untimed: list[Seat[T]] = []

    def close(self) -> None:
        """Let nobody join any more: nobody is left, or the task is done."""

    def make_late_error(self) -> Exception:
        """Return the error of who runs out of time before the others."""
        return TimeoutError()

    def leave(self) -> None:
        """Take note that somebody left and others still wait."""

    def join(self, deadline: Deadline) -> Seat[T]:
        """Take a seat; the task may now take until this deadline at least."""
        seat: Seat[T] = asyncio.get_running_loop().create_future()
        if self.waiting:
            self._time(seat, deadline)
        else:
            self.deadline.extend(deadline)
            self._untimed.append(seat)
        self.waiting[seat] = deadline
        return seat

    async def wait(self, seat: Seat[T]) -> T:
        """Return the outcome of one seat, or raise it."""
        try:
            outcome = await seat
        finally:
            await self.give_up(seat)
        if isinstance(outcome, tuple):
            return outcome[0]
        raise outcome

    def adopt(self, seat: Seat[T], deadline: Deadline) -> None:
        """Let one who has waited alone so far be the first of those who wait."""
        self._untimed.append(seat)
        self.waiting[seat] = deadline

    async def give_up(self, seat: Seat[T]) -> None:
        """Free a seat; if it was the last of those who wait, end the task."""
        if self._timers and (timer := self._timers.pop(seat, None)):
            timer.cancel()
        if self.waiting.pop(seat, None) is not None:
            await self._leave()

    def settle(self, seat: Seat[T], outcome: Outcome[T]) -> None:
        """Give one seat its outcome, if it still waits."""
        if self.waiting.pop(seat, None) is not None and not seat.done():
            seat.set_result(outcome)

    def settle_all(self, outcome: Outcome[T]) -> None:
        """Give every seat the same value, or an error of its own."""
        waiting, self.waiting = self.waiting, {}
        given = outcome
        for seat in waiting:
            if not seat.done():
                seat.set_result(given)
                if isinstance(outcome, Exception):
                    given = copy_error(outcome)

    def _time(self, seat: Seat[T], deadline: Deadline) -> None:
        """Set timers for all who have less time than the task."""
        if self.deadline.extend(deadline):
            for earlier in self._untimed:
                if earlier in self.waiting:
                    self._set_timer(earlier, self.waiting[earlier])
            self._untimed = [seat]
        elif deadline.at < self.deadline.at:
            self._set_timer(seat, deadline)
        else:
            self._untimed.append(seat)

    def _set_timer(self, seat: Seat[T], deadline: Deadline) -> None:
        if self._timers is None:
            self._timers = {}
        loop = asyncio.get_running_loop()
        self._timers[seat] = loop.call_later(deadline.remaining(), self._expire, seat)

    def _expire(self, seat: Seat[T]) -> None:
        # It stays among the waiting: the last of them ends the task.
        if not seat.done():
            seat.set_result(self.make_late_error())

    async def _leave(self) -> None:
        if self.waiting:
            self.leave()
            return
        self.close()
        task = self.task
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait((task,))


def copy_error(error: Exception) -> Exception:
    """Return an equal error: each who raises one needs a traceback of its own."""
    try:
        copied = copy.copy(error)
    except Exception:  # noqa: BLE001 - whatever a foreign constructor does
        return error
    if type(copied) is not type(error):
        return error
    copied.__cause__ = error.__cause__
    return copied
