"""A service's own OpenAPI document: the part of it that a route leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import ConfigurationError, Problem
from graphgw.openapi.components import make_nullable
from graphgw.openapi.service import service_of
from graphgw.routes.description import OperationDescription, RouteDescription
from graphgw.routes.settings import BodyChanges
from graphgw.routes.templates import ONE, TemplateError, parse_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from graphgw.routes.settings import RouteSettings
    from graphgw.types import JSON, JSONObject

__all__ = ["read_upstream"]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_BELOW: Final = "/*"
_SCHEMAS: Final = "#/components/schemas/"
_OWN: Final = frozenset(
    ("callbacks", "operationId", "parameters", "security", "servers", "tags")
)
"""Members of an operation that are the route's to say, or are said otherwise."""


def read_upstream(route: RouteSettings) -> RouteDescription:
    """Return what the document of a route's service says of where the route leads.

    Paths are those of the route; names of schemas begin with that of the service.

    Raises:
        ConfigurationError: The file is no OpenAPI 3 document in JSON, or has nothing
            to which the route leads.
    """
    document = _read(route)
    found = list(_operations(route, document))
    if not found:
        message = "has no path that this route leads to"
        raise _wrong(route, message, "see the route's path, methods and rewrite")
    taking = _Taking(document, service_of(route))
    operations = tuple(
        OperationDescription(
            method.upper(),
            path,
            _as_changed(route, taking.take_operation(item, method, names)),
            item[method].get("operationId") or f"{method}_{number}",
        )
        for number, (path, method, item, names) in enumerate(found)
    )
    return RouteDescription(service_of(route), operations, taking.take_schemas())


def _read(route: RouteSettings) -> JSONObject:
    file: Path | None = route.openapi
    document: JSON = None
    try:
        if file is not None:
            document = orjson.loads(file.read_bytes())
    except OSError as error:
        raise _wrong(route, f"cannot be read: {error}", None) from error
    except orjson.JSONDecodeError as error:
        raise _wrong(route, f"is not JSON: {error}", None) from error
    if (
        isinstance(document, dict)
        and isinstance(document.get("paths"), dict)
        and str(document.get("openapi")).startswith("3.")
    ):
        return document
    raise _wrong(route, "is no OpenAPI 3 document", None)


def _wrong(route: RouteSettings, message: str, mend: str | None) -> ConfigurationError:
    where = f"routes.{route.name}.openapi"
    return ConfigurationError([Problem(f"the file {message}", where, mend)])


# Paths


@dataclass(frozen=True, slots=True)
class _Place:
    """A path of the service as a route has it, with its parameters' new names."""

    path: str
    names: Mapping[str, str]


def _operations(
    route: RouteSettings, document: JSONObject
) -> Iterator[tuple[str, str, JSONObject, Mapping[str, str]]]:
    wanted = {method.lower() for method in route.methods} or set(_METHODS)
    for path, item in document["paths"].items():
        place = _find_place(route, path)
        if place is None or not isinstance(item, dict):
            continue
        for method in _METHODS:
            if method in wanted and isinstance(item.get(method), dict):
                yield place.path, method, item, place.names


def _find_place(route: RouteSettings, path: str) -> _Place | None:
    """Return where clients find a path of the service, if the route leads there."""
    try:
        own, other = parse_template(_path_at_service(route)), parse_template(path)
    except TemplateError:
        return None
    fixed = own.segments[:-1] if own.is_open else own.segments
    theirs = other.segments[: len(fixed)]
    is_longer = len(other.segments) > len(fixed)
    if theirs != fixed or is_longer != own.is_open or other.verb != own.verb:
        return None
    ours = {start: name for name, start, _ in own.captures}
    names = {
        name: ours[start]
        for name, start, _ in other.captures
        if start < len(fixed) and other.segments[start] == ONE
    }
    if not own.is_open:
        return _Place(route.path, names)
    if not route.path.endswith(_BELOW):
        return None
    rest = "/".join(path[1:].split("/")[len(fixed) :])
    return _Place(f"{route.path.removesuffix(_BELOW)}/{rest}", names)


def _path_at_service(route: RouteSettings) -> str:
    if route.rewrite is not None:
        return route.rewrite
    if route.strip_prefix is None:
        return route.path
    rest = route.path[len(route.strip_prefix.rstrip("/")) :]
    return rest if rest.startswith("/") else f"/{rest}"


# Contents


def _as_changed(route: RouteSettings, operation: JSONObject) -> JSONObject:
    """Leave open what is not as the service says, for the route changes it."""
    request, response = route.request, route.response
    if request.hook or request.body != BodyChanges():
        _leave_open(operation.get("requestBody", {}))
    if response.hook or response.body != BodyChanges():
        for answer in operation.get("responses", {}).values():
            _leave_open(answer)
    return operation


def _leave_open(holder: JSONObject) -> None:
    for content in holder.get("content", {}).values():
        content["schema"] = {}


class _Taking:
    """Takes parts of a document over; only references to schemas are left in them."""

    def __init__(self, document: JSONObject, prefix: str) -> None:
        self._document = document
        self._prefix = prefix
        self._wanted: dict[str, None] = {}

    def take_operation(
        self, item: JSONObject, method: str, names: Mapping[str, str]
    ) -> JSONObject:
        """Return an operation with the parameters of its path."""
        given = {key: v for key, v in item[method].items() if key not in _OWN}
        parameters: dict[tuple[str, str], JSONObject] = {}
        for holder in (item, item[method]):
            for found in self._take(holder.get("parameters", []), ()):
                name = found.get("name", "")
                if found.get("in") == "path":
                    found["name"] = names.get(name, name)
                parameters[name, found.get("in", "")] = found
        operation: JSONObject = self._take(given, ())
        for answer in operation.get("responses", {}).values():
            answer.pop("links", None)
        return {**operation, "parameters": list(parameters.values())}

    def take_schemas(self) -> JSONObject:
        """Return all schemas that were referred to, with those that they refer to."""
        known = self._document.get("components", {}).get("schemas", {})
        taken: JSONObject = {}
        while left := [name for name in self._wanted if name not in taken]:
            for name in left:
                taken[name] = self._take(known.get(name, {}), ())
        return {f"{self._prefix}.{name}": schema for name, schema in taken.items()}

    def _take(self, value: JSON, within: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [self._take(item, within) for item in value]
        if isinstance(value, str) and value.startswith(_SCHEMAS):
            return self._rename(value)
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and not reference.startswith(_SCHEMAS):
            if reference in within:
                return {}
            return self._take(self._resolve(reference), (*within, reference))
        taken = {key: self._take(item, within) for key, item in value.items()}
        return _renew(taken)

    def _rename(self, reference: str) -> str:
        name = reference.removeprefix(_SCHEMAS)
        self._wanted[name] = None
        return f"{_SCHEMAS}{self._prefix}.{name}"

    def _resolve(self, reference: str) -> JSON:
        """Return what a reference within the document stands for; else nothing."""
        found: Any = self._document
        if not reference.startswith("#/"):
            return {}
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if isinstance(found, dict) else {}
        return found


def _renew(schema: JSONObject) -> JSONObject:
    """Write in 3.1 what 3.0 wrote otherwise."""
    for bound, limit in (
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ):
        is_old = isinstance(schema.get(bound), bool)
        if is_old and schema.pop(bound) and limit in schema:
            schema[bound] = schema.pop(limit)
    if isinstance(schema.get("nullable"), bool) and schema.pop("nullable"):
        return make_nullable(schema)
    return schema
