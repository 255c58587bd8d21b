"""One connection whose answer, and request, are passed on piece by piece."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

from graphgw.sources.http_transport.failures import disconnected, timed_out
from graphgw.sources.http_transport.framing import AnswerParser

if TYPE_CHECKING:
    from graphgw.errors import SourceError
    from graphgw.sources.http_transport.settings import TransportSettings
    from graphgw.types import Deadline

__all__ = ["StreamConnection", "StreamOwner"]

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
        "_drained",
        "_failure",
        "_head",
        "_is_head_request",
        "_is_request_sent",
        "_loop",
        "_more",
        "_owner",
        "_parser",
        "_reading_paused",
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
        owner: StreamOwner,
        settings: TransportSettings,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._parser = AnswerParser(settings.max_header_bytes)
        self._transport: asyncio.Transport | None = None
        self._head: asyncio.Future[None] | None = None
        self._more: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._failure: SourceError | None = None
        self._source = ""
        self._is_head_request = False
        self._is_request_sent = True
        self._reading_paused = False
        self.deadline: Deadline | None = None
        self.calls = 0
        self.has_answer_bytes = False
        self.opened_at = loop.time()
        self.good_until = self.opened_at

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
    def status(self) -> int:
        """Return the status of the answer, once its head is here."""
        return self._parser.status

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of the answer; their names are in lower case."""
        return self._parser.headers

    @property
    def is_complete(self) -> bool:
        """Tell whether the whole answer has come."""
        return self._parser.is_complete

    def take(self) -> bytes:
        """Return what has come of the body and was not taken yet."""
        return self._parser.take_body()

    async def read(self) -> bytes:
        """Return the next piece of the body; nothing at the end.

        Raises:
            SourceError: The answer breaks off.
        """
        while not self._parser.held:
            if self._parser.is_complete:
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
        parser = self._parser
        if (
            parser.is_complete
            and parser.is_kept
            and self._is_request_sent
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        ):
            self.deadline = None
            self._resume_reading()
            parser.reset()
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

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the exchange, if one is under way: the connection is gone."""
        self._transport = None
        parser = self._parser
        if not parser.is_complete:
            # What we broke off ourselves did not end, even where it names no length.
            if exc is None and self._failure is None and parser.end():
                self._wake()
            else:
                self._fail(disconnected(self._source))
        parser.close()
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
        if self._head is None and not parser.has_head:
            # Nothing was asked: whatever this is, it must not answer the next one.
            self.abort()
            return
        self.has_answer_bytes = True
        parser.feed(data, self._source, is_head=self._is_head_request)
        if parser.failure is not None:
            self._fail(parser.failure)
            return
        if parser.has_head:
            self._settle_head()
        self._wake()
        if parser.held > _HIGH_WATER and not parser.is_complete:
            self._pause_reading()

    # What happens in both directions

    def _settle_head(self) -> None:
        head = self._head
        if head is None:
            return
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

    def _fail(self, error: SourceError) -> None:
        head = self._head
        self._failure = self._failure or error
        self.abort()
        if head is not None and not head.done():
            head.set_exception(error)
        self._wake()
