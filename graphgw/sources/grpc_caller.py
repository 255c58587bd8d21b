"""Carries unary calls to one gRPC service: the usual in a piece, others by steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from graphgw.errors import SourceError
from graphgw.sources.flights import Flights, Solo
from graphgw.sources.grpc_transport.channel import Channel
from graphgw.telemetry.events import SourceCalled
from graphgw.telemetry.observer import NO_OBSERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from graphgw.sources.grpc_transport.call import Call
    from graphgw.sources.grpc_transport.requests import GRPCRequest
    from graphgw.sources.guard import Guard
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Clock, Deadline

__all__ = ["GRPCCall", "GRPCCaller", "GRPCClient"]

T = TypeVar("T")

_OK: Final = "OK"
_CANCELLED: Final = "CANCELLED"


class GRPCClient(Protocol):
    """Makes unary calls to one service."""

    async def unary(self, request: GRPCRequest, deadline: Deadline) -> bytes:
        """Return the message of an answer, or raise a ``SourceError``."""
        ...

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        ...


@dataclass(slots=True, eq=False)
class GRPCCall(Generic[T]):
    """A request, and what is to become of its answer.

    ``read`` makes a value of an answer while the call is guarded: a ``SourceError``
    that it raises counts against the service. Reads with the same ``key`` are sent
    once.
    """

    request: GRPCRequest
    deadline: Deadline
    read: Callable[[bytes], T]
    observer: Observer
    key: Hashable | None = None
    value: T | None = None
    has_value: bool = False

    def take(self, answer: bytes) -> T:
        """Return the value of an answer that was guarded, maybe by another's call."""
        # Who joined another's call reads it for itself: messages may change.
        return cast("T", self.value) if self.has_value else self.read(answer)


class GRPCCaller:
    """Makes the calls to one service, guarded; equal reads in flight are sent once."""

    __slots__ = ("_channel", "_clock", "_flights", "_name", "client", "guard")

    def __init__(
        self, name: str, client: GRPCClient, guard: Guard, clock: Clock
    ) -> None:
        self.client = client
        self.guard = guard
        self._name = name
        self._clock = clock
        self._channel = client if isinstance(client, Channel) else None
        self._flights: Flights[bytes] = Flights(name)

    async def call(self, call: GRPCCall[T]) -> T:
        """Return the value of a call's answer.

        The usual call is a read that finds a connection, is admitted, and goes well:
        all of that is done here, in one piece. Whatever else happens goes by steps.

        Raises:
            SourceError: The call failed, or the service may not be called now.
        """
        key, flights = call.key, self._flights
        if key is not None and (joined := flights.find(key)) is not None:
            return call.take(await joined.wait(joined.join(call.deadline)))
        begun = self._begin(call)
        if begun is None:
            return await self._call_by_steps(call)
        answer, solo = begun.sent.answer, None
        if key is not None:
            solo = Solo(answer, call.deadline, partial(self._hand_over, call, begun))
            flights.depart(key, solo)
        try:
            message = await answer
            if solo is not None and solo.flight is not None:
                return call.take(await solo.flight.wait(solo.seat))
            value = call.read(message)
        except SourceError:
            if solo is not None and solo.flight is not None:
                raise
            return await self._go_on(call, begun, solo)
        except BaseException:
            if solo is not None and solo.flight is not None:
                await solo.flight.give_up(solo.seat)
            else:
                self.give_up(call, begun, solo)
            raise
        if solo is not None:
            flights.arrive(key, solo)
        self.guard.succeed(begun.ticket)
        self._tell(call, begun, _OK)
        return value

    def give_up(
        self, call: GRPCCall[T], begun: _Begun, solo: Solo[bytes] | None = None
    ) -> None:
        """End a call that nobody waits for, or that failed for reasons of our own."""
        begun.sent.cancel()
        if solo is not None:
            self._flights.arrive(call.key, solo)
        self.guard.abandon(begun.ticket)
        self._tell(call, begun, _CANCELLED)

    def _begin(self, call: GRPCCall[T]) -> _Begun | None:
        """Send a read if it may be sent at once and a connection has room for it."""
        channel, deadline, request = self._channel, call.deadline, call.request
        if channel is None or not request.is_idempotent:
            return None
        started = self._clock.monotonic()
        is_own = deadline.clock is self._clock
        left = deadline.at - (started if is_own else deadline.clock.monotonic())
        connection = channel.take() if left > 0 else None
        if connection is None:
            return None
        try:
            block = channel.encode(request, left)
        except SourceError:
            return None
        ticket = self.guard.begin()
        if not ticket:
            return None
        sent = connection.start(block, request.message, deadline, left)
        return _Begun(channel, sent, ticket, started)

    def _tell(self, call: GRPCCall[Any], begun: _Begun, status: str) -> None:
        observer = call.observer
        if observer is not NO_OBSERVER:
            seconds = self._clock.monotonic() - begun.started
            path = call.request.path
            observer.observe(SourceCalled(self._name, path, seconds, status))

    def _hand_over(
        self, call: GRPCCall[T], begun: _Begun, deadline: Deadline
    ) -> _Attempts[T]:
        begun.sent.divert(deadline)
        return _Attempts(self, call, begun)

    async def _go_on(
        self, call: GRPCCall[T], begun: _Begun, solo: Solo[bytes] | None
    ) -> T:
        """Settle a first attempt that failed, and make others if that may help."""
        attempts = _Attempts(self, call, begun)
        flights = self._flights
        if solo is None or flights.under_way.get(call.key) is not solo:
            return call.take(await attempts(call.deadline))
        flights.arrive(call.key, solo)
        return call.take(
            await flights.run(call.key, call.deadline, attempts, attempts.abandon)
        )

    async def _call_by_steps(self, call: GRPCCall[T]) -> T:
        flights, attempts = self._flights, _Attempts(self, call)
        if not call.request.is_idempotent:
            # No read from before is joined after a write.
            flights.separate()
            try:
                answer = await attempts(call.deadline)
            finally:
                flights.separate()
        elif call.key is not None:
            answer = await flights.run(call.key, call.deadline, attempts)
        else:
            answer = await attempts(call.deadline)
        return call.take(answer)


@dataclass(slots=True, eq=False)
class _Begun:
    """A call that is on its way over a connection."""

    channel: Channel
    sent: Call
    ticket: int
    started: float


class _Attempts(Generic[T]):
    """A call step by step; the first step may have begun."""

    __slots__ = ("_begun", "_call", "_caller", "_deadline")

    def __init__(
        self, caller: GRPCCaller, call: GRPCCall[T], begun: _Begun | None = None
    ) -> None:
        self._caller = caller
        self._call = call
        self._begun = begun
        self._deadline = call.deadline

    async def __call__(self, deadline: Deadline) -> bytes:
        """Return the answer, within the service's limits."""
        self._deadline = deadline
        guard, call, begun = self._caller.guard, self._call, self._begun
        if begun is None:
            return await guard.run(
                self._attempt,
                endpoint=call.request.path,
                deadline=deadline,
                observer=call.observer,
                is_idempotent=call.request.is_idempotent,
            )
        return await guard.conduct(
            begun.ticket,
            self._attempt,
            endpoint=call.request.path,
            deadline=deadline,
            observer=call.observer,
            is_idempotent=call.request.is_idempotent,
            started=begun.started,
        )

    def abandon(self) -> None:
        """Give up what was begun, if nobody went on with it."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self._caller.give_up(self._call, begun)

    async def _attempt(self) -> tuple[str, bytes]:
        call, begun = self._call, self._begun
        self._begun = None
        if begun is None:
            answer = await self._caller.client.unary(call.request, self._deadline)
        else:
            answer = await begun.channel.resume(
                call.request, self._deadline, begun.sent
            )
        call.value = call.read(answer)
        call.has_value = True
        return _OK, answer
