"""Every exception graphgw raises, and the table of their codes.

GraphGWError
├── RequestError                     the caller can fix it; the message is shown as is
│   ├── BadRequestError              not a GraphQL-over-HTTP request (BAD_REQUEST)
│   ├── InvalidDocumentError         GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED
│   ├── BadUserInputError            variables that do not fit (BAD_USER_INPUT)
│   ├── PersistedQueryNotFoundError  PERSISTED_QUERY_NOT_FOUND
│   ├── LimitError                   LIMIT_EXCEEDED
│   │   └── BodyTooLargeError        the same, with HTTP status 413
│   │   └── OverloadedError          the gateway itself has no room (503)
│   ├── CostError                    COST_ESTIMATED_TOO_EXPENSIVE
│   ├── UnauthenticatedError         UNAUTHENTICATED
│   ├── UnauthorizedError            UNAUTHORIZED_FIELD_OR_TYPE
│   ├── VariantForbiddenError        VARIANT_FORBIDDEN
│   ├── VariantSunsetError           VARIANT_SUNSET
│   ├── RateLimitedError             RATE_LIMITED
│   └── PlanningError                PLANNING_FAILED, PLANNING_TIMEOUT
├── ResolverError                    a resolver's own words for the client
├── SourceError                      one fetch failed; becomes a partial response
│   ├── SourceDisconnectedError      the connection broke before the whole answer came
│   ├── SourceRateLimitedError       RATE_LIMITED, by the backend
│   ├── SourceTimeoutError           SOURCE_TIMEOUT
│   ├── SourceUnreachableError       SOURCE_UNREACHABLE
│   ├── SourceBadAnswerError         SOURCE_BAD_ANSWER
│   ├── SourceAnswerTooLargeError    SOURCE_ANSWER_TOO_LARGE
│   └── SourceOverloadedError        SOURCE_OVERLOADED
├── DeadlineExceededError            the operation's own time is up
├── SchemaChangedError               a subscription outlived its schema
├── ConfigurationError               the operator can fix it; all problems at once
│   ├── CompositionError             subgraphs that do not fit together
│   └── SupergraphUnavailableError   the URL of the supergraph does not answer now
└── InternalError                    our fault; logged in full, masked for the caller
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ERROR_CODES",
    "BadRequestError",
    "BadUserInputError",
    "BodyTooLargeError",
    "CompositionError",
    "ConfigurationError",
    "CostError",
    "DeadlineExceededError",
    "GraphGWError",
    "InternalError",
    "InvalidDocumentError",
    "LimitError",
    "Location",
    "OverloadedError",
    "PersistedQueryNotFoundError",
    "PlanningError",
    "Problem",
    "RateLimitedError",
    "RequestError",
    "ResolverError",
    "SchemaChangedError",
    "SourceAnswerTooLargeError",
    "SourceBadAnswerError",
    "SourceDisconnectedError",
    "SourceError",
    "SourceOverloadedError",
    "SourceRateLimitedError",
    "SourceTimeoutError",
    "SourceUnreachableError",
    "SupergraphUnavailableError",
    "UnauthenticatedError",
    "UnauthorizedError",
    "VariantForbiddenError",
    "VariantSunsetError",
]

ERROR_CODES: Final[dict[str, str]] = {
    "BAD_REQUEST": (
        "The HTTP message is not a GraphQL request, or not one that a route takes."
    ),
    "GRAPHQL_PARSE_FAILED": "The document is not GraphQL.",
    "GRAPHQL_VALIDATION_FAILED": "The document does not fit the schema.",
    "BAD_USER_INPUT": "A variable's value does not fit its type.",
    "PERSISTED_QUERY_NOT_FOUND": "No document is stored under this hash.",
    "LIMIT_EXCEEDED": "The request is larger than a limit allows.",
    "COST_ESTIMATED_TOO_EXPENSIVE": "The operation's estimated cost is too high.",
    "UNAUTHENTICATED": "The credentials are missing or invalid.",
    "UNAUTHORIZED_FIELD_OR_TYPE": "The caller may not have this field or type.",
    "VARIANT_FORBIDDEN": "The caller may not use this variant of the graph.",
    "VARIANT_SUNSET": "This variant of the graph is gone.",
    "FIELD_SUNSET": "A field, an argument or an enum value is gone.",
    "RATE_LIMITED": "A rate limit is used up.",
    "PLANNING_FAILED": "No subgraph can answer the operation as asked.",
    "PLANNING_TIMEOUT": "Preparing the operation took too long.",
    "SOURCE_TIMEOUT": "A backend did not answer in time.",
    "SOURCE_UNREACHABLE": "A backend could not be reached.",
    "SOURCE_ERROR": "A backend answered with an error.",
    "SOURCE_BAD_ANSWER": "A backend's answer could not be understood.",
    "SOURCE_ANSWER_TOO_LARGE": "A backend's answer was larger than allowed.",
    "SOURCE_OVERLOADED": "A backend has too many requests in flight.",
    "RESOLVER_ERROR": "A resolver refused, for a reason of its own.",
    "DEADLINE_EXCEEDED": "The operation's time is up.",
    "SCHEMA_CHANGED": "The schema changed and the subscription no longer fits.",
    "CONFIGURATION_INVALID": "The gateway's configuration is wrong.",
    "COMPOSITION_FAILED": "The subgraphs do not fit together.",
    "INTERNAL_SERVER_ERROR": "The gateway itself failed.",
}
"""Every value of ``extensions.code`` and its meaning; codes never change."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a GraphQL document: 1-based line and column."""

    line: int
    column: int


class GraphGWError(Exception):
    """The root of every exception graphgw raises."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestError(GraphGWError):
    """The caller can fix it; the message is shown as is."""

    code = "BAD_REQUEST"
    status: ClassVar[int] = 400
    """The HTTP status when the whole request is refused with this error."""

    def __init__(
        self,
        message: str,
        *,
        locations: Sequence[Location] = (),
        extensions: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.locations = tuple(locations)
        self.extensions = extensions or {}


class BadRequestError(RequestError):
    """The HTTP message is not a GraphQL-over-HTTP request."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.http_status = status


class InvalidDocumentError(RequestError):
    """The document does not parse or does not validate; holds every error."""

    code = "GRAPHQL_VALIDATION_FAILED"

    def __init__(
        self,
        errors: Sequence[tuple[str, tuple[Location, ...]]],
        *,
        parse: bool = False,
    ) -> None:
        super().__init__(errors[0][0], locations=errors[0][1])
        self.errors = tuple(errors)
        self.error_code = "GRAPHQL_PARSE_FAILED" if parse else self.code


class BadUserInputError(RequestError):
    """Variables do not fit; holds one message for each."""

    code = "BAD_USER_INPUT"

    def __init__(self, errors: Sequence[tuple[str, tuple[Location, ...]]]) -> None:
        super().__init__(errors[0][0], locations=errors[0][1])
        self.errors = tuple(errors)


class PersistedQueryNotFoundError(RequestError):
    """No document is stored under this hash."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    status = 200


class LimitError(RequestError):
    """The request is larger than a limit allows."""

    code = "LIMIT_EXCEEDED"


class BodyTooLargeError(LimitError):
    """The body is larger than a limit allows."""

    status = 413


class OverloadedError(LimitError):
    """The gateway has too much to do, has no graph yet, or is stopping."""

    status = 503


class CostError(RequestError):
    """The operation's estimated cost is too high."""

    code = "COST_ESTIMATED_TOO_EXPENSIVE"


class UnauthenticatedError(RequestError):
    """The credentials are missing or invalid."""

    code = "UNAUTHENTICATED"
    status = 401


class UnauthorizedError(RequestError):
    """The caller may not have what they ask for."""

    code = "UNAUTHORIZED_FIELD_OR_TYPE"
    status = 403


class VariantForbiddenError(RequestError):
    """The caller may not use this variant of the graph."""

    code = "VARIANT_FORBIDDEN"
    status = 403


class VariantSunsetError(RequestError):
    """This variant of the graph is gone; ``headers`` tell since when."""

    code = "VARIANT_SUNSET"
    status = 410

    def __init__(
        self, message: str, *, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.headers = headers


class RateLimitedError(RequestError):
    """A rate limit is used up; ``retry_after`` is in seconds."""

    code = "RATE_LIMITED"
    status = 429

    def __init__(
        self,
        message: str,
        *,
        retry_after: float,
        extensions: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message, extensions=extensions)
        self.retry_after = retry_after


class PlanningError(RequestError):
    """The operation cannot be planned, or not in time."""

    code = "PLANNING_FAILED"
    status = 200

    def __init__(self, message: str, *, timeout: bool = False) -> None:
        super().__init__(message)
        self.error_code = "PLANNING_TIMEOUT" if timeout else self.code


class ResolverError(GraphGWError):
    """A resolver's own words for the client: message, code and extensions are shown.

    Any other exception of a resolver is masked.
    """

    code = "RESOLVER_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        extensions: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.error_code = code or self.code
        self.extensions = extensions or {}


class SourceError(GraphGWError):
    """One fetch failed; it becomes a partial response.

    The message may be shown to clients: it names the source and what happened,
    never the backend's own words. ``status`` is the backend's HTTP status or the
    name of its gRPC code, if any; ``detail`` is what the backend said, for resolvers
    only; ``retry_after`` are the seconds it wants to be left alone, if it said so;
    ``status_details`` is the ``google.rpc.Status`` of a gRPC service, as it came.
    """

    code = "SOURCE_ERROR"

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        status: int | str | None = None,
        detail: str | None = None,
        retry_after: float | None = None,
        status_details: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.source = source
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        self.status_details = status_details

    @property
    def grpc_code(self) -> str | None:
        """The name of the gRPC code, such as ``"NOT_FOUND"``."""
        return self.status if isinstance(self.status, str) else None


class SourceDisconnectedError(SourceError):
    """The connection broke before the whole answer came."""


class SourceRateLimitedError(SourceError):
    """A backend's own rate limit is used up."""

    code = "RATE_LIMITED"


class SourceTimeoutError(SourceError):
    """A backend did not answer in time."""

    code = "SOURCE_TIMEOUT"


class SourceUnreachableError(SourceError):
    """A backend could not be reached."""

    code = "SOURCE_UNREACHABLE"


class SourceBadAnswerError(SourceError):
    """A backend's answer could not be understood."""

    code = "SOURCE_BAD_ANSWER"


class SourceAnswerTooLargeError(SourceError):
    """A backend's answer was larger than allowed."""

    code = "SOURCE_ANSWER_TOO_LARGE"


class SourceOverloadedError(SourceError):
    """A backend has too many requests in flight."""

    code = "SOURCE_OVERLOADED"


class DeadlineExceededError(GraphGWError):
    """The operation's own time is up."""

    code = "DEADLINE_EXCEEDED"


class SchemaChangedError(GraphGWError):
    """The schema changed and the subscription no longer fits it."""

    code = "SCHEMA_CHANGED"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing an operator must mend.

    ``where`` is a schema coordinate, a setting's path or ``file:line``; ``mend``
    says what to do about it.
    """

    message: str
    where: str | None = None
    mend: str | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n    {self.mend}" if self.mend else text


class ConfigurationError(GraphGWError):
    """The operator can fix it; holds all problems at once."""

    code = "CONFIGURATION_INVALID"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class CompositionError(ConfigurationError):
    """The subgraphs do not fit together; holds all problems at once."""

    code = "COMPOSITION_FAILED"


class SupergraphUnavailableError(ConfigurationError):
    """The supergraph cannot be had now; it may be a moment later."""


class InternalError(GraphGWError):
    """Our fault; logged in full, masked for the caller."""
