"""Let others have a turn: requests that are ready do the same stage one after another.

A request touches more code and data than a processor's first cache holds. If each goes
all the way by itself, the next one finds that cache full of the last stage; if all do
one stage before the next, most of it is there already. See Larus and Parkes, "Using
Cohort Scheduling to Enhance Server Performance" (USENIX 2002).
"""

from __future__ import annotations

from types import coroutine
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["next_turn"]


@coroutine
def next_turn() -> Generator[None, None, None]:
    """Wait until the loop comes around: ``asyncio.sleep(0)`` without its coroutine."""
    yield
