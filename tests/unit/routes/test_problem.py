"""Errors as problem details: what a client is told, and what it is not."""

from __future__ import annotations

import orjson
import pytest

from graphgw.errors import (
    BadRequestError,
    BodyTooLargeError,
    ConfigurationError,
    DeadlineExceededError,
    GraphGWError,
    InternalError,
    OverloadedError,
    PlanningError,
    Problem,
    RateLimitedError,
    SourceBadAnswerError,
    SourceError,
    SourceOverloadedError,
    SourceRateLimitedError,
    SourceTimeoutError,
    SourceUnreachableError,
    UnauthenticatedError,
    UnauthorizedError,
)
from graphgw.routes.problem import describe_problem


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadRequestError("x", status=405), 405, "BAD_REQUEST"),
        (BodyTooLargeError("x"), 413, "LIMIT_EXCEEDED"),
        (OverloadedError("x"), 503, "LIMIT_EXCEEDED"),
        (UnauthenticatedError("x"), 401, "UNAUTHENTICATED"),
        (UnauthorizedError("x"), 403, "UNAUTHORIZED_FIELD_OR_TYPE"),
        (RateLimitedError("x", retry_after=1), 429, "RATE_LIMITED"),
        (SourceTimeoutError("x"), 504, "SOURCE_TIMEOUT"),
        (DeadlineExceededError("x"), 504, "DEADLINE_EXCEEDED"),
        (SourceUnreachableError("x"), 502, "SOURCE_UNREACHABLE"),
        (SourceBadAnswerError("x"), 502, "SOURCE_BAD_ANSWER"),
        (SourceError("x", status=500), 502, "SOURCE_ERROR"),
        (SourceOverloadedError("x"), 503, "SOURCE_OVERLOADED"),
        (SourceRateLimitedError("x", retry_after=9.5), 429, "RATE_LIMITED"),
    ],
)
def test_an_error_has_its_status_and_code(error: GraphGWError, status: int, code: str):
    problem = describe_problem(error, "r-1")

    assert (problem.status, problem.code) == (status, code)
    assert orjson.loads(problem.encode())["detail"] == "x"
    assert orjson.loads(problem.encode())["instance"] == "r-1"


def test_what_the_operator_must_mend_is_not_told():
    error = ConfigurationError([Problem("secret", "routes.r", "secret")])

    problem = describe_problem(error, "r-1")

    assert (problem.status, problem.code) == (503, "CONFIGURATION_INVALID")
    assert problem.headers == ((b"retry-after", b"1"),)
    assert b"secret" not in problem.encode()


@pytest.mark.parametrize(
    "error", [InternalError("secret"), GraphGWError("secret"), PlanningError("secret")]
)
def test_what_is_ours_is_masked(error: GraphGWError):
    problem = describe_problem(error, "r-1")

    assert problem.status == 500
    assert problem.code == "INTERNAL_SERVER_ERROR"
    assert b"secret" not in problem.encode()


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (SourceRateLimitedError("x", retry_after=9.5), (b"retry-after", b"10")),
        (OverloadedError("x"), (b"retry-after", b"1")),
        (UnauthenticatedError("x"), (b"www-authenticate", b"Bearer")),
    ],
)
def test_clients_are_told_what_to_do(error: GraphGWError, header: tuple[bytes, bytes]):
    assert header in describe_problem(error, "").headers
