"""The circuit breaker: leaves a failing service alone and probes it now and then."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from graphgw.sources.settings import BreakerSettings
    from graphgw.types import Clock

__all__ = ["Breaker"]

_SLICES: Final = 10


class Breaker:
    """Counts outcomes over a sliding window, and refuses calls while it is open.

    Open, it lets nothing through for a while, then one probe: if that fails it
    stays open twice as long. Each admitted call has a ticket, to be handed back by
    one of ``succeed``, ``fail`` and ``release`` (the outcome tells nothing). Calls
    that began before the breaker last changed its state no longer count.
    """

    __slots__ = (
        "_clock",
        "_failures",
        "_is_open",
        "_is_probing",
        "_open_seconds",
        "_reopens_at",
        "_requests",
        "_settings",
        "_slice_ends_at",
        "_slices",
        "_ticket",
    )

    def __init__(self, settings: BreakerSettings, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings = settings
        self._clock = clock
        self._ticket = 1
        self._is_open = False
        self._is_probing = False
        self._reopens_at = 0.0
        self._open_seconds = settings.open_seconds
        self._slices: deque[tuple[float, int, int]] = deque()
        self._forget()

    @property
    def is_open(self) -> bool:
        """Tell whether calls are refused, but for probes."""
        return self._is_open

    def admit(self) -> int:
        """Return the ticket of a call that may be made now; 0 if it may not."""
        if not self._is_open:
            return self._ticket
        if self._is_probing or self._clock.monotonic() < self._reopens_at:
            return 0
        self._is_probing = True
        self._ticket += 1
        return self._ticket

    def succeed(self, ticket: int, now: float | None = None) -> None:
        """Settle a call that the service answered; ``now`` if it is known."""
        if ticket != self._ticket:
            return
        if self._is_open:
            self._close()
            return
        if now is None:
            now = self._clock.monotonic()
        if now >= self._slice_ends_at:
            self._slide()
        self._requests += 1

    def fail(self, ticket: int) -> None:
        """Settle a call that the service failed."""
        if ticket != self._ticket:
            return
        settings = self._settings
        if self._is_open:
            longer = min(self._open_seconds * 2, settings.max_open_seconds)
            self._open(longer)
            return
        if self._clock.monotonic() >= self._slice_ends_at:
            self._slide()
        self._requests += 1
        self._failures += 1
        requests, failures = self._totals()
        if (
            settings.is_enabled
            and requests >= settings.min_requests
            and failures >= requests * settings.failure_ratio
        ):
            self._open(settings.open_seconds)

    def release(self, ticket: int) -> None:
        """Settle a call whose outcome says nothing about the service."""
        if ticket == self._ticket:
            self._is_probing = False

    def _open(self, seconds: float) -> None:
        self._ticket += 1
        self._is_open = True
        self._is_probing = False
        self._open_seconds = seconds
        self._reopens_at = self._clock.monotonic() + seconds

    def _close(self) -> None:
        self._ticket += 1
        self._is_open = False
        self._is_probing = False
        self._forget()

    def _forget(self) -> None:
        self._slices.clear()
        self._requests = self._failures = 0
        self._slice_ends_at = 0.0

    def _slide(self) -> None:
        """Begin a slice of the window; forget those that it has left behind."""
        now = self._clock.monotonic()
        self._slices.append((self._slice_ends_at, self._requests, self._failures))
        self._requests = self._failures = 0
        self._slice_ends_at = now + self._settings.window / _SLICES
        oldest = now - self._settings.window
        while self._slices and self._slices[0][0] < oldest:
            self._slices.popleft()

    def _totals(self) -> tuple[int, int]:
        requests = self._requests + sum(entry[1] for entry in self._slices)
        failures = self._failures + sum(entry[2] for entry in self._slices)
        return requests, failures
