"""The ways in which a call fails on the wire, as errors."""

from __future__ import annotations

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)

__all__ = [
    "answer_too_large",
    "bad_answer",
    "disconnected",
    "header_too_large",
    "not_sendable",
    "timed_out",
    "unreachable",
]


def timed_out(source: str) -> SourceTimeoutError:
    """Return the error of a call whose deadline passed."""
    return SourceTimeoutError(
        f'service "{source}" did not answer in time', source=source
    )


def unreachable(source: str, detail: str) -> SourceUnreachableError:
    """Return the error of a call for which no connection could be made."""
    return SourceUnreachableError(
        f'service "{source}" could not be reached', source=source, detail=detail
    )


def disconnected(source: str) -> SourceDisconnectedError:
    """Return the error of a call whose connection ended before its answer did."""
    return SourceDisconnectedError(
        f'service "{source}" broke off the connection', source=source
    )


def bad_answer(source: str, detail: str) -> SourceBadAnswerError:
    """Return the error of an answer that is not HTTP, or not the HTTP we speak."""
    return SourceBadAnswerError(
        f'service "{source}" answered what is not HTTP', source=source, detail=detail
    )


def answer_too_large(source: str, limit: int) -> SourceAnswerTooLargeError:
    """Return the error of an answer whose body is longer than allowed."""
    return SourceAnswerTooLargeError(
        f'service "{source}" answered with more than {limit} bytes', source=source
    )


def header_too_large(source: str, limit: int) -> SourceAnswerTooLargeError:
    """Return the error of an answer whose headers are longer than allowed."""
    return SourceAnswerTooLargeError(
        f'service "{source}" answered with headers of more than {limit} bytes',
        source=source,
    )


def not_sendable(source: str, what: str) -> SourceError:
    """Return the error of a request that would not be one request on the wire."""
    return SourceError(
        f'service "{source}" cannot be sent a request with such {what}', source=source
    )
