"""The entity cache: rows of loaders by key, from one request to the next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from graphgw.stores.memory import MemoryStore
from graphgw.subgraphs.kept_rows import Batch, RowsInMemory, RowsInStore
from graphgw.subgraphs.row_names import RowNames, is_for_caller
from graphgw.subgraphs.row_vouchers import row_tags
from graphgw.subgraphs.told_ages import ToldRows, strictest_age
from graphgw.telemetry.events import CacheRead
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from graphgw.context import AnswerParts, RequestContext
    from graphgw.stores.protocol import Store
    from graphgw.subgraphs.batches import BatchFunction
    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.subgraphs.kept_rows import Kept, Mark, RowKeeper
    from graphgw.subgraphs.loaders import Loader
    from graphgw.types import JSONObject

__all__ = ["AgedRow", "EntityCache"]

_MAX_REFRESHES: Final = 200
_NOTHING: Final = object()

_Name: TypeAlias = "tuple[str, Hashable]"
"""The group of a row and its name in it."""


@dataclass(frozen=True, slots=True)
class AgedRow:
    """A fetched row that may be kept for ``max_age`` seconds at most; 0 for never."""

    row: Any
    max_age: float


@dataclass(slots=True)
class _Read:
    """One batch on its way through the cache."""

    batch: Batch
    kept: list[Kept | None]
    marks: list[Mark]
    rows: list[Any] = field(default_factory=list)
    limits: dict[int, float] = field(default_factory=dict)
    """How long fetched rows may be kept, where that is less than the rule says."""
    is_sound: bool = True
    """Whether all fetches that it waited for began when it did, as far as tags go."""
    is_stale: bool = False
    """Whether a row is served that is older than its rule wants."""

    def name(self, index: int) -> _Name:
        """Return the name of a key's row among those of all groups."""
        return self.batch.group, self.batch.names[index]


class EntityCache:
    """Keeps rows of loaders; of a batch only the missing keys are fetched.

    In a shared store a row is kept as bytes, in this process as it is, unless its
    loader's rows may be changed. One fetch is under way for a key, however many ask.
    Failures are never kept. A row whose fetch began before one of its tags was
    invalidated is never read. A store that is down is a cache that is empty.

    Args:
        store: Where rows are kept.
        max_object_bytes: What rows without a byte form may take beside a shared store.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: Store,
        *,
        max_object_bytes: int = 32 * 1024 * 1024,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self.keeper: RowKeeper = (
            RowsInMemory(store.objects, clock)
            if isinstance(store, MemoryStore)
            else RowsInStore(store, max_object_bytes, clock)
        )
        self._names = RowNames()
        self._flights: dict[_Name, asyncio.Future[Any]] = {}
        self._refreshes: set[asyncio.Task[None]] = set()

    def peek(
        self,
        rule: CacheRule,
        keys: list[Any],
        *,
        context: RequestContext,
        loader: Loader[..., Any],
        arguments: JSONObject,
    ) -> list[Any] | None:
        """Return rows in key order if every one is at hand and fresh.

        Args:
            rule: What may be kept, for how long and for whom.
            keys: Distinct keys.
            context: The request's.
            loader: Whose rows these are.
            arguments: The loader's arguments.
        """
        named = self._names.of(
            rule, keys, context=context, loader=loader, arguments=arguments
        )
        if named is None or context.parts is not None:
            return None
        rows = self.keeper.peek(*named, rule.max_age, is_shared=loader.is_shared)
        if rows is not None:
            count = len(keys)
            context.observer.observe(CacheRead(rule.coordinate, count, count))
        return rows

    async def load(
        self,
        rule: CacheRule,
        keys: list[Any],
        fetch: BatchFunction,
        *,
        context: RequestContext,
        loader: Loader[..., Any],
        arguments: JSONObject,
    ) -> list[Any]:
        """Return rows in key order, calling ``fetch`` with the missing keys only.

        Args:
            rule: What may be kept, for how long and for whom.
            keys: Distinct keys.
            fetch: Returns rows in key order; failures are values.
            context: The request's.
            loader: Whose rows these are.
            arguments: The loader's arguments.
        """
        named = self._names.of(
            rule, keys, context=context, loader=loader, arguments=arguments
        )
        parts = context.parts
        if named is None:
            if parts is not None:
                parts.forbid()
            return await fetch(keys)
        is_private = is_for_caller(rule, loader, arguments)
        batch = Batch(rule, *named, keys, arguments, loader.is_shared, is_private)
        read = _Read(batch, *await self.keeper.find(batch))
        limit = rule.max_age + rule.swr
        hits = [k for k in read.kept if k is not None and k[1] < limit]
        context.observer.observe(CacheRead(rule.coordinate, len(keys), len(hits)))
        stale = self._serve(read)
        if stale:
            self._refresh(read, stale, fetch)
        missing = [i for i, row in enumerate(read.rows) if row is _NOTHING]
        if missing:
            await self._fill(read, missing, fetch)
        if read.is_stale:
            context.mark_stale(rule.coordinate)
        if parts is not None:
            _note(read, parts)
        return read.rows

    async def invalidate(self, tags: Sequence[str]) -> None:
        """Drop the rows that have one of the tags, for every process.

        Every row has the coordinate of its rule as a tag.

        Raises:
            StoreError: The store is down, the rows are still there.
        """
        await self._store.invalidate(tags)

    async def aclose(self) -> None:
        """Stop refreshing."""
        for task in self._refreshes:
            task.cancel()
        await asyncio.gather(*self._refreshes, return_exceptions=True)

    def _serve(self, read: _Read) -> list[int]:
        """Fill in what may be served; return the indexes that are to be renewed."""
        rule = read.batch.rule
        limit = rule.max_age + rule.swr
        stale: list[int] = []
        for index, kept in enumerate(read.kept):
            if kept is None or kept[1] >= limit:
                read.rows.append(_NOTHING)
                continue
            read.rows.append(kept[0])
            if kept[1] >= rule.max_age:
                read.is_stale = True
                stale.append(index)
        return stale

    def _refresh(self, read: _Read, stale: list[int], fetch: BatchFunction) -> None:
        stale = [i for i in stale if read.name(i) not in self._flights]
        if not stale or len(self._refreshes) >= _MAX_REFRESHES:
            return
        task = asyncio.create_task(self._renew(read, stale, fetch))
        self._refreshes.add(task)
        task.add_done_callback(self._refreshes.discard)

    async def _renew(self, read: _Read, stale: list[int], fetch: BatchFunction) -> None:
        fresh = _Read(read.batch, read.kept, read.marks, list(read.rows))
        await self._fly(fresh, stale, fetch)

    async def _fill(
        self, read: _Read, missing: list[int], fetch: BatchFunction
    ) -> None:
        while missing:
            flights = self._flights
            names = {index: read.name(index) for index in missing}
            joined = {i: flights[n] for i, n in names.items() if n in flights}
            own = [i for i in missing if i not in joined]
            if own:
                await self._fly(read, own, fetch)
            missing = []
            for index, flight in joined.items():
                if await _landed(flight):
                    row, limit, mark = flight.result()
                    read.rows[index] = self._or_stale(read, index, row)
                    if limit is not None:
                        read.limits[index] = limit
                    # What was dropped meanwhile may be in it.
                    read.is_sound = read.is_sound and mark == read.marks[index]
                else:
                    missing.append(index)

    async def _fly(self, read: _Read, indexes: list[int], fetch: BatchFunction) -> None:
        """Fetch keys for all who ask meanwhile, and keep what came."""
        loop = asyncio.get_running_loop()
        mine: dict[int, asyncio.Future[Any]] = {}
        for index in indexes:
            if read.name(index) not in self._flights:
                flight = mine[index] = loop.create_future()
                self._flights[read.name(index)] = flight
        try:
            fetched = await fetch([read.batch.keys[i] for i in indexes])
            rows, limits = _unwrap(fetched, is_private=read.batch.is_private)
            for place, (index, row) in enumerate(zip(indexes, rows, strict=True)):
                if index in mine:
                    found = (row, limits.get(place), read.marks[index])
                    mine[index].set_result(found)
                read.rows[index] = self._or_stale(read, index, row)
                if place in limits:
                    read.limits[index] = limits[place]
        finally:
            for index, flight in mine.items():
                del self._flights[read.name(index)]
                if not flight.done():
                    flight.cancel()
        await self._keep(read, indexes, rows, limits)

    def _or_stale(self, read: _Read, index: int, row: Any) -> Any:
        """Return the row, or an old one in place of a failure."""
        kept = read.kept[index]
        limit = read.batch.rule.max_age + read.batch.rule.stale_if_error
        if isinstance(row, Exception) and kept is not None and kept[1] < limit:
            read.is_stale = True
            return kept[0]
        return row

    async def _keep(
        self,
        read: _Read,
        indexes: list[int],
        rows: list[Any],
        limits: dict[int, float],
    ) -> None:
        rule = read.batch.rule
        # A row with less time than the rule gives it counts as older.
        new = [
            (index, row, max(0.0, rule.max_age - limit))
            for place, (index, row) in enumerate(zip(indexes, rows, strict=True))
            if (limit := limits.get(place, rule.max_age)) > 0
            and not isinstance(row, Exception)
        ]
        if new:
            await self.keeper.keep(read.batch, new, read.marks)


def _note(read: _Read, parts: AnswerParts) -> None:
    """Tell what an answer is made of: rows, how long they count, their tags."""
    batch, max_age = read.batch, read.batch.rule.max_age
    if batch.is_private:
        parts.forbid()
        return
    parts.is_sound = parts.is_sound and read.is_sound and not read.is_stale
    for index, row in enumerate(read.rows):
        tags, kept = batch.tags(index), read.kept[index]
        if tags is None:
            parts.forbid()
            return
        if isinstance(row, Exception):
            parts.is_sound = False
        parts.tags.update(dict.fromkeys((*tags, *row_tags(batch.rule, row))))
        age = kept[1] if kept is not None and kept[1] < max_age else 0.0
        parts.cap(min(max_age, read.limits.get(index, max_age)) - age)


def _unwrap(rows: list[Any], *, is_private: bool) -> tuple[list[Any], dict[int, float]]:
    """Return the rows, and the limits of those that have one of their own."""
    if isinstance(rows, ToldRows):
        limit = strictest_age(rows.told, is_private=is_private)
        return rows, {} if limit is None else dict.fromkeys(range(len(rows)), limit)
    limits = {i: r.max_age for i, r in enumerate(rows) if r.__class__ is AgedRow}
    if not limits:
        return rows, limits
    return [r.row if r.__class__ is AgedRow else r for r in rows], limits


async def _landed(flight: asyncio.Future[Any]) -> bool:
    """Wait for somebody else's fetch; tell whether it came to an end."""
    # Waiting on the future itself would cancel it with the waiter.
    await asyncio.wait([flight])
    return not flight.cancelled()
