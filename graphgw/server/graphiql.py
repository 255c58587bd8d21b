"""GraphiQL: the built page, its assets and its configuration."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.types import Scope

    from graphgw.config.settings import ExampleOperation
    from graphgw.gateway import Gateway

__all__ = ["CONTENT_SECURITY_POLICY", "PAGE_OF", "graphiql_routes"]

PAGE_OF: Final = "graphgw.page_of"
"""In the scope: the path of the variant whose page is shown."""

_CONFIG: Final = "/graphiql/config.json"

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


def graphiql_routes(gateway: Gateway) -> list[BaseRoute]:
    """Return the routes of the page: at ``/``, at the GraphQL paths, and its files.

    No script is inline and nothing comes from another host. A variant's page opens
    those of the example operations that fit its graph.
    """
    settings = gateway.settings.server
    folder = Path(str(files("graphgw.server") / "ide"))
    assets = _Assets(directory=folder)

    async def page(request: Request) -> Response:
        path = request.scope.get(PAGE_OF)
        if not gateway.has_page(path):
            return Response("Not Found", status_code=404, media_type="text/plain")
        if path is None:
            return await assets.get_response("index.html", request.scope)
        text = await asyncio.to_thread((folder / "index.html").read_text, "utf-8")
        shown = text.replace(f'"{_CONFIG}"', f'"{_CONFIG}?path={path}"')
        return Response(shown, media_type="text/html", headers=_PAGE_HEADERS)

    async def config(request: Request) -> Response:
        path = request.query_params.get("path")
        if path not in gateway.variant_paths:
            path = None
        examples = settings.examples
        if gateway.settings.variants:
            examples = tuple([x for x in examples if await gateway.fits(x.query, path)])
        shown = _configuration(examples, path or settings.path)
        return Response(
            orjson.dumps(shown),
            media_type="application/json",
            headers={"cache-control": "no-cache"},
        )

    return [
        Route("/", page),
        Route(settings.path, page),
        Route("/graphiql", page),
        Route(_CONFIG, config),
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


def _configuration(examples: Sequence[ExampleOperation], path: str) -> dict[str, Any]:
    return {
        "title": "graphgw",
        "endpoint": path,
        "tabs": [
            {
                "title": example.title,
                "query": example.query,
                "variables": example.variables,
            }
            for example in examples
        ],
    }
