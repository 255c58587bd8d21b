"""The API keys that are kept in Redis, for every gateway that shares it."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from graphgw.operations.cache import BoundedCache
from graphgw.policies.authenticate.api_keys import (
    ApiKey,
    decode_api_key,
    encode_api_key,
    hash_api_key,
)
from graphgw.stores.protocol import StoreError
from graphgw.stores.table import RedisTable

if TYPE_CHECKING:
    from graphgw.policies.settings import ApiKeySettings
    from graphgw.types import Clock

__all__ = ["ApiKeyTable"]

_NAME: Final = "graphgw:api-keys"
_FRESH: Final = 5.0
"""Seconds after which a key is looked up again, and a revoked one is refused."""
_GOOD: Final = 300.0
"""Seconds that a key counts while Redis cannot be reached."""
_MAX_BYTES: Final = 512
_ENTRIES: Final = 10_000


class ApiKeyTable:
    """Finds, keeps and revokes API keys in Redis.

    A key that was found counts for some seconds without being looked up again. While
    Redis is down the keys that were found lately still count, others are refused.
    """

    def __init__(self, settings: ApiKeySettings, clock: Clock) -> None:
        self._secret = settings.secret
        self._clock = clock
        self._table = RedisTable(settings.redis_url or "", _NAME)
        self._found: BoundedCache[str, tuple[ApiKey | None, float]] = BoundedCache(
            max_entries=_ENTRIES, max_bytes=_ENTRIES * 1000
        )

    async def find(self, key: str) -> ApiKey | None:
        """Return the key with this text if it is valid now."""
        if len(key) > _MAX_BYTES:
            return None
        digest = hash_api_key(key, self._secret)
        known = self._found.get(digest)
        now = self._clock.monotonic()
        if known is None or now - known[1] >= _FRESH:
            try:
                found = await self._read(digest)
            except StoreError:
                if known is None or now - known[1] >= _GOOD:
                    return None
                found = known[0]
            else:
                self._found.put(digest, (found, now), 1000)
        else:
            found = known[0]
        if found is None or not hmac.compare_digest(found.hash, digest):
            return None
        return found if found.is_valid(self._clock.time()) else None

    async def all(self) -> tuple[ApiKey, ...]:
        """Return every key, by name.

        Raises:
            StoreError: Redis could not be reached.
            ValueError: Something else is kept there.
        """
        entries = await self._table.all()
        found = [decode_api_key(data) for data in entries.values()]
        return tuple(sorted(found, key=lambda key: key.name))

    async def keep(self, key: ApiKey) -> None:
        """Keep a key, in place of one with the same hash.

        Raises:
            StoreError: Redis could not be reached.
        """
        await self._table.put(key.hash, encode_api_key(key))

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._table.aclose()

    async def _read(self, digest: str) -> ApiKey | None:
        data = await self._table.get(digest)
        if data is None:
            return None
        try:
            return decode_api_key(data)
        except ValueError:
            return None
