"""Requests whose answers are on their way to be kept: equal ones wait for them."""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING, Final

from graphgw.operations.cache import BoundedCache

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lead", "Misses", "Outcome"]

_UNKEPT: Final = 1000
_UNKEPT_SECONDS: Final = 10.0
"""How long nobody waits for an answer of which the last could not be kept."""


class Outcome(Enum):
    """What became of an answer that others waited for."""

    KEPT = 1
    UNKEPT = 2
    LOST = 3
    """Its client left before it was there; another must ask."""


class Lead:
    """A request whose answer others wait for; settled once."""

    __slots__ = ("_future", "_release")

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._future: asyncio.Future[Outcome] = (
            asyncio.get_running_loop().create_future()
        )

    def settle(self, outcome: Outcome) -> None:
        """Let those go on who wait; what comes after the first time changes nothing."""
        if not self._future.done():
            self._future.set_result(outcome)
            self._release()

    async def wait(self, seconds: float) -> Outcome:
        """Return what became of it; who waited too long asks alone."""
        await asyncio.wait((self._future,), timeout=max(0.0, seconds))
        return self._future.result() if self._future.done() else Outcome.UNKEPT


class Misses:
    """The leads of one route by key."""

    __slots__ = ("_unkept", "under_way")

    def __init__(self) -> None:
        self.under_way: dict[str, Lead] = {}
        self._unkept: BoundedCache[str, float] = BoundedCache(
            max_entries=_UNKEPT, max_bytes=_UNKEPT
        )

    def lead(self, key: str) -> Lead | None:
        """Let others wait for a request, unless answers to it are not kept."""
        until = self._unkept.get(key)
        if until is not None and time.monotonic() < until:
            return None

        def release() -> None:
            if self.under_way.get(key) is lead:
                del self.under_way[key]

        lead = self.under_way[key] = Lead(release)
        return lead

    def note_unkept(self, key: str) -> None:
        """Let nobody wait for the next answers: they are hardly kept either."""
        self._unkept.put(key, time.monotonic() + _UNKEPT_SECONDS, 1)
