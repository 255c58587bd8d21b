import asyncio

import pytest

from graphgw.errors import (
    SourceDisconnectedError,
    SourceError,
    SourceOverloadedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.guard import Guard, is_failure
from graphgw.sources.settings import BreakerSettings, ServiceSettings
from graphgw.types import Deadline


class Attempts:
    """Fails as told, then answers."""

    def __init__(self, clock, *failures, seconds=0.0):
        self.clock = clock
        self.failures = list(failures)
        self.seconds = seconds
        self.made = 0

    async def __call__(self):
        self.made += 1
        self.clock.move(self.seconds)
        if self.failures:
            raise self.failures.pop(0)
        return "200", "answer"


@pytest.fixture
def make_guard(clock):
    def make(**options):
        settings = ServiceSettings(name="user", url="http://users", **options)
        return Guard(settings, clock=clock, sleep=clock.sleep, draw=lambda: 0.5)

    return make


def run(guard, attempts, clock, *, seconds=5.0, **options):
    deadline = Deadline.after(seconds, clock)
    options.setdefault("is_idempotent", True)
    return guard.run(attempts, endpoint="GET /", deadline=deadline, **options)


async def test_the_attempts_share_one_deadline(make_guard, clock):
    attempts = Attempts(clock, SourceError("x", status=503), seconds=2.0)
    start = clock.now

    assert await run(make_guard(), attempts, clock) == "answer"
    assert clock.now - start == pytest.approx(4.025)


async def test_no_retry_is_begun_that_the_deadline_would_cut(make_guard, clock):
    attempts = Attempts(clock, SourceError("x", status=503, retry_after=4.0), seconds=2)

    with pytest.raises(SourceError):
        await run(make_guard(), attempts, clock)

    assert attempts.made == 1


async def test_the_last_failure_is_told_where_the_breaker_opens_between_attempts(
    make_guard, clock
):
    guard = make_guard(breaker=BreakerSettings(min_requests=1))
    attempts = Attempts(clock, SourceError("x", status=503))

    with pytest.raises(SourceError) as caught:
        await run(guard, attempts, clock)

    assert caught.value.status == 503
    assert attempts.made == 1


async def test_a_call_that_began_with_hardly_any_time_does_not_count(make_guard, clock):
    guard = make_guard(timeout=5.0)
    for _ in range(20):
        late = Attempts(clock, SourceTimeoutError("late"), seconds=0.1)
        with pytest.raises(SourceTimeoutError):
            await run(guard, late, clock, seconds=0.1)

    assert not guard.breaker.is_open


async def test_timeouts_open_the_breaker_and_take_places_away(make_guard, clock):
    guard = make_guard(timeout=0.5)
    for _ in range(10):
        late = Attempts(clock, SourceTimeoutError("late"), seconds=0.5)
        with pytest.raises(SourceTimeoutError):
            await run(guard, late, clock, seconds=0.5)

    assert guard.breaker.is_open
    assert guard.places.limit < 40


async def test_a_service_that_recovers_is_called_again(make_guard, clock):
    guard = make_guard()
    for _ in range(10):
        with pytest.raises(SourceError):
            await run(guard, Attempts(clock, SourceError("x", status=500)), clock)
    clock.move(5.0)

    assert await run(guard, Attempts(clock), clock) == "answer"
    assert await run(guard, Attempts(clock), clock) == "answer"


async def test_places_are_given_back_whatever_happens(make_guard, clock):
    guard = make_guard(max_in_flight=1)
    with pytest.raises(SourceError):
        await run(guard, Attempts(clock, SourceError("x")), clock)
    with pytest.raises(ZeroDivisionError):
        await run(guard, Attempts(clock, ZeroDivisionError()), clock)

    assert await run(guard, Attempts(clock), clock) == "answer"
    assert guard.places.in_flight == 0


async def test_a_cancelled_call_is_observed_and_says_nothing_of_the_service(
    make_guard, clock, observer
):
    guard = make_guard(max_in_flight=1)
    began = asyncio.Event()

    async def hang():
        began.set()
        await asyncio.Event().wait()
        return "200", None

    call = asyncio.ensure_future(run(guard, hang, clock, observer=observer))
    await began.wait()
    with pytest.raises(SourceOverloadedError):
        await run(guard, Attempts(clock), clock)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert [event.status for event in observer.events] == ["CANCELLED"]
    assert await run(guard, Attempts(clock), clock) == "answer"


@pytest.mark.parametrize(
    ("error", "speaks_against_it"),
    [
        (SourceTimeoutError("x"), True),
        (SourceUnreachableError("x"), True),
        (SourceDisconnectedError("x"), True),
        (SourceError("x", status=500), True),
        (SourceError("x", status=404), False),
        (SourceError("x", status=429), False),
        (SourceError("x", status="INTERNAL"), True),
        (SourceError("x", status="NOT_FOUND"), False),
        (SourceOverloadedError("x"), False),
    ],
)
def test_only_what_the_service_did_speaks_against_it(error, speaks_against_it):
    assert is_failure(error) is speaks_against_it
