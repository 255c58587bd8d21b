"""Where rows are kept: as they are in this process, or as bytes in a shared store."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from google.protobuf.message import Message

from graphgw.operations.cache import BoundedCache
from graphgw.stores.objects import Entry
from graphgw.stores.protocol import ANY_TAG, StoreError
from graphgw.subgraphs.row_codec import UndecodableError, decode_row, encode_row
from graphgw.subgraphs.row_names import full_name, tags_of
from graphgw.subgraphs.row_size import estimate_size
from graphgw.subgraphs.row_vouchers import (
    Voucher,
    digest_stamps,
    row_tags,
    split_voucher,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from graphgw.stores.objects import ObjectTable
    from graphgw.stores.protocol import Store
    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.types import Clock, JSONObject

__all__ = [
    "Batch",
    "Kept",
    "Mark",
    "NewRow",
    "RowKeeper",
    "RowsInMemory",
    "RowsInStore",
]

_DIGEST: Final = 200
_HEAD: Final = struct.Struct(">d8s")
_MARK: Final = 8
"""Bytes of what tells of the tags of a key; what follows tells of all tags."""
_NOTHING: Final = object()
_UNCHANGEABLE: Final = (str, int, float, bytes, type(None))

Kept: TypeAlias = "tuple[Any, float]"
"""A row as it was found, with its age in seconds."""

Mark: TypeAlias = Any
"""What tells later whether a tag of a key was invalidated meanwhile.

``None`` where the row may not be kept: it could not be dropped.
"""

NewRow: TypeAlias = "tuple[int, Any, float]"
"""The index of a key in its batch, its row, and the age that the row has already."""


@dataclass(slots=True)
class Batch:
    """Keys that are asked for together, and the names of their rows in a group.

    The rows of a shared batch are read by several requests: nobody changes them. Those
    of a private one are for one caller alone.
    """

    rule: CacheRule
    group: str
    names: Sequence[Hashable]
    keys: list[Any]
    arguments: JSONObject
    is_shared: bool
    is_private: bool

    def tags(self, index: int) -> tuple[str, ...] | None:
        """Return the tags of a key's row, ``None`` where one has no value."""
        return tags_of(self.rule, self.keys[index], self.arguments)


class RowKeeper(Protocol):
    """Keeps rows between requests; what fails is as if nothing was kept."""

    def peek(
        self, group: str, names: Sequence[Hashable], max_age: float, *, is_shared: bool
    ) -> list[Any] | None:
        """Return every row if all are there at once and fresh."""
        ...

    async def find(self, batch: Batch) -> tuple[list[Kept | None], list[Mark]]:
        """Return what is kept of a batch, and a mark for each key."""
        ...

    async def keep(
        self, batch: Batch, rows: Iterable[NewRow], marks: Sequence[Mark]
    ) -> None:
        """Keep rows whose tags were not invalidated since ``find``."""
        ...


class _Encoded:
    """A row as bytes: each who reads it gets one of their own."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class RowsInMemory:
    """Rows of this process, bounded by an estimate of their size.

    Those of shared loaders are kept as they are and handed to every request, for
    nobody may change them; those of others as bytes, if they have such a form.
    """

    def __init__(self, objects: ObjectTable, clock: Clock) -> None:
        self._objects = objects
        self._clock = clock

    def peek(
        self, group: str, names: Sequence[Hashable], max_age: float, *, is_shared: bool
    ) -> list[Any] | None:
        """Return every row if all are there at once and fresh."""
        since = self._clock.monotonic() - max_age
        found = self._objects.values_since(group, names, since)
        if found is None or is_shared:
            return found
        return [_open(value) for value in found]

    async def find(self, batch: Batch) -> tuple[list[Kept | None], list[Mark]]:
        """Return what is kept of a batch, and a mark for each key."""
        objects, now = self._objects, self._clock.monotonic()
        kept: list[Kept | None] = []
        for name in batch.names:
            entry = objects.get(batch.group, name, now)
            kept.append(
                None if entry is None else (_open(entry.value), now - entry.since)
            )
        return kept, [objects.version] * len(kept)

    async def keep(
        self, batch: Batch, rows: Iterable[NewRow], marks: Sequence[Mark]
    ) -> None:
        """Keep rows whose tags were not invalidated since ``find``."""
        now, kept_for = self._clock.monotonic(), batch.rule.kept_for
        for index, row, age in rows:
            tags = batch.tags(index)
            if tags is None:
                continue
            since = now - age
            value, size = _close(row, is_shared=batch.is_shared)
            entry = Entry(
                value,
                since=since,
                until=since + kept_for,
                version=marks[index],
                tags=(*tags, *row_tags(batch.rule, row)),
            )
            name = batch.names[index]
            size += len(name) if isinstance(name, str) else _DIGEST
            self._objects.put(batch.group, name, entry, size)


@dataclass(slots=True)
class _Held:
    """A row as it was found: decoded, or its bytes; when it was made, and its marks."""

    row: Any
    data: bytes
    at: float
    mark: bytes
    voucher: Voucher | None


class RowsInStore:
    """Rows as bytes in a store; those without such a form stay in this process.

    Args:
        store: Where bytes are kept.
        max_object_bytes: What rows without a byte form may take.
        clock: Tells the time.
    """

    def __init__(self, store: Store, max_object_bytes: int, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.objects: BoundedCache[str, _Held] = BoundedCache(
            max_entries=100_000, max_bytes=max_object_bytes
        )

    def peek(
        self, group: str, names: Sequence[Hashable], max_age: float, *, is_shared: bool
    ) -> list[Any] | None:
        """Return nothing: the store must be asked."""
        del group, names, max_age, is_shared
        return None

    async def find(self, batch: Batch) -> tuple[list[Kept | None], list[Mark]]:
        """Return what is kept of a batch, and a mark for each key."""
        tags_by_key = [batch.tags(index) for index in range(len(batch.keys))]
        tags = list(dict.fromkeys(tag for own in tags_by_key for tag in own or ()))
        has_more = bool(batch.rule.row_keys)
        if has_more:
            tags.append(ANY_TAG)
        names = [full_name(batch.group, name) for name in batch.names]
        try:
            found = await self._store.get_many(names, tags)
        except StoreError:
            # Without stamps nothing may be read or kept; the fetch goes on.
            return [None] * len(batch.keys), [None] * len(batch.keys)
        stamps = dict(zip(tags, found.stamps, strict=True))
        any_mark = digest_stamps((stamps[ANY_TAG],)) if has_more else b""
        now, limit = self._clock.time(), batch.rule.kept_for
        marks: list[Mark] = []
        held: list[_Held | None] = []
        known: dict[tuple[str, ...], bytes] = {}
        for name, own, value in zip(names, tags_by_key, found.values, strict=True):
            if own is None:
                marks.append(None)
                held.append(None)
                continue
            mark = known.get(own)
            if mark is None:
                mark = known[own] = digest_stamps(stamps[tag] for tag in own)
            marks.append(mark + any_mark)
            one = self._read(name, value, has_more=has_more)
            counts = one is not None and one.mark == mark and now - one.at < limit
            held.append(one if counts else None)
        if has_more:
            await self._vouch(held, any_mark)
        return [None if one is None else _opened(one, now) for one in held], marks

    async def keep(
        self, batch: Batch, rows: Iterable[NewRow], marks: Sequence[Mark]
    ) -> None:
        """Keep rows whose tags were not invalidated since ``find``."""
        now = self._clock.time()
        new = [one for one in rows if marks[one[0]] is not None]
        vouchers = await self._issue(batch, new, marks)
        values: dict[str, bytes] = {}
        for (index, row, age), voucher in zip(new, vouchers, strict=True):
            if batch.rule.row_keys and voucher is None:
                continue
            mark = marks[index][:_MARK]
            name = full_name(batch.group, batch.names[index])
            data = encode_row(row)
            if data is None:
                held = _Held(row, b"", now - age, mark, voucher)
                self.objects.put(name, held, estimate_size(row))
            else:
                more = b"" if voucher is None else voucher.pack()
                values[name] = _HEAD.pack(now - age, mark) + more + data
        if values:
            try:
                await self._store.set_many(values, batch.rule.kept_for)
            except StoreError:
                return

    def _read(self, name: str, value: bytes | None, *, has_more: bool) -> _Held | None:
        if value is None:
            return self.objects.get(name)
        try:
            at, mark = _HEAD.unpack_from(value)
        except struct.error:
            return None
        data = value[_HEAD.size :]
        if not has_more:
            return _Held(_NOTHING, data, at, mark, None)
        parts = split_voucher(data)
        return None if parts is None else _Held(_NOTHING, parts[1], at, mark, parts[0])

    async def _vouch(self, held: list[_Held | None], any_mark: bytes) -> None:
        """Leave out rows one of whose other tags was invalidated."""
        doubtful = {
            index: one.voucher
            for index, one in enumerate(held)
            if one is not None and one.voucher and one.voucher.any_mark != any_mark
        }
        tags = list(dict.fromkeys(t for one in doubtful.values() for t in one.tags))
        if not tags:
            return
        try:
            found = await self._store.get_many((), tags)
        except StoreError:
            found = None
        stamps = {} if found is None else dict(zip(tags, found.stamps, strict=True))
        for index, voucher in doubtful.items():
            if found is None or voucher.mark != digest_stamps(
                stamps[tag] for tag in voucher.tags
            ):
                held[index] = None

    async def _issue(
        self, batch: Batch, rows: list[NewRow], marks: Sequence[Mark]
    ) -> list[Voucher | None]:
        """Return what vouches for each new row; ``None`` where nothing can.

        The other tags of a row are known only now. That nothing at all was
        invalidated since ``find`` tells that they were not.
        """
        if not batch.rule.row_keys or not rows:
            return [None] * len(rows)
        own = [row_tags(batch.rule, row) for _, row, _ in rows]
        tags = list(dict.fromkeys(tag for found in own for tag in found))
        try:
            found = await self._store.get_many((), (ANY_TAG, *tags))
        except StoreError:
            return [None] * len(rows)
        any_mark = digest_stamps(found.stamps[:1])
        stamps = dict(zip(tags, found.stamps[1:], strict=True))
        return [
            Voucher(any_mark, digest_stamps(stamps[tag] for tag in some), some)
            if marks[index][_MARK:] == any_mark
            else None
            for (index, _, _), some in zip(rows, own, strict=True)
        ]


def _opened(held: _Held, now: float) -> Kept | None:
    row = held.row
    if row is _NOTHING:
        try:
            row = decode_row(held.data)
        except UndecodableError:
            return None
    return row, max(0.0, now - held.at)


def _close(row: Any, *, is_shared: bool) -> tuple[Any, int]:
    """Return a row in the form in which this process keeps it, and its size."""
    if isinstance(row, _UNCHANGEABLE):
        return row, estimate_size(row)
    if is_shared and not _has_messages(row):
        return row, estimate_size(row)
    data = encode_row(row)
    if data is None:
        return row, estimate_size(row)
    if is_shared:
        # A message of an answer keeps all of the answer in memory; this is a copy.
        row = decode_row(data)
        return row, estimate_size(row)
    return _Encoded(data), len(data)


def _has_messages(row: Any) -> bool:
    inner = row[0] if isinstance(row, list) and row else row
    return isinstance(inner, Message)


def _open(value: Any) -> Any:
    return decode_row(value.data) if value.__class__ is _Encoded else value
