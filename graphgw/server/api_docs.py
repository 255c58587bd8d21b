"""The OpenAPI document of the routes, and the page that shows it."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from graphgw.openapi.document import content_of, describe_routes, routes_of_host
from graphgw.routes.entity_tags import revalidate

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope

    from graphgw.gateway import Gateway

__all__ = ["DOCS_SECURITY_POLICY", "api_docs_routes"]

DOCS_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'none'",
    )
)

_PAGE_HEADERS: Final = {
    "content-security-policy": DOCS_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_DOCUMENT_HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-cache"),
    (b"vary", b"host"),
    (b"x-content-type-options", b"nosniff"),
]


def api_docs_routes(gateway: Gateway) -> list[BaseRoute]:
    """Return the routes of the document, and of the page with its files.

    The document tells what the host has by which it is asked for. No script is
    inline and nothing comes from another host.
    """
    written = _Documents(gateway)
    assets = _Assets(directory=Path(str(files("graphgw.server") / "ide" / "docs")))

    async def document(request: Request) -> Response:
        body = await written.read(request.headers.get("host", ""))
        status, raw, content = revalidate(
            (200, _DOCUMENT_HEADERS, body), request.headers
        )
        response = Response(content, status_code=status)
        kept = [pair for pair in response.raw_headers if pair[0] == b"content-length"]
        response.raw_headers = [*raw, *(kept if content else [])]
        return response

    async def page(request: Request) -> Response:
        return await assets.get_response("index.html", request.scope)

    return [
        Route("/openapi.json", document),
        Route("/docs", page),
        Mount("/docs", assets),
    ]


class _Documents:
    """The documents of the current routes, each written when it is first read."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._routes: object = None
        self._written: dict[tuple[str, ...], bytes] = {}

    async def read(self, host: str) -> bytes:
        """Return the document of what a host has."""
        gateway = self._gateway
        if gateway.routes is not self._routes:
            self._routes, self._written = gateway.routes, {}
        routes = gateway.routes.routes
        written = self._written
        handlers = {route.settings.name: route.handler for route in routes}
        shown = routes_of_host([route.settings for route in routes], host)
        names = tuple(route.name for route in shown)
        if names not in written:
            document = await asyncio.to_thread(
                lambda: describe_routes(
                    [(r, content_of(r, handlers[r.name])) for r in shown],
                    gateway.settings.openapi,
                    gateway.settings.auth,
                )
            )
            written[names] = orjson.dumps(document)
        return written[names]


class _Assets(StaticFiles):
    """The page and its files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_PAGE_HEADERS)
        return response
