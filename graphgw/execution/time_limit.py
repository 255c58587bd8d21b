"""Time limits for many operations with one timer for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["TimeLimit"]


class TimeLimit:
    """Ends what the current task does in a ``with`` block when its time is over.

    Like ``asyncio.timeout``, which sets a timer for each block: setting one takes
    longer than all else here, and operations end long before their deadline. The
    limits of a loop share a timer that is set for the earliest.

    Args:
        seconds: From when the block is entered.

    Raises:
        TimeoutError: The block was ended.
    """

    __slots__ = ("_cancelling", "_seconds", "_task", "_watch", "at", "is_over")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._watch: _Watch | None = None
        self._cancelling = 0
        self.at = 0.0
        self.is_over = False

    def __enter__(self) -> TimeLimit:
        loop = asyncio.get_running_loop()
        task = self._task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a time limit is for a task")
        self._cancelling = task.cancelling()
        watch = self._watch = _watches.get(loop)
        if watch is None:
            watch = self._watch = _watches[loop] = _Watch()
        self.at = loop.time() + self._seconds
        watch.add(self, loop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._watch is not None:
            self._watch.limits.pop(self, None)
        if not self.is_over or self._task is None:
            return
        is_ours = self._task.uncancel() <= self._cancelling
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def end(self) -> None:
        """Cancel the task: the time is over."""
        self.is_over = True
        if self._task is not None:
            self._task.cancel()


class _Watch:
    """The limits of one loop that are not over, and the timer for the earliest."""

    __slots__ = ("_at", "_timer", "limits")

    def __init__(self) -> None:
        self.limits: dict[TimeLimit, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def add(self, limit: TimeLimit, loop: asyncio.AbstractEventLoop) -> None:
        """Take note of a limit; set the timer where none is set for as early."""
        self.limits[limit] = None
        if self._timer is None or limit.at < self._at:
            if self._timer is not None:
                self._timer.cancel()
            self._at = limit.at
            self._timer = loop.call_at(limit.at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is over; set the timer for the earliest of the others."""
        self._timer = None
        now = loop.time()
        for limit in [limit for limit in self.limits if limit.at <= now]:
            del self.limits[limit]
            limit.end()
        if self.limits:
            self._at = min(limit.at for limit in self.limits)
            self._timer = loop.call_at(self._at, self._look, loop)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch] = WeakKeyDictionary()
