"""A named table in Redis: entries by name, read one by one or all at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from graphgw.stores.protocol import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["RedisTable"]

T = TypeVar("T")


class RedisTable:
    """Entries that live until they are removed, for every process that shares them.

    Args:
        url: Such as ``redis://host:6379/0``, ``rediss://`` or ``unix:///path``.
        name: The table's, with the prefix that all keys of a gateway have.
        timeout: Seconds that one call may take.
    """

    def __init__(self, url: str, name: str, *, timeout: float = 0.25) -> None:
        self._redis: Any = Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout
        )
        self._name = name
        self._timeout = timeout

    async def get(self, entry: str) -> bytes | None:
        """Return an entry, ``None`` if there is none.

        Raises:
            StoreError: Redis could not be reached.
        """
        found: bytes | None = await self._call(self._redis.hget(self._name, entry))
        return found

    async def all(self) -> dict[str, bytes]:
        """Return every entry by its name.

        Raises:
            StoreError: Redis could not be reached.
        """
        found: dict[bytes, bytes] = await self._call(self._redis.hgetall(self._name))
        return {name.decode(): value for name, value in found.items()}

    async def put(self, entry: str, value: bytes) -> None:
        """Keep an entry in place of the one before.

        Raises:
            StoreError: Redis could not be reached.
        """
        await self._call(self._redis.hset(self._name, entry, value))

    async def remove(self, entry: str) -> None:
        """Remove an entry if it is there.

        Raises:
            StoreError: Redis could not be reached.
        """
        await self._call(self._redis.hdel(self._name, entry))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def _call(self, sent: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await sent
        except (TimeoutError, RedisError, OSError, ValueError) as error:
            raise StoreError(f"Redis failed: {type(error).__name__}") from error
