"""The shared store: Redis, bounded in time, left alone while it fails."""

from __future__ import annotations

import asyncio
import math
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from graphgw.stores.protocol import ANY_TAG, Found, StoreError, Verdict
from graphgw.stores.scripts import GIVE_BACK, TAKE
from graphgw.types import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from graphgw.stores.protocol import Bucket, Draw, Withdrawal

__all__ = ["RedisStore"]

T = TypeVar("T")

_TAG_SECONDS: Final = 7 * 86_400
"""How long an invalidation is remembered; no value is kept for longer."""
_FAILURES: Final = 5
_PAUSE: Final = 1.0
_MAX_VALUE: Final = 4 * 1024 * 1024
_EPSILON: Final = 1e-6


class RedisStore:
    """Keeps values, tags and buckets in Redis, for every process that shares it.

    Each call has ``timeout`` seconds in all. After several failures in a row the
    store fails at once for a second, then one call finds out whether it is back.
    Nothing is tried twice: what a limit or a cache does without its store is theirs.

    Args:
        url: Such as ``redis://host:6379/0``, ``rediss://`` or ``unix:///path``.
        prefix: What every key begins with.
        timeout: Seconds that one call may take.
        max_connections: The most connections that are open.
        clock: Tells the time.
    """

    is_shared: Final = True

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "graphgw:",
        timeout: float = 0.05,
        max_connections: int = 50,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            max_connections=max_connections,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._prefix = prefix
        self._timeout = timeout
        self._clock = clock
        self._failures = 0
        self._closed_until = float("-inf")
        self._take: Any = self._redis.register_script(TAKE)
        self._give_back: Any = self._redis.register_script(GIVE_BACK)

    async def get_many(self, keys: Sequence[str], tags: Sequence[str] = ()) -> Found:
        """Return the values of the keys and the stamps of the tags."""
        names = [self._value(key) for key in keys] + [self._tag(tag) for tag in tags]
        if not names:
            return Found([], [])
        found: Any = await self._call(lambda: self._redis.mget(names))
        if not isinstance(found, list) or len(found) != len(names):
            raise StoreError("Redis answered with other values than it was asked for")
        if not all(value is None or isinstance(value, bytes) for value in found):
            raise StoreError("Redis answered with values of another kind")
        stamps = [stamp or b"" for stamp in found[len(keys) :]]
        return Found(list(found[: len(keys)]), stamps)

    async def set_many(self, values: Mapping[str, bytes], ttl: float) -> None:
        """Keep values for ``ttl`` seconds at most; very large ones are left out."""
        milliseconds = int(min(ttl, _TAG_SECONDS) * 1000)
        small = {k: v for k, v in values.items() if len(v) <= _MAX_VALUE}
        if milliseconds < 1 or not small:
            return

        async def send() -> None:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, value in small.items():
                    pipeline.set(self._value(key), value, px=milliseconds)
                await pipeline.execute()

        await self._call(send)

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Drop keys that are there."""
        names = [self._value(key) for key in keys]
        if names:
            await self._call(lambda: self._redis.unlink(*names))

    async def invalidate(self, tags: Sequence[str]) -> None:
        """Change the stamps of the tags."""
        if not tags:
            return

        async def send() -> None:
            async with self._redis.pipeline(transaction=True) as pipeline:
                for tag in (ANY_TAG, *tags):
                    stamp = secrets.token_bytes(12)
                    pipeline.set(self._tag(tag), stamp, ex=_TAG_SECONDS)
                await pipeline.execute()

        await self._call(send)

    async def take(self, withdrawals: Sequence[Withdrawal]) -> list[Verdict]:
        """Decide all withdrawals together, in order, as one step."""
        if not withdrawals:
            return []
        buckets: dict[str, Bucket] = {}
        for withdrawal in withdrawals:
            for draw in withdrawal.draws:
                buckets.setdefault(draw.bucket.key, draw.bucket)
        numbers = {key: number for number, key in enumerate(buckets, start=1)}
        arguments: list[Any] = [len(withdrawals)]
        arguments += [bucket.interval * 1000 for bucket in buckets.values()]
        for withdrawal in withdrawals:
            outer = 0 if withdrawal.within is None else withdrawal.within + 1
            arguments += (outer, len(withdrawal.draws))
            for draw in withdrawal.draws:
                burst = draw.bucket.burst * draw.bucket.interval * 1000
                arguments += (numbers[draw.bucket.key], draw.cost, burst)
        keys = [self._bucket(key) for key in buckets]
        answer = await self._call(lambda: self._take(keys=keys, args=arguments))
        try:
            return _verdicts(withdrawals, numbers, answer)
        except (TypeError, ValueError, IndexError) as error:
            raise StoreError("Redis answered the limits with nonsense") from error

    async def give_back(self, draws: Sequence[Draw]) -> None:
        """Return what was drawn and not used; a bucket never overflows."""
        if not draws:
            return
        keys = [self._bucket(draw.bucket.key) for draw in draws]
        back = [draw.cost * draw.bucket.interval * 1000 for draw in draws]
        await self._call(lambda: self._give_back(keys=keys, args=back))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def _call(self, send: Callable[[], Awaitable[T]]) -> T:
        now = self._clock.monotonic()
        if now < self._closed_until:
            raise StoreError("Redis is left alone after failures")
        if self._failures >= _FAILURES:
            # One call finds out; the others fail at once meanwhile.
            self._closed_until = now + _PAUSE
        try:
            async with asyncio.timeout(self._timeout):
                answer = await send()
        except (TimeoutError, RedisError, OSError, ValueError) as error:
            self._failures += 1
            if self._failures >= _FAILURES:
                self._closed_until = self._clock.monotonic() + _PAUSE
            raise StoreError(f"Redis failed: {type(error).__name__}") from error
        self._failures = 0
        self._closed_until = float("-inf")
        return answer

    def _value(self, key: str) -> str:
        return f"{self._prefix}v:{key}"

    def _tag(self, tag: str) -> str:
        return f"{self._prefix}t:{tag}"

    def _bucket(self, key: str) -> str:
        return f"{self._prefix}b:{key}"


def _verdicts(
    withdrawals: Sequence[Withdrawal], numbers: dict[str, int], answer: Any
) -> list[Verdict]:
    used = [float(text) / 1000 for text in answer[len(withdrawals) :]]
    if len(used) != len(numbers) or not all(map(math.isfinite, used)):
        raise ValueError("there are too few buckets")
    verdicts = []
    for withdrawal, (allowed, refused, excess) in zip(
        withdrawals, answer[: len(withdrawals)], strict=True
    ):
        buckets = [draw.bucket for draw in withdrawal.draws]
        resets = tuple(max(0.0, used[numbers[b.key] - 1]) for b in buckets)
        remaining = tuple(
            max(0, int(bucket.burst - reset / bucket.interval + _EPSILON))
            for bucket, reset in zip(buckets, resets, strict=True)
        )
        verdicts.append(
            Verdict(
                allowed == 1,
                remaining,
                resets,
                refused - 1 if refused else None,
                float(excess) / 1000,
            )
        )
    return verdicts
