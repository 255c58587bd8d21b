"""The observer protocol: who is told of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.telemetry.events import Event

__all__ = ["NO_OBSERVER", "Observer", "Observers", "Takers"]

Takers: TypeAlias = Mapping[type[Any], Callable[[Any], None]]
"""What an observer does with the events that it does not ignore."""


class Observer(Protocol):
    """Receives every event; must be quick and must not raise.

    One that has ``takers`` is told of their kinds of events alone, by them.
    """

    def observe(self, event: Event) -> None:
        """Take note of one event."""
        ...


class Observers:
    """Tells several observers, in order."""

    __slots__ = ("_observers", "_takers")

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._takers: dict[type[Any], tuple[Callable[[Any], None], ...]] = {}

    def observe(self, event: Event) -> None:
        """Pass one event on to each observer that wants it."""
        kind = event.__class__
        takers = self._takers.get(kind)
        if takers is None:
            takers = self._takers[kind] = tuple(self._find_takers(kind))
        for take in takers:
            take(event)

    def _find_takers(self, kind: type[Any]) -> list[Callable[[Any], None]]:
        found = []
        for observer in self._observers:
            takers: Takers | None = getattr(observer, "takers", None)
            take = observer.observe if takers is None else takers.get(kind)
            if take is not None:
                found.append(take)
        return found


NO_OBSERVER: Final[Observer] = Observers(())
