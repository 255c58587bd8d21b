"""A cache bounded by entries and by bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["BoundedCache"]

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class _Entry(Generic[V]):
    """A value, what it is worth, and how often it was asked for."""

    __slots__ = ("size", "uses", "value")

    def __init__(self, value: V, size: int) -> None:
        self.value = value
        self.size = size
        self.uses = 0


class BoundedCache(Generic[K, V]):
    """Keeps what was used last; every operation is O(1) amortised.

    Not safe for several threads: one thread, usually the event loop's, owns it.
    """

    __slots__ = ("_bytes", "_entries", "hits", "max_bytes", "max_entries", "misses")

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.hits = 0
        self.misses = 0
        self._bytes = 0
        self._entries: dict[K, _Entry[V]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    @property
    def size(self) -> int:
        """Bytes of all entries, as their owners said."""
        return self._bytes

    def get(self, key: K) -> V | None:
        """Return the value of ``key`` and note that it was used."""
        entry = self._entries.pop(key, None)
        if entry is None:
            self.misses += 1
            return None
        self._entries[key] = entry
        self.hits += 1
        entry.uses += 1
        return entry.value

    def put(self, key: K, value: V, size: int) -> None:
        """Keep ``value``, worth ``size`` bytes; drop what was not used for longest.

        A value that is larger than the whole cache is not kept.
        """
        self.discard(key)
        if size > self.max_bytes or self.max_entries < 1:
            return
        self._entries[key] = _Entry(value, size)
        self._bytes += size
        while len(self._entries) > self.max_entries or self._bytes > self.max_bytes:
            self.discard(next(iter(self._entries)))

    def discard(self, key: K) -> None:
        """Drop ``key`` if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size

    def by_use(self) -> list[tuple[K, V]]:
        """Return everything, what was asked for most first."""
        entries = sorted(self._entries.items(), key=lambda item: -item[1].uses)
        return [(key, entry.value) for key, entry in entries]

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self._bytes = 0
