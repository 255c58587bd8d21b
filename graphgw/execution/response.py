"""The answer to one operation, in the GraphQL response format.

See https://spec.graphql.org/draft/#sec-Response-Format.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import (
    BadUserInputError,
    GraphGWError,
    InvalidDocumentError,
    PlanningError,
    RequestError,
    VariantSunsetError,
)
from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphgw.errors import Location
    from graphgw.types import JSONObject

__all__ = ["EncodedData", "GraphQLResponse", "as_plain_json", "refuse"]

_ANY_KEYS: Final = orjson.OPT_NON_STR_KEYS
_BAD_REQUEST: Final = 400
_WELL_FORMED_CODES: Final = frozenset(
    {"GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}
)


class EncodedData:
    """The data of an answer as JSON text, and as a value where it was just made."""

    __slots__ = ("_value", "text")

    def __init__(self, text: bytes, value: Any = None) -> None:
        self.text = text
        self._value = value

    @classmethod
    def of(cls, value: Any) -> EncodedData:
        """Encode a value."""
        return cls(_encode(value), value)

    def decode(self) -> Any:
        """Return the value, which is the caller's own."""
        return orjson.loads(self.text) if self._value is None else self._value


@record
class GraphQLResponse:
    """Data, errors, extensions and HTTP headers of one answer.

    Where ``has_data`` is false the operation was refused before it ran and the
    answer has no ``data`` member. ``data`` may be ``EncodedData``. ``status`` is the
    HTTP status that ``application/graphql-response+json`` demands.
    """

    data: Any
    errors: Sequence[JSONObject] = ()
    extensions: JSONObject | None = None
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200
    has_data: bool = True
    fetches: int = field(default=0, compare=False)
    had_plan: bool | None = field(default=None, compare=False)

    @property
    def error_codes(self) -> tuple[str, ...]:
        """The ``extensions.code`` of each error, in order."""
        return tuple(error["extensions"]["code"] for error in self.errors)

    @property
    def plain_data(self) -> Any:
        """The data as a tree."""
        data = self.data
        return data.decode() if data.__class__ is EncodedData else data

    def to_json(self) -> JSONObject:
        """Return the answer as a JSON object; errors stand before the data."""
        answer: JSONObject = {}
        if self.errors:
            answer["errors"] = list(self.errors)
        if self.has_data:
            answer["data"] = self.plain_data
        if self.extensions:
            answer["extensions"] = self.extensions
        return answer

    def encode(self) -> bytes:
        """Return the answer as UTF-8 JSON."""
        if self.data.__class__ is EncodedData and not (self.errors or self.extensions):
            return b'{"data":%b}' % self.data.text
        is_usual = self.has_data and not (self.errors or self.extensions)
        answer = {"data": self.data} if is_usual else self.to_json()
        return _encode(answer)


def _encode(value: Any) -> bytes:
    """Return JSON; a scalar's own objects may have keys that are no texts.

    To look out for those takes the encoder most of its time, so that it is only told
    to where it met one.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(value, option=_ANY_KEYS)


def refuse(error: GraphGWError) -> GraphQLResponse:
    """Return the answer to an operation that never ran."""
    status = error.status if isinstance(error, RequestError) else 500
    return GraphQLResponse(
        None,
        errors=list(_entries(error)),
        headers=_headers(error),
        status=getattr(error, "http_status", status),
        has_data=isinstance(error, PlanningError),
    )


def as_plain_json(response: GraphQLResponse) -> GraphQLResponse:
    """Return the answer as a client that accepts ``application/json`` must get it.

    Its status is 200 where the HTTP request was well formed.
    See https://graphql.github.io/graphql-over-http/draft/#sec-application-json
    """
    if response.status == _BAD_REQUEST and _WELL_FORMED_CODES.issuperset(
        response.error_codes
    ):
        return replace(response, status=200)
    return response


def _entries(error: GraphGWError) -> Iterable[JSONObject]:
    code = getattr(error, "error_code", error.code)
    if isinstance(error, InvalidDocumentError | BadUserInputError):
        for message, locations in error.errors:
            yield _entry(message, code, locations)
    elif isinstance(error, RequestError):
        yield _entry(error.message, code, error.locations, error.extensions)
    else:
        yield _entry("Internal server error.", "INTERNAL_SERVER_ERROR", ())


def _entry(
    message: str,
    code: str,
    locations: Sequence[Location],
    extensions: dict[str, object] | None = None,
) -> JSONObject:
    entry: JSONObject = {"message": message}
    if locations:
        entry["locations"] = [
            {"line": place.line, "column": place.column} for place in locations
        ]
    entry["extensions"] = {**(extensions or {}), "code": code}
    return entry


def _headers(error: GraphGWError) -> tuple[tuple[str, str], ...]:
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        return (("retry-after", str(max(1, -int(-retry_after // 1)))),)
    if isinstance(error, VariantSunsetError):
        return error.headers
    if getattr(error, "status", None) == 401:  # noqa: PLR2004 - HTTP's own number
        return (("www-authenticate", "Bearer"),)
    return ()
