"""Those who wait for one piece of work: each by its own deadline, the last ends it."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from graphgw.sources.deadlines import LatestDeadline

if TYPE_CHECKING:
    from graphgw.types import Deadline

__all__ = ["Outcome", "Seat", "Sharers", "copy_error"]

_EARLY: Final = 0.002
"""How many seconds too soon a timer may ring."""

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

    __slots__ = ("_alarm", "_alarm_at", "_first_at", "deadline", "task", "waiting")

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = LatestDeadline(deadline.at, deadline.clock)
        self.waiting: dict[Seat[T], Deadline] = {}
        self.task: asyncio.Task[None] | None = None
        # One alarm wakes whoever is first out of time. Those who have as long as the
        # task itself need none: it minds its deadline.
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._first_at = deadline.at

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
        self.adopt(seat, deadline)
        return seat

    async def wait(self, seat: Seat[T]) -> T:
        """Return the outcome of one seat, or raise it."""
        try:
            outcome = await seat
        except BaseException:
            await self.give_up(seat)
            raise
        if seat in self.waiting:
            await self.give_up(seat)
        if isinstance(outcome, tuple):
            return outcome[0]
        raise outcome

    def adopt(self, seat: Seat[T], deadline: Deadline) -> None:
        """Let one who waits for this future be among those who wait."""
        self.deadline.extend(deadline)
        self.waiting[seat] = deadline
        self._first_at = min(self._first_at, deadline.at)
        if self._first_at < self.deadline.at:
            self._set_alarm()

    async def give_up(self, seat: Seat[T]) -> None:
        """Free a seat; if it was the last of those who wait, end the task."""
        if self.waiting.pop(seat, None) is not None:
            await self._leave()

    def settle(self, seat: Seat[T], outcome: Outcome[T]) -> None:
        """Give one seat its outcome, if it still waits."""
        if self.waiting.pop(seat, None) is not None and not seat.done():
            seat.set_result(outcome)
        if not self.waiting:
            self._drop_alarm()

    def settle_all(self, outcome: Outcome[T]) -> None:
        """Give every seat the same value, or an error of its own."""
        waiting, self.waiting = self.waiting, {}
        self._drop_alarm()
        given = outcome
        for seat in waiting:
            if not seat.done():
                seat.set_result(given)
                if isinstance(outcome, Exception):
                    given = copy_error(outcome)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            if self._alarm_at <= self._first_at:
                return
            self._alarm.cancel()
        self._alarm_at = self._first_at
        seconds = max(0.0, self._first_at - self.deadline.clock.monotonic())
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _drop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        """Tell those who are out of time; set the alarm for the next."""
        self._alarm = None
        latest = self.deadline.at
        now = self.deadline.clock.monotonic() + _EARLY
        first_at = latest
        for seat, deadline in self.waiting.items():
            if seat.done() or deadline.at >= latest:
                continue
            if deadline.at <= now:
                # It stays among the waiting: the last of them ends the task.
                seat.set_result(self.make_late_error())
            else:
                first_at = min(first_at, deadline.at)
        self._first_at = first_at
        if first_at < latest:
            self._set_alarm()

    async def _leave(self) -> None:
        if self.waiting:
            self.leave()
            return
        self.close()
        self._drop_alarm()
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
