"""Retries: which failures are worth one, within which budget, after which wait."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from graphgw.errors import (
    SourceDisconnectedError,
    SourceError,
    SourceRateLimitedError,
    SourceUnreachableError,
)
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphgw.sources.settings import RetrySettings
    from graphgw.types import Clock

__all__ = ["RetryBudget", "choose_wait", "count_retries"]

_RETRIED_STATUSES: Final = frozenset({502, 503, 504})
_BURST_SECONDS: Final = 1.0
_EARNED_LIMIT: Final = 10.0


class RetryBudget:
    """Allows a share of the requests made, and a few each second on top.

    Over any time the retries of a service stay under ``ratio * requests +
    per_second * (seconds + 1)``; at most ten are saved up for later.
    """

    __slots__ = ("_clock", "_earned", "_floor", "_per_second", "_ratio", "_refilled_at")

    def __init__(self, settings: RetrySettings, clock: Clock = SYSTEM_CLOCK) -> None:
        self._ratio = settings.budget_ratio
        self._per_second = settings.budget_per_second
        self._clock = clock
        self._earned = 0.0
        self._floor = self._per_second * _BURST_SECONDS
        self._refilled_at = clock.monotonic()

    def earn(self) -> None:
        """Count one request that is no retry."""
        if self._earned < _EARNED_LIMIT:
            self._earned += self._ratio

    def spend(self) -> bool:
        """Take one retry out of the budget; tell whether it was in there."""
        now = self._clock.monotonic()
        refill = (now - self._refilled_at) * self._per_second
        self._refilled_at = now
        self._floor = min(self._per_second * _BURST_SECONDS, self._floor + refill)
        # Ten shares of 0.1 add up to a hair under one.
        if self._earned > 1.0 - 1e-9:
            self._earned -= 1.0
            return True
        if self._floor >= 1.0:
            self._floor -= 1.0
            return True
        return False


def count_retries(error: SourceError, limit: int) -> int:
    """Return how many retries a read that failed like this may have in all.

    Connections that fail are tried once more; a service that says it cannot answer
    now, up to ``limit`` times. What a service answers for good is never asked again.
    """
    if isinstance(error, SourceUnreachableError) and error.status is None:
        return min(limit, 1)
    if isinstance(error, SourceDisconnectedError):
        return min(limit, 1)
    if isinstance(error, SourceUnreachableError) or error.status in _RETRIED_STATUSES:
        return limit
    if isinstance(error, SourceRateLimitedError) and error.retry_after is not None:
        return limit
    return 0


def choose_wait(
    error: SourceError,
    retry: int,
    settings: RetrySettings,
    draw: Callable[[], float] = random.random,
) -> float:
    """Return the seconds to wait before retry number ``retry`` (from 1).

    What the service asked for, or a random part of a bound that doubles.
    """
    if error.retry_after is not None:
        return error.retry_after
    bound = min(settings.max_backoff, settings.backoff * 2.0 ** (retry - 1))
    return draw() * bound
