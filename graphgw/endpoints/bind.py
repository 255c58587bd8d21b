"""A request's path, query, headers and body as the variables of an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson

from graphgw.endpoints.values import UnreadableError, read_texts
from graphgw.errors import BadRequestError, BadUserInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphgw.endpoints.endpoint import BoundVariable, Endpoint, Source
    from graphgw.routes.exchange import Exchange
    from graphgw.types import JSON, JSONObject

__all__ = ["bind_variables"]

_ABSENT: Final[Any] = object()
_MAX_PARAMETERS: Final = 1000
_UNSUPPORTED: Final = 415


async def bind_variables(endpoint: Endpoint, exchange: Exchange) -> JSONObject:
    """Return the variables that a request gives; what it leaves out is left out.

    Raises:
        BadUserInputError: Parameters are missing, unknown or not of their type; it
            has one message for each.
        BadRequestError: The body is not the JSON that is expected.
        BodyTooLargeError: The body is larger than the route allows.
    """
    binding = _Binding(exchange, await _read_body(endpoint, exchange))
    variables: JSONObject = {}
    problems = list(_unknown_members(endpoint, binding.body))
    for variable in endpoint.variables:
        try:
            value = binding.find(variable)
        except _WrongError as error:
            problems.append(str(error))
            continue
        if value is not _ABSENT:
            variables[variable.name] = value
        elif variable.is_required:
            problems.append(f"{variable.sources[0]} is missing")
    if problems:
        raise BadUserInputError([(problem, ()) for problem in problems])
    return variables


class _WrongError(Exception):
    """A value cannot be read; says which and why."""


class _Binding:
    """Finds values in one request."""

    __slots__ = ("_exchange", "_query", "body")

    def __init__(self, exchange: Exchange, body: JSON) -> None:
        self.body = body
        self._exchange = exchange
        self._query: Mapping[str, list[str]] | None = None

    def find(self, variable: BoundVariable) -> JSON:
        for source in variable.sources:
            value = self._take(source, variable)
            if value is not _ABSENT:
                return value
        return _ABSENT

    def _take(self, source: Source, variable: BoundVariable) -> JSON:
        if source.part == "body":
            return _member(self.body, source.name)
        texts = self._texts(source)
        if not texts:
            return _ABSENT
        try:
            return read_texts(variable.type, texts)
        except UnreadableError as error:
            raise _WrongError(f"{source}: {error}") from error

    def _texts(self, source: Source) -> Sequence[str]:
        exchange, name = self._exchange, source.name
        if source.part == "query":
            return self._read_query().get(name, ())
        if source.part == "path":
            found: object = exchange.parameters.get(name)
        elif source.part == "header":
            found = exchange.headers.get(name)
        else:
            principal = exchange.principal
            found = principal.subject if name == "sub" else principal.claims.get(name)
        if found is None:
            return ()
        if isinstance(found, list):
            return [str(item) for item in found]
        return (str(found),)

    def _read_query(self) -> Mapping[str, list[str]]:
        if self._query is None:
            try:
                self._query = parse_qs(
                    self._exchange.query,
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=_MAX_PARAMETERS,
                )
            except ValueError as error:
                raise _WrongError("the query cannot be read") from error
        return self._query


async def _read_body(endpoint: Endpoint, exchange: Exchange) -> JSON:
    if not exchange.head.has_body or not endpoint.body_variables:
        return _ABSENT
    media_type = exchange.headers.get("content-type", "").partition(";")[0].strip()
    kind = media_type.lower()
    if kind != "application/json" and not kind.endswith("+json"):
        message = "the body must be JSON, with content-type: application/json"
        raise BadRequestError(message, status=_UNSUPPORTED)
    content = await exchange.read_body()
    if not content:
        return _ABSENT
    try:
        body: JSON = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def _member(body: JSON, path: str) -> JSON:
    found = body
    for name in path.split(".") if path else ():
        if not isinstance(found, dict) or name not in found:
            return _ABSENT
        found = found[name]
    return found


def _unknown_members(endpoint: Endpoint, body: JSON) -> list[str]:
    """Return a message for each member of the body that nothing is read from."""
    if not isinstance(body, dict):
        return []
    names = {
        source.name.partition(".")[0]
        for variable in endpoint.body_variables
        for source in variable.sources
        if source.part == "body"
    }
    if "" in names:
        return []
    return [f"body.{name} is not known here" for name in body if name not in names]
