"""Objects of one process by group and key, dated by tags, bounded in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

__all__ = ["Entry", "ObjectTable"]

_OVERHEAD: Final = 300
"""What an entry takes beside its key and its value, about."""
_NO_ENTRIES: Final[dict[Any, Any]] = {}


class Entry:
    """One object: when it was made, until when it counts, and its tags.

    ``version`` is the number of invalidations that it is known to have survived.
    """

    __slots__ = (
        "group",
        "is_used",
        "key",
        "since",
        "size",
        "tags",
        "until",
        "value",
        "version",
    )

    def __init__(
        self,
        value: Any,
        *,
        since: float,
        until: float,
        version: int = 0,
        tags: tuple[str, ...] = (),
    ) -> None:
        self.value = value
        self.since = since
        self.until = until
        self.version = version
        self.tags = tags
        self.group = ""
        self.key: Hashable = ""
        self.size = 0
        self.is_used = False


class ObjectTable:
    """Keeps objects as they are: who reads one must not change it.

    What was not used for long makes room. An entry counts as dropped from the moment
    on at which one of its tags is invalidated; reading costs nothing more for it
    while nothing is. Points in time are given, on any one clock.

    Args:
        max_bytes: What keys and values may take, as their owners say.
        max_tags: How many invalidated tags are remembered. Beyond it everything is
            forgotten: an object must never outlive the invalidation of its tag.
    """

    def __init__(self, *, max_bytes: int, max_tags: int = 100_000) -> None:
        self.version = 0
        self.size = 0
        self._max_bytes = max_bytes
        self._max_tags = max_tags
        self._floor = 0
        self._stamps: dict[str, int] = {}
        self._groups: dict[str, dict[Hashable, Entry]] = {}
        self._order: dict[Entry, None] = {}

    def __len__(self) -> int:
        return len(self._order)

    def get(self, group: str, key: Hashable, now: float) -> Entry | None:
        """Return the entry of a key if it counts."""
        found = self._groups.get(group)
        entry = None if found is None else found.get(key)
        if entry is None:
            return None
        if entry.until <= now or not self._counts(entry):
            self._drop(entry)
            return None
        entry.is_used = True
        return entry

    def values_since(
        self, group: str, keys: Sequence[Hashable], since: float
    ) -> list[Any] | None:
        """Return the values of all keys, each made after ``since``, or ``None``."""
        entries = self._groups.get(group)
        if entries is None:
            return None
        version, found = self.version, []
        for entry in map(entries.get, keys):
            if entry is None or entry.since <= since:
                return None
            if entry.version != version and not self._counts(entry):
                return None
            entry.is_used = True
            found.append(entry.value)
        return found

    def put(self, group: str, key: Hashable, entry: Entry, size: int) -> None:
        """Keep an entry in place of the one before, if it counts at all.

        Args:
            group: Keys of one kind; equal keys of two groups are two.
            key: Its key.
            entry: Its version is that of the table before the value was looked up.
            size: Bytes of the value with the key.
        """
        self.discard(group, key)
        entry.size = size + _OVERHEAD
        if entry.size > self._max_bytes or not self._counts(entry):
            return
        entry.group, entry.key = group, key
        self._groups.setdefault(group, {})[key] = entry
        self._order[entry] = None
        self.size += entry.size
        while self.size > self._max_bytes:
            self._make_room()

    def discard(self, group: str, key: Hashable) -> None:
        """Drop an entry if it is there."""
        entry = self._groups.get(group, _NO_ENTRIES).get(key)
        if entry is not None:
            self._drop(entry)

    def invalidate(self, tags: Iterable[str]) -> None:
        """Let no entry count that has one of the tags, or whose making has begun."""
        for tag in tags:
            self.version += 1
            self._stamps[tag] = self.version
        if len(self._stamps) > self._max_tags:
            self.invalidate_all()

    def invalidate_all(self) -> None:
        """Let no entry count that is there, or whose making has begun."""
        self.version += 1
        self._stamps.clear()
        self._floor = self.version
        self.clear()

    def stamp_of(self, tag: str) -> int:
        """Return a number that changes whenever the tag is invalidated."""
        return self._stamps.get(tag, self._floor)

    def clear(self) -> None:
        """Drop everything."""
        self._groups.clear()
        self._order.clear()
        self.size = 0

    def _counts(self, entry: Entry) -> bool:
        if entry.version < self._floor:
            return False
        if entry.version != self.version:
            stamps = self._stamps
            if any(stamps.get(tag, 0) > entry.version for tag in entry.tags):
                return False
            entry.version = self.version
        return True

    def _make_room(self) -> None:
        """Drop the oldest entry that was not used since it was passed over."""
        entry = next(iter(self._order))
        if entry.is_used:
            entry.is_used = False
            del self._order[entry]
            self._order[entry] = None
        else:
            self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        del self._order[entry]
        self.size -= entry.size
        entries = self._groups[entry.group]
        del entries[entry.key]
        if not entries:
            del self._groups[entry.group]
