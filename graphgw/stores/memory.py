"""The embedded store: one process's memory, bounded, on the monotonic clock."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from graphgw.stores.protocol import Found, Verdict
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphgw.stores.protocol import Draw, Withdrawal

__all__ = ["MemoryStore"]

_ENTRY_OVERHEAD: Final = 200
_EPSILON: Final = 1e-9
_NO_STAMP: Final = b""


class MemoryStore:
    """Keeps values up to ``max_bytes``, the least recently used going first.

    Buckets that are full again vanish; beyond ``max_buckets`` those that are nearly
    full go too. Calls never suspend, so each is one step for all tasks of the loop.
    """

    is_shared: Final = False

    def __init__(
        self,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        max_buckets: int = 100_000,
        max_tags: int = 100_000,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: dict[str, tuple[bytes, float, int]] = {}
        self._max_tags = max_tags
        self._stamps: dict[str, bytes] = {}
        self._stamp = 0
        self._buckets = _Buckets(max_buckets)

    @property
    def size(self) -> int:
        """Bytes of all values with their keys."""
        return self._bytes

    @property
    def bucket_count(self) -> int:
        """How many buckets are not full."""
        return len(self._buckets.arrivals)

    async def get_many(self, keys: Sequence[str], tags: Sequence[str] = ()) -> Found:
        """Return the values of the keys and the stamps of the tags."""
        now = self._clock.monotonic()
        stamps = self._stamps
        return Found(
            [self._get(key, now) for key in keys],
            [stamps.get(tag, _NO_STAMP) for tag in tags],
        )

    async def set_many(self, values: Mapping[str, bytes], ttl: float) -> None:
        """Keep values for ``ttl`` seconds at most."""
        end = self._clock.monotonic() + ttl
        for key, value in values.items():
            self._discard(key)
            size = len(key) + len(value) + _ENTRY_OVERHEAD
            if size <= self._max_bytes and ttl > 0:
                self._values[key] = (value, end, size)
                self._bytes += size
        while self._bytes > self._max_bytes:
            self._discard(next(iter(self._values)))

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Drop keys that are there."""
        for key in keys:
            self._discard(key)

    async def invalidate(self, tags: Sequence[str]) -> None:
        """Change the stamps of the tags.

        When there are too many tags to remember, every value is forgotten instead:
        a value must never outlive the invalidation of its tag.
        """
        for tag in tags:
            self._stamp += 1
            self._stamps[tag] = b"%d" % self._stamp
        if len(self._stamps) > self._max_tags:
            self._values.clear()
            self._bytes = 0
            self._stamps.clear()

    async def take(self, withdrawals: Sequence[Withdrawal]) -> list[Verdict]:
        """Decide all withdrawals together, in order, as one step."""
        return self._buckets.take(withdrawals, self._clock.monotonic())

    async def give_back(self, draws: Sequence[Draw]) -> None:
        """Return what was drawn and not used; a bucket never overflows."""
        self._buckets.give_back(draws)

    async def aclose(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._bytes = 0

    def _get(self, key: str, now: float) -> bytes | None:
        entry = self._values.pop(key, None)
        if entry is None:
            return None
        if entry[1] <= now:
            self._bytes -= entry[2]
            return None
        self._values[key] = entry
        return entry[0]

    def _discard(self, key: str) -> None:
        entry = self._values.pop(key, None)
        if entry is not None:
            self._bytes -= entry[2]


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
