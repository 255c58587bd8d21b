"""The observer protocol: who is told of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.telemetry.events import Event

__all__ = ["NO_OBSERVER", "Observer", "Observers"]


class Observer(Protocol):
    """Receives every event; must be quick and must not raise."""

    def observe(self, event: Event) -> None:
        """Take note of one event."""
        ...


class Observers:
    """Tells several observers, in order."""

    __slots__ = ("_observers",)

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def observe(self, event: Event) -> None:
        """Pass one event on to each observer."""
        for observer in self._observers:
            observer.observe(event)


NO_OBSERVER: Final[Observer] = Observers(())
