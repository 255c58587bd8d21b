"""The time a call may take: its service's own, within what the request has left."""

from __future__ import annotations

from graphgw.types import Deadline

__all__ = ["shorten"]


def shorten(deadline: Deadline, seconds: float) -> Deadline:
    """Return the earlier of a deadline and the moment ``seconds`` ahead."""
    at = deadline.clock.monotonic() + seconds
    return Deadline(at, deadline.clock) if at < deadline.at else deadline
