"""GraphiQL: the built page, its assets and its configuration."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope

    from graphgw.config.settings import ServerSettings

__all__ = ["CONTENT_SECURITY_POLICY", "graphiql_routes"]

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'none'",
    )
)

_PAGE_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def graphiql_routes(settings: ServerSettings) -> list[BaseRoute]:
    """Return the routes of the page: at ``/``, at the GraphQL path, and its files.

    No script is inline and nothing comes from another host.
    """
    folder = Path(str(files("graphgw.server") / "ide"))
    configuration = orjson.dumps(_configuration(settings))

    assets = _Assets(directory=folder)

    async def page(request: Request) -> Response:
        return await assets.get_response("index.html", request.scope)

    async def config(_: Request) -> Response:
        return Response(
            configuration,
            media_type="application/json",
            headers={"cache-control": "no-cache"},
        )

    return [
        Route("/", page),
        Route(settings.path, page),
        Route("/graphiql", page),
        Route("/graphiql/config.json", config),
        Mount("/graphiql", assets),
    ]


class _Assets(StaticFiles):
    """The page and its files; the files' names hold a hash of what is in them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_PAGE_HEADERS)
        if path.startswith("assets"):
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def _configuration(settings: ServerSettings) -> dict[str, Any]:
    return {
        "title": "graphgw",
        "endpoint": settings.path,
        "tabs": [
            {
                "title": example.title,
                "query": example.query,
                "variables": example.variables,
            }
            for example in settings.examples
        ],
    }
