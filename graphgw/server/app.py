"""The ASGI application: the GraphQL front, and Starlette for the rest."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from graphgw.server.api_docs import api_docs_routes
from graphgw.server.cache_routes import cache_routes
from graphgw.server.front import GraphQLFront
from graphgw.server.graphiql import graphiql_routes
from graphgw.server.misses import miss_handlers
from graphgw.server.routes import RoutesFront
from graphgw.telemetry.metrics import METRICS_CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from graphgw.gateway import Gateway
    from graphgw.telemetry.metrics import MetricsObserver

__all__ = ["create_app"]


def create_app(
    gateway: Gateway, *, metrics: MetricsObserver | None = None
) -> GraphQLFront:
    """Return the ASGI application of a gateway.

    The application starts the gateway when the server starts, and closes it when
    the server ends.

    Args:
        gateway: The gateway to serve; not started yet.
        metrics: What ``/metrics`` shows; without it there is no such path.
    """
    settings = gateway.settings.server

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await gateway.start()
        try:
            yield
        finally:
            await gateway.aclose()

    async def health(_: Request) -> Response:
        is_ready = gateway.is_ready and not front.is_stopping
        status = "stopping" if front.is_stopping else "starting"
        return Response(
            orjson.dumps({"status": "ready" if is_ready else status}),
            status_code=200 if is_ready else 503,
            media_type="application/json",
            headers={"cache-control": "no-store"},
        )

    routes: list[BaseRoute] = [Route("/health", health)]
    if metrics is not None:
        routes.append(Route("/metrics", _show(metrics)))
    if gateway.settings.policies.cache.invalidation_scope is not None:
        routes += cache_routes(gateway)
    if settings.has_graphiql:
        routes += graphiql_routes(gateway)
    if settings.has_api_docs:
        routes += api_docs_routes(gateway)
    application = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers=miss_handlers(gateway)
    )
    application.router.redirect_slashes = False  # a path is right, or it is not there
    routed = RoutesFront(gateway, application, *_own_paths(routes))
    front = GraphQLFront(gateway, settings, routed, routed)
    return front


def _own_paths(routes: list[BaseRoute]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the gateway's paths, and what its other paths begin with."""
    paths = (route.path for route in routes if isinstance(route, Route))
    mounts = (f"{route.path}/" for route in routes if isinstance(route, Mount))
    return frozenset(paths), tuple(mounts)


def _show(metrics: MetricsObserver):  # type: ignore[no-untyped-def]  # noqa: ANN202
    async def show(_: Request) -> Response:
        return Response(metrics.render(), media_type=METRICS_CONTENT_TYPE)

    return show
