"""Objects of one process by name, with tags that date them, bounded in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Entry", "ObjectTable"]

_OVERHEAD: Final = 200
"""What an entry takes beside its name and its value, about."""


class Entry:
    """One object: when it was made, until when it counts, and its tags.

    ``version`` is the number of invalidations that it is known to have survived.
    """

    __slots__ = ("is_used", "since", "size", "tags", "until", "value", "version")

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
        self.size = 0
        self.is_used = False


class ObjectTable:
    """Keeps objects as they are: who reads one must not change it.

    What was not used for long makes room. An entry counts as dropped from the moment
    on at which one of its tags is invalidated; reading costs nothing more for it
    while nothing is. Points in time are given, on any one clock.

    Args:
        max_bytes: What names and values may take, as their owners say.
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
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str, now: float) -> Entry | None:
        """Return the entry of a name if it counts."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.until <= now or not self._counts(entry):
            self.discard(name)
            return None
        entry.is_used = True
        return entry

    def values_since(self, names: Sequence[str], since: float) -> list[Any] | None:
        """Return the values of all names, each made after ``since``, or ``None``."""
        entries, version = self._entries, self.version
        found = []
        for name in names:
            entry = entries.get(name)
            if entry is None or entry.since <= since:
                return None
            if entry.version != version and not self._counts(entry):
                return None
            entry.is_used = True
            found.append(entry.value)
        return found

    def put(self, name: str, entry: Entry, size: int) -> None:
        """Keep an entry in place of the one before, if it counts at all.

        Args:
            name: Its name.
            entry: Its version is that of the table before the value was looked up.
            size: Bytes of the value.
        """
        self.discard(name)
        entry.size = size + len(name) + _OVERHEAD
        if entry.size > self._max_bytes or not self._counts(entry):
            return
        self._entries[name] = entry
        self.size += entry.size
        while self.size > self._max_bytes:
            self._make_room()

    def discard(self, name: str) -> None:
        """Drop an entry if it is there."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self.size -= entry.size

    def invalidate(self, tags: Iterable[str]) -> None:
        """Let no entry count that has one of the tags, or whose making has begun."""
        for tag in tags:
            self.version += 1
            self._stamps[tag] = self.version
        if len(self._stamps) > self._max_tags:
            self._stamps.clear()
            self._floor = self.version
            self.clear()

    def stamp_of(self, tag: str) -> int:
        """Return a number that changes whenever the tag is invalidated."""
        return self._stamps.get(tag, self._floor)

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
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
        name = next(iter(self._entries))
        entry = self._entries[name]
        if entry.is_used:
            entry.is_used = False
            self._entries[name] = self._entries.pop(name)
        else:
            self.discard(name)
