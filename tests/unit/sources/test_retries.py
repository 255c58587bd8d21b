import pytest

from graphgw.errors import (
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceRateLimitedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.retries import RetryBudget, choose_wait, count_retries
from graphgw.sources.settings import RetrySettings


def test_the_budget_is_a_tenth_of_the_requests_and_three_a_second(clock):
    budget = RetryBudget(RetrySettings(), clock)
    spent = 0
    for _ in range(1000):
        budget.earn()
        spent += budget.spend()
        clock.move(0.01)

    assert 120 <= spent <= 1000 * 0.1 + 3 * 11


def test_a_burst_gets_no_more_than_its_tenth_and_three(clock):
    budget = RetryBudget(RetrySettings(), clock)
    spent = 0
    for _ in range(1000):
        budget.earn()
        spent += budget.spend()

    assert spent == 103


def test_quiet_times_save_up_at_most_ten(clock):
    budget = RetryBudget(RetrySettings(), clock)
    for _ in range(100_000):
        budget.earn()
    clock.move(3600)

    assert sum(budget.spend() for _ in range(100)) == 13


@pytest.mark.parametrize(
    ("error", "retries"),
    [
        pytest.param(SourceUnreachableError("x"), 1, id="connect-failure"),
        pytest.param(SourceUnreachableError("x", status="UNAVAILABLE"), 2, id="grpc"),
        pytest.param(SourceDisconnectedError("x"), 1, id="reset"),
        pytest.param(SourceError("x", status=502), 2, id="502"),
        pytest.param(SourceError("x", status=503), 2, id="503"),
        pytest.param(SourceError("x", status=504), 2, id="504"),
        pytest.param(SourceError("x", status=500), 0, id="500"),
        pytest.param(SourceError("x", status=404), 0, id="404"),
        pytest.param(SourceTimeoutError("x"), 0, id="timeout"),
        pytest.param(SourceBadAnswerError("x"), 0, id="bad-answer"),
        pytest.param(SourceRateLimitedError("x", status=429), 0, id="429"),
        pytest.param(
            SourceRateLimitedError("x", status=429, retry_after=1.0), 2, id="429-after"
        ),
    ],
)
def test_only_failures_that_may_pass_are_worth_a_retry(error, retries):
    assert count_retries(error, 2) == retries


def test_waits_are_random_under_a_bound_that_doubles():
    error = SourceError("x", status=503)
    settings = RetrySettings(backoff=0.05, max_backoff=0.15)

    waits = [choose_wait(error, retry, settings, lambda: 1.0) for retry in (1, 2, 3)]

    assert waits == [0.05, 0.1, 0.15]
    assert choose_wait(error, 1, settings, lambda: 0.5) == 0.025


def test_the_wait_is_what_the_service_asked_for():
    error = SourceError("x", status=503, retry_after=7.0)

    assert choose_wait(error, 1, RetrySettings()) == 7.0
