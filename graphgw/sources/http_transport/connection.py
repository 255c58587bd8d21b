"""One connection: writes a request, reads its answer, checks every limit on the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

import httptools

from graphgw.sources.http_transport.failures import (
    answer_too_large,
    bad_answer,
    disconnected,
    header_too_large,
    timed_out,
)
from graphgw.sources.http_transport.heads import END_OF_HEAD
from graphgw.sources.protocol import HTTPResponse

if TYPE_CHECKING:
    from graphgw.errors import SourceError
    from graphgw.sources.http_transport.heads import KnownHeads
    from graphgw.sources.http_transport.settings import TransportSettings
    from graphgw.types import Deadline

__all__ = ["Connection", "ConnectionOwner"]

_LAST_INFORMATIONAL: Final = 199
_HEADER_OVERHEAD: Final = 4
_MOST_PARTS: Final = 64
"""Of a body as they came; more are put together, for each weighs more than it holds."""
_PAST_HEAD: Final = len(END_OF_HEAD)

_COMMON_NAMES: Final[dict[bytes, str]] = {
    spelling.encode(): name
    for name in (
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "etag",
        "server",
        "transfer-encoding",
        "vary",
    )
    for spelling in (name, name.title())
}


class ConnectionOwner(Protocol):
    """Who is told when a connection may be used again, and when it is gone."""

    @property
    def heads(self) -> KnownHeads:
        """The heads that this origin's answers had before."""
        ...

    def release(self, connection: Connection) -> None:
        """Take back a connection whose answer is complete."""
        ...

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        ...


class Connection(asyncio.Protocol):
    """A keep-alive connection that carries one call at a time.

    ``deadline`` is that of the call it carries, ``None`` while it is idle, and
    ``good_until`` the moment from which no new call is begun on it. It closes itself
    whenever what the server sends cannot be trusted to end where it should.
    """

    __slots__ = (
        "_answer",
        "_body",
        "_body_bytes",
        "_failure",
        "_find_head",
        "_has_headers",
        "_head_bytes",
        "_headers",
        "_is_complete",
        "_is_head",
        "_is_kept",
        "_loop",
        "_more",
        "_owner",
        "_parser",
        "_settings",
        "_source",
        "_transport",
        "calls",
        "deadline",
        "good_until",
        "has_answer_bytes",
        "opened_at",
    )

    # What is known of the answer that is being read; ``_reset`` fills them in.
    _body: list[bytes]
    _body_bytes: int
    _more: bytearray | None
    _failure: SourceError | None
    _has_headers: bool
    _head_bytes: int
    _headers: dict[str, str]
    _is_complete: bool
    _is_kept: bool

    def __init__(
        self,
        owner: ConnectionOwner,
        settings: TransportSettings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._owner = owner
        self._find_head = owner.heads.find
        self._settings = settings
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[HTTPResponse] | None = None
        self._source = ""
        self._is_head = False
        self.deadline: Deadline | None = None
        self.calls = 0
        self.has_answer_bytes = False
        self.opened_at = self.good_until = loop.time()
        self._reset()

    @property
    def is_usable(self) -> bool:
        """Tell whether a request may be written to it."""
        transport = self._transport
        return transport is not None and not transport.is_closing()

    def start(
        self,
        data: bytes,
        deadline: Deadline,
        source: str,
        *,
        is_head: bool = False,
    ) -> asyncio.Future[HTTPResponse]:
        """Write a request; the future is settled when its answer is whole."""
        answer: asyncio.Future[HTTPResponse] = self._loop.create_future()
        self._answer = answer
        self._source = source
        self._is_head = is_head
        self.deadline = deadline
        self.calls += 1
        self.has_answer_bytes = False
        cast("asyncio.Transport", self._transport).write(data)
        return answer

    def divert(self, deadline: Deadline) -> asyncio.Future[HTTPResponse]:
        """Let the call under way settle another future, by another deadline."""
        answer: asyncio.Future[HTTPResponse] = self._loop.create_future()
        self._answer = answer
        self.deadline = deadline
        return answer

    def drop(self, answer: asyncio.Future[HTTPResponse]) -> None:
        """Close at once, unless it is past the call that was to settle this future."""
        if self._answer is answer:
            self.abort()

    def expire(self) -> None:
        """End the call because its deadline passed."""
        self._fail(timed_out(self._source))

    def close(self) -> None:
        """Close at once; a call under way fails."""
        self._fail(disconnected(self._source))

    def abort(self) -> None:
        """Close at once; nobody waits for the call under way, if any."""
        self.deadline = None
        self._answer = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio)."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the call, if one is under way: the connection is gone (asyncio)."""
        if self._answer is not None:
            if exc is None and self._ends_with_connection():
                self._finish()
            else:
                self._fail(disconnected(self._source))
        self._transport = None
        self._parser = None
        self._owner.discard(self)

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer (asyncio)."""
        if self._answer is None:
            # Nothing was asked: whatever this is, it must not answer the next call.
            self.abort()
            return
        if self.has_answer_bytes or self._is_head:
            self._parse(data)
            return
        self.has_answer_bytes = True
        size = data.find(END_OF_HEAD)
        head = self._find_head(data[:size])
        if head is not None and len(data) == size + _PAST_HEAD + head.length:
            body = data[size + _PAST_HEAD :]
            self._settle(HTTPResponse(head.status, head.headers, body), is_kept=True)
        else:
            self._parse(data, is_first=True)

    def _parse(self, data: bytes, *, is_first: bool = False) -> None:
        parser = cast("httptools.HttpResponseParser", self._parser)
        self.has_answer_bytes = True
        had_headers, before = self._has_headers, self._body_bytes
        failure = None
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            failure = bad_answer(self._source, "it switched protocols")
        except httptools.HttpParserError as error:
            self._is_kept = False
            failure = bad_answer(self._source, str(error))
        if self._is_complete:
            self._finish(data if is_first else b"")
        elif self._failure or failure:
            self._fail(self._failure or failure)
        elif self._has_headers and (self._body_bytes > before or not had_headers):
            self._head_bytes = 0
        else:
            # Of a head, a trailer or a chunk's extension: none of them may be endless.
            self._count_head(len(data))
            if self._failure:
                self._fail(self._failure)

    def on_message_begin(self) -> None:
        """Note that an answer starts (httptools)."""
        if self._is_complete:
            # More than was asked for; the connection cannot be trusted any more.
            self._is_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read one header (httptools)."""
        if self._is_complete:
            return
        self._count_head(len(name) + len(value) + _HEADER_OVERHEAD)
        if self._has_headers or self._failure:
            # A trailer: it comes too late to say what the body is.
            return
        key = _COMMON_NAMES.get(name) or name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers = self._headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """Check what the headers say of the body (httptools)."""
        if self._is_complete:
            return
        self._has_headers = True
        headers = self._headers
        length = headers.get("content-length")
        coding = headers.get("transfer-encoding")
        limit = self._settings.max_answer_bytes
        if coding is not None and coding.lower() != "chunked":
            self._failure = bad_answer(self._source, "its transfer encoding is unknown")
        elif coding is not None and length is not None:
            self._failure = bad_answer(self._source, "its length is given twice")
        elif self._is_head:
            self._is_complete = True
            self._is_kept = False
        elif length is not None and int(length) > limit:
            self._failure = answer_too_large(self._source, limit)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body (httptools)."""
        if self._is_complete or self._failure:
            return
        self._body_bytes += len(body)
        limit = self._settings.max_answer_bytes
        if self._body_bytes > limit:
            self._failure = answer_too_large(self._source, limit)
        elif len(self._body) < _MOST_PARTS:
            self._body.append(body)
        else:
            if self._more is None:
                self._more = bytearray()
            self._more += body

    def on_message_complete(self) -> None:
        """Note that the answer is whole (httptools)."""
        if self._is_complete or self._failure:
            return
        parser = cast("httptools.HttpResponseParser", self._parser)
        if parser.get_status_code() <= _LAST_INFORMATIONAL:
            self._reset()
            return
        self._is_complete = True
        self._is_kept = parser.should_keep_alive()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        limit = self._settings.max_header_bytes
        if self._head_bytes > limit:
            self._failure = header_too_large(self._source, limit)

    def _reset(self) -> None:
        self._headers = {}
        self._body = []
        self._more = None
        self._body_bytes = 0
        self._head_bytes = 0
        self._has_headers = False
        self._is_complete = False
        self._is_kept = False
        self._failure = None

    def _ends_with_connection(self) -> bool:
        headers = self._headers
        return (
            self._has_headers
            and "content-length" not in headers
            and "transfer-encoding" not in headers
        )

    def _is_reusable(self) -> bool:
        """Tell whether the server took all of the request before it answered."""
        transport = self._transport
        return (
            transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    def _finish(self, data: bytes = b"") -> None:
        """Settle the call; ``data`` is its whole answer if it came in one piece."""
        parser = cast("httptools.HttpResponseParser", self._parser)
        body = self._body
        if self._more is not None:
            body.append(bytes(self._more))
        response = HTTPResponse(
            parser.get_status_code(),
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
        )
        is_kept = self._is_kept
        self._reset()
        if data and is_kept:
            self._owner.heads.learn(data, response)
        self._settle(response, is_kept=is_kept)

    def _settle(self, response: HTTPResponse, *, is_kept: bool) -> None:
        answer = self._answer
        self._answer = None
        self.deadline = None
        if is_kept and self._is_reusable():
            self._owner.release(self)
        else:
            self.abort()
        if answer is not None and not answer.done():
            answer.set_result(response)

    def _fail(self, error: SourceError | None) -> None:
        answer = self._answer
        self.abort()
        if answer is not None and error is not None and not answer.done():
            answer.set_exception(error)
