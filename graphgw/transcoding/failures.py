"""What a client of REST is told where a gRPC call fails.

See https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from graphgw.routes.problem import ProblemDetails, describe_problem
from graphgw.transcoding.error_details import describe_details

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

    from graphgw.errors import SourceError
    from graphgw.routes.targets import GRPCTarget

__all__ = ["HTTP_STATUSES", "describe_failure"]

HTTP_STATUSES: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The HTTP status of each gRPC status; of all others 502, for the service failed."""

_MESSAGES: Final = {
    400: "the service does not accept this",
    401: "the service wants other credentials",
    403: "the service does not allow this",
    404: "there is nothing here",
    409: "the service has another state than this needs",
    429: "the service has had too many requests",
    501: "the service does not do this",
}


def describe_failure(
    error: SourceError, request_id: str, target: GRPCTarget, pool: DescriptorPool
) -> ProblemDetails:
    """Return the problem that a failed call is answered with.

    Args:
        error: Tells the gRPC status, and the service's own words.
        request_id: What logs call the request.
        target: Says what of the service's words and details is meant for clients.
        pool: Declares the service's own messages.
    """
    problem = _describe(error, request_id, shows_words=target.shows_details)
    details = describe_details(error, target, pool)
    return replace(problem, extensions={"details": details}) if details else problem


def _describe(
    error: SourceError, request_id: str, *, shows_words: bool
) -> ProblemDetails:
    code = error.grpc_code
    usual = describe_problem(error, request_id)
    if code is None or code == "DEADLINE_EXCEEDED":
        return usual
    status = HTTP_STATUSES.get(code, usual.status)
    detail = _MESSAGES.get(status, usual.detail)
    if shows_words and error.detail and status < 500:  # noqa: PLR2004 - HTTP's own number
        detail = error.detail
    return ProblemDetails(status, code, detail, request_id, usual.headers)
