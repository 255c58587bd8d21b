"""From an HTTP message's body or query string to a ``GraphQLRequest``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

from graphgw.errors import BadRequestError
from graphgw.operations.operation import GraphQLRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.types import JSON, JSONObject

__all__ = [
    "build_graphql_request",
    "hash_document",
    "parse_graphql_parameters",
    "parse_graphql_request",
]


def parse_graphql_request(body: bytes) -> GraphQLRequest:
    """Read the JSON body of a POST.

    Raises:
        BadRequestError: It is not JSON, or not a GraphQL request; arrays of
            requests (batches) are refused.
    """
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"POST body sent invalid JSON: {error}.") from None
    return build_graphql_request(message)


def build_graphql_request(message: JSON) -> GraphQLRequest:
    """Check the members of a decoded request.

    See https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters

    Raises:
        BadRequestError: A member is missing or of the wrong type.
    """
    if not isinstance(message, dict):
        if isinstance(message, list):
            raise BadRequestError("Batched requests are not supported.")
        raise BadRequestError("The request must be a JSON object.")
    member = message.get
    query = member("query")
    if query.__class__ is not str:
        query = _text(message, "query")
    name = member("operationName")
    if name is not None:
        name = _text(message, "operationName")
    variables = member("variables")
    if variables.__class__ is not dict:
        variables = _object(message, "variables")
    extensions = _object(message, "extensions")
    if query is None and not _names_a_document(extensions):
        raise BadRequestError("Must provide query string.")
    return GraphQLRequest(query, name, variables, extensions)


def parse_graphql_parameters(parameters: Mapping[str, str]) -> GraphQLRequest:
    """Read the decoded query parameters of a GET.

    Raises:
        BadRequestError: ``query`` is missing, or ``variables`` or ``extensions``
            are not JSON objects.
    """
    message: JSONObject = {"query": parameters.get("query")}
    # Forms send an empty parameter for a field that was left blank.
    message["operationName"] = parameters.get("operationName") or None
    for name in ("variables", "extensions"):
        text = parameters.get(name)
        if not text:
            continue
        try:
            message[name] = orjson.loads(text)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            raise BadRequestError(f"The {name} parameter is invalid JSON.") from None
    return build_graphql_request(message)


def hash_document(text: str) -> str:
    """Return the document's SHA-256 in hexadecimal, as persisted queries name it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _text(message: JSONObject, name: str) -> str | None:
    value = message.get(name)
    if value is None or isinstance(value, str):
        return value
    raise BadRequestError(f"The {name} parameter must be a string.")


def _object(message: JSONObject, name: str) -> JSONObject:
    value = message.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise BadRequestError(f"The {name} parameter must be a JSON object.")


def _names_a_document(extensions: JSONObject) -> bool:
    return isinstance(extensions.get("persistedQuery"), dict)
