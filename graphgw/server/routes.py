"""Requests at routes: matched, decided on and answered without Starlette.

It stands between the GraphQL front and the Starlette application: what no route
matches goes on to the latter. Our own server remembers what the heads of whole requests
come to, and has those answered without ASGI, see ``direct``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import BadRequestError
from graphgw.routes.exchange import RequestHead
from graphgw.routes.headers import read_headers
from graphgw.routes.match import Match, NotAllowed
from graphgw.routes.paths import check_encoded_slash, normalize_path
from graphgw.server.cors import allow_origin, allow_request
from graphgw.server.route_calls import RouteCall
from graphgw.server.route_io import ASGIBody, ASGIResponder
from graphgw.server.socket_routes import ASGISocket, serve_socket
from graphgw.server.streaming import STREAMING
from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from graphgw.gateway import Gateway
    from graphgw.route_targets import OpenRoute, Routes
    from graphgw.server.streaming import StreamingProtocol
    from graphgw.types import Headers

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["KNOWN", "WHOLE", "KnownRequest", "RoutesFront"]

KNOWN: Final = "graphgw.known"
"""The ASGI extension under which a request is found that was read already."""
WHOLE: Final = "graphgw.whole"
"""The ASGI extension under which its body is found, if all of it is there."""

_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
)
_SERVED: Final = frozenset(("http", "websocket"))
_TLS: Final = frozenset(("https", "wss"))
_DIGITS: Final = 10
_NO_EXTENSIONS: Final[dict[str, Any]] = {}


@record
class KnownRequest:
    """What the head of a request at a route comes to, as long as ``table`` holds."""

    table: Routes
    route: OpenRoute
    head: RequestHead
    cross_origin: tuple[tuple[bytes, bytes], ...] = ()
    length: int = 0
    """Bytes of the body that are declared; -1 where that is more than can be here."""


class RoutesFront:
    """Answers requests at routes; hands all others to ``application``.

    Args:
        gateway: Has the routes.
        application: Answers what no route matches.
        own_paths: Paths of the gateway itself, which no route can take away.
        own_prefixes: What more of its paths begin with.
    """

    def __init__(
        self,
        gateway: Gateway,
        application: App,
        own_paths: frozenset[str],
        own_prefixes: tuple[str, ...] = (),
    ) -> None:
        self._gateway = gateway
        self._application = application
        self._own = own_paths
        self._own_prefixes = own_prefixes
        self._origins = frozenset(gateway.settings.server.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if not self._may_route(scope):
            await self._application(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
            return
        began = time.perf_counter()
        extensions = scope.get("extensions") or _NO_EXTENSIONS
        connection: StreamingProtocol | None = extensions.get(STREAMING)
        is_old = scope.get("http_version") == "1.0"
        responder = ASGIResponder(connection, send, is_old=is_old)
        headers: Headers = {}
        try:
            found = extensions.get(KNOWN)
            if found is None or found.table is not self._gateway.routes:
                headers = read_headers(scope["headers"])
                found = self._read(scope, headers)
        except BadRequestError as error:
            responder.cross_origin = allow_origin(headers, self._origins)
            await responder.refuse(error, self._gateway.request_id(headers))
            return
        if found is None:
            await self._application(scope, receive, send)
        elif isinstance(found, NotAllowed):
            responder.cross_origin = allow_origin(headers, self._origins)
            await self._refuse_method(scope["method"], found, headers, responder)
        elif self._is_preflight(found):
            await self._answer_preflight(found, responder)
        else:
            whole: bytes = extensions.get(WHOLE, b"")
            has_body = found.head.has_body and not whole
            body = ASGIBody(connection, receive, has_body=has_body, whole=whole)
            await self._call(found, body, responder, began)

    # What our own server asks without ASGI

    def read(self, scope: Scope, headers: Headers) -> KnownRequest | None:
        """Return what an HTTP request comes to, if a route answers it."""
        if not self._may_route(scope):
            return None
        try:
            found = self._read(scope, headers)
        except BadRequestError:
            return None
        if not isinstance(found, KnownRequest) or self._is_preflight(found):
            return None
        return found

    def is_current(self, known: KnownRequest) -> bool:
        """Tell whether a request would still come to the same."""
        return known.table is self._gateway.routes

    async def answer(
        self,
        known: KnownRequest,
        connection: StreamingProtocol,
        receive: Receive,
        send: Send,
        content: bytes = b"",
    ) -> None:
        """Answer a request whose head is known, and whose body is all there."""
        body = ASGIBody(connection, receive, has_body=False, whole=content)
        responder = ASGIResponder(connection, send)
        await self._call(known, body, responder, time.perf_counter())

    # Reading

    def _may_route(self, scope: Scope) -> bool:
        return (
            bool(self._gateway.routes.routes)
            and scope["type"] in _SERVED
            and scope["path"] not in self._own
            and not scope["path"].startswith(self._own_prefixes)
        )

    def _read(self, scope: Scope, headers: Headers) -> KnownRequest | NotAllowed | None:
        """Return what a request comes to.

        Raises:
            BadRequestError: Its path is refused.
        """
        table = self._gateway.routes
        is_socket = scope["type"] == "websocket"
        method = "GET" if is_socket else scope["method"]
        wanted = headers.get("access-control-request-method")
        is_preflight = self._origins and method == "OPTIONS" and wanted is not None
        path = normalize_path(scope["raw_path"].decode("latin-1"))
        host = headers.get("host", "").lower()
        found = table.find(host, path, str(wanted) if is_preflight else method)
        if not isinstance(found, Match):
            return found
        if method not in _METHODS:
            return NotAllowed(())
        check_encoded_slash(path, is_allowed=found.route.settings.allows_encoded_slash)
        client = scope["client"]
        head = RequestHead(
            method,
            path,
            scope["query_string"].decode("latin-1"),
            found.parameters,
            headers,
            tuple(scope["headers"]),
            "https" if scope["scheme"] in _TLS else "http",
            client[0] if client else None,
        )
        cross_origin = allow_origin(headers, self._origins)
        declared = headers.get("content-length")
        length = 0 if declared is None else _read_length(declared)
        return KnownRequest(table, found.route, head, cross_origin, length)

    # Answering

    def _call(
        self,
        known: KnownRequest,
        body: ASGIBody,
        responder: ASGIResponder,
        began: float,
    ) -> Awaitable[None]:
        request_id = self._gateway.request_id(known.head.headers)
        responder.cross_origin = known.cross_origin
        call = RouteCall(self._gateway, known.route, known.head, request_id, began)
        return call.serve(body, responder)

    async def _refuse_method(
        self,
        method: str,
        found: NotAllowed,
        headers: Headers,
        responder: ASGIResponder,
    ) -> None:
        request_id = self._gateway.request_id(headers)
        error = BadRequestError(f"{method} is not supported here", status=405)
        allow = ((b"allow", ", ".join(found.methods).encode()),)
        await responder.refuse(error, request_id, allow)

    def _is_preflight(self, found: KnownRequest) -> bool:
        """Tell whether a browser asks whether a page may send a request."""
        return (
            bool(self._origins)
            and found.head.method == "OPTIONS"
            and "access-control-request-method" in found.head.headers
        )

    async def _answer_preflight(
        self, found: KnownRequest, responder: ASGIResponder
    ) -> None:
        headers = found.head.headers
        raw = [*found.cross_origin]
        if len(raw) > 1:
            raw += allow_request(headers, (headers["access-control-request-method"],))
        await responder.respond(204, raw, b"")

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = ASGISocket(tuple(scope.get("subprotocols", ())), receive, send)
        try:
            found = self._read(scope, read_headers(scope["headers"]))
        except BadRequestError:
            await client.refuse(400, (), b"")
            return
        if found is None or isinstance(found, NotAllowed):
            await self._application(scope, receive, send)
            return
        await serve_socket(self._gateway, found.route, found.head, client)


def _read_length(declared: str) -> int:
    """Return the length that a body is declared to have; -1 for a long one."""
    return int(declared) if declared.isdecimal() and len(declared) < _DIGITS else -1
