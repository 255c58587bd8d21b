"""Carries calls to one HTTP service: the usual one in a piece, others step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from graphgw.errors import SourceError
from graphgw.sources.flights import Flights
from graphgw.sources.http_answers import is_refusal
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest, HTTPResponse
from graphgw.telemetry.events import SourceCalled
from graphgw.telemetry.observer import NO_OBSERVER
from graphgw.types import Deadline

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Hashable

    from graphgw.sources.flights import Flight
    from graphgw.sources.guard import Guard
    from graphgw.sources.http_transport.connection import Connection
    from graphgw.sources.http_transport.pool import Pool
    from graphgw.sources.protocol import Transport
    from graphgw.sources.settings import ServiceSettings
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Clock

__all__ = ["HTTPCall", "HTTPCaller"]

T = TypeVar("T")

_OK: Final = 200
_CANCELLED: Final = "CANCELLED"


@dataclass(slots=True, eq=False)
class HTTPCall(Generic[T]):
    """A request, and what is to become of its answer.

    ``headers``, and ``lines`` as they are written, are those that all equal requests
    have. ``read`` makes a value of an answer while the call is guarded: a
    ``SourceError`` that it raises counts against the service. A call that ``is_raw``
    has the answer itself for its value, one that refuses it too, after its retries.
    Reads with the same ``key`` are sent once. ``is_plain`` says that the request line
    is known to be sound and the call a read: it may go the short way.
    """

    method: str
    origin: str
    target: str
    headers: tuple[tuple[str, str], ...]
    lines: str
    body: bytes
    deadline: Deadline
    endpoint: str
    observer: Observer
    request_id: str
    read: Callable[[HTTPResponse], T]
    key: Hashable | None = None
    is_idempotent: bool = True
    is_plain: bool = True
    is_raw: bool = False
    value: T | None = None
    has_value: bool = False

    def take(self, response: HTTPResponse) -> T:
        """Return the value of an answer that was guarded, maybe by another's call."""
        if self.has_value:
            return cast("T", self.value)
        # Who joined another's call reads it for itself: rows may change.
        return cast("T", response) if self.is_raw else self.read(response)


class HTTPCaller:
    """Makes the calls to one service, guarded; equal reads in flight are sent once."""

    __slots__ = (
        "_clock",
        "_direct",
        "_flights",
        "_name",
        "_pool",
        "_settings",
        "_tell_deadline",
        "_tell_id",
        "_timeout",
        "guard",
        "transport",
    )

    def __init__(
        self,
        settings: ServiceSettings,
        transport: Transport,
        guard: Guard,
        clock: Clock,
    ) -> None:
        self.guard = guard
        self.transport = transport
        self._settings = settings
        self._name = settings.name
        self._timeout = settings.timeout
        self._clock = clock
        self._direct = transport if isinstance(transport, HTTPTransport) else None
        self._pool: Pool | None = None
        self._flights: Flights[HTTPResponse] = Flights(settings.name)
        self._tell_id = _begin_line(settings.request_id_header)
        self._tell_deadline = _begin_line(settings.deadline_header)

    async def call(self, call: HTTPCall[T]) -> T:
        """Return the value of a call's answer.

        The usual call finds a connection, is admitted, and goes well: all of that is
        done here, in one piece. Whatever else happens goes step by step.

        Raises:
            SourceError: The call failed, or the service may not be called now.
        """
        key, flights = call.key, self._flights
        now, left = self._shorten(call)
        deadline = call.deadline
        if key is not None and (joined := flights.find(key)) is not None:
            return call.take(await joined.wait(joined.join(deadline)))
        begun = self._begin(call, now, left) if call.is_plain else None
        if begun is None:
            return await self._call_stepwise(call)
        if key is not None:
            flights.depart(key, begun)
        try:
            response = await begun.seat
            if begun.flight is not None:
                return call.take(await begun.flight.wait(begun.seat))
            if "content-encoding" in response.headers:
                response = begun.transport.inflate(response, self._name)
            value = call.read(response)
        except SourceError:
            if begun.flight is not None:
                raise
            return await self._go_on(begun)
        except BaseException:
            if begun.flight is not None:
                await begun.flight.give_up(begun.seat)
            else:
                self.give_up(begun)
            raise
        if key is not None:
            flights.arrive(key, begun)
        status, ended = response.status, self._clock.monotonic()
        self.guard.succeed(begun.ticket, ended)
        if call.observer is not NO_OBSERVER:
            self._tell(begun, "200" if status == _OK else str(status), ended)
        return value

    def _shorten(self, call: HTTPCall[T]) -> tuple[float, float]:
        """Let a call take no longer than the service may; return now and what is left.

        "Now" is told by our clock, what is left by that of the deadline.
        """
        deadline, clock = call.deadline, self._clock
        now = clock.monotonic()
        time = now if deadline.clock is clock else deadline.clock.monotonic()
        left, timeout = deadline.at - time, self._timeout
        if left <= timeout:
            return now, left
        call.deadline = Deadline(time + timeout, deadline.clock)
        return now, timeout

    def _begin(self, call: HTTPCall[T], now: float, left: float) -> _Begun[T] | None:
        """Write the request if it may be sent at once and a connection is free."""
        pool, direct, request_id = self._pool, self._direct, call.request_id
        if pool is None or direct is None or left <= 0:
            return None
        if not (request_id.isascii() and request_id.isprintable()):
            return None
        connection = pool.take()
        if connection is None:
            return None
        ticket = self.guard.begin()
        if not ticket:
            pool.release(connection)
            return None
        method, body = call.method, call.body
        tell_id, tell_deadline = self._tell_id, self._tell_deadline
        own = f"{tell_id}{request_id}\r\n" if request_id and tell_id else ""
        told = f"{tell_deadline}{int(left * 1000) or 1}\r\n" if tell_deadline else ""
        size = f"content-length: {len(body)}\r\n" if body else ""
        data = (
            f"{method} {call.target} HTTP/1.1\r\n"
            f"{pool.head}{call.lines}{own}{told}{size}\r\n"
        ).encode("latin-1")
        answer = connection.start(
            data + body if body else data,
            call.deadline,
            self._name,
            is_head=method == "HEAD",
        )
        pool.watch()
        return _Begun(self, call, direct, connection, answer, ticket, now)

    def _tell(self, begun: _Begun[Any], status: str, ended: float) -> None:
        call = begun.call
        seconds = ended - begun.started
        call.observer.observe(SourceCalled(self._name, call.endpoint, seconds, status))

    def give_up(self, begun: _Begun[Any]) -> None:
        """End a call that nobody waits for, or that failed for reasons of our own."""
        begun.connection.drop(begun.seat)
        if begun.call.key is not None:
            self._flights.arrive(begun.call.key, begun)
        self.guard.abandon(begun.ticket)
        self._tell(begun, _CANCELLED, self._clock.monotonic())

    async def _go_on(self, begun: _Begun[T]) -> T:
        """Settle a first attempt that failed, and make others if that may help."""
        call, flights = begun.call, self._flights
        attempts = _Attempts(self, call, begun)
        if call.key is None or flights.under_way.get(call.key) is not begun:
            return call.take(await attempts(call.deadline))
        flights.arrive(call.key, begun)
        response = await flights.run(
            call.key, call.deadline, attempts, attempts.abandon
        )
        return call.take(response)

    async def _call_stepwise(self, call: HTTPCall[T]) -> T:
        flights, deadline = self._flights, call.deadline
        if self._pool is None and self._direct is not None:
            self._pool = self._direct.find_pool(self._settings.base_url, self._name)
        attempts = _Attempts(self, call)
        if not call.is_idempotent:
            # No read from before is joined after a write.
            flights.separate()
            try:
                response = await attempts(deadline)
            finally:
                flights.separate()
        elif call.key is not None:
            response = await flights.run(call.key, deadline, attempts)
        else:
            response = await attempts(deadline)
        return call.take(response)

    def address(
        self, call: HTTPCall[Any], deadline: Deadline, tried: list[str]
    ) -> HTTPRequest:
        """Return the request as the transport gets it, with the time that is left."""
        headers, settings = call.headers, self._settings
        if settings.request_id_header is not None and call.request_id:
            headers += ((settings.request_id_header, call.request_id),)
        if settings.deadline_header is not None:
            left = str(int(deadline.remaining() * 1000) or 1)
            headers += ((settings.deadline_header, left),)
        return HTTPRequest(
            call.method,
            f"{call.origin}{call.target}",
            deadline,
            headers,
            call.body,
            self._name,
            call.is_idempotent,
            tried=tried,
        )


@dataclass(slots=True, eq=False)
class _Begun(Generic[T]):
    """A call whose request is on its way over a connection; see ``LoneCall``."""

    caller: HTTPCaller
    call: HTTPCall[T]
    transport: HTTPTransport
    connection: Connection
    seat: asyncio.Future[Any]
    ticket: int
    started: float
    flight: Flight[HTTPResponse] | None = None

    @property
    def deadline(self) -> Deadline:
        """Until when who made the call waits."""
        return self.call.deadline

    def hand_over(self, deadline: Deadline) -> _Attempts[T]:
        """Return the call as it is; its answer is for whoever goes on with it."""
        answer = self.connection.divert(deadline)
        begun = replace(self, seat=answer)
        return _Attempts(self.caller, self.call, begun)


class _Attempts(Generic[T]):
    """A call step by step; the first step may have begun."""

    __slots__ = ("_begun", "_call", "_caller", "_deadline", "_refusal", "_tried")

    def __init__(
        self, caller: HTTPCaller, call: HTTPCall[T], begun: _Begun[T] | None = None
    ) -> None:
        self._caller = caller
        self._call = call
        self._begun = begun
        self._deadline = call.deadline
        self._refusal: HTTPResponse | None = None
        self._tried: list[str] = []

    async def __call__(self, deadline: Deadline) -> HTTPResponse:
        """Return the answer, within the service's limits."""
        self._deadline = deadline
        guard, call, begun = self._caller.guard, self._call, self._begun
        try:
            if begun is None:
                return await guard.run(
                    self._attempt,
                    endpoint=call.endpoint,
                    deadline=deadline,
                    observer=call.observer,
                    is_idempotent=call.is_idempotent,
                )
            return await guard.conduct(
                begun.ticket,
                self._attempt,
                endpoint=call.endpoint,
                deadline=deadline,
                observer=call.observer,
                is_idempotent=call.is_idempotent,
                started=begun.started,
            )
        except SourceError:
            if self._refusal is not None and call.is_raw:
                return self._refusal
            raise

    def abandon(self) -> None:
        """Give up what was begun, if nobody went on with it."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self._caller.give_up(begun)

    async def _attempt(self) -> tuple[str, HTTPResponse]:
        call, caller = self._call, self._caller
        begun, self._begun = self._begun, None
        self._refusal = None
        request = caller.address(call, self._deadline, self._tried)
        if begun is None:
            response = await caller.transport.send(request)
        else:
            response = await begun.transport.resume(
                request, begun.connection, begun.seat
            )
        if is_refusal(response.status):
            self._refusal = response
        call.value = call.read(response)
        call.has_value = True
        status = response.status
        return "200" if status == _OK else str(status), response


def _begin_line(name: str | None) -> str:
    return "" if name is None else f"{name}: "
