"""Every route of a gateway as one OpenAPI 3.1 document.

See https://spec.openapis.org/oas/v3.1.1.html.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from graphgw.endpoints.handler import EndpointHandler
from graphgw.errors import ConfigurationError
from graphgw.openapi.components import Components
from graphgw.openapi.endpoint import describe_endpoint, needs_caller
from graphgw.openapi.paths import PathNames
from graphgw.openapi.problems import (
    PROBLEM_SCHEMAS,
    problem_responses,
    refer_problems,
)
from graphgw.openapi.security import describe_schemes, requirements_of
from graphgw.openapi.service import describe_service, service_of
from graphgw.openapi.types import TypeSchemas
from graphgw.openapi.upstream import read_upstream
from graphgw.routes.description import DescribedHandler, RouteDescription

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from graphgw.endpoints.endpoint import Endpoint
    from graphgw.openapi.paths import DocumentedPath
    from graphgw.openapi.settings import OpenAPISettings
    from graphgw.policies.settings import AuthSettings
    from graphgw.routes.settings import RouteSettings
    from graphgw.types import JSONObject

    RouteContent: TypeAlias = Endpoint | RouteDescription | None

__all__ = ["content_of", "describe_routes", "routes_of_host"]

_VERSION: Final = "3.1.1"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_OPERATIONS: Final = "operations"
_ODD: Final = re.compile(r"[^A-Za-z0-9._-]")
"""What names of components cannot have."""
_PROBLEMS: Final = ("400", "401", "403", "404", "429", "4XX", "5XX")
_TAGS: Final = {_OPERATIONS: "Operations on the graph."}


def content_of(route: RouteSettings, handler: object) -> RouteContent:
    """Return what is known of what a route answers with.

    Args:
        route: The route.
        handler: Answers there; ``None`` if nothing was opened.
    """
    if isinstance(handler, EndpointHandler):
        return handler.endpoint
    if isinstance(handler, DescribedHandler):
        return handler.describe()
    if route.openapi is not None:
        try:
            return read_upstream(route)
        except ConfigurationError:  # it was right at the start
            return None
    return None


def describe_routes(
    routes: Iterable[tuple[RouteSettings, RouteContent]],
    settings: OpenAPISettings,
    auth: AuthSettings,
) -> JSONObject:
    """Return the document of what routes offer.

    Args:
        routes: Each route, with what it answers with where that is known.
        settings: The document's head.
        auth: How callers say who they are.
    """
    writer = _Writer()
    for route, content in routes:
        writer.add(route, content)
    writer.components.add(PROBLEM_SCHEMAS)
    about: JSONObject = {"title": settings.title, "version": settings.version}
    if settings.description:
        about["description"] = settings.description
    return {
        "openapi": _VERSION,
        "info": about,
        "servers": [{"url": url} for url in settings.servers],
        "tags": [
            {"name": name, **({"description": _TAGS[name]} if name in _TAGS else {})}
            for name in writer.tags
        ],
        "paths": dict(sorted(writer.paths.items())),
        "components": {
            "schemas": writer.components.schemas,
            "responses": problem_responses(),
            "securitySchemes": describe_schemes(auth),
        },
    }


def routes_of_host(
    routes: Sequence[RouteSettings], host: str
) -> tuple[RouteSettings, ...]:
    """Return the routes that a host has, those that name it before the others.

    Args:
        routes: All routes.
        host: As clients send it, with or without port; may be empty.
    """
    name = host.lower().partition(":")[0]

    def rank(route: RouteSettings) -> int | None:
        if route.host is None:
            return 2
        pattern = route.host.lower()
        if pattern == name:
            return 0
        return 1 if pattern.startswith("*") and name.endswith(pattern[1:]) else None

    found = [(rank(route), route) for route in routes]
    ranked = [(place, route) for place, route in found if place is not None]
    return tuple(route for _, route in sorted(ranked, key=lambda pair: pair[0]))


class _Writer:
    """Writes one route after the other; what one answers is left to it."""

    def __init__(self) -> None:
        self.components = Components()
        self.paths: dict[str, JSONObject] = {}
        self.tags: dict[str, None] = {}
        self._names = PathNames()
        self._ids: set[str] = set()

    def add(self, route: RouteSettings, content: RouteContent) -> None:
        """Write a route."""
        if isinstance(content, RouteDescription):
            self._add_described(route, content)
            return
        path = self._names.write(route.path)
        methods = [m for m in _methods(route, content) if self._is_free(path, m)]
        needs = False
        for method in methods:
            if content is None:
                tag = service_of(route)
                found = describe_service(route, method, path.parameters)
            else:
                tag = _OPERATIONS
                needs = needs_caller(content)
                types = self._types(route)
                found = describe_endpoint(content, method, path.parameters, types)
            name = route.name if len(methods) == 1 else f"{route.name}_{method}"
            security = requirements_of(route, needs_caller=needs)
            self._put(path, method, name, tag, {**found, "security": security})

    def _add_described(self, route: RouteSettings, content: RouteDescription) -> None:
        self.components.add(content.schemas)
        security = requirements_of(route, needs_caller=False)
        for item in content.operations:
            path, method = self._names.write(item.path), item.method.lower()
            if not self._is_free(path, method):
                continue
            found = {
                **item.operation,
                "parameters": [
                    _rename(parameter, path.parameters)
                    for parameter in item.operation.get("parameters", ())
                ],
                "responses": {
                    **refer_problems(_PROBLEMS),
                    **item.operation.get("responses", {}),
                },
                "security": security,
            }
            name = f"{route.name}_{item.name}" if item.name else route.name
            self._put(path, method, name, content.tag, found)

    def _is_free(self, path: DocumentedPath, method: str) -> bool:
        return method not in self.paths.get(path.text, ())

    def _put(
        self,
        path: DocumentedPath,
        method: str,
        name: str,
        tag: str,
        operation: JSONObject,
    ) -> None:
        while name in self._ids:
            name += "_"
        self._ids.add(name)
        self.tags[tag] = None
        item = self.paths.setdefault(path.text, {})
        item[method] = {"operationId": name, "tags": [tag], **operation}

    def _types(self, route: RouteSettings) -> TypeSchemas:
        variant = route.operation.variant if route.operation else None
        prefix = f"{_ODD.sub('_', variant)}." if variant else ""
        return TypeSchemas(self.components, prefix)


def _rename(parameter: JSONObject, names: Mapping[str, str]) -> JSONObject:
    if parameter.get("in") != "path":
        return parameter
    name = parameter["name"]
    return {**parameter, "name": names.get(name, name)}


def _methods(route: RouteSettings, content: Endpoint | None) -> Iterator[str]:
    """Yield the methods that are told of; HEAD goes without saying."""
    if route.methods:
        yield from (m.lower() for m in route.methods if m.lower() in _METHODS)
    elif content is None:
        yield from _METHODS
    else:
        yield "get"
        if content.body_variables:
            yield "post"
