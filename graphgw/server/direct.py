"""Answers requests from the connection itself, without ASGI in between.

A GraphQL request that is all there, its head as most are, is read, answered and written
here, and so is a whole request at a route whose headers came before, byte for byte, and
whose body is short; every other one goes the usual way, through the ASGI application.
Both ways share ``GraphQLHTTP``. What a head comes to is remembered by its bytes:
clients send the same heads again and again.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from graphgw.errors import GraphGWError, OverloadedError
from graphgw.operations.cache import BoundedCache
from graphgw.server.graphql_http import may_change, write_answer
from graphgw.server.known_requests import KnownRequests
from graphgw.server.protocol import ConnectionLimits, GuardedProtocol
from graphgw.server.routes import KNOWN, WHOLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from uvicorn._types import HTTPScope

    from graphgw.config.settings import ServerSettings
    from graphgw.server.front import GraphQLFront
    from graphgw.server.graphql_http import GraphQLHTTP, RequestHead, WrittenAnswer
    from graphgw.server.routes import KnownRequest, RoutesFront

__all__ = ["DirectProtocol", "direct_protocol"]

_HEAD_END: Final = b"\r\n\r\n"
_METHODS: Final = {b"POST": "POST", b"GET": "GET"}
_BODY_BYTES: Final = 64 * 1024
"""Longer bodies go the usual way, which holds a fast client back."""

_HEADS: Final = 2000
_HEAD_BYTES: Final = 4 * 1024 * 1024
_BYTES_PER_BYTE: Final = 4
_NEVER: Final = 0


class _AnyEvent:
    """Nobody waits for the body of a request that is answered here."""

    __slots__ = ()

    def set(self) -> None:
        pass


class _Cycle:
    """A request that is answered here, as uvicorn's protocol sees it."""

    __slots__ = (
        "body",
        "disconnected",
        "head",
        "keep_alive",
        "length",
        "more_body",
        "response_complete",
        "response_started",
    )

    message_event: ClassVar = _AnyEvent()

    def __init__(self, head: RequestHead, length: int, content: bytes = b"") -> None:
        self.head = head
        self.length = length
        self.body = content
        """The query string of a GET."""
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False


class DirectProtocol(GuardedProtocol):
    """One connection; a subclass for each server names what answers."""

    front: ClassVar[GraphQLFront]
    http: ClassVar[GraphQLHTTP]
    path: ClassVar[bytes]
    heads: ClassVar[BoundedCache[bytes, tuple[RequestHead, int]]]
    max_body_bytes: ClassVar[int]
    known: ClassVar[KnownRequests | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._peer: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_lost = False
        self._give_up: Callable[[], object] | None = None
        """Cancels what runs, when the client leaves before its answer is complete."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Note who is at the other end."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what runs for nobody."""
        super().connection_lost(exc)
        self._is_lost = True
        give_up, self._give_up = self._give_up, None
        if give_up is not None:
            give_up()

    # Reading

    def data_received(self, data: bytes) -> None:
        """Start a whole request whose head is known; else feed the parser."""
        if not self._is_between():
            super().data_received(data)
            return
        end = data.find(_HEAD_END) + len(_HEAD_END)
        known = self.heads.get(data[:end])
        if known is None or end + known[1] != len(data):
            self._read_other(data, end)
            return
        cycle = _Cycle(*known, data[end:])
        cycle.keep_alive = not self.is_draining
        self._start(cycle)

    def _read_other(self, data: bytes, end: int) -> None:
        """Answer a request at a route that is known; else feed the parser."""
        if self.known is None:
            super().data_received(data)
            self._remember_head(data, end)
            return
        known = self.known.find(data[:end], self.scheme or "http", self.client)
        if known is not None and end + known.length == len(data):
            self._start_routed(known, data[end:])
            return
        heads = self._heads
        super().data_received(data)
        if end != len(data):
            self._remember_head(data, end)
        if self._heads == heads + 1:
            self._remember_request(data, end)

    def _is_between(self) -> bool:
        """Tell whether the next byte begins a request that waits for no other."""
        if self._is_in_head or self._is_in_body or self._is_refused:
            return False
        return self._running() is None

    def _remember_head(self, data: bytes, end: int) -> None:
        """Remember the head of a chunk that the parser found to be one request."""
        cycle = self._direct()
        if (
            cycle is not None
            and not cycle.more_body
            and cycle.head.method == "POST"
            and cycle.length == len(data) - end
            and cycle.body == data[end:]
            and not (self._is_in_head or self._is_refused)
        ):
            size = end * _BYTES_PER_BYTE
            self.heads.put(data[:end], (cycle.head, cycle.length), size)

    def _remember_request(self, data: bytes, end: int) -> None:
        """Remember the head of a chunk that the parser found to be one request."""
        cycle = self._running()
        if (
            self.known is None
            or not isinstance(cycle, RequestResponseCycle)
            or cycle.more_body
            or cycle.body != data[end:]
            or not cycle.keep_alive
            or cycle.waiting_for_100_continue
            or cycle.scope["http_version"] != "1.1"
            or self.parser.should_upgrade()
            or self._is_in_head
            or self._is_refused
        ):
            return
        scope = cast("dict[str, Any]", cycle.scope)
        known = self.known.learn(data[:end], scope)
        if known is not None:
            scope["extensions"].update({KNOWN: known, WHOLE: data[end:]})

    def _direct(self) -> _Cycle | None:
        """Return the last request, if it is answered here and is not yet."""
        cycle: object = self.cycle
        if isinstance(cycle, _Cycle) and not cycle.response_complete:
            return cycle
        return None

    def _open_request(self) -> None:
        cycle = self._open_direct()
        if cycle is None:
            super()._open_request()
        else:
            self.cycle = cast("RequestResponseCycle", cycle)

    def _open_direct(self) -> _Cycle | None:
        """Return the request whose head came, if it can be answered here."""
        url, _, query = self.url.partition(b"?")
        parser = self.parser
        path = None
        if url != self.path:
            path = self.http.variant_path(url.decode("latin-1"))
            if path is None:
                return None
        if self._running() is not None:
            return None
        method = _METHODS.get(parser.get_method())
        if (
            method is None
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or parser.should_upgrade()
            or self.expect_100_continue
        ):
            return None
        length = self._length()
        if length is None:
            return None
        head = self.http.read_head(method, self.headers, path)
        if self.front.shows_page(head):
            return None
        return _Cycle(head, length, query if method == "GET" else b"")

    def _length(self) -> int | None:
        """Return the length of the body, if it is known and short."""
        length = 0
        for name, value in self.headers:
            if name == b"transfer-encoding":
                return None
            if name == b"content-length":
                if not value.isdigit() or len(value) > len(str(_BODY_BYTES)):
                    return None
                length = int(value)
        return length if length <= min(_BODY_BYTES, self.max_body_bytes) else None

    def on_body(self, body: bytes) -> None:
        """Collect a body."""
        cycle = self._direct()
        if cycle is None:
            super().on_body(body)
        elif cycle.head.method == "POST":
            cycle.body += body

    def on_message_complete(self) -> None:
        """Start a request that is all there."""
        super().on_message_complete()
        cycle = self._direct()
        if cycle is not None and not (cycle.more_body or cycle.response_started):
            self._start(cycle)

    # Answering

    def _start_routed(self, known: KnownRequest, content: bytes) -> None:
        """Have a request at a route answered that is known, and all there."""
        peer = self._peer
        if known.head.peer != peer:
            known = replace(known, head=replace(known.head, peer=peer))
        routes = cast("RoutesFront", self.front.routes)

        def answer(_: object, receive: Any, send: Any) -> Awaitable[None]:
            return routes.answer(known, self, receive, send, content)

        self._ticks_left = _NEVER
        self.scope = cast("HTTPScope", {"type": "http", "method": known.head.method})
        self.cycle = cycle = RequestResponseCycle(
            self.scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=not self.is_draining,
            on_response=self.on_response_complete,
        )
        cycle.more_body = False
        self._start_asgi_task(cycle, cast("Any", answer))

    def _start(self, cycle: _Cycle) -> None:
        self._ticks_left = _NEVER
        self.cycle = cast("RequestResponseCycle", cycle)
        cycle.more_body = False
        task = self.loop.create_task(self._respond(cycle))
        self._task = task
        self.tasks.add(task)

    async def _respond(self, cycle: _Cycle) -> None:
        """Answer one request; a failure that is no answer ends the connection."""
        task = cast("asyncio.Task[None]", self._task)
        http, head = self.http, cycle.head
        try:
            try:
                request = http.read_request(head, cycle.body)
                if not may_change(request):
                    self._give_up = task.cancel
                response = await http.handle(head, request, self._peer)
                answer = http.write(head, response)
            except GraphGWError as error:
                answer = write_answer(http.refuse(head, error))
            except asyncio.CancelledError:
                if self._is_lost or not self.is_draining:
                    raise
                stopping = OverloadedError("the gateway is stopping")
                answer = write_answer(http.refuse(head, stopping))
            if self.flow.write_paused:
                await self.flow.drain()
            if not (cycle.disconnected or self._is_lost):
                self._send(cycle, answer)
        except BaseException:
            self.transport.abort()
            raise
        finally:
            self.tasks.discard(task)

    def _send(self, cycle: _Cycle, answer: WrittenAnswer) -> None:
        """Write a whole answer at once, and go on with the next request."""
        status, lines, body = answer
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((self._usual_head(status), lines, end, body)))
        cycle.response_started = cycle.response_complete = True
        self._give_up = None
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def direct_protocol(
    settings: ServerSettings, front_: GraphQLFront
) -> type[DirectProtocol]:
    """Return the protocol class of one server: its limits, and what answers."""
    routes = front_.routes
    known_ = (
        None
        if routes is None
        else KnownRequests(routes, front_.is_graph, settings.max_header_bytes)
    )

    class Configured(DirectProtocol):
        limits = ConnectionLimits.of(settings)
        front = front_
        http = front_.http
        path = settings.path.encode()
        heads = BoundedCache(max_entries=_HEADS, max_bytes=_HEAD_BYTES)
        max_body_bytes = settings.max_body_bytes
        known = known_

    return Configured
