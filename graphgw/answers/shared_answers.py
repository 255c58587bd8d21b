"""Keeps whole answers for every gateway that shares a store."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

from graphgw.answers.answer_cache import AnswerCache, Filling, KeptAnswer, Outcome
from graphgw.stores.objects import Entry, ObjectTable
from graphgw.stores.protocol import ANY_TAG, StoreError
from graphgw.telemetry.events import CacheRead
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.answers.place import AnswerPlace
    from graphgw.context import RequestContext
    from graphgw.stores.protocol import Store

__all__ = ["SharedAnswerCache"]

_GROUP: Final = "answer"
_HEAD: Final = struct.Struct(">dd?8s8sI")
_MAX_TAGS: Final = 1000
_LONGEST: Final = 7 * 86_400
"""Seconds for which a store remembers what was invalidated."""
_ENTRY_BYTES: Final = 300
_TAG_BYTES: Final = 60


@dataclass(frozen=True, slots=True)
class _Shared:
    """An answer, from when until when it counts, and what vouches for it.

    ``any_mark`` is of all invalidations, ``mark`` of those of its tags.
    """

    text: bytes
    since: float
    until: float
    tags: tuple[str, ...]
    is_known: bool
    any_mark: bytes = b""
    mark: bytes = b""

    def pack(self) -> bytes:
        """Return the form in which a store keeps it."""
        tags = orjson.dumps(self.tags)
        head = _HEAD.pack(
            self.since,
            self.until,
            self.is_known,
            self.any_mark,
            self.mark,
            len(tags),
        )
        return b"".join((head, tags, self.text))


class SharedAnswerCache(AnswerCache):
    """Keeps answers in a store, and those of late in this process, too.

    No answer is served before the store has said that nothing in it was invalidated:
    that is one call, and two more where something else was. A store that is down
    is a cache that is empty; then nobody waits for anybody's run either.

    Args:
        store: What all gateways share.
        max_answer_bytes: The largest answer that is kept.
        max_bytes: What answers may take in this process.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: Store,
        *,
        max_answer_bytes: int = 1024 * 1024,
        max_bytes: int = 32 * 1024 * 1024,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(ObjectTable(max_bytes=max_bytes), clock)
        self.store = store
        self.max_answer_bytes = max_answer_bytes
        self._savings: set[asyncio.Task[None]] = set()

    async def find(
        self, place: AnswerPlace, context: RequestContext
    ) -> KeptAnswer | None:
        """Return what is kept, once no equal query is under way.

        Nobody waits longer than until their own deadline.
        """
        found = await self._look(place)
        while found is None and place.mark is not None:
            flight = self.flights.get(place.key)
            if flight is None:
                break
            await asyncio.wait([flight], timeout=context.deadline.remaining())
            if not flight.done() or flight.result() is Outcome.UNKEPT:
                break
            found = await self._look(place)
        hits = 0 if found is None else 1
        context.observer.observe(CacheRead(place.coordinate, 1, hits))
        return found

    def fill(self, place: AnswerPlace, context: RequestContext) -> Filling:
        """Return the block in which an answer is made that was not found."""
        return _SharedFilling(self, place, context)

    async def aclose(self) -> None:
        """Give up what is on its way to the store."""
        for task in self._savings:
            task.cancel()
        await asyncio.gather(*self._savings, return_exceptions=True)

    def save(
        self,
        place: AnswerPlace,
        answer: _Shared,
        flight: asyncio.Future[Outcome] | None,
    ) -> None:
        """Keep an answer behind the request; then whoever waits may look for it."""
        task = asyncio.create_task(self._save(place, answer))
        self._savings.add(task)

        def land(done: asyncio.Task[None]) -> None:
            self._savings.discard(done)
            if flight is not None:
                del self.flights[place.key]
                is_lost = done.cancelled() or done.exception() is not None
                flight.set_result(Outcome.UNKEPT if is_lost else Outcome.KEPT)

        task.add_done_callback(land)

    async def _look(self, place: AnswerPlace) -> KeptAnswer | None:
        place.mark = None
        name = place.key.name()
        try:
            held = self.objects.get(_GROUP, name, self.clock.time())
            if held is not None:
                place.mark = await self._any_mark()
                # A store that was emptied knows of no invalidation before: the tags
                # of what it has not kept itself tell nothing.
                if held.value.any_mark == place.mark:
                    return self._hold(name, held.value)
                self.objects.discard(_GROUP, name)
            found = await self.store.get_many((name,), (ANY_TAG,))
            place.mark = _digest(found.stamps)
            answer = _unpack(found.values[0])
            if not found.stamps[0]:
                place.mark, answer = await self._any_mark(), None
            vouched = None if answer is None else await self._vouch(answer, place.mark)
        except StoreError:
            place.mark = None
            return None
        return None if vouched is None else self._hold(name, vouched)

    async def _any_mark(self) -> bytes:
        """Return the mark of all invalidations; there is one from now on."""
        found = await self.store.get_many((), (ANY_TAG,))
        if not found.stamps[0]:
            await self.store.invalidate((ANY_TAG,))
            found = await self.store.get_many((), (ANY_TAG,))
        return _digest(found.stamps)

    async def _vouch(self, answer: _Shared, any_mark: bytes) -> _Shared | None:
        """Return an answer of which nothing was invalidated."""
        if answer.any_mark == any_mark:
            return answer
        if not answer.is_known:
            return None
        found = await self.store.get_many((), (ANY_TAG, *answer.tags))
        if _digest(found.stamps[1:]) != answer.mark:
            return None
        return replace(answer, any_mark=_digest(found.stamps[:1]))

    def _hold(self, name: str, answer: _Shared) -> KeptAnswer | None:
        """Keep an answer at hand, and return it if it still counts."""
        now = max(self.clock.time(), answer.since)
        if answer.until <= now:
            return None
        held = self.objects.get(_GROUP, name, now)
        if held is None or held.value is not answer:
            entry = Entry(answer, since=answer.since, until=answer.until)
            size = len(answer.text) + _TAG_BYTES * len(answer.tags) + _ENTRY_BYTES
            self.objects.put(_GROUP, name, entry, size)
        return KeptAnswer(answer.text, answer.until - now)

    async def _save(self, place: AnswerPlace, answer: _Shared) -> None:
        found = await self.store.get_many((), (ANY_TAG, *answer.tags))
        any_mark = _digest(found.stamps[:1])
        if any_mark != place.mark:
            raise StoreError("something was invalidated meanwhile")
        kept = replace(answer, any_mark=any_mark, mark=_digest(found.stamps[1:]))
        name = place.key.name()
        if self._hold(name, kept) is not None:
            ttl = kept.until - self.clock.time()
            await self.store.set_many({name: kept.pack()}, ttl)


class _SharedFilling(Filling):
    """The making of one answer that other gateways may have, too."""

    __slots__ = ()

    _cache: SharedAnswerCache

    def _opens_flight(self) -> bool:
        return self._place.mark is not None and super()._opens_flight()

    def keep(self, text: bytes) -> None:
        """Keep the answer's data, if nothing in it was invalidated meanwhile."""
        cache, parts, place = self._cache, self._parts, self._place
        if place.mark is None:
            return
        tags = tuple(parts.tags) if parts.is_known else ()
        if len(text) > cache.max_answer_bytes or len(tags) > _MAX_TAGS:
            cache.give_up(place.key)
            return
        since = cache.clock.time() - (cache.clock.monotonic() - self._began)
        until = since + min(parts.max_age, _LONGEST)
        answer = _Shared(text, since, until, tags, parts.is_known)
        cache.save(place, answer, self._flight)
        self._flight = None  # it lands when the answer is kept


def _unpack(value: bytes | None) -> _Shared | None:
    """Return an answer as it was packed, ``None`` for anything else."""
    if value is None:
        return None
    try:
        since, until, is_known, any_mark, mark, size = _HEAD.unpack_from(value)
        start = _HEAD.size + size
        tags = orjson.loads(value[_HEAD.size : start])
    except (struct.error, orjson.JSONDecodeError):
        return None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return None
    if not since <= until <= since + _LONGEST:
        return None
    return _Shared(value[start:], since, until, tuple(tags), is_known, any_mark, mark)


def _digest(stamps: Sequence[bytes]) -> bytes:
    return hashlib.blake2b(b"\0".join(stamps), digest_size=8).digest()
