"""The ASGI ends of an exchange: the body as it comes, the answer as it goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import (
    BadRequestError,
    GraphGWError,
    SourceAnswerTooLargeError,
    SourceError,
)
from graphgw.routes.exchange import ClientLeftError
from graphgw.routes.problem import PROBLEM_TYPE, describe_problem
from graphgw.server.cors import without_cross_origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    from graphgw.routes.exchange import RawHeaders
    from graphgw.server.streaming import StreamingProtocol

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

__all__ = ["ASGIBody", "ASGIResponder", "AnswerBrokenError"]

_WATCH_AFTER: Final = 0.02
"""Seconds after which a running request is watched for a client that left."""
_TOO_SLOW: Final = "the body came too slowly"
_WHOLE_BYTES: Final = 1024 * 1024
_NO_LENGTH: Final = frozenset((204, 304))


class AnswerBrokenError(GraphGWError):
    """An answer that has begun cannot be completed."""

    code = "SOURCE_ERROR"


class ASGIBody:
    """Reads a request's body, and notices when the client leaves."""

    __slots__ = (
        "_connection",
        "_is_late",
        "_is_over",
        "_is_paced",
        "_over",
        "_receive",
        "_task",
        "_timer",
        "_watcher",
        "client_left",
        "idle",
        "whole",
    )

    def __init__(
        self,
        connection: StreamingProtocol | None,
        receive: Receive,
        *,
        has_body: bool,
        whole: bytes = b"",
    ) -> None:
        self._connection = connection
        self._receive = receive
        self._is_over = not has_body
        self._over: asyncio.Event | None = None
        self._is_paced = False
        self._is_late = False
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.client_left = False
        self.idle = 30.0
        """The longest silence of the client, in seconds."""
        self.whole = whole
        """The body, if all of it is here; then none comes."""

    async def read(self) -> bytes:
        """Return the next piece; nothing at the end.

        Raises:
            ClientLeftError: The client left before the end.
            BadRequestError: The body comes too slowly.
        """
        while not self._is_over:
            message = await self._next()
            if self._is_late and message.get("more_body", False):
                raise BadRequestError(_TOO_SLOW, status=408)
            if message["type"] == "http.disconnect":
                self.client_left = True
                raise ClientLeftError("the client left")
            if not message.get("more_body", False):
                self._end()
            body: bytes = message.get("body", b"")
            if body:
                return body
        return b""

    def _end(self) -> None:
        self._is_over = True
        if self._over is not None:
            self._over.set()

    async def _next(self) -> MutableMapping[str, Any]:
        connection = self._connection
        if connection is not None:
            if not self._is_paced:
                self._is_paced = True
                connection.pace_body(self.idle)
            return await self._receive()
        try:
            async with asyncio.timeout(self.idle):
                return await self._receive()
        except TimeoutError as error:
            raise BadRequestError(_TOO_SLOW, status=408) from error

    def watch(self, responder: ASGIResponder) -> None:
        """Cancel the current task once the client leaves, until ``unwatch``.

        Our own server tells of it. Of others it is asked, once the body is over:
        before, reading that tells.
        """
        self._task = task = asyncio.current_task()
        if self._connection is not None and task is not None:
            self._connection.when_lost = self._lose
            if not self._is_over:
                self._connection.when_late = self._note_delay
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_WATCH_AFTER, self._watch, responder)

    def unwatch(self) -> asyncio.Task[None] | None:
        """End the watch; return what is to be waited for, if anything."""
        if self._connection is not None:
            self._connection.when_lost = self._connection.when_late = None
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        return self._watcher

    def forgive(self) -> bool:
        """Tell whether the current task was cancelled because its client left."""
        if not self.client_left or self._task is None:
            return False
        return self._task.uncancel() == 0

    def _note_delay(self) -> None:
        self._is_late = True

    def _lose(self) -> None:
        self.client_left = True
        if self._task is not None:
            self._task.cancel()

    def _watch(self, responder: ASGIResponder) -> None:
        watching = self._watch_client(responder)
        self._watcher = asyncio.get_running_loop().create_task(watching)

    async def _watch_client(self, responder: ASGIResponder) -> None:
        if not self._is_over:
            self._over = asyncio.Event()
            await self._over.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not responder.is_complete:
            self._lose()


class ASGIResponder:
    """Sends an answer; ``added`` headers go with whatever answer it is."""

    __slots__ = (
        "_connection",
        "_is_old",
        "_send",
        "added",
        "cross_origin",
        "idle",
        "is_complete",
        "is_started",
        "status",
    )

    def __init__(
        self,
        connection: StreamingProtocol | None,
        send: Send,
        *,
        is_old: bool = False,
    ) -> None:
        self._connection = connection
        self._send = send
        self._is_old = is_old
        self.added: tuple[tuple[bytes, bytes], ...] = ()
        self.cross_origin: tuple[tuple[bytes, bytes], ...] = ()
        """What is said of pages of other sites; a service has no say in it then."""
        self.idle = 30.0
        """The longest that nothing may move in an answer, in seconds."""
        self.is_started = False
        self.is_complete = False
        self.status = 0

    async def respond(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Answer with a whole body."""
        raw = self._with_own(headers)
        if status not in _NO_LENGTH:
            raw.append((b"content-length", b"%d" % len(body)))
        connection = self._connection
        if connection is not None and connection.answer_whole(status, raw, body):
            self.status = status
            self.is_started = True
        else:
            await self._start(status, raw)
            await self._send({"type": "http.response.body", "body": body})
        self.is_complete = True

    async def stream(
        self, status: int, headers: RawHeaders, chunks: AsyncIterator[bytes]
    ) -> None:
        """Answer piece by piece.

        A client of HTTP/1.0 cannot read pieces: what has no length it gets whole.

        Raises:
            AnswerBrokenError: It cannot be completed.
            SourceAnswerTooLargeError: It is too long to be given whole.
        """
        headers = list(headers)
        if self._is_old and not any(name == b"content-length" for name, _ in headers):
            await self.respond(status, headers, await _collect(chunks))
            return
        await self._start(status, self._with_own(headers))
        loop, idle = asyncio.get_running_loop(), self.idle
        try:
            async with asyncio.timeout(idle) as patience:
                async for chunk in chunks:
                    await self._send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
                    patience.reschedule(loop.time() + idle)
        except TimeoutError as error:
            raise AnswerBrokenError("nothing moved for too long") from error
        except SourceError as error:
            raise AnswerBrokenError(error.message) from error
        await self._send({"type": "http.response.body", "body": b""})
        self.is_complete = True

    async def refuse(
        self, error: GraphGWError, request_id: str, headers: RawHeaders = ()
    ) -> None:
        """Answer with an error as ``application/problem+json``."""
        problem = describe_problem(error, request_id)
        kind = (b"content-type", PROBLEM_TYPE.encode())
        own = (kind, (b"cache-control", b"no-store"), *problem.headers, *headers)
        await self.respond(problem.status, own, problem.encode())

    def _with_own(self, headers: RawHeaders) -> list[tuple[bytes, bytes]]:
        if self.cross_origin:
            kept = without_cross_origin(headers)
            return [*kept, *self.cross_origin, *self.added]
        return [*headers, *self.added]

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.is_started = True
        self.status = status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )

    def break_off(self) -> None:
        """End the connection, so that nobody takes a part for the whole.

        Raises:
            AnswerBrokenError: The server has no other way to be told.
        """
        if self._connection is None:
            raise AnswerBrokenError("the answer broke off")
        self._connection.break_off()


async def _collect(chunks: AsyncIterator[bytes]) -> bytes:
    """Return all pieces as one.

    Raises:
        SourceAnswerTooLargeError: They are too many.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > _WHOLE_BYTES:
            message = "the answer is too long for a client of HTTP/1.0"
            raise SourceAnswerTooLargeError(message)
    return bytes(body)
