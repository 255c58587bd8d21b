"""Routes with what they lead to: every kind of target is opened here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from graphgw.endpoints.handler import EndpointHandler
from graphgw.endpoints.read_endpoint import read_endpoint
from graphgw.errors import ConfigurationError, Problem
from graphgw.policies.authenticate.addresses import AddressList
from graphgw.policies.route_policy import Places, RoutePolicy
from graphgw.proxy.service import ServiceHandler
from graphgw.proxy.websocket import WebSocketHandler
from graphgw.routes.cache_rules import may_know_caller
from graphgw.routes.cached import RouteCaching
from graphgw.routes.changes import Changes
from graphgw.routes.headers import ForwardRules
from graphgw.routes.layers import ChangeLayers
from graphgw.routes.match import RouteTable, place_of
from graphgw.transcoding.open_route import open_grpc_route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from graphgw.config.settings import Settings
    from graphgw.context import RequestContext
    from graphgw.endpoints.endpoint import Endpoint
    from graphgw.execution.response import GraphQLResponse
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import GraphQLRequest
    from graphgw.resources import Resources
    from graphgw.routes.exchange import Exchange, RouteHandler
    from graphgw.routes.settings import RouteSettings
    from graphgw.snapshot import Snapshot
    from graphgw.sources.changes import RequestChanges, ResponseChanges
    from graphgw.sources.http_service import HTTPService
    from graphgw.sources.settings import ServiceSettings

__all__ = [
    "NO_ROUTES",
    "OpenRoute",
    "RouteParts",
    "Routes",
    "open_routes",
    "read_endpoints",
]


@dataclass(frozen=True, slots=True, eq=False)
class OpenRoute:
    """A route, ready to be served."""

    settings: RouteSettings
    handler: RouteHandler
    policy: RoutePolicy
    changes: ChangeLayers
    socket: WebSocketHandler | None = None
    caching: RouteCaching | None = None
    places: Places | None = None

    def handle(self, exchange: Exchange) -> Awaitable[None]:
        """Answer a request that may be answered."""
        if self.caching is not None:
            return self.caching.handle(exchange, self.changes.handle)
        return self.changes.handle(exchange)


Routes: TypeAlias = RouteTable[OpenRoute]
NO_ROUTES: Final[Routes] = RouteTable()


@dataclass(frozen=True, slots=True, eq=False)
class RouteParts:
    """What targets are opened with; ``answer`` runs an operation in a snapshot."""

    settings: Settings
    snapshot: Snapshot
    resources: Resources
    answer: Callable[
        [Snapshot, GraphQLRequest, RequestContext], Awaitable[GraphQLResponse]
    ]


async def _open_service(route: RouteSettings, parts: RouteParts) -> RouteHandler:
    return ServiceHandler(*_service_parts(route, parts))


def _open_socket(route: RouteSettings, parts: RouteParts) -> WebSocketHandler | None:
    if route.websocket is None or route.service is None:
        return None
    return WebSocketHandler(*_service_parts(route, parts))


def _service_parts(
    route: RouteSettings, parts: RouteParts
) -> tuple[RouteSettings, HTTPService, ForwardRules, AddressList]:
    settings = parts.settings
    changed = [other.request for other in settings.routes]
    changed += [other.request for other in settings.services]
    identity = {
        name.lower().encode() for request in changed for name, _ in request.claims
    }
    credentials = {b"authorization", settings.auth.api_keys.header.lower().encode()}
    return (
        route,
        parts.resources.connections.http(str(route.service)),
        ForwardRules(
            cookies=route.forward_cookies,
            set_cookie=route.forward_set_cookie,
            authorization=route.forward_authorization,
            preserve_host=route.preserve_host,
            identity=frozenset(identity),
            credentials=frozenset(credentials),
        ),
        AddressList(settings.auth.addresses.trusted_proxies),
    )


async def _open_operation(route: RouteSettings, parts: RouteParts) -> RouteHandler:
    views = parts.snapshot.variants
    endpoint = await asyncio.to_thread(
        _read_endpoint,
        route,
        parts.settings,
        parts.snapshot.supergraph,
        {name: view.supergraph for name, view in views.items()},
    )
    variant = None if route.operation is None else route.operation.variant
    view = parts.snapshot if variant is None else views[variant]
    return EndpointHandler(endpoint, partial(parts.answer, view))


def _read_endpoint(
    route: RouteSettings,
    settings: Settings,
    supergraph: Supergraph,
    contracts: Mapping[str, Supergraph],
) -> Endpoint:
    name = None if route.operation is None else route.operation.variant
    if name is None:
        return read_endpoint(route, supergraph.api_schema, settings.limits)
    if name not in contracts:
        problem = Problem(
            f'there is no variant "{name}"',
            f"routes.{route.name}.operation.variant",
            f"there are: {', '.join(contracts) or 'none'}",
        )
        raise ConfigurationError([problem])
    variant = next(v for v in settings.variants if v.name == name)
    limits = variant.limits.apply(settings.limits)
    return read_endpoint(route, contracts[name].api_schema, limits)


def read_endpoints(
    settings: Settings, supergraph: Supergraph, contracts: Mapping[str, Supergraph]
) -> list[Endpoint]:
    """Return the endpoints of all routes that lead to operations.

    Args:
        settings: Has the routes.
        supergraph: The whole graph.
        contracts: What each variant has of it, by name.

    Raises:
        ConfigurationError: Some do not fit the graph; holds all problems.
    """
    problems: list[Problem] = []
    endpoints = []
    for route in settings.routes:
        if route.operation is None:
            continue
        try:
            endpoints.append(_read_endpoint(route, settings, supergraph, contracts))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return endpoints


async def _open_grpc(route: RouteSettings, parts: RouteParts) -> RouteHandler:
    name = "" if route.grpc is None else route.grpc.service
    return await open_grpc_route(route, parts.resources.connections.grpc(name))


_OPENERS: Final[
    dict[str, Callable[[RouteSettings, RouteParts], Awaitable[RouteHandler]]]
] = {
    "service": _open_service,
    "grpc": _open_grpc,
    "operation": _open_operation,
}
"""How each kind of target is opened; it may raise ``ConfigurationError``."""


async def open_routes(parts: RouteParts, before: Routes = NO_ROUTES) -> Routes:
    """Open every route of a configuration.

    Args:
        parts: What they are opened with.
        before: The routes that are served now; requests under way there still count.

    Raises:
        ConfigurationError: Some cannot be served; holds all problems.
    """
    problems: list[Problem] = []
    opened = []
    known = {route.settings.name: route.places for route in before.routes}
    is_alone = parts.settings.alone is not None  # a subgraph, not a gateway
    for route in () if is_alone else parts.settings.routes:
        opener = _OPENERS.get(route.kind)
        if opener is None:
            mend = f"the kinds that are known are: {', '.join(_OPENERS)}"
            where = f"routes.{route.name}.{route.kind}"
            problems.append(Problem("this target is not known", where, mend))
            continue
        try:
            handler = await opener(route, parts)
            changes = _open_changes(route, parts, handler)
            socket = _open_socket(route, parts)
            caching = _open_cache(route, parts)
        except ConfigurationError as error:
            problems += error.problems
            continue
        policy = RoutePolicy(
            route.name,
            route.access,
            route.rate_limit,
            parts.settings.policies.rate_limit,
            parts.resources.store,
            draws_quota=route.operation is None,  # an operation draws it itself
        )
        places = _places(route.concurrency, known.get(route.name))
        opened.append(
            (
                place_of(route),
                OpenRoute(route, handler, policy, changes, socket, caching, places),
            )
        )
    table = RouteTable(opened)
    problems += table.problems
    if problems:
        raise ConfigurationError(problems)
    return table


def _open_cache(route: RouteSettings, parts: RouteParts) -> RouteCaching | None:
    if route.cache is None or not parts.settings.policies.cache.is_enabled:
        return None
    credentials = {"authorization", parts.settings.auth.api_keys.header.lower()}
    service = _find_service(route, parts)
    return RouteCaching(
        route,
        route.cache,
        parts.resources.store,
        frozenset(credentials),
        knows_caller=service is not None
        and may_know_caller(service.request, service.response),
    )


def _open_changes(
    route: RouteSettings, parts: RouteParts, handler: RouteHandler
) -> ChangeLayers:
    """Return the changes of a route's service and its own, around its handler.

    Raises:
        ConfigurationError: There is no such function as a hook names.
    """
    limit = route.max_body_bytes
    own = _read_changes(route.request, route.response, limit, f"routes.{route.name}")
    service = _find_service(route, parts)
    if service is None:
        return ChangeLayers((own,), handler)
    where = f"services.{service.name}"
    outer = _read_changes(service.request, service.response, limit, where)
    return ChangeLayers((outer, own), handler)


def _read_changes(
    request: RequestChanges, response: ResponseChanges, limit: int, where: str
) -> Changes:
    hooks: list[Any] = [
        None if name is None else _import_hook(name, f"{where}.{side}.hook")
        for side, name in (("request", request.hook), ("response", response.hook))
    ]
    return Changes(request, response, limit, *hooks)


def _find_service(route: RouteSettings, parts: RouteParts) -> ServiceSettings | None:
    services = parts.settings.services
    return next((s for s in services if s.name == route.service_name), None)


def _import_hook(name: str, where: str) -> Any:
    module, _, attribute = name.partition(":")
    mend = "write it as module:function"
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        problem = Problem(f'cannot import "{name}": {error}', where, mend)
        raise ConfigurationError([problem]) from error
    if not iscoroutinefunction(found):
        raise ConfigurationError(
            [Problem(f'"{name}" is no async function', where, mend)]
        )
    return found


def _places(limit: int | None, before: Places | None) -> Places | None:
    if limit is None:
        return None
    if before is None:
        return Places(limit)
    before.limit = limit
    return before
