"""Invalidations on their way to the memory stores of other processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.stores.objects import ObjectTable

__all__ = ["EVERYTHING", "MAX_MESSAGE_BYTES", "Relay", "Tables", "pack_tags"]

MAX_MESSAGE_BYTES: Final = 32 * 1024
"""A message that is longer would not pass every socket."""

EVERYTHING: Final = b"null"
"""The message that lets no entry count any more."""


class Relay(Protocol):
    """Lets tables of objects forget together, in this process and in others."""

    def join(self, objects: ObjectTable) -> None:
        """Let a table forget what others forget, for as long as it is used."""
        ...

    def invalidate(self, tags: Sequence[str]) -> None:
        """Invalidate tags in every table; neither waits nor fails."""
        ...


class Tables:
    """The tables of this process, as a message from another one finds them."""

    def __init__(self) -> None:
        self._tables: WeakSet[ObjectTable] = WeakSet()

    def join(self, objects: ObjectTable) -> None:
        """Add a table; it leaves when nobody uses it any more."""
        self._tables.add(objects)

    def __iter__(self) -> Iterator[ObjectTable]:
        return iter(self._tables)

    def invalidate(self, tags: Sequence[str]) -> None:
        """Invalidate tags in every table."""
        for objects in self:
            objects.invalidate(tags)

    def receive(self, message: bytes) -> None:
        """Do what a message of ``pack_tags`` says."""
        tags = json.loads(message)
        if tags is not None:
            self.invalidate(tags)
            return
        for objects in self:
            objects.invalidate_all()


def pack_tags(
    tags: Sequence[str], max_bytes: int = MAX_MESSAGE_BYTES
) -> Iterator[bytes]:
    """Yield messages that together name all tags, none longer than ``max_bytes``.

    For a tag that no message can hold everything is forgotten: an object must never
    outlive the invalidation of its tag.
    """
    if not tags:
        return
    message = json.dumps(tags).encode()  # ASCII: half of a surrogate pair passes too
    if len(message) <= max_bytes:
        yield message
    elif len(tags) == 1:
        yield EVERYTHING
    else:
        middle = len(tags) // 2
        yield from pack_tags(tags[:middle], max_bytes)
        yield from pack_tags(tags[middle:], max_bytes)
