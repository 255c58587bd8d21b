"""The guard around a service: bulkhead, breaker, retries, and who is told of calls."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final, TypeVar

from graphgw.errors import (
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceOverloadedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.breaker import Breaker
from graphgw.sources.bulkhead import Bulkhead
from graphgw.sources.retries import RetryBudget, choose_wait, count_retries
from graphgw.telemetry.events import SourceCalled
from graphgw.telemetry.observer import NO_OBSERVER
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphgw.sources.settings import ServiceSettings
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Clock, Deadline

__all__ = ["Guard", "is_failure"]

T = TypeVar("T")

_FAILURES: Final = (
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
_FAILURE_CODES: Final = frozenset({"DATA_LOSS", "INTERNAL", "UNKNOWN"})
_OVERLOAD_STATUSES: Final = frozenset({429, 503, "RESOURCE_EXHAUSTED"})
_SERVER_ERROR: Final = 500
_CANCELLED: Final = "CANCELLED"
_FAIR_SHARE: Final = 0.1
"""A timeout counts against a service that had this share of its usual time."""


def is_failure(error: SourceError) -> bool:
    """Tell whether an error speaks against the service rather than the call."""
    status = error.status
    if isinstance(error, _FAILURES):
        return True
    if isinstance(status, int):
        return status >= _SERVER_ERROR
    return status in _FAILURE_CODES


class Guard:
    """Makes calls to one service, no more than it can bear.

    It belongs to the service, not to a request: the breaker, the bulkhead and the
    retry budget learn from every call.
    """

    __slots__ = (
        "_clock",
        "_draw",
        "_fair_seconds",
        "_settings",
        "_sleep",
        "breaker",
        "budget",
        "places",
    )

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._fair_seconds = settings.timeout * _FAIR_SHARE
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self.breaker = Breaker(settings.breaker, clock)
        self.budget = RetryBudget(settings.retries, clock)
        self.places = Bulkhead(settings.max_in_flight)

    async def run(
        self,
        attempt: Callable[[], Awaitable[tuple[str, T]]],
        *,
        endpoint: str,
        deadline: Deadline,
        observer: Observer = NO_OBSERVER,
        is_idempotent: bool = False,
    ) -> T:
        """Make a call, again if that is allowed and worth it, until the deadline.

        Args:
            attempt: Makes the call once; returns its status, for the observer, and
                the answer, or raises a ``SourceError``.
            endpoint: What is called, the same for all keys.
            deadline: Bounds all attempts and waits together.
            observer: Is told of each attempt.
            is_idempotent: Whether a second attempt does no harm.

        Raises:
            SourceError: The last attempt's, or the service may not be called now.
        """
        if not self.places.enter():
            raise SourceOverloadedError(
                f"{self._label} has too many requests in flight",
                source=self._settings.name,
            )
        self.budget.earn()
        number = 1
        error: SourceError | None = None
        try:
            while ticket := self.breaker.admit():
                started = self._clock.monotonic()
                status = _CANCELLED
                try:
                    status, answer = await attempt()
                except SourceError as raised:
                    error = raised
                    status = str(raised.status or raised.code)
                    had = self._clock.monotonic() - started + deadline.remaining()
                    had_time = had >= self._fair_seconds
                    self._settle_error(ticket, error, had_time=had_time)
                else:
                    self.breaker.succeed(ticket)
                    self.places.grow()
                    return answer
                finally:
                    if status is _CANCELLED:
                        self.breaker.release(ticket)
                    if observer is not NO_OBSERVER:
                        seconds = self._clock.monotonic() - started
                        observer.observe(
                            SourceCalled(
                                self._settings.name, endpoint, seconds, status, number
                            )
                        )
                if not is_idempotent:
                    raise error
                wait = self._plan_retry(error, number, deadline)
                if wait is None:
                    raise error
                await self._sleep(wait)
                number += 1
        finally:
            self.places.leave()
        raise error or SourceUnreachableError(
            f"{self._label} is left alone for a while: it kept failing",
            source=self._settings.name,
        )

    @property
    def _label(self) -> str:
        return f'service "{self._settings.name}"'

    def _plan_retry(
        self, error: SourceError, number: int, deadline: Deadline
    ) -> float | None:
        retries = self._settings.retries
        if number > count_retries(error, retries.max_retries):
            return None
        wait = choose_wait(error, number, retries, self._draw)
        if wait >= deadline.remaining() or not self.budget.spend():
            return None
        return wait

    def _settle_error(self, ticket: int, error: SourceError, *, had_time: bool) -> None:
        is_timeout = isinstance(error, SourceTimeoutError)
        if is_timeout and not had_time:
            self.breaker.release(ticket)
            return
        if is_timeout or error.status in _OVERLOAD_STATUSES:
            self.places.shrink()
        if is_failure(error):
            self.breaker.fail(ticket)
        else:
            self.breaker.succeed(ticket)
