"""The embedded store: one process's memory, bounded, on the monotonic clock."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from graphgw.stores.objects import Entry, ObjectTable
from graphgw.stores.protocol import ANY_TAG, Found, Verdict
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphgw.stores.protocol import Draw, Withdrawal
    from graphgw.stores.relay import Relay

__all__ = ["MemoryStore"]

_EPSILON: Final = 1e-9
_VALUES: Final = ""
"""The group of what is kept in bytes."""


class MemoryStore:
    """Keeps values up to ``max_bytes``; what was not used for long goes first.

    Buckets that are full again vanish; beyond ``max_buckets`` those that are nearly
    full go too. Calls never suspend, so each is one step for all tasks of the loop.
    What is invalidated here is invalidated in every store with the same ``relay``.
    """

    is_shared: Final = False

    def __init__(
        self,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        max_buckets: int = 100_000,
        max_tags: int = 100_000,
        clock: Clock = SYSTEM_CLOCK,
        relay: Relay | None = None,
    ) -> None:
        self._clock = clock
        self.objects = ObjectTable(max_bytes=max_bytes, max_tags=max_tags)
        """What is kept: values, and objects that need no form in bytes."""
        self._relay = relay
        if relay is not None:
            relay.join(self.objects)
        self._buckets = _Buckets(max_buckets)

    @property
    def size(self) -> int:
        """Bytes of all that is kept, with its keys."""
        return self.objects.size

    @property
    def bucket_count(self) -> int:
        """How many buckets are not full."""
        return len(self._buckets.arrivals)

    async def get_many(self, keys: Sequence[str], tags: Sequence[str] = ()) -> Found:
        """Return the values of the keys and the stamps of the tags."""
        now, objects = self._clock.monotonic(), self.objects
        entries = [objects.get(_VALUES, key, now) for key in keys]
        stamps = [
            objects.version if tag == ANY_TAG else objects.stamp_of(tag) for tag in tags
        ]
        return Found(
            [None if entry is None else entry.value for entry in entries],
            [b"%d" % stamp if stamp else b"" for stamp in stamps],
        )

    async def set_many(self, values: Mapping[str, bytes], ttl: float) -> None:
        """Keep values for ``ttl`` seconds at most."""
        now, objects = self._clock.monotonic(), self.objects
        for key, value in values.items():
            if ttl > 0:
                entry = Entry(
                    value, since=now, until=now + ttl, version=objects.version
                )
                objects.put(_VALUES, key, entry, len(key) + len(value))
            else:
                objects.discard(_VALUES, key)

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Drop keys that are there."""
        for key in keys:
            self.objects.discard(_VALUES, key)

    async def invalidate(self, tags: Sequence[str]) -> None:
        """Change the stamps of the tags.

        When there are too many tags to remember, every value is forgotten instead:
        a value must never outlive the invalidation of its tag.
        """
        if self._relay is None:
            self.objects.invalidate(tags)
        else:
            self._relay.invalidate(tags)

    async def take(self, withdrawals: Sequence[Withdrawal]) -> list[Verdict]:
        """Decide all withdrawals together, in order, as one step."""
        return self._buckets.take(withdrawals, self._clock.monotonic())

    async def give_back(self, draws: Sequence[Draw]) -> None:
        """Return what was drawn and not used; a bucket never overflows."""
        self._buckets.give_back(draws)

    async def aclose(self) -> None:
        """Forget everything."""
        self.objects.clear()


class _Buckets:
    """Theoretical arrival times (GCRA) of the buckets that are not full."""

    __slots__ = ("_queue", "arrivals", "max_buckets")

    def __init__(self, max_buckets: int) -> None:
        self.max_buckets = max_buckets
        self.arrivals: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []
        """One entry for each bucket, by the time at which it was to be full."""

    def take(self, withdrawals: Sequence[Withdrawal], now: float) -> list[Verdict]:
        self._drop_full(now)
        outcomes: list[tuple[int | None, float, bool]] = []
        for withdrawal in withdrawals:
            within = withdrawal.within
            if within is not None and not outcomes[within][2]:
                outcomes.append((None, 0.0, False))
            else:
                outcomes.append(self._withdraw(withdrawal.draws, now))
        return [
            self._verdict(withdrawal, outcome, now)
            for withdrawal, outcome in zip(withdrawals, outcomes, strict=True)
        ]

    def give_back(self, draws: Sequence[Draw]) -> None:
        for draw in draws:
            arrival = self.arrivals.get(draw.bucket.key)
            if arrival is not None:
                back = draw.cost * draw.bucket.interval
                self.arrivals[draw.bucket.key] = arrival - back

    def _withdraw(
        self, draws: tuple[Draw, ...], now: float
    ) -> tuple[int | None, float, bool]:
        planned: dict[str, float] = {}
        for index, draw in enumerate(draws):
            bucket = draw.bucket
            arrival = planned.get(bucket.key)
            if arrival is None:
                arrival = max(self.arrivals.get(bucket.key, now), now)
            after = arrival + draw.cost * bucket.interval
            excess = after - now - bucket.burst * bucket.interval
            if excess > _EPSILON * bucket.window and draw.cost > 0:
                return index, excess, False
            planned[bucket.key] = after
        for key, after in planned.items():
            if key not in self.arrivals:
                heapq.heappush(self._queue, (after, key))
            self.arrivals[key] = after
        return None, 0.0, True

    def _verdict(
        self,
        withdrawal: Withdrawal,
        outcome: tuple[int | None, float, bool],
        now: float,
    ) -> Verdict:
        refused, retry_after, is_allowed = outcome
        remaining, reset = [], []
        for draw in withdrawal.draws:
            bucket = draw.bucket
            used = max(self.arrivals.get(bucket.key, now) - now, 0.0)
            left = bucket.burst - used / bucket.interval
            remaining.append(max(0, int(left + _EPSILON * bucket.limit)))
            reset.append(used)
        return Verdict(is_allowed, tuple(remaining), tuple(reset), refused, retry_after)

    def _drop_full(self, now: float) -> None:
        queue, arrivals = self._queue, self.arrivals
        while queue and (queue[0][0] <= now or len(queue) > self.max_buckets):
            due, key = queue[0]
            arrival = arrivals[key]
            if arrival > max(due, now):
                heapq.heapreplace(queue, (arrival, key))
                continue
            heapq.heappop(queue)
            del arrivals[key]
