"""The time a call may take: its service's own, within what the request has left."""

from __future__ import annotations

from graphgw.types import Deadline

__all__ = ["LatestDeadline", "shorten"]


class LatestDeadline(Deadline):
    """The latest deadline of all who wait for the same thing; it only moves on."""

    __slots__ = ()

    @classmethod
    def of(cls, deadline: Deadline) -> LatestDeadline:
        """Return the one of a single waiter."""
        return cls(deadline.at, deadline.clock)

    def extend(self, deadline: Deadline) -> bool:
        """Move on to a deadline if it is later; tell whether it is."""
        if deadline.at <= self.at:
            return False
        object.__setattr__(self, "at", deadline.at)
        return True


def shorten(deadline: Deadline, seconds: float) -> Deadline:
    """Return the earlier of a deadline and the moment ``seconds`` ahead."""
    at = deadline.clock.monotonic() + seconds
    return Deadline(at, deadline.clock) if at < deadline.at else deadline
