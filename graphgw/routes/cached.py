"""Answers of a route that are kept: given again, or read and kept on the way."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from graphgw.routes.cache_rules import (
    CacheKeys,
    KeptAnswer,
    find_lifetime,
    is_unchanged,
    read_varying,
)
from graphgw.routes.headers import read_headers
from graphgw.routes.misses import Misses, Outcome
from graphgw.stores.protocol import StoreError
from graphgw.telemetry.events import CacheRead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from graphgw.routes.exchange import Exchange, RawHeaders, Responder
    from graphgw.routes.misses import Lead
    from graphgw.routes.settings import RouteCache, RouteSettings
    from graphgw.stores.protocol import Store

__all__ = ["RouteCaching"]

_NOT_MODIFIED: Final = 304
_PATIENCE: Final = 5.0
"""The most seconds to wait for the answer to an equal request."""
_AWAITED_BYTES: Final = 64 * 1024
"""What of an answer of unknown length passes before nobody waits for it any more."""
_CONDITIONS: Final = frozenset((b"if-none-match", b"if-modified-since"))
_OF_304: Final = frozenset(
    (b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary")
)


class RouteCaching:
    """Keeps the answers to a route's GET requests in the gateway's store.

    Of equal requests that find nothing one is sent on; the others wait for its answer,
    if only until it is seen that it cannot be kept.

    Args:
        route: Its settings.
        cache: Those of the cache.
        store: Where answers are kept.
        credentials: Lower-case names of the headers by which clients prove themselves.
        knows_caller: Whether changes of the service may tell it who asks.
    """

    __slots__ = ("_cache", "_coordinate", "_keys", "_misses", "_store")

    def __init__(
        self,
        route: RouteSettings,
        cache: RouteCache,
        store: Store,
        credentials: frozenset[str],
        *,
        knows_caller: bool = False,
    ) -> None:
        self._cache = cache
        self._store = store
        self._keys = CacheKeys(route, credentials, knows_caller=knows_caller)
        self._coordinate = f"route:{route.name}"
        self._misses = Misses()

    async def handle(
        self, exchange: Exchange, handle: Callable[[Exchange], Awaitable[None]]
    ) -> None:
        """Answer with what is kept, or have it handled and keep what may be kept."""
        head = exchange.head
        asked = head.headers.get("cache-control", "")
        if (
            head.method != "GET"
            or head.has_body
            or "range" in head.headers
            or "no-store" in asked
        ):
            await handle(exchange)
            return
        base = self._keys.base(head, exchange.principal)
        lead = None
        if "no-cache" not in asked and "max-age=0" not in asked:
            kept = await self._find(exchange, base)
            if kept is None:
                kept, lead = await self._wait(exchange, base)
            hits = int(kept is not None)
            exchange.context.observer.observe(CacheRead(self._coordinate, 1, hits))
            if kept is not None:
                await _answer(exchange, kept)
                return
        # The service is asked for the whole answer, so that it can be kept.
        raw = tuple(pair for pair in head.raw_headers if pair[0] not in _CONDITIONS)
        exchange.responder = _KeepingResponder(self, exchange, base, lead)
        exchange.head = replace(head, raw_headers=raw, headers=read_headers(raw))
        if lead is None:
            await handle(exchange)
            return
        try:
            await handle(exchange)
        except asyncio.CancelledError:
            lead.settle(Outcome.LOST)
            raise
        finally:
            lead.settle(Outcome.UNKEPT)

    async def _wait(
        self, exchange: Exchange, base: str
    ) -> tuple[KeptAnswer | None, Lead | None]:
        """Return what an equal request brought; or let others wait for this one."""
        patience = min(_PATIENCE, exchange.context.deadline.remaining())
        until = time.monotonic() + patience
        while (lead := self._misses.under_way.get(base)) is not None:
            outcome = await lead.wait(until - time.monotonic())
            if outcome is Outcome.KEPT:
                return await self._find(exchange, base), None
            if outcome is Outcome.UNKEPT:
                return None, None
        return None, self._misses.lead(base)

    async def _find(self, exchange: Exchange, base: str) -> KeptAnswer | None:
        try:
            (index,) = (await self._store.get_many([base])).values
            if index is None:
                return None
            names = orjson.loads(index)
            key = self._keys.variant(base, exchange.head, names)
            (value,) = (await self._store.get_many([key])).values
        except (StoreError, orjson.JSONDecodeError):
            return None
        return None if value is None else KeptAnswer.decode(value)

    def lifetime(self, status: int, headers: list[tuple[bytes, bytes]]) -> float:
        """Return how many seconds an answer may be kept; 0 for not at all."""
        if read_varying(headers) is None:
            return 0.0
        return find_lifetime(
            status,
            headers,
            default=self._cache.max_age,
            is_private=self._keys.is_private,
        )

    def give_up(self, base: str, lead: Lead | None) -> None:
        """Let nobody wait for an answer that is not kept."""
        if lead is not None:
            self._misses.note_unkept(base)
            lead.settle(Outcome.UNKEPT)

    async def keep(self, exchange: Exchange, base: str, answer: KeptAnswer) -> None:
        """Keep an answer; a store that is down keeps nothing."""
        names = read_varying(answer.headers) or ()
        key = self._keys.variant(base, exchange.head, names)
        values = {base: orjson.dumps(names), key: answer.encode()}
        try:
            await self._store.set_many(values, answer.lifetime)
        except StoreError:
            return

    @property
    def limit(self) -> int:
        """The longest body that is kept."""
        return self._cache.max_body_bytes


class _KeepingResponder:
    """Gives an answer on, and keeps it if it may be kept."""

    __slots__ = ("_base", "_caching", "_exchange", "_inner", "_lead", "_wanted")

    def __init__(
        self, caching: RouteCaching, exchange: Exchange, base: str, lead: Lead | None
    ) -> None:
        self._caching = caching
        self._exchange = exchange
        self._base = base
        self._lead = lead
        self._inner: Responder = exchange.responder
        self._wanted = exchange.head

    async def respond(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Answer with a whole body."""
        raw = list(headers)
        lifetime = self._lifetime(status, raw)
        if not lifetime or len(body) > self._caching.limit:
            self._give_up()
            await self._inner.respond(status, raw, body)
            return
        answer = KeptAnswer(status, _tagged(raw, body), body, time.time(), lifetime)
        await self._keep(answer)
        exchange = self._exchange
        exchange.head, exchange.responder = self._wanted, self._inner
        await _answer(exchange, answer, is_hit=False)

    async def stream(
        self, status: int, headers: RawHeaders, chunks: AsyncIterator[bytes]
    ) -> None:
        """Answer piece by piece; only what others wait for is read whole before.

        A client that reads slowly must not be what they wait for.
        """
        raw = list(headers)
        lifetime = self._lifetime(status, raw)
        if not lifetime:
            self._give_up()
            await self._inner.stream(status, raw, chunks)
            return
        if self._lead is not None and _length(raw) <= self._caching.limit:
            parts = [chunk async for chunk in chunks]
            kept = [pair for pair in raw if pair[0] != b"content-length"]
            await self.respond(status, kept, b"".join(parts))
            return
        collected = _Collected(self._caching.limit, self._give_up)
        await self._inner.stream(status, raw, collected.copy(chunks))
        if collected.is_whole:
            body = b"".join(collected.parts)
            kept = [pair for pair in raw if pair[0] != b"content-length"]
            answer = KeptAnswer(
                status, _tagged(kept, body), body, time.time(), lifetime
            )
            await self._keep(answer)

    async def _keep(self, answer: KeptAnswer) -> None:
        await self._caching.keep(self._exchange, self._base, answer)
        if self._lead is not None:
            self._lead.settle(Outcome.KEPT)

    def _give_up(self) -> None:
        self._caching.give_up(self._base, self._lead)

    def _lifetime(self, status: int, headers: list[tuple[bytes, bytes]]) -> float:
        may_keep = self._exchange.may_keep
        return self._caching.lifetime(status, headers) if may_keep else 0.0


class _Collected:
    """What passed, unless it is longer than what is kept.

    ``give_up`` is called once it is too long for others to wait for it.
    """

    __slots__ = ("_give_up", "_limit", "is_whole", "parts")

    def __init__(self, limit: int, give_up: Callable[[], None]) -> None:
        self._limit = limit
        self._give_up = give_up
        self.parts: list[bytes] = []
        self.is_whole = False

    async def copy(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size <= self._limit:
                self.parts.append(chunk)
            else:
                self.parts.clear()
            if size > _AWAITED_BYTES:
                self._give_up()
            yield chunk
        self.is_whole = size <= self._limit


def _length(headers: list[tuple[bytes, bytes]]) -> float:
    """Return the length that an answer says it has."""
    declared = dict(headers).get(b"content-length", b"")
    return int(declared) if declared.isdigit() else math.inf


async def _answer(exchange: Exchange, kept: KeptAnswer, *, is_hit: bool = True) -> None:
    headers = list(kept.headers)
    etag = next((value for name, value in headers if name == b"etag"), b"")
    if is_hit:
        age = max(0, int(time.time() - kept.at))
        headers = [pair for pair in headers if pair[0] != b"age"]
        headers.append((b"age", b"%d" % age))
        left = max(0, int(kept.lifetime) - age)
        headers.append((b"cache-status", b"graphgw; hit; ttl=%d" % left))
    else:
        headers.append((b"cache-status", b"graphgw; fwd=miss; stored"))
    if etag and is_unchanged(exchange.headers, etag):
        headers = [p for p in headers if p[0] in _OF_304 or p[0] == b"cache-status"]
        await exchange.respond(_NOT_MODIFIED, headers, b"")
        return
    await exchange.respond(kept.status, headers, kept.body)


def _tagged(
    headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers with an entity tag, by which clients can ask again."""
    if any(name == b"etag" for name, _ in headers):
        return tuple(headers)
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return (*headers, (b"etag", f'"{digest}"'.encode()))
