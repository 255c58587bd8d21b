"""Exchanges with a service whose bodies are passed on as they come, both ways."""

from __future__ import annotations

import asyncio
from dataclasses import field
from typing import TYPE_CHECKING, Any, cast

from graphgw.errors import SourceDisconnectedError
from graphgw.sources.http_transport.failures import (
    disconnected,
    not_sendable,
    timed_out,
)
from graphgw.sources.http_transport.origins import parse_origin
from graphgw.sources.http_transport.pool import Pool
from graphgw.sources.http_transport.resolver import SystemResolver
from graphgw.sources.http_transport.stream_connection import StreamConnection
from graphgw.sources.tls import build_tls_context
from graphgw.types import Deadline, record

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from graphgw.sources.http_transport.connection import Connection
    from graphgw.sources.http_transport.resolver import Resolver
    from graphgw.sources.http_transport.settings import TransportSettings

__all__ = ["StreamRequest", "StreamTransport", "StreamedAnswer", "encode_lines"]


@record
class StreamRequest:
    """A request that is passed on.

    ``origin`` is a URL without path, ``target`` what follows it, ``headers`` have
    lower-case names and neither ``content-length`` nor ``transfer-encoding``; ``lines``
    are more of them, as ``encode_lines`` gave them. ``host`` is the origin's unless the
    request ``has_host``. ``body`` is sent as it comes, in chunks if
    ``content_length`` is not known. ``deadline`` bounds the time to the head of the
    answer; with a body, ``patience`` seconds from its end do, and ``idle`` those in
    which the server takes nothing of it. ``whole`` is a body that is all there and
    short: it goes with the head, within ``deadline``. ``tried`` are the addresses of
    earlier attempts, where a service has several.
    """

    method: str
    origin: str
    target: str
    deadline: Deadline
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    body: AsyncIterator[bytes] | None = field(default=None, repr=False)
    content_length: int | None = None
    source: str = ""
    is_idempotent: bool = False
    lines: bytes = field(default=b"", repr=False)
    has_host: bool = False
    patience: float = 10.0
    idle: float = 30.0
    tried: list[str] | None = field(default=None, compare=False, repr=False)
    whole: bytes = field(default=b"", repr=False)


class StreamedAnswer:
    """The head of an answer, and its body as it comes; to be closed at the end."""

    __slots__ = ("_connection", "_pump", "headers", "status")

    def __init__(
        self, connection: StreamConnection, pump: asyncio.Task[None] | None
    ) -> None:
        self._connection = connection
        self._pump = pump
        self.status = connection.status
        self.headers = connection.headers

    def take_whole(self) -> bytes | None:
        """Return the body if all of it is here already."""
        return self._connection.take() if self._connection.is_complete else None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body; the service is read no faster than this is.

        Raises:
            SourceError: The answer breaks off.
        """
        while data := await self._connection.read():
            yield data

    def finish(self) -> bool:
        """Let go of the connection; tell whether that was all.

        If not, the request is still being sent, and ``aclose`` ends that, too.
        """
        if self._pump is not None:
            return False
        self._connection.finish()
        return True

    async def aclose(self) -> None:
        """Let go of the connection; what was not read or sent is given up."""
        if self._pump is not None:
            await _stop(self._pump)
        self._connection.finish()


class StreamTransport:
    """Passes requests on over connections that it keeps for each origin.

    It belongs to the event loop of its first call.
    """

    __slots__ = ("_pools", "_resolver", "_settings", "_tls")

    def __init__(
        self, settings: TransportSettings, *, resolver: Resolver | None = None
    ) -> None:
        self._settings = settings
        self._resolver = resolver or SystemResolver()
        self._tls: ssl.SSLContext | None = None
        self._pools: dict[str, _StreamPool] = {}

    async def send(self, request: StreamRequest) -> StreamedAnswer:
        """Send a request and return once the head of the answer is here.

        The body is sent on beside, and goes on after that. What it raises before the
        answer has begun is raised here.

        Raises:
            SourceTimeoutError: The deadline passed.
            SourceUnreachableError: No connection could be made.
            SourceError: The connection broke, or the answer breaks HTTP.
        """
        pool = self._pools.get(request.origin) or self._open_pool(request)
        head = _encode_head(request, pool.authority)
        if request.deadline.is_over:
            raise timed_out(request.source)
        connection = pool.take_stream()
        if connection is None:
            connection = await pool.acquire_stream(request)
        try:
            return await _exchange(pool, connection, head, request)
        except SourceDisconnectedError:
            was_stale = connection.calls > 1 and not connection.has_answer_bytes
            has_body = request.body is not None or bool(request.whole)
            if has_body or not (was_stale and request.is_idempotent):
                raise
            fresh = await pool.acquire_stream(request, is_fresh=True)
            return await _exchange(pool, fresh, head, request)

    async def aclose(self) -> None:
        """Close every connection."""
        pools, self._pools = self._pools, {}
        await asyncio.gather(*(pool.aclose() for pool in pools.values()))
        self._resolver.close()

    def _open_pool(self, request: StreamRequest) -> _StreamPool:
        origin = parse_origin(request.origin, request.source)
        if origin.is_tls and self._tls is None:
            self._tls = build_tls_context(self._settings.tls)
        tls = self._tls if origin.is_tls else None
        pool = _StreamPool(origin, self._settings, self._resolver, tls)
        self._pools[request.origin] = pool
        return pool


class _StreamPool(Pool):
    """A pool of connections that stream; all else is as for calls."""

    __slots__ = ()

    @property
    def authority(self) -> bytes:
        """What goes into ``host``."""
        return self.origin.authority.encode()

    def take_stream(self) -> StreamConnection | None:
        """Return an idle connection, if there is one."""
        return cast("StreamConnection | None", self.take())

    async def acquire_stream(
        self, request: StreamRequest, *, is_fresh: bool = False
    ) -> StreamConnection:
        """Return a connection; see ``Pool.acquire``."""
        connection: Any = await self.acquire(
            request.deadline, request.source, is_fresh=is_fresh
        )
        return cast("StreamConnection", connection)

    def _new_connection(self) -> Connection:
        made: Any = StreamConnection(cast("Any", self), self._settings, self._loop)
        return cast("Connection", made)


async def _exchange(
    pool: _StreamPool, connection: StreamConnection, head: bytes, request: StreamRequest
) -> StreamedAnswer:
    pool.watch()
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()
    connection.start(
        head,
        answered,
        request.deadline,
        request.source,
        is_head=request.method == "HEAD",
        has_body=request.body is not None,
    )
    if request.body is None:
        try:
            await answered
        except (asyncio.CancelledError, GeneratorExit):
            connection.abort()
            raise
        return StreamedAnswer(connection, None)
    connection.deadline = None  # a client that is slow is not the server's fault
    pump = loop.create_task(_pump(pool, connection, request, request.body))
    pump.add_done_callback(lambda task: _tell_failure(task, answered, connection))
    try:
        await answered
    except BaseException:
        await _stop(pump)
        connection.abort()
        raise
    return StreamedAnswer(connection, pump)


async def _pump(
    pool: _StreamPool,
    connection: StreamConnection,
    request: StreamRequest,
    body: AsyncIterator[bytes],
) -> None:
    """Send the body as it comes; the client is read no faster than this."""
    length, idle, sent = request.content_length, request.idle, 0
    async for part in body:
        sent += len(part)
        if length is None:
            await connection.write(b"%x\r\n%b\r\n" % (len(part), part), idle)
        elif sent > length:
            raise disconnected(request.source)
        else:
            await connection.write(part, idle)
    if length is not None and sent < length:
        raise disconnected(request.source)
    end = b"0\r\n\r\n" if length is None else b""
    connection.end_request(end, Deadline.after(request.patience))
    pool.watch()


def _tell_failure(
    pump: asyncio.Task[None],
    answered: asyncio.Future[None],
    connection: StreamConnection,
) -> None:
    """Give the exchange up when its request cannot be completed."""
    if pump.cancelled():
        return
    error = pump.exception()
    if error is None:
        return
    if isinstance(error, SourceDisconnectedError) and not connection.is_usable:
        return  # the connection's own end has told already, or an answer is here
    if not answered.done():
        answered.set_exception(error)
    connection.close()


async def _stop(pump: asyncio.Task[None]) -> None:
    pump.cancel()
    await asyncio.wait([pump])


def encode_lines(headers: Iterable[tuple[bytes, bytes]], source: str) -> bytes:
    """Return header lines as they go over the wire.

    Raises:
        SourceError: What is sent would not be these headers.
    """
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    text = b"".join(lines)
    count = len(lines)
    if text.count(b"\n") != count or text.count(b"\r") != count or b"\0" in text:
        raise not_sendable(source, "headers")
    return text


def _encode_head(request: StreamRequest, authority: bytes) -> bytes:
    """Return the head, and what goes with it, as they go over the wire.

    Raises:
        SourceError: What is sent would not be this request.
    """
    target = request.target.encode()
    if not request.target.isprintable() or b" " in target:
        raise not_sendable(request.source, "a URL")
    lines = request.lines
    if request.headers:
        lines += encode_lines(request.headers, request.source)
    if request.body is not None:
        length = request.content_length
        lines += (
            b"transfer-encoding: chunked\r\n"
            if length is None
            else b"content-length: %d\r\n" % length
        )
    elif request.whole:
        lines += b"content-length: %d\r\n" % len(request.whole)
    host = b"" if request.has_host else b"host: %b\r\n" % authority
    return b"%b %b HTTP/1.1\r\n%b%b\r\n%b" % (
        request.method.encode(),
        target,
        host,
        lines,
        request.whole,
    )
