"""One connection whose answer, and request, are passed on piece by piece."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

import httptools

from graphgw.sources.http_transport.failures import (
    bad_answer,
    disconnected,
    header_too_large,
    timed_out,
)

if TYPE_CHECKING:
    from graphgw.errors import SourceError
    from graphgw.sources.http_transport.settings import TransportSettings
    from graphgw.types import Deadline

__all__ = ["StreamConnection", "StreamOwner"]

_LAST_INFORMATIONAL: Final = 199
_HEADER_OVERHEAD: Final = 4
_HIGH_WATER: Final = 64 * 1024
"""Bytes of an answer that may wait to be taken; then the service is not read."""


class StreamOwner(Protocol):
    """Who is told when a connection may be used again, and when it is gone."""

    def release(self, connection: StreamConnection) -> None:
        """Take back a connection whose answer is complete."""
        ...

    def discard(self, connection: StreamConnection) -> None:
        """Forget a connection that is closed."""
        ...


class StreamConnection(asyncio.Protocol):
    """A keep-alive connection that carries one exchange at a time.

    ``deadline`` bounds the time to the head of the answer; it is ``None`` from then
    on. It closes itself whenever what the server sends cannot be trusted to end where
    it should.
    """

    __slots__ = (
        "_buffer",
        "_buffered",
        "_drained",
        "_failure",
        "_has_headers",
        "_head",
        "_head_bytes",
        "_is_complete",
        "_is_head_request",
        "_is_kept",
        "_is_request_sent",
        "_loop",
        "_more",
        "_owner",
        "_parser",
        "_reading_paused",
        "_settings",
        "_source",
        "_transport",
        "calls",
        "deadline",
        "good_until",
        "has_answer_bytes",
        "headers",
        "opened_at",
        "status",
    )

    # What is known of the answer that is being read; ``_reset`` fills them in.
    _buffer: list[bytes]
    _buffered: int
    _failure: SourceError | None
    _has_headers: bool
    _head_bytes: int
    _is_complete: bool
    _is_kept: bool
    headers: list[tuple[bytes, bytes]]

    def __init__(
        self,
        owner: StreamOwner,
        settings: TransportSettings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._settings = settings
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._head: asyncio.Future[None] | None = None
        self._more: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._source = ""
        self._is_head_request = False
        self._is_request_sent = True
        self._reading_paused = False
        self.deadline: Deadline | None = None
        self.calls = 0
        self.has_answer_bytes = False
        self.opened_at = loop.time()
        self.good_until = self.opened_at
        self.status = 0
        self._reset()

    @property
    def is_usable(self) -> bool:
        """Tell whether a request may be written to it."""
        return self._transport is not None and not self._transport.is_closing()

    # The exchange

    def start(
        self,
        head: bytes,
        answered: asyncio.Future[None],
        deadline: Deadline,
        source: str,
        *,
        is_head: bool,
        has_body: bool,
    ) -> None:
        """Write the head of a request; ``answered`` is settled by an answer's head."""
        self._reset()
        self._head = answered
        self._source = source
        self._is_head_request = is_head
        self._is_request_sent = not has_body
        self.deadline = deadline
        self.calls += 1
        self.has_answer_bytes = False
        cast("asyncio.Transport", self._transport).write(head)

    async def write(self, data: bytes, idle: float) -> None:
        """Write a piece of the body; wait while the server does not take it.

        Args:
            data: The piece.
            idle: The most seconds to wait.

        Raises:
            SourceDisconnectedError: The connection is gone.
            SourceTimeoutError: The server takes nothing.
        """
        if self._transport is None or self._transport.is_closing():
            raise disconnected(self._source)
        self._transport.write(data)
        if self._drained is not None:
            try:
                async with asyncio.timeout(idle):
                    await self._drained
            except TimeoutError as error:
                raise timed_out(self._source) from error

    def end_request(self, data: bytes, deadline: Deadline) -> None:
        """Note that the request is whole; write what marks its end.

        If the head of the answer is not here, it has until ``deadline``.
        """
        self._is_request_sent = True
        if self._head is not None:
            self.deadline = deadline
        if data and self._transport is not None:
            self._transport.write(data)

    @property
    def is_complete(self) -> bool:
        """Tell whether the whole answer has come."""
        return self._is_complete

    def take(self) -> bytes:
        """Return what has come of the body and was not taken yet."""
        buffer = self._buffer
        if not buffer:
            return b""
        data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        self._buffer = []
        self._buffered = 0
        return data

    async def read(self) -> bytes:
        """Return the next piece of the body; nothing at the end.

        Raises:
            SourceError: The answer breaks off.
        """
        while not self._buffer:
            if self._is_complete:
                return b""
            if self._failure is not None:
                raise self._failure
            self._resume_reading()
            self._more = self._loop.create_future()
            try:
                await self._more
            finally:
                self._more = None
        return self.take()

    def finish(self) -> None:
        """Give the connection back, or close it if anything of it is still to come."""
        transport = self._transport
        if (
            self._is_complete
            and self._is_kept
            and self._is_request_sent
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        ):
            self.deadline = None
            self._resume_reading()
            self._reset()
            self._owner.release(self)
        else:
            self.abort()

    def expire(self) -> None:
        """End the exchange because no head came in time."""
        self._fail(timed_out(self._source))

    def close(self) -> None:
        """Close at once; an exchange under way fails."""
        self._fail(disconnected(self._source))

    def abort(self) -> None:
        """Close at once; nobody waits for the exchange under way, if any."""
        self.deadline = None
        self._head = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio)."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the exchange, if one is under way: the connection is gone."""
        self._transport = None
        if not self._is_complete:
            if exc is None and self._ends_with_connection():
                self._is_complete = True
                self._wake()
            else:
                self._fail(disconnected(self._source))
        self._parser = None
        self._settle_writer()
        self._owner.discard(self)

    def pause_writing(self) -> None:
        """Hold the body back: the server does not take it (asyncio)."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the body go on (asyncio)."""
        self._settle_writer()

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer (asyncio)."""
        parser = self._parser
        if parser is None or (self._head is None and not self._has_headers):
            # Nothing was asked: whatever this is, it must not answer the next one.
            self.abort()
            return
        if self._is_complete:
            self._is_kept = False  # more than was asked for
            return
        self.has_answer_bytes = True
        failure = None
        had_headers, buffered = self._has_headers, self._buffered
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            failure = bad_answer(self._source, "it switched protocols")
        except httptools.HttpParserError as error:
            self._is_kept = False
            failure = bad_answer(self._source, str(error))
        if failure is not None and not self._is_complete:
            self._failure = self._failure or failure
        if self._has_headers and (self._buffered > buffered or not had_headers):
            self._head_bytes = 0
        elif self._failure is None and not self._is_complete:
            # Of a head, a trailer or a chunk's extension: none of them may be endless.
            self._count_head(len(data))
        if self._failure is not None:
            self._fail(self._failure)
            return
        if self._has_headers:
            self._settle_head()
        self._wake()
        if self._buffered > _HIGH_WATER and not self._is_complete:
            self._pause_reading()

    # httptools

    def on_message_begin(self) -> None:
        """Note that an answer starts (httptools)."""
        if self._is_complete:
            self._is_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read one header (httptools)."""
        if self._is_complete or self._has_headers:
            return  # a trailer: it comes too late to say what the body is
        self._count_head(len(name) + len(value) + _HEADER_OVERHEAD)
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check what the headers say of the body (httptools)."""
        if self._is_complete:
            return
        self._has_headers = True
        lengths = [v for n, v in self.headers if n == b"content-length"]
        codings = [v for n, v in self.headers if n == b"transfer-encoding"]
        if codings and (len(codings) > 1 or codings[0].lower() != b"chunked"):
            self._failure = bad_answer(self._source, "its transfer encoding is unknown")
        elif (codings and lengths) or len(lengths) > 1:
            self._failure = bad_answer(self._source, "its length is given twice")
        elif self._is_head_request:
            parser = cast("httptools.HttpResponseParser", self._parser)
            if parser.get_status_code() > _LAST_INFORMATIONAL:
                self.status = parser.get_status_code()
                self._is_complete = True

    def on_body(self, body: bytes) -> None:
        """Take a part of the body (httptools)."""
        if not self._is_complete and self._failure is None:
            self._buffer.append(body)
            self._buffered += len(body)

    def on_message_complete(self) -> None:
        """Note that the answer is whole (httptools)."""
        if self._is_complete or self._failure is not None:
            return
        parser = cast("httptools.HttpResponseParser", self._parser)
        if parser.get_status_code() <= _LAST_INFORMATIONAL:
            self._reset()
            return
        self._is_complete = True
        self._is_kept = parser.should_keep_alive()

    # What happens in both directions

    def _settle_head(self) -> None:
        head = self._head
        if head is None:
            return
        parser = cast("httptools.HttpResponseParser", self._parser)
        status = parser.get_status_code()
        if status <= _LAST_INFORMATIONAL:
            return
        self.status = status
        self._head = None
        self.deadline = None
        if not head.done():
            head.set_result(None)

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def _settle_writer(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _pause_reading(self) -> None:
        if not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and self._transport is not None:
            self._reading_paused = False
            self._transport.resume_reading()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        limit = self._settings.max_header_bytes
        if self._head_bytes > limit:
            self._failure = header_too_large(self._source, limit)

    def _reset(self) -> None:
        self.headers = []
        self._buffer = []
        self._buffered = 0
        self._head_bytes = 0
        self._has_headers = False
        self._is_complete = False
        self._is_kept = False
        self._failure = None

    def _ends_with_connection(self) -> bool:
        return self._has_headers and not any(
            name in {b"content-length", b"transfer-encoding"}
            for name, _ in self.headers
        )

    def _fail(self, error: SourceError) -> None:
        head = self._head
        self._failure = self._failure or error
        self.abort()
        if head is not None and not head.done():
            head.set_exception(error)
        self._wake()
