"""``POST /cache/invalidate``: drop cached values by tag, type or key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from graphgw.errors import BadRequestError, GraphGWError
from graphgw.execution.response import refuse
from graphgw.server.csrf import is_forged
from graphgw.server.negotiate import check_content

if TYPE_CHECKING:
    from starlette.requests import Request

    from graphgw.execution.response import GraphQLResponse
    from graphgw.gateway import Gateway

__all__ = ["cache_routes"]

_MAX_BODY = 256 * 1024


def cache_routes(gateway: Gateway) -> list[Route]:
    """Return the routes by which others drop what the gateway keeps."""
    origins = frozenset(gateway.settings.server.allowed_origins)

    async def invalidate(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.client.host if request.client else None
        try:
            if is_forged(headers, origins):
                raise BadRequestError("a page of another site sent this", status=403)
            check_content(headers)
            body = await _read(request)
            answer = await gateway.invalidate(body, headers, peer=peer)
        except GraphGWError as error:
            answer = refuse(error)
        return _respond(answer)

    return [Route("/cache/invalidate", invalidate, methods=["POST"])]


async def _read(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            raise BadRequestError(
                f"the body is larger than {_MAX_BODY} bytes", status=413
            )
    return body


def _respond(answer: GraphQLResponse) -> Response:
    headers = {**dict(answer.headers), "cache-control": "no-store"}
    return Response(
        answer.encode(),
        status_code=answer.status,
        media_type="application/json",
        headers=headers,
    )
