"""The entity cache: rows of loaders by key, from one request to the next."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from graphgw.operations.cache import BoundedCache
from graphgw.policies.cache_tags import render_tag
from graphgw.stores.protocol import Found, StoreError
from graphgw.subgraphs.loaders import FORWARDED
from graphgw.subgraphs.remote.headers import tells_identity
from graphgw.subgraphs.row_codec import UndecodableError, decode_row, encode_row
from graphgw.telemetry.events import CacheRead
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphgw.context import RequestContext
    from graphgw.stores.protocol import Store
    from graphgw.subgraphs.batches import BatchFunction
    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.subgraphs.loaders import Loader
    from graphgw.types import JSONObject, Principal

__all__ = ["AgedRow", "EntityCache"]

_HEAD: Final = struct.Struct(">d8s")
_MAX_REFRESHES: Final = 200
_OBJECT_DEPTH: Final = 6
_PLAIN_KEY: Final = 64
_NOTHING: Final = object()


_Kept: TypeAlias = "tuple[Any, float]"
"""A row as it was found, with its age in seconds."""


@dataclass(frozen=True, slots=True)
class AgedRow:
    """A fetched row that may be kept for ``max_age`` seconds at most; 0 for never."""

    row: Any
    max_age: float


@dataclass(slots=True)
class _Read:
    """One batch on its way through the cache."""

    rule: CacheRule
    names: list[str]
    marks: list[bytes | None]
    """What the tags of each key looked like before anything was fetched.

    ``None`` where a tag has no value for the key: such a row could not be dropped.
    """
    kept: list[_Kept | None]
    rows: list[Any] = field(default_factory=list)
    is_stale: bool = False
    """Whether a row is served that is older than its rule wants."""


class EntityCache:
    """Keeps rows of loaders; of a batch only the missing keys are fetched.

    A row is kept as bytes in the store, or, where it has no such form, as it is in
    this process. One fetch is under way for a key, however many ask. Failures are
    never kept. A row whose fetch began before one of its tags was invalidated is
    never read. A store that is down is a cache that is empty.

    Args:
        store: Where bytes are kept.
        max_object_bytes: What rows without a byte form may take.
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
        self._clock = clock
        self._objects: BoundedCache[str, tuple[Any, float, bytes]] = BoundedCache(
            max_entries=100_000, max_bytes=max_object_bytes
        )
        self._flights: dict[str, asyncio.Future[Any]] = {}
        self._refreshes: set[asyncio.Task[None]] = set()

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
        scope = _scope(rule, context, loader, arguments)
        names = None if scope is None else _names(scope, keys)
        if names is None:
            return await fetch(keys)
        read = await self._read(rule, names, keys, arguments)
        limit = rule.max_age + rule.swr
        hits = [k for k in read.kept if k is not None and k[1] < limit]
        context.observer.observe(CacheRead(rule.coordinate, len(keys), len(hits)))
        stale = self._serve(read)
        if stale:
            self._refresh(read, stale, keys, fetch)
        missing = [i for i, row in enumerate(read.rows) if row is _NOTHING]
        if missing:
            await self._fill(read, missing, keys, fetch)
        if read.is_stale:
            context.mark_stale(rule.coordinate)
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

    async def _read(
        self,
        rule: CacheRule,
        names: list[str],
        keys: list[Any],
        arguments: JSONObject,
    ) -> _Read:
        tags_of = [_tags(rule, key, arguments) for key in keys]
        tags = list(dict.fromkeys(tag for found in tags_of for tag in found or ()))
        try:
            found = await self._store.get_many(names, tags)
        except StoreError:
            # Without stamps nothing may be read or kept; the fetch goes on.
            return _Read(rule, names, [None] * len(keys), [None] * len(keys))
        return self._judge(rule, names, tags_of, tags, found)

    def _judge(
        self,
        rule: CacheRule,
        names: list[str],
        tags_of: list[tuple[str, ...] | None],
        tags: list[str],
        found: Found,
    ) -> _Read:
        stamps = dict(zip(tags, found.stamps, strict=True))
        now = self._clock.time()
        marks: list[bytes | None] = []
        kept: list[_Kept | None] = []
        known: dict[tuple[str, ...], bytes] = {}
        for name, own, value in zip(names, tags_of, found.values, strict=True):
            if own is None:
                marks.append(None)
                kept.append(None)
                continue
            mark = known.get(own)
            if mark is None:
                mark = known[own] = _mark(stamps[tag] for tag in own)
            marks.append(mark)
            kept.append(self._open(name, value, mark, now, rule.kept_for))
        return _Read(rule, names, marks, kept)

    def _open(
        self, name: str, value: bytes | None, mark: bytes, now: float, limit: float
    ) -> _Kept | None:
        if value is None:
            held = self._objects.get(name)
            if held is None:
                return None
            row, at, held_mark = held
        else:
            try:
                at, held_mark = _HEAD.unpack_from(value)
                row = _NOTHING
            except struct.error:
                return None
        age = max(0.0, now - at)
        if held_mark != mark or not age < limit:
            return None
        if row is _NOTHING and value is not None:
            try:
                row = decode_row(value[_HEAD.size :])
            except UndecodableError:
                return None
        return row, age

    def _serve(self, read: _Read) -> list[int]:
        """Fill in what may be served; return the indexes that are to be renewed."""
        rule = read.rule
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

    def _refresh(
        self, read: _Read, stale: list[int], keys: list[Any], fetch: BatchFunction
    ) -> None:
        stale = [i for i in stale if read.names[i] not in self._flights]
        if not stale or len(self._refreshes) >= _MAX_REFRESHES:
            return
        task = asyncio.create_task(self._renew(read, stale, keys, fetch))
        self._refreshes.add(task)
        task.add_done_callback(self._refreshes.discard)

    async def _renew(
        self, read: _Read, stale: list[int], keys: list[Any], fetch: BatchFunction
    ) -> None:
        fresh = _Read(read.rule, read.names, read.marks, read.kept, list(read.rows))
        await self._fly(fresh, stale, keys, fetch)

    async def _fill(
        self, read: _Read, missing: list[int], keys: list[Any], fetch: BatchFunction
    ) -> None:
        while missing:
            flights = self._flights
            joined = {
                i: flights[read.names[i]] for i in missing if read.names[i] in flights
            }
            own = [i for i in missing if i not in joined]
            if own:
                await self._fly(read, own, keys, fetch)
            missing = []
            for index, flight in joined.items():
                if await _landed(flight):
                    read.rows[index] = self._or_stale(read, index, flight.result())
                else:
                    missing.append(index)

    async def _fly(
        self, read: _Read, indexes: list[int], keys: list[Any], fetch: BatchFunction
    ) -> None:
        """Fetch keys for all who ask meanwhile, and keep what came."""
        loop = asyncio.get_running_loop()
        mine: dict[int, asyncio.Future[Any]] = {}
        for index in indexes:
            if read.names[index] not in self._flights:
                flight = mine[index] = loop.create_future()
                self._flights[read.names[index]] = flight
        try:
            rows, limits = _unwrap(await fetch([keys[i] for i in indexes]))
            for index, row in zip(indexes, rows, strict=True):
                if index in mine:
                    mine[index].set_result(row)
                read.rows[index] = self._or_stale(read, index, row)
        finally:
            for index, flight in mine.items():
                del self._flights[read.names[index]]
                if not flight.done():
                    flight.cancel()
        await self._keep(read, indexes, rows, limits)

    def _or_stale(self, read: _Read, index: int, row: Any) -> Any:
        """Return the row, or an old one in place of a failure."""
        kept = read.kept[index]
        limit = read.rule.max_age + read.rule.stale_if_error
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
        now = self._clock.time()
        values: dict[str, bytes] = {}
        for place, (index, row) in enumerate(zip(indexes, rows, strict=True)):
            name, mark = read.names[index], read.marks[index]
            limit = limits.get(place, read.rule.max_age)
            if mark is None or isinstance(row, Exception) or limit <= 0:
                continue
            # A row with less time than the rule gives it counts as older.
            at = now - max(0.0, read.rule.max_age - limit)
            data = encode_row(row)
            if data is None:
                self._objects.put(name, (row, at, mark), _size_of(row, _OBJECT_DEPTH))
            else:
                values[name] = _HEAD.pack(at, mark) + data
        if values:
            try:
                await self._store.set_many(values, read.rule.kept_for)
            except StoreError:
                return


def _unwrap(rows: list[Any]) -> tuple[list[Any], dict[int, float]]:
    """Return the rows, and the limits of those that have one of their own."""
    limits = {i: r.max_age for i, r in enumerate(rows) if r.__class__ is AgedRow}
    if not limits:
        return rows, limits
    return [r.row if r.__class__ is AgedRow else r for r in rows], limits


async def _landed(flight: asyncio.Future[Any]) -> bool:
    """Wait for somebody else's fetch; tell whether it came to an end."""
    # Waiting on the future itself would cancel it with the waiter.
    await asyncio.wait([flight])
    return not flight.cancelled()


def _scope(
    rule: CacheRule,
    context: RequestContext,
    loader: Loader[..., Any],
    arguments: JSONObject,
) -> str | None:
    """Return what every key begins with; ``None`` where nothing may be kept.

    All that can change a row is in it: the loader's code, the arguments, headers
    that the rule names or services are sent, and for private rows the caller.
    """
    is_private = rule.is_private
    if is_private is None:
        forwarded = arguments.get(FORWARDED, ())
        is_private = not loader.is_shared or any(map(tells_identity, forwarded))
    caller: object = None
    if is_private:
        caller = _caller(context.principal)
        if caller is None:
            return None
    function = loader.function
    code = getattr(function, "__code__", None)
    parts = (
        rule.coordinate,
        loader.name,
        getattr(function, "__module__", ""),
        getattr(function, "__qualname__", ""),
        code.co_code.hex() if code else "",
        caller,
        [[name, context.headers.get(name)] for name in rule.vary],
        arguments,
    )
    try:
        text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _caller(principal: Principal) -> list[str | None] | None:
    if not principal.is_authenticated:
        return None
    issuer = principal.claims.get("iss")
    named = issuer if isinstance(issuer, str) else None
    return [named, principal.subject, principal.api_key]


def _names(scope: str, keys: list[Any]) -> list[str] | None:
    try:
        return [
            f"row:{scope}:s{key}"
            if type(key) is str and len(key) <= _PLAIN_KEY and key.isascii()
            else f"row:{scope}:h{_digest(key)}"
            for key in keys
        ]
    except TypeError:
        return None


def _digest(key: Any) -> str:
    text = orjson.dumps(key, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _tags(rule: CacheRule, key: Any, arguments: JSONObject) -> tuple[str, ...] | None:
    if not rule.tags:
        return (rule.coordinate,)
    parts = key if isinstance(key, tuple) else (key,)
    named: Mapping[str, Any] = dict(zip(rule.key_names, parts, strict=False))
    tags = [rule.coordinate]
    for text in rule.tags:
        tag = render_tag(text, key=named, arguments=arguments)
        if tag is None:
            return None
        tags.append(tag)
    return tuple(tags)


def _mark(stamps: Iterable[bytes]) -> bytes:
    return hashlib.blake2b(b"\0".join(stamps), digest_size=8).digest()


def _size_of(value: Any, depth: int) -> int:
    """Estimate the bytes of an object with what it holds."""
    size = sys.getsizeof(value, 64)
    if depth == 0:
        return size
    if isinstance(value, dict):
        inner: Iterable[Any] = (*value.keys(), *value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        inner = value
    else:
        inner = getattr(value, "__dict__", {}).values()
    return size + sum(_size_of(item, depth - 1) for item in inner)
