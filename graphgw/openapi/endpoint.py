"""An endpoint as an operation object of the document."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from graphql import GraphQLInputObjectType, get_named_type

from graphgw.openapi.answers import alternatives, describe_answer
from graphgw.openapi.changes import change_schema
from graphgw.openapi.paths import describe_path
from graphgw.openapi.problems import WARNINGS, refer_problems
from graphgw.operations.schema_lookup import field_definition
from graphgw.routes.transform import StatusMap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import GraphQLField

    from graphgw.endpoints.endpoint import BoundVariable, Endpoint, Source
    from graphgw.openapi.types import TypeSchemas
    from graphgw.types import JSONObject

__all__ = ["describe_endpoint", "needs_caller"]

_BODILESS: Final = frozenset(("get", "head"))
_OWN_HEADERS: Final = frozenset(("accept", "content-type", "authorization"))
"""OpenAPI has other places for these."""
_JSON: Final = "application/json"
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def needs_caller(endpoint: Endpoint) -> bool:
    """Tell whether a variable can come only from who is asking."""
    return any(
        variable.is_required
        and all(source.part == "claim" for source in variable.sources)
        for variable in endpoint.variables
    )


def describe_endpoint(
    endpoint: Endpoint, method: str, names: Mapping[str, str], types: TypeSchemas
) -> JSONObject:
    """Return the operation object of one method.

    Args:
        endpoint: The endpoint.
        method: In small letters.
        names: The document's names of the path's parameters.
        types: Writes the types of its graph.
    """
    bound = list(_choose_sources(endpoint, has_body=method not in _BODILESS))
    parameters = list(_parameters(endpoint, bound, names, types))
    body = _body(endpoint, bound, types)
    return {
        **_texts(endpoint),
        **({"parameters": parameters} if parameters else {}),
        **({} if body is None else {"requestBody": body}),
        "responses": _responses(endpoint, method, types, has_body=body is not None),
    }


# Words


def _texts(endpoint: Endpoint) -> JSONObject:
    """Return what people read: the file's comment, else what the schema says."""
    root = [field for _, field in _root_fields(endpoint)]
    text = endpoint.description or next(
        (field.description for field in root if field.description), ""
    )
    summary, _, rest = text.partition("\n")
    found: JSONObject = {"summary": summary or _title(endpoint)}
    if rest.strip():
        found["description"] = rest.strip()
    if any(field.deprecation_reason is not None for field in root):
        found["deprecated"] = True
    return found


def _title(endpoint: Endpoint) -> str:
    name = endpoint.operation.name or endpoint.route.name
    return " ".join(_WORDS.findall(name)).capitalize() or name


def _root_fields(endpoint: Endpoint) -> Iterator[tuple[str, GraphQLField]]:
    schema = endpoint.schema
    root = schema.mutation_type if endpoint.is_mutation else schema.query_type
    for selection in endpoint.operation.selections:
        name = getattr(selection, "name", "")
        found = field_definition(schema, root, name)
        if found is not None:
            yield name, found


# Requests


def _choose_sources(
    endpoint: Endpoint, *, has_body: bool
) -> Iterator[tuple[BoundVariable, Source]]:
    """Yield each variable with the one place that the document tells of."""
    for variable in endpoint.variables:
        for source in variable.sources:
            if source.part != "body" or has_body:
                yield variable, source
                break


def _parameters(
    endpoint: Endpoint,
    bound: list[tuple[BoundVariable, Source]],
    names: Mapping[str, str],
    types: TypeSchemas,
) -> Iterator[JSONObject]:
    changes = endpoint.route.request
    set_here = {f"query.{name}" for name, _ in changes.query}
    set_here |= {f"header.{name.lower()}" for name, _ in changes.headers.set}
    set_here |= {f"header.{name.lower()}" for name, _ in changes.claims}
    told: set[Source] = set()
    for variable, source in bound:
        if source in told or str(source) in set_here:
            continue
        told.add(source)
        schema = types.parameter(variable.type)
        if source.part == "path":
            yield describe_path(names[source.name], schema)
        elif source.part == "query" or (
            source.part == "header" and source.name not in _OWN_HEADERS
        ):
            yield _parameter(variable, source, schema)


def _parameter(
    variable: BoundVariable, source: Source, schema: JSONObject
) -> JSONObject:
    schema = _with_default(variable, schema)
    found: JSONObject = {"name": source.name, "in": source.part}
    if variable.is_required:
        found["required"] = True
    if isinstance(get_named_type(variable.type), GraphQLInputObjectType):
        return {**found, "content": {_JSON: {"schema": schema}}}
    if source.part == "query" and schema.get("type") == "array":
        found |= {"style": "form", "explode": True}
    return {**found, "schema": schema}


def _with_default(variable: BoundVariable, schema: JSONObject) -> JSONObject:
    default = variable.default
    return schema if default is None else {**schema, "default": default}


def _body(
    endpoint: Endpoint,
    bound: list[tuple[BoundVariable, Source]],
    types: TypeSchemas,
) -> JSONObject | None:
    members = [(v, source) for v, source in bound if source.part == "body"]
    if not members:
        return None
    is_required = any(variable.is_required for variable, _ in members)
    request = endpoint.route.request
    whole = next((v for v, source in members if not source.name), None)
    if request.hook or request.body.drop or request.body.rename:
        schema: JSONObject = {"type": "object"}
    elif whole is not None:
        schema = types.present(whole.type)
    else:
        schema = {"type": "object", "properties": {}, "additionalProperties": False}
        for variable, source in members:
            inner = types.input(variable.type)
            inner = _with_default(variable, inner)
            path = source.name.split(".")
            _place(schema, path, inner, is_required=variable.is_required)
    return {"required": is_required, "content": {_JSON: {"schema": schema}}}


def _place(
    schema: JSONObject, path: list[str], inner: JSONObject, *, is_required: bool
) -> None:
    """Put a member's schema where a dotted path says."""
    name, *rest = path
    if is_required:
        schema["required"] = sorted({*schema.get("required", ()), name})
    if not rest:
        schema["properties"][name] = inner
        return
    outer = schema["properties"].setdefault(name, {"type": "object", "properties": {}})
    _place(outer, rest, inner, is_required=is_required)


# Answers


def _responses(
    endpoint: Endpoint, method: str, types: TypeSchemas, *, has_body: bool
) -> JSONObject:
    changes = endpoint.route.response
    statuses = StatusMap(changes)
    found: JSONObject = {}
    success = str(statuses.apply(endpoint.status))
    found[success] = {"description": HTTPStatus(endpoint.status).phrase}
    if endpoint.status != HTTPStatus.NO_CONTENT:
        schema: JSONObject = {}
        if changes.hook is None:
            schema = describe_answer(endpoint, types)
            if endpoint.keeps_partial:
                _add_warnings(schema)
            schema = change_schema(schema, changes.body)
        found[success]["content"] = {_JSON: {"schema": schema}}
        if method == "get":
            found[success]["headers"] = {"ETag": {"schema": {"type": "string"}}}
            found["304"] = {"description": "What `If-None-Match` names is still right."}
    problems = [400, 401, 403, 429, *endpoint.statuses.values()]
    problems += [404] if endpoint.select else []
    problems += [413, 415] if has_body else []
    told = {str(statuses.apply(status)) for status in problems}
    return found | refer_problems({*told - set(found), "4XX", "5XX"})


def _add_warnings(schema: JSONObject) -> None:
    for found in alternatives(schema):
        found["properties"] = {**found["properties"], "warnings": WARNINGS}
