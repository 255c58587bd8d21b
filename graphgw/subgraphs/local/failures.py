"""What a client is told of an exception, and what is kept for the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.errors import (
    DeadlineExceededError,
    InternalError,
    RequestError,
    ResolverError,
    SourceError,
)
from graphgw.subgraphs.protocol import FetchError
from graphgw.telemetry.events import InternalFailure

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.subgraphs.protocol import ResponseKeyPath

__all__ = ["Failures"]

_MASKED: Final = "Internal server error"


class Failures:
    """The errors of one fetch, in order.

    Unexpected ones are reported once for each field and class of exception.
    """

    __slots__ = ("_context", "_reported", "errors")

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._reported: set[tuple[str, type]] = set()
        self.errors: list[FetchError] = []

    def add(self, error: Exception, path: ResponseKeyPath, where: str) -> None:
        """Record what became of the position ``path``; ``where`` is its coordinate."""
        self.errors.append(self._describe(error, path, where))

    def _describe(
        self, error: Exception, path: ResponseKeyPath, where: str
    ) -> FetchError:
        if isinstance(error, ResolverError):
            extensions = dict(error.extensions)
            return FetchError(error.message, path, error.error_code, extensions)
        if isinstance(error, RequestError):
            code = getattr(error, "error_code", error.code)
            return FetchError(error.message, path, code, dict(error.extensions))
        if isinstance(error, SourceError | DeadlineExceededError):
            return FetchError(error.message, path, error.code)
        if (where, type(error)) not in self._reported:
            self._reported.add((where, type(error)))
            request_id = self._context.request_id
            self._context.observer.observe(InternalFailure(request_id, where, error))
        return FetchError(_MASKED, path, InternalError.code)
