"""The HTTP transport: calls over kept connections, each within its deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from graphgw.errors import SourceDisconnectedError
from graphgw.sources.content_encoding import inflate
from graphgw.sources.http_transport.failures import disconnected, timed_out
from graphgw.sources.http_transport.origins import (
    encode_request,
    parse_origin,
    split_url,
)
from graphgw.sources.http_transport.pool import Pool
from graphgw.sources.http_transport.resolver import SystemResolver
from graphgw.sources.http_transport.settings import TransportSettings
from graphgw.sources.protocol import HTTPResponse
from graphgw.sources.tls import build_tls_context

if TYPE_CHECKING:
    import ssl

    from graphgw.sources.http_transport.connection import Connection
    from graphgw.sources.http_transport.resolver import Resolver
    from graphgw.sources.protocol import HTTPRequest

__all__ = ["HTTPTransport"]


class HTTPTransport:
    """Sends requests over HTTP/1.1 connections that it keeps for each origin.

    It belongs to the event loop of its first call. Redirects are not followed,
    cookies not kept, proxies not used. A call that is cancelled, or whose deadline
    passes, closes its connection, so the server sees it.
    """

    __slots__ = ("_is_closed", "_pools", "_resolver", "_settings", "_tls")

    def __init__(
        self,
        settings: TransportSettings | None = None,
        *,
        resolver: Resolver | None = None,
    ) -> None:
        self._settings = settings or TransportSettings()
        self._resolver = resolver or SystemResolver()
        self._tls: ssl.SSLContext | None = None
        self._is_closed = False
        self._pools: dict[str, Pool] = {}

    async def send(self, request: HTTPRequest) -> HTTPResponse:
        """Send one request; see ``Transport.send``."""
        prefix, target = split_url(request.url)
        pool = self._pools.get(prefix) or self._open_pool(prefix, request.source)
        data = encode_request(request, pool.head, target)
        if request.deadline.is_over:
            raise timed_out(request.source)
        connection = pool.take()
        if connection is None:
            connection = await pool.acquire(request.deadline, request.source)
        pool.watch()
        answer = connection.start(
            data, request.deadline, request.source, is_head=request.method == "HEAD"
        )
        try:
            response = await _wait(connection, answer)
        except SourceDisconnectedError:
            if not _may_repeat(connection, request):
                raise
            response = await _send_afresh(pool, data, request)
        return self.inflate(response, request.source)

    def find_pool(self, url: str, source: str) -> Pool:
        """Return the connections to a URL's origin.

        Raises:
            SourceError: The URL is none that can be called.
        """
        prefix, _ = split_url(url)
        return self._pools.get(prefix) or self._open_pool(prefix, source)

    async def resume(
        self,
        request: HTTPRequest,
        connection: Connection,
        answer: asyncio.Future[HTTPResponse],
    ) -> HTTPResponse:
        """Go on with a request that was written to a connection already."""
        try:
            response = await _wait(connection, answer)
        except SourceDisconnectedError:
            if not _may_repeat(connection, request):
                raise
            pool = self.find_pool(request.url, request.source)
            _, target = split_url(request.url)
            data = encode_request(request, pool.head, target)
            response = await _send_afresh(pool, data, request)
        return self.inflate(response, request.source)

    def inflate(self, response: HTTPResponse, source: str) -> HTTPResponse:
        """Return an answer with its ``content-encoding`` undone.

        Raises:
            SourceBadAnswerError: It is damaged.
            SourceAnswerTooLargeError: It is too large.
        """
        encoding = response.headers.get("content-encoding")
        if encoding is None or not response.body:
            return response
        limit = self._settings.max_answer_bytes
        body = inflate(encoding, response.body, limit, source)
        return HTTPResponse(response.status, response.headers, body)

    async def aclose(self) -> None:
        """Close every connection; there will be no others."""
        self._is_closed = True
        pools, self._pools = self._pools, {}
        await asyncio.gather(*(pool.aclose() for pool in pools.values()))
        self._resolver.close()

    def _open_pool(self, prefix: str, source: str) -> Pool:
        if self._is_closed:
            raise disconnected(source)
        origin = parse_origin(prefix, source)
        if origin.is_tls and self._tls is None:
            self._tls = build_tls_context(self._settings.tls)
        tls = self._tls if origin.is_tls else None
        pool = Pool(origin, self._settings, self._resolver, tls)
        self._pools[prefix] = pool
        return pool


async def _send_afresh(pool: Pool, data: bytes, request: HTTPRequest) -> HTTPResponse:
    connection = await pool.acquire(request.deadline, request.source, is_fresh=True)
    pool.watch()
    answer = connection.start(
        data, request.deadline, request.source, is_head=request.method == "HEAD"
    )
    return await _wait(connection, answer)


async def _wait(
    connection: Connection, answer: asyncio.Future[HTTPResponse]
) -> HTTPResponse:
    try:
        return await answer
    except (asyncio.CancelledError, GeneratorExit):
        connection.drop(answer)
        raise


def _may_repeat(connection: Connection, request: HTTPRequest) -> bool:
    """Tell whether a kept connection had died before it took the request.

    Then no byte of an answer came. The server may still have read the request, so
    only idempotent ones are sent again.
    """
    return (
        request.is_idempotent
        and connection.calls > 1
        and not connection.has_answer_bytes
    )
