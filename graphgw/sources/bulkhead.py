"""The bulkhead: bounds a service's calls in flight, tighter while it struggles."""

from __future__ import annotations

from typing import Final

__all__ = ["Bulkhead"]

_SHRINK: Final = 0.9
_FLOOR: Final = 0.1


class Bulkhead:
    """Lets at most ``limit`` calls be in flight at one time.

    The limit falls by a tenth with each sign of overload, never under a tenth of
    its maximum, and grows back by one for each ``limit`` calls that go well.
    """

    __slots__ = ("_floor", "_limit", "_maximum", "in_flight")

    def __init__(self, maximum: int) -> None:
        self._maximum = float(maximum)
        self._floor = max(1.0, maximum * _FLOOR)
        self._limit = self._maximum
        self.in_flight = 0

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return int(self._limit)

    def enter(self) -> bool:
        """Take a place; tell whether there was one."""
        if self.in_flight >= self._limit:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        self.in_flight -= 1

    def leave_well(self) -> None:
        """Give a place back after a call that went well."""
        self.in_flight -= 1
        if self._limit < self._maximum:
            self.grow()

    def grow(self) -> None:
        """Note that a call went well."""
        if self._limit < self._maximum:
            self._limit = min(self._maximum, self._limit + 1.0 / self._limit)

    def shrink(self) -> None:
        """Note that the service cannot keep up."""
        self._limit = max(self._floor, self._limit * _SHRINK)
