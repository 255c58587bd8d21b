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

__all__ = ["FAIR_SHARE", "Guard", "is_failure"]

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
FAIR_SHARE: Final = 0.1
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
        self._fair_seconds = settings.timeout * FAIR_SHARE
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
        ticket = self.breaker.admit()
        if not ticket:
            self.places.leave()
            raise self._left_alone()
        return await self.conduct(
            ticket,
            attempt,
            endpoint=endpoint,
            deadline=deadline,
            observer=observer,
            is_idempotent=is_idempotent,
        )

    def begin(self) -> int:
        """Take a place for a call that is made at once, and return its ticket.

        It goes back with ``succeed``, ``abandon`` or ``conduct``. It is 0, and no
        place taken, where ``run`` would refuse.
        """
        if not self.places.enter():
            return 0
        ticket = self.breaker.admit()
        if ticket:
            self.budget.earn()
        else:
            self.places.leave()
        return ticket

    def succeed(self, ticket: int, ended: float | None = None) -> None:
        """Settle a call that went well at its first attempt; ``ended`` if known."""
        self.breaker.succeed(ticket, ended)
        self.places.leave_well()

    def abandon(self, ticket: int) -> None:
        """Settle a call whose outcome says nothing about the service."""
        self.breaker.release(ticket)
        self.places.leave()

    async def conduct(
        self,
        ticket: int,
        attempt: Callable[[], Awaitable[tuple[str, T]]],
        *,
        endpoint: str,
        deadline: Deadline,
        observer: Observer = NO_OBSERVER,
        is_idempotent: bool = False,
        started: float | None = None,
    ) -> T:
        """Make a call that has its place already; see ``run``.

        ``started`` is when its first attempt began, if that was before.
        """
        number = 1
        if started is None:
            started = self._clock.monotonic()
        try:
            while True:
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
                wait = (
                    self._plan_retry(error, number, deadline) if is_idempotent else None
                )
                if wait is None:
                    raise error
                await self._sleep(wait)
                ticket = self.breaker.admit()
                if not ticket:
                    raise error
                number += 1
                started = self._clock.monotonic()
        finally:
            self.places.leave()

    @property
    def _label(self) -> str:
        return f'service "{self._settings.name}"'

    def _left_alone(self) -> SourceUnreachableError:
        return SourceUnreachableError(
            f"{self._label} is left alone for a while: it kept failing",
            source=self._settings.name,
        )

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
