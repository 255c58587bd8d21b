"""The ASGI front: GraphQL over HTTP without a framework in between.

It recognises the GraphQL path itself and hands everything else to the Starlette
application behind it. Our own server answers most GraphQL requests before they come
here, see ``direct``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import BadRequestError, GraphGWError, OverloadedError
from graphgw.server.client_watch import unless_client_leaves
from graphgw.server.cors import allow_request
from graphgw.server.graphiql import PAGE_OF
from graphgw.server.graphql_http import GraphQLHTTP, may_change, read_headers
from graphgw.server.negotiate import prefers_html
from graphgw.server.protocol import KEEPS_TIME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from graphgw.config.settings import ServerSettings
    from graphgw.execution.response import GraphQLResponse
    from graphgw.gateway import Gateway
    from graphgw.operations.operation import GraphQLRequest
    from graphgw.server.graphql_http import Answer, RequestHead
    from graphgw.server.routes import RoutesFront
    from graphgw.types import Headers

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["GraphQLFront"]

_NO_EXTENSIONS: Final[dict[str, object]] = {}


class GraphQLFront:
    """The outermost ASGI application.

    Args:
        gateway: Answers operations.
        settings: The server's.
        application: Answers what is at no GraphQL path.
        routes: What of ``application`` our own server may ask without ASGI.
    """

    def __init__(
        self,
        gateway: Gateway,
        settings: ServerSettings,
        application: App,
        routes: RoutesFront | None = None,
    ) -> None:
        self._settings = settings
        self._application = application
        self._path = settings.path
        self.routes = routes
        self.http = GraphQLHTTP(gateway, settings)
        self.is_stopping = False

    def stop(self) -> None:
        """Say from now on that the gateway is not ready; answers go on."""
        self.is_stopping = True

    def is_graph(self, path: str) -> bool:
        """Tell whether the graph, or a variant of it, is at a path."""
        return path == self._path or self.http.variant_path(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        path = None
        if scope["path"] != self._path:
            path = self.http.variant_path(scope["path"])
            if path is None:
                await self._application(scope, receive, send)
                return
        method = scope["method"]
        if method == "OPTIONS":
            await self._answer_preflight(read_headers(scope["headers"]), send)
            return
        head = self.http.read_head(method, scope["headers"], path)
        if self.shows_page(head):
            page = {**scope, "path": self._path, PAGE_OF: path}
            await self._application(page, receive, send)
            return
        answer = await self._serve(scope, head, receive)
        if answer is not None:
            status, headers, body = answer
            await _send(send, status, headers, body)

    def shows_page(self, head: RequestHead) -> bool:
        """Tell whether a browser is shown GraphiQL."""
        return (
            head.method == "GET"
            and self._settings.has_graphiql
            and prefers_html(head.headers.get("accept"))
            and self.http.has_page(head)
        )

    async def _serve(
        self, scope: Scope, head: RequestHead, receive: Receive
    ) -> Answer | None:
        """Return the answer; ``None`` where the client left before it was ready."""
        try:
            content = await self._read_content(scope, head, receive)
            if content is None:
                return None
            request = self.http.read_request(head, content)
        except GraphGWError as error:
            answer = self.http.refuse(head, error)
            if "expect" in head.headers:  # the body will not come, or too late
                answer.headers.append((b"connection", b"close"))
            return answer
        client = scope["client"]
        handled = self.http.handle(head, request, client[0] if client else None)
        try:
            response = await _unless_client_leaves(handled, request, receive)
        except asyncio.CancelledError:
            if not self.is_stopping:
                raise
            return self.http.refuse(head, OverloadedError("the gateway is stopping"))
        return None if response is None else self.http.encode(head, response)

    async def _read_content(
        self, scope: Scope, head: RequestHead, receive: Receive
    ) -> bytes | None:
        """Return what holds the operation; ``None`` if the client leaves before."""
        if head.problem is not None:
            return b""
        if head.method == "GET":
            query: bytes = scope["query_string"]
            return query
        if KEEPS_TIME in scope.get("extensions", _NO_EXTENSIONS):
            return await self._read_body(receive)
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                return await self._read_body(receive)
        except TimeoutError as error:
            raise BadRequestError("the body came too slowly", status=408) from error

    async def _read_body(self, receive: Receive) -> bytes | None:
        limit = self._settings.max_body_bytes
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            if len(body) > limit:
                break
            message = await receive()
            body += message.get("body", b"")
        if message["type"] == "http.disconnect":
            return None
        if len(body) > limit:
            raise self.http.too_large()
        return body

    async def _answer_preflight(self, headers: Headers, send: Send) -> None:
        allowed = self.http.cross_origin(headers)
        raw = [(b"allow", b"GET, POST, OPTIONS"), *allowed]
        if len(allowed) > 1:
            raw += allow_request(headers, ("GET", "POST"))
        await _send(send, 204, raw, b"")


async def _send(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _unless_client_leaves(
    handled: Awaitable[GraphQLResponse], request: GraphQLRequest, receive: Receive
) -> Awaitable[GraphQLResponse | None]:
    """Give an answer up when its client leaves, unless it may change something."""
    return handled if may_change(request) else unless_client_leaves(handled, receive)
