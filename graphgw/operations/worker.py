"""One thread for cold work: lexing to compiling, off the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from graphgw.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["ColdWorker"]

T = TypeVar("T")


class ColdWorker:
    """Runs pure functions in one thread, once per key however many ask.

    A run that fails fails for all who wait for it, and is forgotten: the next one
    who asks starts anew. A waiter that is cancelled leaves the others alone.
    Belongs to the event loop that first uses it.
    """

    __slots__ = ("_executor", "_is_closed", "_runs", "queue_size")

    def __init__(self, *, queue_size: int = 100) -> None:
        self.queue_size = queue_size
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="graphgw-cold")
        self._runs: dict[Hashable, asyncio.Future[Any]] = {}
        self._is_closed = False

    @property
    def pending(self) -> int:
        """How many runs wait or go on."""
        return len(self._runs)

    async def run(
        self,
        key: Hashable,
        function: Callable[[], T],
        keep: Callable[[T], object] | None = None,
    ) -> T:
        """Run ``function`` in the thread, or join the run of the same key.

        Args:
            key: Names the run.
            function: What is run.
            keep: Gets the result in the event loop, once, in the moment in which the
                run cannot be joined any more, even where nobody waits for it.

        Raises:
            OverloadedError: The queue is full, or the worker is closed.
        """
        run = self._runs.get(key)
        if run is None:
            run = self._start(key, function, keep)
        await asyncio.wait((run,))
        if run.cancelled():
            raise OverloadedError("the gateway is stopping")
        error = run.exception()
        if error is not None:
            raise error.with_traceback(None)
        result: T = run.result()
        return result

    def _start(
        self,
        key: Hashable,
        function: Callable[[], T],
        keep: Callable[[T], object] | None,
    ) -> asyncio.Future[T]:
        if self._is_closed:
            raise OverloadedError("the gateway is stopping")
        if len(self._runs) > self.queue_size:
            raise OverloadedError(
                f"more than {self.queue_size} documents wait to be prepared"
                " (limits.preparation_queue)"
            )
        loop = asyncio.get_running_loop()
        run = loop.run_in_executor(self._executor, function)
        self._runs[key] = run
        run.add_done_callback(lambda done: self._forget(key, done, keep))
        return run

    def _forget(
        self,
        key: Hashable,
        run: asyncio.Future[T],
        keep: Callable[[T], object] | None,
    ) -> None:
        del self._runs[key]
        # To look at the failure marks it as seen, also when every waiter has left.
        if not run.cancelled() and run.exception() is None and keep is not None:
            keep(run.result())

    async def aclose(self) -> None:
        """Refuse new runs, cancel those that wait, let the current one end."""
        self._is_closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._runs:
            await asyncio.wait(tuple(self._runs.values()))
