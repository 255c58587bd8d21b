"""One batch function with one set of arguments, within one request.

A ``DataLoader`` with two repairs: somebody owns each batch, so that cancelling the
last waiter cancels it, and the memo holds values and calls in flight instead of one
future per key. Who asks first makes the call itself, for all who ask in the same turn:
no task, and the rows arrive where they are wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from aiodataloader import DataLoader

from graphgw.turns import next_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BatchFunction", "BatchLoader", "Peek"]

BatchFunction: TypeAlias = Callable[[list[Any]], Awaitable[list[Any]]]
"""Turns keys into as many rows, in order; an exception stands for a failed key.

What it raises stands for each of its keys.
"""

Peek: TypeAlias = Callable[[list[Any]], "list[Any] | None"]
"""Returns the rows of keys, in order, if every one is at hand."""


class _Flight:
    """Keys on their way in one batch, and who waits for them beside its leader."""

    __slots__ = ("futures", "keys", "seats", "task")

    def __init__(self, keys: list[Any]) -> None:
        self.keys = keys
        self.futures: list[tuple[Any, asyncio.Future[Any]]] = []
        self.seats: dict[asyncio.Future[None], None] = {}
        self.task: asyncio.Task[None] | None = None
        """What flies it, where nobody leads."""

    def is_awaited(self) -> bool:
        """Tell whether anybody but a leader waits."""
        return bool(self.seats) or any(not f.done() for _, f in self.futures)


class _Memo(MutableMapping[Any, "asyncio.Future[Any]"]):
    """Known rows and flights by key, as ``DataLoader`` wants to see them."""

    __slots__ = ("flights", "loop", "rows")

    def __init__(
        self,
        rows: dict[Any, Any],
        flights: dict[Any, _Flight],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.rows = rows
        self.flights = flights
        self.loop = loop

    def __getitem__(self, key: Any) -> asyncio.Future[Any]:
        if key in self.rows:
            future = self.loop.create_future()
            _settle(future, self.rows[key])
            return future
        flight = self.flights[key]
        future = self.loop.create_future()
        flight.futures.append((key, future))
        return future

    def __setitem__(self, key: Any, future: asyncio.Future[Any]) -> None:
        # A pending future is on its flight already; a done one was primed.
        if future.done():
            error = future.exception()
            self.rows[key] = future.result() if error is None else error

    def __delitem__(self, key: Any) -> None:
        del self.rows[key]

    def __contains__(self, key: object) -> bool:
        return key in self.rows or key in self.flights

    def __iter__(self) -> Iterator[Any]:
        return iter({**self.rows, **self.flights})

    def __len__(self) -> int:
        return len({**self.rows, **self.flights})


class BatchLoader(DataLoader[Any, Any]):
    """Loads rows by key in batches, each key once.

    The first who asks leads: it waits one turn for company and calls the function.
    If it is cancelled while others wait, the call is made again for them.

    Args:
        function: Called with at most ``max_batch`` keys.
        max_batch: The most keys for one call; more are split and sent at once.
        peek: Is asked first; what it has needs no batch.
    """

    def __init__(
        self,
        function: BatchFunction,
        max_batch: int | None = None,
        peek: Peek | None = None,
    ) -> None:
        # What the base class would set, without its checks: requests make many.
        self.loop = asyncio.get_running_loop()
        self.max_batch_size = max_batch
        self._function = function
        self._peek = peek
        self._rows: dict[Any, Any] = {}
        self._flights: dict[Any, _Flight] = {}
        self._boarding: _Flight | None = None

    @property
    def _cache(self) -> _Memo:  # type: ignore[override]  # made when it is looked at
        return _Memo(self._rows, self._flights, self.loop)

    def get_cache_key(self, key: Any) -> Any:
        """Return the key itself."""
        return key

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
        flight = self._boarding
        if flight is None:
            flight = self._open([key])
            flight.task = self.loop.create_task(self._fly(flight))
        else:
            self._add(flight, [key])
        flight.futures.append((key, future))

    async def load_row(self, key: Any) -> Any:
        """Return one row; raises what the batch function raised."""
        if key is None:
            raise TypeError("a key is no null")
        if key not in self._rows and not self._has_at_hand([key]):
            if self._flights:
                await self._join([key])
            else:
                await self._lead(self._open([key]))
        row = self._rows[key]
        if isinstance(row, Exception):
            raise row
        return row

    async def load_rows(self, keys: Sequence[Any]) -> list[Any]:
        """Return rows in key order, exceptions as values, without a future per key."""
        rows = self._rows
        wanted = [key for key in keys if key not in rows] if rows else keys
        missing = list(dict.fromkeys(wanted))
        if missing and not self._has_at_hand(missing):
            if self._flights:
                await self._join(missing)
            else:
                await self._lead(self._open(missing))
        return [rows[key] for key in keys]

    def _has_at_hand(self, keys: list[Any]) -> bool:
        if self._peek is None:
            return False
        found = self._peek(keys)
        if found is None:
            return False
        self._rows.update(zip(keys, found, strict=True))
        return True

    async def _join(self, keys: list[Any]) -> None:
        """Wait for the flights that have these keys, and lead one with the others."""
        flying = self._flights
        joined = dict.fromkeys(flying[key] for key in keys if key in flying)
        new = [key for key in keys if key not in flying]
        led: _Flight | None = None
        if new and self._boarding is None:
            led = self._open(new)
        elif new and self._boarding is not None:
            self._add(self._boarding, new)
            joined[self._boarding] = None
        seats = [(flight, self.loop.create_future()) for flight in joined]
        for flight, seat in seats:
            flight.seats[seat] = None
        try:
            if led is not None:
                await self._lead(led)
            for _, seat in seats:
                await seat
        finally:
            for flight, seat in seats:
                flight.seats.pop(seat, None)
            for flight in joined:
                await self._end(flight)

    def _open(self, keys: list[Any]) -> _Flight:
        flight = self._boarding = _Flight(keys)
        if len(keys) == 1:
            self._flights[keys[0]] = flight
        else:
            self._flights.update(dict.fromkeys(keys, flight))
        return flight

    def _add(self, flight: _Flight, keys: list[Any]) -> None:
        flight.keys += keys
        self._flights.update(dict.fromkeys(keys, flight))

    async def _lead(self, flight: _Flight) -> None:
        """Wait a turn for company, then make the call."""
        try:
            await next_turn()
            if self._boarding is flight:
                self._boarding = None
            keys = flight.keys
            size = self.max_batch_size
            load = self.batch_load_fn if size and len(keys) > size else self._function
            rows = await load(keys)
        except Exception as error:  # noqa: BLE001 - each key's value, told later
            rows = [error] * len(flight.keys)
        except BaseException:
            self._leave(flight)
            raise
        self._land(flight, rows)

    async def _fly(self, flight: _Flight) -> None:
        """Make the call for a flight that nobody leads."""
        if self._boarding is flight:
            self._boarding = None
        try:
            rows = await self.batch_load_fn(flight.keys)
        except Exception as error:  # noqa: BLE001 - each key's value, told later
            rows = [error] * len(flight.keys)
        self._land(flight, rows)

    def _leave(self, flight: _Flight) -> None:
        """Let a flight go on without its leader, if anybody waits for it."""
        if flight.is_awaited():
            flight.task = self.loop.create_task(self._fly(flight))
        else:
            self._close(flight)

    async def _end(self, flight: _Flight) -> None:
        """End a flight without leader that is under way when the last has left."""
        task = flight.task
        if task is None or task.done() or flight.is_awaited():
            return
        self._close(flight)
        task.cancel()
        await asyncio.wait((task,))

    def _land(self, flight: _Flight, rows: list[Any]) -> None:
        if len(rows) == 1 == len(flight.keys):
            self._rows[flight.keys[0]] = rows[0]
        else:
            self._rows.update(zip(flight.keys, rows, strict=True))
        self._close(flight)
        for seat in flight.seats:
            if not seat.done():
                seat.set_result(None)
        for key, future in flight.futures:
            if not future.done():
                _settle(future, self._rows[key])

    def _close(self, flight: _Flight) -> None:
        if self._boarding is flight:
            self._boarding = None
        flying = self._flights
        if len(flying) == len(flight.keys):
            flying.clear()  # a flight has its keys for itself
            return
        for key in flight.keys:
            if flying.get(key) is flight:
                del flying[key]


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)


async def _call(function: BatchFunction, keys: list[Any]) -> list[Any]:
    """Call for one of several batches: if it fails the others go on."""
    try:
        return await function(keys)
    except Exception as error:  # noqa: BLE001 - each key's value, told later
        return [error] * len(keys)
