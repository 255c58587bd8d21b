"""The ways in which a gRPC call fails, as errors."""

from __future__ import annotations

from typing import Final

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.http_transport.failures import (
    answer_too_large,
    disconnected,
    header_too_large,
    unreachable,
)

__all__ = [
    "UnprocessedError",
    "answered",
    "bad_answer",
    "disconnected",
    "header_too_large",
    "message_too_large",
    "not_sendable",
    "timed_out",
    "unprocessed",
    "unreachable",
]

_KINDS: Final[dict[str, tuple[type[SourceError], str]]] = {
    "DEADLINE_EXCEEDED": (SourceTimeoutError, "did not answer in time"),
    "UNAVAILABLE": (SourceUnreachableError, "could not be reached"),
}


class UnprocessedError(SourceUnreachableError):
    """The service did not begin with the call: it can be made again, whatever it is."""


def answered(
    source: str,
    status: str,
    detail: str = "",
    retry_after: float | None = None,
    status_details: bytes | None = None,
) -> SourceError:
    """Return the error of a call that the service answered with a status.

    Args:
        source: The service's name.
        status: The name of the gRPC code.
        detail: The service's own words.
        retry_after: The seconds that it wants to be left alone.
        status_details: What it says in ``grpc-status-details-bin``, decoded.
    """
    kind, words = _KINDS.get(status, (SourceError, f"answered {status}"))
    return kind(
        f'service "{source}" {words}',
        source=source,
        status=status,
        detail=detail,
        retry_after=retry_after,
        status_details=status_details,
    )


def unprocessed(source: str, detail: str) -> UnprocessedError:
    """Return the error of a call that the service did not begin with."""
    return UnprocessedError(
        f'service "{source}" could not be reached', source=source, detail=detail
    )


def timed_out(source: str) -> SourceError:
    """Return the error of a call whose deadline passed."""
    return answered(source, "DEADLINE_EXCEEDED")


def bad_answer(source: str, detail: str) -> SourceBadAnswerError:
    """Return the error of an answer that is not gRPC, or not the gRPC we speak."""
    return SourceBadAnswerError(
        f'service "{source}" answered what is not gRPC', source=source, detail=detail
    )


def message_too_large(source: str, limit: int) -> SourceAnswerTooLargeError:
    """Return the error of an answer whose message is longer than allowed."""
    error = answer_too_large(source, limit)
    error.status = "RESOURCE_EXHAUSTED"
    return error


def not_sendable(source: str, name: str) -> SourceError:
    """Return the error of metadata that would not be what it is on the wire."""
    return SourceError(
        f'service "{source}" cannot be sent the metadata "{name}"', source=source
    )
