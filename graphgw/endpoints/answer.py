"""An operation's answer as that of a REST endpoint: a status, headers and a body."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.routes.entity_tags import revalidate
from graphgw.routes.problem import PROBLEM_TYPE, ProblemDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.endpoints.endpoint import Endpoint
    from graphgw.execution.response import GraphQLResponse
    from graphgw.routes.exchange import Exchange
    from graphgw.types import JSONObject

    Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

__all__ = ["STATUSES", "render_answer"]

STATUSES: Final = {
    "BAD_USER_INPUT": 400,
    "COST_ESTIMATED_TOO_EXPENSIVE": 400,
    "LIMIT_EXCEEDED": 400,
    "UNAUTHENTICATED": 401,
    "UNAUTHORIZED_FIELD_OR_TYPE": 403,
    "VARIANT_FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "VARIANT_SUNSET": 410,
    "FIELD_SUNSET": 410,
    "RATE_LIMITED": 429,
    "SOURCE_ANSWER_TOO_LARGE": 502,
    "SOURCE_BAD_ANSWER": 502,
    "SOURCE_ERROR": 502,
    "SOURCE_UNREACHABLE": 502,
    "SOURCE_OVERLOADED": 503,
    "DEADLINE_EXCEEDED": 504,
    "SOURCE_TIMEOUT": 504,
}
"""The HTTP status of each error code; of all others 500."""

_JSON: Final = (b"content-type", b"application/json")
_NO_STORE: Final = (b"cache-control", b"no-store")
_NOT_FOUND: Final = "there is nothing here"
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS
_ENDS: Final = ("\r", "\n", "\0")


def render_answer(
    endpoint: Endpoint, response: GraphQLResponse, exchange: Exchange
) -> Answer:
    """Return what a request is answered with.

    Null where the endpoint's answer should be is 404, or the status of the error
    that made it null. With ``keeps_partial`` an answer with gaps is an answer: an
    object names what went wrong under ``warnings``.
    """
    value = _pick(response.data, endpoint.select)
    errors = response.errors
    if errors and (value is None or not endpoint.keeps_partial):
        return _refuse(endpoint, response, exchange)
    if value is None and endpoint.select:
        problem = ProblemDetails(404, "NOT_FOUND", _NOT_FOUND, exchange.request_id)
        return _problem(problem, response)
    headers = _own_headers(response)
    if endpoint.status == HTTPStatus.NO_CONTENT:
        return endpoint.status, headers, b""
    if errors and isinstance(value, dict):
        value = {**value, "warnings": _describe(errors)}
    body = orjson.dumps(value, option=_OPTIONS)
    answer = (endpoint.status, [_JSON, *headers], body)
    if exchange.method in {"GET", "HEAD"} and not errors:
        return revalidate(answer, exchange.headers)
    return answer


def _pick(data: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return data


def _refuse(
    endpoint: Endpoint, response: GraphQLResponse, exchange: Exchange
) -> Answer:
    """Answer with the first error; the others stand beside."""
    first = response.errors[0]
    code = first["extensions"]["code"]
    status = _status(endpoint, response, code, exchange)
    extensions: JSONObject = {"errors": _describe(response.errors)}
    problem = ProblemDetails(
        status,
        code,
        first["message"],
        exchange.request_id,
        _more_headers(status, first, response),
        extensions,
    )
    return _problem(problem, response)


def _status(
    endpoint: Endpoint, response: GraphQLResponse, code: str, exchange: Exchange
) -> int:
    found = endpoint.statuses.get(code)
    if found is not None:
        return found
    if code == "UNAUTHORIZED_FIELD_OR_TYPE":
        known = exchange.principal.is_authenticated
        return 403 if known else 401
    if response.status >= HTTPStatus.UNAUTHORIZED:
        return response.status
    return STATUSES.get(code, 500)


def _more_headers(
    status: int, error: JSONObject, response: GraphQLResponse
) -> tuple[tuple[bytes, bytes], ...]:
    headers = []
    given = {name for name, _ in response.headers}
    wait = error["extensions"].get("retryAfterMs")
    if isinstance(wait, int | float) and "retry-after" not in given:
        headers.append((b"retry-after", b"%d" % max(1, -int(-wait // 1000))))
    if status == HTTPStatus.UNAUTHORIZED and "www-authenticate" not in given:
        headers.append((b"www-authenticate", b"Bearer"))
    return tuple(headers)


def _problem(problem: ProblemDetails, response: GraphQLResponse) -> Answer:
    kind = (b"content-type", PROBLEM_TYPE.encode())
    own = [pair for pair in _own_headers(response) if pair[0] != b"cache-control"]
    headers = [kind, _NO_STORE, *own, *problem.headers]
    return problem.status, headers, problem.encode()


def _own_headers(response: GraphQLResponse) -> list[tuple[bytes, bytes]]:
    """Return the operation's headers, without what would end a line."""
    return [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in response.headers
        if not any(end in part for part in (name, value) for end in _ENDS)
    ]


def _describe(errors: Sequence[JSONObject]) -> list[JSONObject]:
    """Return each error as clients of REST see it: what, which code, where."""
    return [
        {
            "message": error["message"],
            "code": error["extensions"]["code"],
            **({"path": error["path"]} if error.get("path") else {}),
        }
        for error in errors
    ]
