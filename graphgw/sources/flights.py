"""Identical reads that are in flight at the same time are sent once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from graphgw.errors import SourceDisconnectedError, SourceTimeoutError
from graphgw.sources.sharers import Sharers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from graphgw.sources.sharers import Outcome
    from graphgw.types import Deadline

__all__ = ["BegunCall", "Flight", "Flights", "LoneCall", "Solo"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class BegunCall(Protocol[T_co]):
    """A call that was begun by somebody who will not bring it to its end."""

    async def __call__(self, deadline: Deadline) -> T_co:
        """Bring it to its end; make it anew if it is called once more."""
        ...

    def abandon(self) -> None:
        """Undo what was begun, if nobody has gone on with it."""
        ...


class LoneCall(Protocol[T]):
    """A read under way that nobody has joined.

    Its maker awaits ``seat`` until ``deadline``. Once there is a ``flight`` the outcome
    comes from there: ``flight.wait(seat)`` returns or raises it.
    """

    flight: Flight[T] | None

    @property
    def seat(self) -> asyncio.Future[Any]:
        """What its maker awaits."""
        ...

    @property
    def deadline(self) -> Deadline:
        """Until when its maker waits."""
        ...

    def hand_over(self, deadline: Deadline) -> BegunCall[T]:
        """Return the call as it is, to be brought to its end until this deadline.

        From then on nothing but the flight settles ``seat``.
        """
        ...


class Flights(Generic[T]):
    """Lets reads join the one that is under way with the same key.

    A call that others joined belongs to nobody: it has until the latest deadline of
    those who wait, and is cancelled when the last of them is gone. What comes of it is
    shared, a failure too. ``separate`` keeps reads from joining those that began
    earlier: after a write they might be stale.

    ``run`` makes the call in a task of its own. One that can change hands while it is
    under way is cheaper to begin alone: ``depart`` says so, ``arrive`` that it is over,
    and a task goes on with it only from when ``find`` lets another join.
    """

    __slots__ = ("source", "under_way")

    def __init__(self, source: str) -> None:
        self.source = source
        self.under_way: dict[Hashable, Flight[T] | LoneCall[T]] = {}

    def separate(self) -> None:
        """Keep later reads apart from those under way."""
        self.under_way = {}

    async def run(
        self,
        key: Hashable,
        deadline: Deadline,
        call: Callable[[Deadline], Awaitable[T]],
        abandon: Callable[[], None] | None = None,
    ) -> T:
        """Return what ``call`` returns, or what another's equal call does.

        Args:
            key: Everything that is sent.
            deadline: Until when this read waits.
            call: Makes the call; the deadline that it gets may move on meanwhile.
            abandon: Is called if nobody waits any more before the call is made.

        Raises:
            SourceError: The call failed, or the deadline passed while waiting.
        """
        flight = self.find(key)
        if flight is None:
            flight = Flight(self, key, deadline)
            flight.launch(call, abandon)
        return await flight.wait(flight.join(deadline))

    def find(self, key: Hashable) -> Flight[T] | None:
        """Return the flight that a read may join now."""
        found = self.under_way.get(key)
        if found is None or isinstance(found, Flight):
            return found
        if found.seat.done():
            # The answer is there; it may be older than this read.
            return None
        flight = found.flight = Flight(self, key, found.deadline)
        flight.adopt(found.seat, found.deadline)
        call = found.hand_over(flight.deadline)
        flight.launch(call, call.abandon)
        return flight

    def depart(self, key: Hashable, lone: LoneCall[T]) -> None:
        """Let others join a read that goes alone so far."""
        self.under_way[key] = lone

    def arrive(self, key: Hashable, lone: LoneCall[T]) -> None:
        """Let nobody join it any more."""
        if self.under_way.get(key) is lone:
            del self.under_way[key]


class Solo(Generic[T]):
    """A lone call of any kind; see ``LoneCall``."""

    __slots__ = ("_hand_over", "deadline", "flight", "seat")

    def __init__(
        self,
        seat: asyncio.Future[Any],
        deadline: Deadline,
        hand_over: Callable[[Deadline], BegunCall[T]],
    ) -> None:
        self.seat = seat
        self.deadline = deadline
        self.flight: Flight[T] | None = None
        self._hand_over = hand_over

    def hand_over(self, deadline: Deadline) -> BegunCall[T]:
        """Return the call as it is, to be brought to its end until this deadline."""
        return self._hand_over(deadline)


class Flight(Sharers[T]):
    """One call, and who waits for it."""

    __slots__ = ("_flights", "_key")

    def __init__(self, flights: Flights[T], key: Hashable, deadline: Deadline) -> None:
        super().__init__(deadline)
        self._flights = flights
        self._key = key

    def launch(
        self,
        call: Callable[[Deadline], Awaitable[T]],
        abandon: Callable[[], None] | None,
    ) -> None:
        """Make the call, and let others join."""
        self._flights.under_way[self._key] = self
        task = asyncio.get_running_loop().create_task(self._fly(call))
        if abandon is not None:
            task.add_done_callback(lambda _: abandon())
        self.task = task

    def close(self) -> None:
        """Let later reads make a call of their own."""
        if self._flights.under_way.get(self._key) is self:
            del self._flights.under_way[self._key]

    def make_late_error(self) -> SourceTimeoutError:
        """Return the error of who runs out of time before the others."""
        source = self._flights.source
        return SourceTimeoutError(
            f'service "{source}" did not answer in time', source=source
        )

    async def _fly(self, call: Callable[[Deadline], Awaitable[T]]) -> None:
        """Make the call and tell those who wait.

        It is made again if time ran out that was the first one's, and others have
        more: a transport that looks at the deadline as it goes needs no second call,
        one that sets a timer at the start does.
        """
        outcome: Outcome[T] | None = None
        deadline = self.deadline
        try:
            while outcome is None:
                until = deadline.at
                try:
                    outcome = (await call(deadline),)
                except SourceTimeoutError as error:
                    if deadline.at <= until or deadline.is_over:
                        outcome = error
        except Exception as error:  # noqa: BLE001 - raised by those who wait
            outcome = error
        finally:
            self.close()
            self.settle_all(outcome or self._make_closed_error())

    def _make_closed_error(self) -> SourceDisconnectedError:
        source = self._flights.source
        return SourceDisconnectedError(
            f'service "{source}" was closed during the call', source=source
        )
