"""Keeps whole answers as bytes, as long as the least of their parts may be kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Self

from graphgw.context import AnswerParts
from graphgw.operations.cache import BoundedCache
from graphgw.stores.objects import Entry
from graphgw.subgraphs.told_ages import strictest_age
from graphgw.telemetry.events import CacheRead
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from types import TracebackType

    from graphgw.answers.place import AnswerKey, AnswerPlace
    from graphgw.context import RequestContext
    from graphgw.stores.objects import ObjectTable

__all__ = ["AnswerCache", "Filling", "KeptAnswer", "Outcome"]

_GROUP: Final = "answer"
_KEY_BYTES: Final = 300
_TAG_BYTES: Final = 60
_HOPELESS: Final = 2000
_HOPELESS_BYTES: Final = 4 * 1024 * 1024
_HOPELESS_SECONDS: Final = 10.0


class Outcome(Enum):
    """What became of a run that others wait for."""

    KEPT = 1
    UNKEPT = 2
    LOST = 3


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The data of an answer as JSON text, and the seconds that are left to it."""

    text: bytes
    max_age: float


@dataclass(frozen=True, slots=True)
class _Value:
    text: bytes
    version: int
    is_known: bool


class AnswerCache:
    """Keeps answers beside the rows of one process, within the same bounds.

    An answer has the tags of all rows in it. Where some of it has no tags, it counts
    until anything is invalidated. Equal queries that come at one time wait for one
    run; one that fails, or whose answer may not be kept, is repeated by each of them.

    Args:
        objects: Where answers are kept.
        clock: Tells the time, that of ``objects``.
    """

    def __init__(self, objects: ObjectTable, clock: Clock = SYSTEM_CLOCK) -> None:
        self.objects = objects
        self.clock = clock
        self.flights: dict[AnswerKey, asyncio.Future[Outcome]] = {}
        self._hopeless: BoundedCache[Any, float] = BoundedCache(
            max_entries=_HOPELESS, max_bytes=_HOPELESS_BYTES
        )

    def is_hopeless(self, key: AnswerKey) -> bool:
        """Tell whether answers of this kind were lately found not to be kept."""
        until = self._hopeless.get(key[:3])
        return until is not None and until > self.clock.monotonic()

    def give_up(self, key: AnswerKey) -> None:
        """Leave answers of this kind alone for a while."""
        until = self.clock.monotonic() + _HOPELESS_SECONDS
        self._hopeless.put(key[:3], until, _KEY_BYTES)

    async def find(
        self, place: AnswerPlace, context: RequestContext
    ) -> KeptAnswer | None:
        """Return what is kept, once no equal query is under way.

        Nobody waits longer than until their own deadline.
        """
        key = place.key
        found = self._get(key)
        while found is None and (flight := self.flights.get(key)) is not None:
            # Waiting on the future itself would cancel it with the waiter.
            await asyncio.wait([flight], timeout=context.deadline.remaining())
            found = self._get(key)
            if not flight.done() or flight.result() is Outcome.UNKEPT:
                break
        hits = 0 if found is None else 1
        context.observer.observe(CacheRead(place.coordinate, 1, hits))
        return found

    def fill(self, place: AnswerPlace, context: RequestContext) -> Filling:
        """Return the block in which an answer is made that was not found."""
        return Filling(self, place, context)

    def _get(self, key: AnswerKey) -> KeptAnswer | None:
        objects, now = self.objects, self.clock.monotonic()
        entry = objects.get(_GROUP, key, now)
        if entry is None:
            return None
        value: _Value = entry.value
        if not value.is_known and value.version != objects.version:
            objects.discard(_GROUP, key)
            return None
        return KeptAnswer(value.text, entry.until - now)


class Filling:
    """The making of one answer, which others may wait for."""

    __slots__ = (
        "_began",
        "_cache",
        "_context",
        "_flight",
        "_outcome",
        "_parts",
        "_place",
        "_version",
    )

    def __init__(
        self, cache: AnswerCache, place: AnswerPlace, context: RequestContext
    ) -> None:
        self._cache = cache
        self._place = place
        self._context = context
        self._parts = AnswerParts(place.max_age)
        self._outcome = Outcome.UNKEPT
        self._flight: asyncio.Future[Outcome] | None = None

    def __enter__(self) -> Self:
        cache, key = self._cache, self._place.key
        if self._opens_flight():
            self._flight = asyncio.get_running_loop().create_future()
            cache.flights[key] = self._flight
        self._began = cache.clock.monotonic()
        self._version = cache.objects.version
        self._context.parts = self._parts
        self._context.noted_ages = []
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._context.parts = self._context.noted_ages = None
        if kind is not None and not issubclass(kind, Exception):
            self._outcome = Outcome.LOST
        if self._flight is not None:
            del self._cache.flights[self._place.key]
            self._flight.set_result(self._outcome)

    def _opens_flight(self) -> bool:
        return self._place.key not in self._cache.flights

    def may_keep(self) -> bool:
        """Tell whether the answer is one to be kept, now that it is made."""
        cache, parts, key = self._cache, self._parts, self._place.key
        parts.cap(strictest_age(self._context.noted_ages or (), is_private=False))
        if parts.max_age <= 0 or (key.for_known and not parts.is_known):
            cache.give_up(key)
            return False
        return parts.is_sound

    def keep(self, text: bytes) -> None:
        """Keep the answer's data, if nothing in it was invalidated meanwhile."""
        cache, parts, key = self._cache, self._parts, self._place.key
        objects = cache.objects
        if not parts.is_known and objects.version != self._version:
            return
        entry = Entry(
            _Value(text, self._version, parts.is_known),
            since=self._began,
            until=self._began + parts.max_age,
            version=self._version,
            tags=tuple(parts.tags),
        )
        size = len(text) + len(key.variables) + _KEY_BYTES
        objects.put(_GROUP, key, entry, size + _TAG_BYTES * len(entry.tags))
        if objects.get(_GROUP, key, self._began) is entry:
            self._outcome = Outcome.KEPT
