"""Work of the same kind that several requests ask for at once is done in one call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

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
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from graphgw.sources.sharers import Seat
    from graphgw.types import Deadline

__all__ = ["Coalescer", "SharedCall", "is_about_content"]

T = TypeVar("T")

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

    def identify(self, item: Any) -> Hashable:
        """Return what is equal for equal items only."""
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


class _Flight(Generic[T]):
    """Requests that wait for the same departure, and what each brought."""

    __slots__ = ("_known", "call", "items", "parts", "sharers")

    def __init__(
        self, call: SharedCall[T], deadline: Deadline, is_over: Callable[[], None]
    ) -> None:
        self.call = call
        self.items: dict[Seat[T], list[Any]] = {}
        self.parts: list[tuple[asyncio.Task[None], list[Seat[T]]]] = []
        self._known: set[Hashable] | None = None
        self.sharers: Sharers[T] = Sharers(
            deadline, is_over=is_over, late=self._late, left=self._end_parts
        )

    def has_room(self, items: list[Any]) -> bool:
        """Tell whether these fit in with the others; if so, count them."""
        identify = self.call.identify
        if self._known is None:
            self._known = {
                identify(item) for brought in self.items.values() for item in brought
            }
        known = self._known | {identify(item) for item in items}
        if len(known) > self.call.max_items:
            return False
        self._known = known
        return True

    def _end_parts(self) -> None:
        """Cancel the calls, after a split, that nobody waits for any more."""
        waiting = self.sharers.waiting
        for task, seats in self.parts:
            if not any(seat in waiting for seat in seats):
                task.cancel()

    def _late(self) -> SourceTimeoutError:
        name = self.call.name
        return SourceTimeoutError(f'"{name}" did not answer in time', source=name)


class Coalescer:
    """Lets requests that ask for the same kind of thing in one turn share a call.

    Nobody waits for company: what is there when the loop comes around leaves
    together. The call belongs to nobody; it has until the latest deadline of those
    who share it, each waits by its own, and it is cancelled when the last is gone.
    A failure that is about content is narrowed down, so that nobody fails for what
    another asked; any other failure is everyone's.
    """

    __slots__ = ("_boarding",)

    def __init__(self) -> None:
        self._boarding: dict[Hashable, _Flight[Any]] = {}

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
        flight: _Flight[T] | None = self._boarding.get(key)
        if flight is None or not flight.has_room(items):
            flight = self._open(key, call, deadline)
        sharers = flight.sharers
        seat = sharers.join(deadline)
        flight.items[seat] = items
        return await sharers.wait(seat)

    def _open(
        self, key: Hashable, call: SharedCall[T], deadline: Deadline
    ) -> _Flight[T]:
        def close() -> None:
            if self._boarding.get(key) is flight:
                del self._boarding[key]

        flight: _Flight[T] = _Flight(call, deadline, close)
        self._boarding[key] = flight
        loop = asyncio.get_running_loop()
        flight.sharers.task = loop.create_task(self._fly(flight, close))
        return flight

    async def _fly(self, flight: _Flight[Any], close: Callable[[], None]) -> None:
        close()
        try:
            await _serve(flight, list(flight.items))
        finally:
            name = flight.call.name
            flight.sharers.settle_all(
                SourceDisconnectedError(f'"{name}" was interrupted', source=name)
            )


async def _serve(flight: _Flight[T], seats: list[Seat[T]]) -> None:
    """Make one call for those who still wait; split them if it fails for content."""
    waiting = flight.sharers.waiting
    seats = [seat for seat in seats if seat in waiting and not seat.done()]
    if not seats:
        return
    settle = flight.sharers.settle
    try:
        results = await _call(flight, seats)
    except Exception as error:  # noqa: BLE001 - raised by those who wait
        if len(seats) > 1 and is_about_content(error):
            middle = len(seats) // 2
            async with asyncio.TaskGroup() as group:
                for half in (seats[:middle], seats[middle:]):
                    part = group.create_task(_serve(flight, half))
                    flight.parts.append((part, half))
        else:
            for seat in seats:
                settle(seat, copy_error(error))
    else:
        for seat, own in zip(seats, results, strict=True):
            settle(seat, (own,))


async def _call(flight: _Flight[T], seats: list[Seat[T]]) -> list[T]:
    call, deadline = flight.call, flight.sharers.deadline
    if len(seats) > 1:
        items, parts = _join(call, [flight.items[seat] for seat in seats])
        return call.divide(await call.run(items, deadline), parts)
    items = flight.items[seats[0]]
    try:
        return [await call.run(items, deadline)]
    except Exception as error:
        if len(items) > 1 and is_about_content(error):
            return [await call.narrow(items, error, deadline)]
        raise


def _join(
    call: SharedCall[Any], brought: Iterable[list[Any]]
) -> tuple[list[Any], list[list[int]]]:
    """Return the distinct items of all, and where in them each one's items are."""
    indexes: dict[Hashable, int] = {}
    items: list[Any] = []
    parts: list[list[int]] = []
    for own in brought:
        part = []
        for item in own:
            index = indexes.setdefault(call.identify(item), len(items))
            if index == len(items):
                items.append(item)
            part.append(index)
        parts.append(part)
    return items, parts


def is_about_content(error: Exception) -> bool:
    """Tell whether a failure may be due to some of the items that were asked for.

    Then asking for fewer may help. After a timeout, a failure of the service or a
    refusal it would only add to the load.
    """
    if isinstance(error, SourceBadAnswerError | SourceAnswerTooLargeError):
        return True
    if isinstance(error, SourceError):
        return error.status in _CONTENT_STATUSES or error.status in _CONTENT_CODES
    if isinstance(error, GraphGWError):
        return isinstance(error, ResolverError)
    return not isinstance(error, OSError)
