"""What a service's answer says: JSON, nothing, or a failure with its reasons."""

from __future__ import annotations

import email.utils
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import (
    SourceBadAnswerError,
    SourceError,
    SourceRateLimitedError,
)

if TYPE_CHECKING:
    from graphgw.sources.protocol import HTTPResponse
    from graphgw.types import JSON, Clock

__all__ = ["RAISE", "AnswerReader", "JSONText", "is_refusal"]

RAISE: Final[Any] = object()
"""The value of ``missing`` that makes a 404 an error."""

_UNREAD: Final = object()
_HAS_JSON: Final[Any] = object()

_NO_CONTENT: Final = frozenset({204, 205})
_OK: Final = 200
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_DETAIL_BYTES: Final = 16 * 1024


def is_refusal(status: int) -> bool:
    """Tell whether a service says that it did not do what was asked, or not now."""
    return status >= _SERVER_ERROR or status == _TOO_MANY


class JSONText:
    """JSON that is not decoded: what a resolver returns that only passes it on.

    It stands for the value that is in it. Where that is an object, generated code
    decodes what the client asked for, and nothing else is made. Whoever wants to look
    into it reads ``value``.

    Args:
        text: The JSON.
        source: The service that it is from, for errors.
    """

    __slots__ = ("_source", "_value", "text")

    def __init__(self, text: bytes, source: str = "") -> None:
        self.text = text
        self._source = source
        self._value: Any = _UNREAD

    def __repr__(self) -> str:
        return f"JSONText({len(self.text)} bytes)"

    def __sizeof__(self) -> int:
        """Return the bytes that it takes, about four times as many once decoded."""
        size = len(self.text)
        return object.__sizeof__(self) + (size if self._value is _UNREAD else 5 * size)

    @property
    def value(self) -> JSON:
        """The decoded value, the same one each time.

        Raises:
            SourceBadAnswerError: It is no JSON.
        """
        if self._value is _UNREAD:
            try:
                self._value = orjson.loads(self.text)
            except orjson.JSONDecodeError as error:
                name = self._source
                raise SourceBadAnswerError(
                    f'service "{name}" answered JSON that is damaged',
                    source=name,
                    detail=_text(self.text),
                ) from error
        return self._value


class AnswerReader:
    """Reads the answers of one service."""

    __slots__ = ("_clock", "_name")

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock

    def read_json(self, response: HTTPResponse, missing: Any = RAISE) -> JSON:
        """Return the decoded JSON; ``None`` where there is no content (204).

        Args:
            response: The whole answer.
            missing: What to return for a 404, instead of an error.

        Raises:
            SourceError: It is no success, or no JSON.
        """
        found = self._look(response, missing)
        if found is not _HAS_JSON:
            return found
        try:
            return orjson.loads(response.body)
        except orjson.JSONDecodeError as error:
            raise self._bad_answer(response, "JSON that is damaged") from error

    def read_text(self, response: HTTPResponse, missing: Any = RAISE) -> Any:
        """Return a ``JSONText``; ``None`` where there is no content (204).

        What is damaged is found when it is read.

        Args:
            response: The whole answer.
            missing: What to return for a 404, instead of an error.

        Raises:
            SourceError: It is no success, or does not say that it is JSON.
        """
        found = self._look(response, missing)
        if found is not _HAS_JSON:
            return found
        return JSONText(response.body, self._name)

    def _look(self, response: HTTPResponse, missing: Any) -> Any:
        """Return what an answer without JSON comes to, ``_HAS_JSON`` for others."""
        status = response.status
        if status != _OK:
            if status == _NOT_FOUND and missing is not RAISE:
                return missing
            if not 200 <= status < 300:  # noqa: PLR2004 - the class of success
                raise self.status_error(response)
            if status in _NO_CONTENT:
                return None
        kind = response.headers.get("content-type", "")
        if kind != "application/json" and not _is_json(kind):
            raise self._bad_answer(response, "what is not JSON")
        return _HAS_JSON

    def status_error(self, response: HTTPResponse) -> SourceError:
        """Return the error of an answer whose status is no success."""
        name, status = self._name, response.status
        kind = SourceRateLimitedError if status == _TOO_MANY else SourceError
        return kind(
            f'service "{name}" answered {status}',
            source=name,
            status=status,
            detail=_detail(response),
            retry_after=self._read_retry_after(response),
        )

    def _bad_answer(self, response: HTTPResponse, what: str) -> SourceBadAnswerError:
        name = self._name
        return SourceBadAnswerError(
            f'service "{name}" answered {what}', source=name, detail=_detail(response)
        )

    def _read_retry_after(self, response: HTTPResponse) -> float | None:
        text = response.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:10])
        try:
            at = email.utils.parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return None
        return max(0.0, at.timestamp() - self._clock.time())


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))


def _detail(response: HTTPResponse) -> str:
    return _text(response.body)


def _text(body: bytes) -> str:
    return body[:_DETAIL_BYTES].decode("utf-8", "replace")
