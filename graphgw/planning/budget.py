"""How planning learns that it has taken too long."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Budget", "Unlimited"]


class Budget(Protocol):
    """Time that planning may take."""

    def check(self) -> None:
        """Return while there is time left.

        Raises:
            PlanningError: The time is used up (``PLANNING_TIMEOUT``).
        """
        ...


class Unlimited:
    """A budget without an end."""

    __slots__ = ()

    def check(self) -> None:
        """Return."""
