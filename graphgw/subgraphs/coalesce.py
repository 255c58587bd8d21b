"""Work of the same kind that several requests ask for at once is done in one call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeAlias, TypeVar

from graphgw.errors import (
    GraphGWError,
    ResolverError,
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
)
from graphgw.sources.sharers import Sharers, copy_error

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from graphgw.sources.sharers import Seat
    from graphgw.types import Deadline

__all__ = ["Coalescer", "SharedCall", "is_about_content"]

T = TypeVar("T")
_Brought: TypeAlias = "tuple[list[Any], list[Hashable]]"
"""The items of one request, and what identifies each."""

_CONTENT_STATUSES: Final = frozenset(range(400, 500)) - {401, 403, 407, 408, 425, 429}
_CONTENT_CODES: Final = frozenset(
    {
        "ALREADY_EXISTS",
        "FAILED_PRECONDITION",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "OUT_OF_RANGE",
    }
)


class SharedCall(Protocol[T]):
    """What several requests may ask for together: items in, one result out."""

    @property
    def name(self) -> str:
        """What is called, for errors."""
        ...

    @property
    def max_items(self) -> int:
        """The most distinct items for one joint call."""
        ...

    def identify_all(self, items: list[Any]) -> list[Hashable]:
        """Return for each item what is equal for equal items only."""
        ...

    async def run(self, items: list[Any], deadline: Deadline) -> T:
        """Call once for distinct items; any exception is a failure of all of them."""
        ...

    async def narrow(self, items: list[Any], error: Exception, deadline: Deadline) -> T:
        """Save what can be saved of one request's items after such a failure."""
        ...

    def divide(self, result: T, parts: Sequence[Sequence[int]]) -> list[T]:
        """Return for each part the result of its items alone, given by index.

        Raises:
            SourceBadAnswerError: It does not say to which items something belongs.
        """
        ...


class Coalescer:
    """Lets requests that ask for the same kind of thing in one turn share a call.

    Nobody waits for company: what is there when the loop comes around leaves
    together. Who is alone then makes the call itself. Any other call belongs to
    nobody; it has until the latest deadline of those who share it, each waits by its
    own, and it is cancelled when the last is gone. A failure that is about content is
    narrowed down, so that nobody fails for what another asked; any other failure is
    everyone's.
    """

    __slots__ = ("boarding",)

    def __init__(self) -> None:
        self.boarding: dict[Hashable, _First[Any] | _Flight[Any]] = {}

    async def run(
        self, key: Hashable, call: SharedCall[T], items: list[Any], deadline: Deadline
    ) -> T:
        """Return the result for the items, from a call that others may share.

        Args:
            key: Equal for calls that are the same but for their items.
            call: Makes the call; of those who share, the first one's is used.
            items: Distinct; must not be changed later.
            deadline: Until when this request waits.

        Raises:
            Exception: Whatever the call raised; each request has its own instance.
        """
        boarding = self.boarding.get(key)
        if boarding is None:
            return await self._be_first(key, _First(call, items, deadline))
        if isinstance(boarding, _First):
            boarding = self._depart(key, boarding)
        flight: _Flight[T] = boarding
        identities = call.identify_all(items)
        if not flight.has_room(identities):
            flight = _Flight(self.boarding, key, call, deadline)
            flight.start()
        return await flight.wait(flight.board(items, identities, deadline))

    async def _be_first(self, key: Hashable, first: _First[T]) -> T:
        """Wait until the loop comes around; make the call where nobody else came."""
        self.boarding[key] = first
        try:
            await asyncio.sleep(0)
        except BaseException:
            if first.flight is not None and first.seat is not None:
                first.seat.cancel()
                await first.flight.wait(first.seat)
            raise
        finally:
            if self.boarding.get(key) is first:
                del self.boarding[key]
        if first.flight is not None and first.seat is not None:
            return await first.flight.wait(first.seat)
        return await _call_alone(first.call, first.items, first.deadline)

    def _depart(self, key: Hashable, first: _First[T]) -> _Flight[T]:
        """Make a flight for the one who was alone so far, and for those who come."""
        flight = first.flight = _Flight(self.boarding, key, first.call, first.deadline)
        flight.start()
        identities = first.call.identify_all(first.items)
        first.seat = flight.board(first.items, identities, first.deadline)
        return flight


class _First(Generic[T]):
    """Who came first in this turn; gets a seat on a flight when another comes."""

    __slots__ = ("call", "deadline", "flight", "items", "seat")

    def __init__(
        self, call: SharedCall[T], items: list[Any], deadline: Deadline
    ) -> None:
        self.call = call
        self.items = items
        self.deadline = deadline
        self.flight: _Flight[T] | None = None
        self.seat: Seat[T] | None = None


class _Flight(Sharers[T]):
    """Requests that leave together, and what each brought."""

    __slots__ = ("_boarding", "_call", "_key", "_known", "_parts", "brought")

    def __init__(
        self,
        boarding: dict[Hashable, _First[Any] | _Flight[Any]],
        key: Hashable,
        call: SharedCall[T],
        deadline: Deadline,
    ) -> None:
        super().__init__(deadline)
        self.brought: dict[Seat[T], _Brought] = {}
        self._boarding = boarding
        self._key = key
        self._call = call
        self._known: set[Hashable] = set()
        self._parts: list[tuple[asyncio.Task[None], list[Seat[T]]]] = []

    def start(self) -> None:
        """Leave when the loop comes around; until then others may join."""
        self._boarding[self._key] = self
        self.task = asyncio.get_running_loop().create_task(self.fly())

    def board(
        self, items: list[Any], identities: list[Hashable], deadline: Deadline
    ) -> Seat[T]:
        """Take a seat for these items."""
        seat = self.join(deadline)
        self.brought[seat] = (items, identities)
        self._known.update(identities)
        return seat

    def has_room(self, identities: list[Hashable]) -> bool:
        """Tell whether these items fit in with those of the others."""
        known = self._known
        new = set(identities).difference(known)
        return len(known) + len(new) <= self._call.max_items

    def close(self) -> None:
        """Let those who come later have a flight of their own."""
        if self._boarding.get(self._key) is self:
            del self._boarding[self._key]

    def make_late_error(self) -> SourceTimeoutError:
        """Return the error of who runs out of time before the others."""
        name = self._call.name
        return SourceTimeoutError(f'"{name}" did not answer in time', source=name)

    def leave(self) -> None:
        """Cancel the calls, after a split, that nobody waits for any more."""
        for task, seats in self._parts:
            if not any(seat in self.waiting for seat in seats):
                task.cancel()

    async def fly(self) -> None:
        """Make the call for all who came, and give each its part."""
        self.close()
        try:
            await self._serve(list(self.brought))
        finally:
            if self.waiting:
                name = self._call.name
                self.settle_all(
                    SourceDisconnectedError(f'"{name}" was interrupted', source=name)
                )

    async def _serve(self, seats: list[Seat[T]]) -> None:
        """Make one call for those who still wait; split them if content fails it."""
        waiting = self.waiting
        seats = [seat for seat in seats if seat in waiting and not seat.done()]
        if not seats:
            return
        try:
            results = await self._make_call(seats)
        except Exception as error:  # noqa: BLE001 - raised by those who wait
            if len(seats) > 1 and is_about_content(error):
                await self._split(seats)
            else:
                for seat in seats:
                    self.settle(seat, copy_error(error))
        else:
            for seat, own in zip(seats, results, strict=True):
                self.settle(seat, (own,))

    async def _make_call(self, seats: list[Seat[T]]) -> list[T]:
        call, deadline = self._call, self.deadline
        if len(seats) > 1:
            items, parts = _join([self.brought[seat] for seat in seats])
            return call.divide(await call.run(items, deadline), parts)
        return [await _call_alone(call, self.brought[seats[0]][0], deadline)]

    async def _split(self, seats: list[Seat[T]]) -> None:
        middle = len(seats) // 2
        async with asyncio.TaskGroup() as group:
            for half in (seats[:middle], seats[middle:]):
                task = group.create_task(self._serve(half))
                self._parts.append((task, half))


async def _call_alone(call: SharedCall[T], items: list[Any], deadline: Deadline) -> T:
    """Make the call for one request; save what can be saved of its items."""
    try:
        return await call.run(items, deadline)
    except Exception as error:
        if len(items) > 1 and is_about_content(error):
            return await call.narrow(items, error, deadline)
        raise


def _join(brought: Sequence[_Brought]) -> tuple[list[Any], list[list[int]]]:
    """Return the distinct items of all, and where in them each one's items are."""
    distinct: dict[Hashable, Any] = {}
    own = [identities for _, identities in brought]
    for items, identities in brought:
        distinct.update(zip(identities, items, strict=True))
    places = dict(zip(distinct, range(len(distinct)), strict=True))
    find = places.__getitem__
    return list(distinct.values()), [list(map(find, identities)) for identities in own]


def is_about_content(error: Exception) -> bool:
    """Tell whether a failure may be due to some of the items that were asked for.

    Then asking for fewer may help. After a timeout, a failure of the service or a
    refusal it would only add to the load.
    """
    if isinstance(error, SourceBadAnswerError | SourceAnswerTooLargeError):
        return True
    if isinstance(error, SourceError):
        return error.status in _CONTENT_STATUSES or error.status in _CONTENT_CODES
    if isinstance(error, ResolverError):
        # A resolver's words for what a service answered, or for what it saw itself.
        cause = error.__cause__
        return not isinstance(cause, SourceError) or is_about_content(cause)
    if isinstance(error, GraphGWError):
        return False
    return not isinstance(error, OSError)
