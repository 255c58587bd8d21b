"""Errors of routes as problem details: what a client of a REST endpoint is told.

See https://www.rfc-editor.org/rfc/rfc9457.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson

from graphgw.errors import (
    BadRequestError,
    ConfigurationError,
    DeadlineExceededError,
    GraphGWError,
    RequestError,
    SourceError,
    SourceOverloadedError,
    SourceRateLimitedError,
    SourceTimeoutError,
)

if TYPE_CHECKING:
    from graphgw.types import JSONObject

__all__ = ["PROBLEM_TYPE", "ProblemDetails", "describe_problem"]

PROBLEM_TYPE: Final = "application/problem+json"
_SECOND: Final = 1.0
_MASKED: Final = "Internal server error."
_UNFIT: Final = "this cannot be served as it is configured"

_STATUSES: Final[tuple[tuple[type[GraphGWError], int], ...]] = (
    (SourceRateLimitedError, 429),
    (SourceTimeoutError, 504),
    (DeadlineExceededError, 504),
    (SourceOverloadedError, 503),
    (SourceError, 502),
    (ConfigurationError, 503),
)
"""The status of what is not the caller's fault; the first that fits."""


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """One error, ready to be answered with."""

    status: int
    code: str
    detail: str
    instance: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    extensions: JSONObject | None = None

    def encode(self) -> bytes:
        """Return the answer's body."""
        return orjson.dumps(
            {
                **(self.extensions or {}),
                "type": "about:blank",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
                "instance": self.instance,
                "code": self.code,
            }
        )


def describe_problem(error: GraphGWError, request_id: str) -> ProblemDetails:
    """Return what a client may know of an error; what is ours is masked."""
    status = _status(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProblemDetails(status, GraphGWError.code, _MASKED, request_id)
    if isinstance(error, ConfigurationError):  # its words are the operator's
        headers = tuple(_headers(error))
        code = ConfigurationError.code
        return ProblemDetails(status, code, _UNFIT, request_id, headers)
    code = getattr(error, "error_code", error.code)
    extensions = error.extensions if isinstance(error, RequestError) else None
    return ProblemDetails(
        status, code, error.message, request_id, tuple(_headers(error)), extensions
    )


def _status(error: GraphGWError) -> int:
    if isinstance(error, BadRequestError):
        return error.http_status
    if isinstance(error, RequestError):
        # What GraphQL answers with 200 is the gateway's own fault on a route.
        return error.status if error.status >= HTTPStatus.BAD_REQUEST else 500
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def _headers(error: GraphGWError) -> list[tuple[bytes, bytes]]:
    status = _status(error)
    headers = []
    retry_after = getattr(error, "retry_after", None)
    if retry_after is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = _SECOND
    if retry_after is not None:
        seconds = max(1, math.ceil(retry_after))
        headers.append((b"retry-after", b"%d" % seconds))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers
