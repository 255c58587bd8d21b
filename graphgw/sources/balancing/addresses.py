"""One address of a service, and what is known of it now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Address"]

_LEAST_SHARE: Final = 0.1
"""What an address gets of its weight at the start of a slow start."""


@dataclass(slots=True, eq=False)
class Address:
    """Where calls may go; ``label`` names it, and no other address of its service.

    ``ip`` is set where one record of the host's name is meant. ``since`` is when it
    came, or came back. It is ejected until ``ejected_until``, zero if it is not.
    """

    label: str
    origin: str
    weight: int = 1
    group: str = "stable"
    ip: str | None = None
    since: float = float("-inf")
    outstanding: int = 0
    failures: int = 0
    ejected_until: float = 0.0
    ejections: int = 0
    is_healthy: bool = True
    checks: int = 0
    """Checks in a row that contradict ``is_healthy``."""
    turn: float = 0.0
    """Its standing in a smooth weighted round."""

    def is_available(self, now: float) -> bool:
        """Tell whether calls should go there."""
        return self.is_healthy and now >= self.ejected_until

    def ramp(self, now: float, slow_start: float) -> float:
        """Return which part of its weight it gets by now."""
        past = now - self.since
        if past >= slow_start:
            return 1.0
        return max(_LEAST_SHARE, past / slow_start)
