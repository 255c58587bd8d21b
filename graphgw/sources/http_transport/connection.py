"""One connection: writes a request, and hands over its answer once it is whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

from graphgw.sources.http_transport.failures import disconnected, timed_out
from graphgw.sources.http_transport.framing import AnswerParser
from graphgw.sources.http_transport.heads import END_OF_HEAD
from graphgw.sources.protocol import HTTPResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.errors import SourceError
    from graphgw.sources.http_transport.heads import KnownHeads
    from graphgw.sources.http_transport.settings import TransportSettings
    from graphgw.types import Deadline

__all__ = ["Connection", "ConnectionOwner"]

_PAST_HEAD: Final = len(END_OF_HEAD)

_COMMON_NAMES: Final[dict[bytes, str]] = {
    name.encode(): name
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
        "_find_head",
        "_is_head",
        "_loop",
        "_owner",
        "_parser",
        "_source",
        "_transport",
        "calls",
        "deadline",
        "good_until",
        "has_answer_bytes",
        "opened_at",
    )

    def __init__(
        self,
        owner: ConnectionOwner,
        settings: TransportSettings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._owner = owner
        self._find_head = owner.heads.find
        self._parser = AnswerParser(
            settings.max_header_bytes, settings.max_answer_bytes
        )
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HTTPResponse] | None = None
        self._source = ""
        self._is_head = False
        self.deadline: Deadline | None = None
        self.calls = 0
        self.has_answer_bytes = False
        self.opened_at = self.good_until = loop.time()

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the call, if one is under way: the connection is gone (asyncio)."""
        if self._answer is not None:
            if exc is None and self._parser.end():
                self._finish()
            else:
                self._fail(disconnected(self._source))
        self._transport = None
        self._parser.close()
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
        parser = self._parser
        self.has_answer_bytes = True
        parser.feed(data, self._source, is_head=self._is_head)
        if parser.is_complete:
            self._finish(data if is_first else b"")
        elif parser.failure is not None:
            self._fail(parser.failure)

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
        parser = self._parser
        response = HTTPResponse(
            parser.status, _join_headers(parser.headers), parser.take_body()
        )
        is_kept = parser.is_kept
        parser.reset()
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

    def _fail(self, error: SourceError) -> None:
        answer = self._answer
        self.abort()
        if answer is not None and not answer.done():
            answer.set_exception(error)


def _join_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        key = _COMMON_NAMES.get(name) or name.decode("latin-1")
        text = value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
