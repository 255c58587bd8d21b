"""HTTP/1.1 on a socket: uvicorn's httptools protocol, guarded against bad clients.

What it adds: a head (request line and headers) has a size and a time, a body has a
time; a request that two servers may read in two ways is refused and its connection
closed; and while the server drains, every answer closes its connection.

There are no timers for single requests: the server calls ``tick`` on each connection
twice a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from graphgw.server.streaming import STREAMING

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from graphgw.config.settings import ServerSettings

__all__ = ["KEEPS_TIME", "TICK_SECONDS", "ConnectionLimits", "GuardedProtocol"]

KEEPS_TIME: Final = "graphgw.keeps_time"
"""The ASGI extension by which the application knows that bodies are timed here."""

TICK_SECONDS: Final = 0.5
_LINGER_TICKS: Final = round(2.0 / TICK_SECONDS)
_DISCARDED_BYTES: Final = 16 * 1024 * 1024
_NEVER: Final = 0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a client may send, and the time that it has, in ticks."""

    max_head_bytes: int
    head_ticks: int
    body_ticks: int
    idle_ticks: int

    @classmethod
    def of(cls, settings: ServerSettings) -> ConnectionLimits:
        """Return the limits that a server's settings name."""
        return cls(
            settings.max_header_bytes,
            _ticks(settings.header_timeout),
            _ticks(settings.body_timeout),
            _ticks(settings.keep_alive),
        )


class GuardedProtocol(HttpToolsProtocol):
    """One connection; a subclass for each server names its limits."""

    limits: ClassVar[ConnectionLimits]

    is_draining = False
    """Set on the class of a server that is stopping."""

    _extensions: ClassVar[dict[str, dict[str, Any]]] = {KEEPS_TIME: {}}
    _usual: ClassVar[list[tuple[bytes, bytes]] | None] = None
    _usual_lines: ClassVar[bytes] = b""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ticks = 0
        self._ticks_left = self.limits.head_ticks
        self._is_in_head = False
        self._is_in_body = False
        self._is_refused = False
        self._is_paced = False
        self._head_bytes = 0
        self._chunk_bytes = 0
        self._heads = 0
        self._discarded = 0
        self._problem: tuple[int, str] | None = None
        self.when_lost: Callable[[], object] | None = None
        """Called once, when the client leaves while its request is answered."""

        self.when_late: Callable[[], object] | None = None
        """Called where a body comes too slowly that somebody reads piece by piece."""

    # Bytes

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse what it refuses, and heads without an end."""
        if self._is_refused:
            return
        heads, was_in_body = self._heads, self._is_in_body
        self._chunk_bytes = len(data)
        if self._is_paced:
            self._ticks = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            problem, self._problem = self._problem, None
            self._refuse(*(problem or (400, "the request is not HTTP/1.1")))
            return
        if self._is_in_head:
            if heads == self._heads and not was_in_body:
                self._head_bytes += len(data)
            if self._head_bytes > self.limits.max_head_bytes:
                self._refuse(431, "the headers are too large")
        elif was_in_body and self._running() is None:
            self._discarded += len(data)
            if self._discarded > _DISCARDED_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Start the clock of a head."""
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = 0
        self._ticks, self._ticks_left = 0, self.limits.head_ticks

    def on_headers_complete(self) -> None:
        """Refuse an ambiguous head, else start the request."""
        self._heads += 1
        self._problem = self._find_problem()
        if self._problem is not None:
            raise ValueError(self._problem)
        self._is_in_head = False
        self._is_in_body = True
        self._ticks, self._ticks_left = 0, self.limits.body_ticks
        self._is_paced = False
        self._open_request()
        if self.is_draining:
            self.drain()

    def _open_request(self) -> None:
        """Call the application: the head is there, and it is sound."""
        extensions: dict[str, Any] = {**self._extensions, STREAMING: self}
        self.scope["extensions"] = extensions
        super().on_headers_complete()
        self.headers = list(self.headers)  # what comes now are trailers: dropped

    def _find_problem(self) -> tuple[int, str] | None:
        headers = self.headers
        if self._head_bytes + self._chunk_bytes > self.limits.max_head_bytes:
            size = len(self.url) + sum(len(n) + len(v) + 4 for n, v in headers)
            if size > self.limits.max_head_bytes:
                return 431, "the headers are too large"
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 and (hosts or self.parser.get_http_version() == "1.1"):
            return 400, "there must be one host header"
        codings = [value for name, value in headers if name == b"transfer-encoding"]
        if codings and (len(codings) > 1 or codings[0].lower() != b"chunked"):
            return 400, "the transfer encoding is unknown"
        return None

    def on_message_complete(self) -> None:
        """Stop the clock of the body."""
        self._is_in_body = False
        if self._running() is not None:
            self._ticks_left = _NEVER
            super().on_message_complete()
        else:
            self._ticks, self._ticks_left = 0, self.limits.idle_ticks
            self._discarded = 0

    def _running(self) -> RequestResponseCycle | None:
        """Return the request that came last, unless it is answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    # Refusing

    def _refuse(self, status: int, message: str) -> None:
        """Answer a request that cannot be served, and close the connection.

        The connection is read, and what comes thrown away, until the client has seen
        the answer: closing at once could make the client's system discard it.
        """
        cycle = self._running()
        if cycle is not None:
            if self._is_in_head:  # an earlier request is still being answered
                cycle.keep_alive = False
                self._is_refused = True
                return
            if cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._is_refused = True
        self._is_in_head = self._is_in_body = False
        self._ticks, self._ticks_left = 0, _LINGER_TICKS
        if not self.transport.is_closing():
            self.transport.write(_refusal(status, message))
            if self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()

    # Time

    def tick(self) -> None:
        """Let time pass; end the connection when its time is up."""
        if self._ticks_left == _NEVER or (self._is_paced and self.flow.read_paused):
            return
        self._ticks += 1
        if self._ticks > self._ticks_left:
            self._ticks_left = _NEVER
            self._expire()

    def _expire(self) -> None:
        cycle = self._running()
        if (
            self.when_late is not None
            and cycle is not None
            and self._is_in_body
            and not cycle.response_started
        ):
            self.when_late()
            cycle.keep_alive = False
            cycle.message_event.set()
            return
        is_awaited = self._is_in_head or (self._is_in_body and cycle)
        if self._is_refused or not is_awaited:
            self.transport.close()
        else:
            what = "headers" if self._is_in_head else "body"
            self._refuse(408, f"the {what} came too slowly")

    # Streams

    def pace_body(self, seconds: float) -> None:
        """Bound each silence of the client's body, instead of all of its time.

        While nobody reads, the client is not late.
        """
        if self._is_in_body:
            self._is_paced = True
            self._ticks, self._ticks_left = 0, _ticks(seconds)

    def answer_whole(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        """Send a whole answer in one piece, instead of message by message.

        Args:
            status: The HTTP status.
            headers: With a content-length if it has a body, without ``connection``.
            body: All of it.

        Returns:
            Whether it was sent; if not, the answer must go the usual way.
        """
        cycle = self._running()
        if (
            cycle is None
            or cycle.response_started
            or cycle.disconnected
            or self.pipeline
            or self.flow.write_paused
            or self.scope["method"] == "HEAD"
        ):
            return False
        lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
        if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
            return False  # a header that would become two
        if cycle.waiting_for_100_continue:  # the body will not come
            cycle.keep_alive = False
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((self._usual_head(status), lines, end, body)))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        return True

    def _usual_head(self, status: int) -> bytes:
        """Return the status line and the headers of every answer."""
        usual = self.server_state.default_headers
        if self._usual is not usual:
            GuardedProtocol._usual = usual  # a new list every second
            GuardedProtocol._usual_lines = b"".join(
                [b"%b: %b\r\n" % header for header in usual]
            )
        return STATUS_LINE[status] + self._usual_lines

    def break_off(self) -> None:
        """Close at once; what was begun is not completed."""
        cycle = self._running()
        if cycle is not None:
            cycle.disconnected = True
        self.transport.abort()

    # The end

    def on_response_complete(self) -> None:
        """Wait for the next request, or start one that came early."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not (self._is_in_body or self._is_in_head):
            self._ticks, self._ticks_left = 0, self.limits.idle_ticks

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, and tell the application that its client left."""
        super().connection_lost(exc)
        self._ticks_left = _NEVER
        when_lost, self.when_lost = self.when_lost, None
        if when_lost is not None:
            when_lost()

    def drain(self) -> None:
        """Make the answer in progress the connection's last."""
        cycle = self._running()
        if cycle is not None:
            cycle.keep_alive = False


def _ticks(seconds: float) -> int:
    return max(1, round(seconds / TICK_SECONDS))


def _refusal(status: int, message: str) -> bytes:
    code = (
        "LIMIT_EXCEEDED"
        if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        else "BAD_REQUEST"
    )
    body = orjson.dumps(
        {"errors": [{"message": message, "extensions": {"code": code}}]}
    )
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "content-type: application/json; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
