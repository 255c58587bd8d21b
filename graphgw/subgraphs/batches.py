"""One batch function with one set of arguments, within one request.

A ``DataLoader`` with two repairs: batches are tasks that somebody owns, so that
cancelling the last waiter cancels the batch, and the memo holds values and calls in
flight instead of one future per key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from aiodataloader import DataLoader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BatchFunction", "BatchLoader", "Peek"]

BatchFunction: TypeAlias = Callable[[list[Any]], Awaitable[list[Any]]]
"""Turns keys into as many rows, in order; an exception stands for a failed key."""

Peek: TypeAlias = Callable[[list[Any]], "list[Any] | None"]
"""Returns the rows of keys, in order, if every one is at hand."""


class _Flight:
    """Keys on their way in one batch, and who waits for them."""

    __slots__ = ("futures", "keys", "task", "waiters")

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.futures: list[tuple[Any, asyncio.Future[Any]]] = []
        self.task: asyncio.Task[None] | None = None
        self.waiters = 0


class _Memo(MutableMapping[Any, "asyncio.Future[Any]"]):
    """Known rows and flights by key; makes a future only when one is asked for."""

    __slots__ = ("flights", "loop", "values_by_key")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.values_by_key: dict[Any, Any] = {}
        self.flights: dict[Any, _Flight] = {}

    def __getitem__(self, key: Any) -> asyncio.Future[Any]:
        if key in self.values_by_key:
            future = self.loop.create_future()
            _settle(future, self.values_by_key[key])
            return future
        future = self.loop.create_future()
        self.flights[key].futures.append((key, future))
        return future

    def __setitem__(self, key: Any, future: asyncio.Future[Any]) -> None:
        # A pending future is on its flight already; a done one was primed.
        if future.done():
            error = future.exception()
            self.values_by_key[key] = future.result() if error is None else error

    def __delitem__(self, key: Any) -> None:
        del self.values_by_key[key]

    def __contains__(self, key: object) -> bool:
        return key in self.values_by_key or key in self.flights

    def __iter__(self) -> Iterator[Any]:
        return iter({**self.values_by_key, **self.flights})

    def __len__(self) -> int:
        return len({**self.values_by_key, **self.flights})


class BatchLoader(DataLoader[Any, Any]):
    """Loads rows by key in batches, each key once.

    Args:
        function: Called with at most ``max_batch`` keys; never raises, failures are
            values.
        max_batch: The most keys for one call; more are split and sent at once.
        peek: Is asked first; what it has needs no batch.
    """

    def __init__(
        self,
        function: BatchFunction,
        max_batch: int | None = None,
        peek: Peek | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._function = function
        self._peek = peek
        self._memo = _Memo(loop)
        self._boarding: _Flight | None = None
        super().__init__(max_batch_size=max_batch, cache_map=self._memo, loop=loop)

    async def batch_load_fn(self, keys: list[Any]) -> list[Any]:
        """Load rows in key order, at most ``max_batch`` in one call."""
        size = self.max_batch_size
        if not size or len(keys) <= size:
            return await self._function(keys)
        rest = iter(keys)
        chunks = list(iter(lambda: list(islice(rest, size)), []))
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(_call(self._function, c)) for c in chunks]
        return [row for call in calls for row in call.result()]

    def do_resolve_reject(self, key: Any, future: asyncio.Future[Any]) -> None:
        """Put the key on the flight that leaves next."""
        self._board([key]).futures.append((key, future))

    async def load_row(self, key: Any) -> Any:
        """Return one row; raises what the batch function raised."""
        if self._peek is not None and key not in self._memo:
            found = self._peek([key])
            if found is not None:
                self._memo.values_by_key[key] = found[0]
        future = self.load(key)
        flight = self._memo.flights.get(key)
        if flight is None:
            return future.result()
        flight.waiters += 1
        try:
            return await future
        finally:
            flight.waiters -= 1
            if not flight.waiters:
                await self._end(flight)

    async def load_rows(self, keys: Sequence[Any]) -> list[Any]:
        """Return rows in key order, exceptions as values, without a future per key."""
        values = self._memo.values_by_key
        missing = dict.fromkeys(key for key in keys if key not in values)
        if missing and not self._has_at_hand(missing):
            await self._wait(self._flights(missing))
        return [values[key] for key in keys]

    def _has_at_hand(self, keys: Iterable[Any]) -> bool:
        if self._peek is None:
            return False
        distinct = list(keys)
        rows = self._peek(distinct)
        if rows is None:
            return False
        self._memo.values_by_key.update(zip(distinct, rows, strict=True))
        return True

    def _flights(self, keys: Iterable[Any]) -> list[_Flight]:
        flying = self._memo.flights
        joined = dict.fromkeys(flying[key] for key in keys if key in flying)
        new = [key for key in keys if key not in flying]
        if new:
            joined[self._board(new)] = None
        for flight in joined:
            flight.waiters += 1
        return list(joined)

    def _board(self, keys: list[Any]) -> _Flight:
        flight = self._boarding
        if flight is None:
            flight = self._boarding = _Flight()
            flight.task = self.loop.create_task(self._fly(flight))
        flight.keys += keys
        self._memo.flights.update(dict.fromkeys(keys, flight))
        return flight

    async def _fly(self, flight: _Flight) -> None:
        self._boarding = None
        keys = flight.keys
        try:
            rows = await self.batch_load_fn(keys)
        except Exception as error:  # noqa: BLE001 - each key's value, told later
            rows = [error] * len(keys)
        self._memo.values_by_key.update(zip(keys, rows, strict=True))
        self._land(flight)
        for key, future in flight.futures:
            if not future.done():
                _settle(future, self._memo.values_by_key[key])

    async def _wait(self, flights: list[_Flight]) -> None:
        try:
            for flight in flights:
                if flight.task is not None:
                    await asyncio.shield(flight.task)
        finally:
            for flight in flights:
                flight.waiters -= 1
            for flight in flights:
                if not flight.waiters:
                    await self._end(flight)

    async def _end(self, flight: _Flight) -> None:
        """End a batch that is still under way when the last waiter has left."""
        task = flight.task
        if task is None or task.done():
            return
        if self._boarding is flight:
            self._boarding = None
        self._land(flight)
        task.cancel()
        await asyncio.wait((task,))

    def _land(self, flight: _Flight) -> None:
        for key in flight.keys:
            if self._memo.flights.get(key) is flight:
                del self._memo.flights[key]


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)


async def _call(function: BatchFunction, keys: list[Any]) -> list[Any]:
    return await function(keys)
