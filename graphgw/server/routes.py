"""Requests at routes: matched, decided on and answered without Starlette.

It stands between the GraphQL front and the Starlette application: what no route
matches goes on to the latter.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import BadRequestError, DeadlineExceededError, GraphGWError
from graphgw.routes.exchange import ClientLeftError, Exchange, RequestHead
from graphgw.routes.headers import read_headers
from graphgw.routes.match import NotAllowed
from graphgw.routes.paths import check_encoded_slash, normalize_path
from graphgw.routes.problem import describe_problem
from graphgw.server.route_io import AnswerBrokenError, ASGIBody, ASGIResponder
from graphgw.server.socket_routes import ASGISocket, serve_socket
from graphgw.telemetry.events import InternalFailure, RouteFinished
from graphgw.types import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from graphgw.context import RequestContext
    from graphgw.gateway import Gateway
    from graphgw.route_targets import OpenRoute
    from graphgw.routes.match import Match

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["RoutesFront"]

_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
)
_SERVED: Final = frozenset(("http", "websocket"))
_SERVER_ERROR: Final = 500
_CLIENT_LEFT: Final = 499
"""What the log says of a request whose client did not wait; nobody is sent it."""


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        routes = self._gateway.routes
        if (
            not routes.routes
            or scope["type"] not in _SERVED
            or scope["path"] in self._own
            or scope["path"].startswith(self._own_prefixes)
        ):
            await self._application(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
            return
        began = time.perf_counter()
        method: str = scope["method"]
        raw = tuple(scope["headers"])
        headers = read_headers(raw)
        request_id = self._gateway.request_id(headers)
        responder = ASGIResponder(scope, send)
        try:
            path = normalize_path(scope["raw_path"].decode("latin-1"))
            found = routes.find(headers.get("host", "").lower(), path, method)
            if found is None:
                await self._application(scope, receive, send)
                return
            if isinstance(found, NotAllowed) or method not in _METHODS:
                error = BadRequestError(f"{method} is not supported here", status=405)
                await responder.refuse(error, request_id, _allow(found))
                return
            check_encoded_slash(
                path, is_allowed=found.route.settings.allows_encoded_slash
            )
        except BadRequestError as error:
            await responder.refuse(error, request_id)
            return
        client = scope["client"]
        head = RequestHead(
            method,
            path,
            scope["query_string"].decode("latin-1"),
            found.parameters,
            headers,
            raw,
            scope["scheme"],
            client[0] if client else None,
        )
        call = _Call(self._gateway, found.route, head, request_id, began)
        body = ASGIBody(scope, receive, has_body=head.has_body)
        await call.serve(body, responder)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = tuple(scope["headers"])
        headers = read_headers(raw)
        client = ASGISocket(tuple(scope.get("subprotocols", ())), receive, send)
        try:
            path = normalize_path(scope["raw_path"].decode("latin-1"))
            host = headers.get("host", "").lower()
            found = self._gateway.routes.find(host, path, "GET")
            if found is None or isinstance(found, NotAllowed):
                await self._application(scope, receive, send)
                return
            check_encoded_slash(
                path, is_allowed=found.route.settings.allows_encoded_slash
            )
        except BadRequestError:
            await client.refuse(400, (), b"")
            return
        peer = scope["client"]
        head = RequestHead(
            "GET",
            path,
            scope["query_string"].decode("latin-1"),
            found.parameters,
            headers,
            raw,
            "https" if scope["scheme"] == "wss" else "http",
            peer[0] if peer else None,
        )
        await serve_socket(self._gateway, found.route, head, client)


class _Call:
    """One request at one route."""

    __slots__ = ("_began", "_context", "_gateway", "_head", "_request_id", "_route")

    def __init__(
        self,
        gateway: Gateway,
        route: OpenRoute,
        head: RequestHead,
        request_id: str,
        began: float,
    ) -> None:
        self._gateway = gateway
        self._route = route
        self._head = head
        self._request_id = request_id
        self._began = began
        self._context: RequestContext | None = None

    async def serve(self, body: ASGIBody, responder: ASGIResponder) -> None:
        """Answer the request; every failure becomes an answer."""
        code: str | None = None
        is_whole = True
        try:
            body.watch(responder)
            try:
                await self._answer(body, responder)
            finally:
                watcher = body.unwatch()
                if watcher is not None:
                    await asyncio.wait([watcher])
            is_whole = responder.is_complete
        except ClientLeftError:
            is_whole = False
        except asyncio.CancelledError:
            if not body.forgive():
                raise
            is_whole = responder.is_complete
        except AnswerBrokenError as error:
            is_whole, code = False, error.code
            responder.break_off()
        except GraphGWError as error:
            code = await self._refuse(error, responder)
            is_whole = responder.is_complete
        except Exception as error:  # noqa: BLE001 - the outer edge: mask what is ours
            self._report(error)
            masked = GraphGWError("Internal server error.")
            code = await self._refuse(masked, responder)
            is_whole = responder.is_complete
        self._finish(responder.status or _CLIENT_LEFT, code, is_whole=is_whole)

    async def _answer(self, body: ASGIBody, responder: ASGIResponder) -> None:
        gateway, route = self._gateway, self._route
        settings = route.settings
        total = settings.timeouts.total
        seconds = total or max(gateway.settings.deadline, settings.timeouts.first_byte)
        self._context = context = await gateway.open_route_context(
            self._head.headers,
            self._head.peer,
            self._request_id,
            Deadline.after(seconds),
        )
        verdict = await route.policy.decide(context)
        responder.added = verdict.headers
        if verdict.refusal is not None:
            raise verdict.refusal
        exchange = Exchange(settings, self._head, context, body, responder)
        exchange.check_declared(settings.max_body_bytes)
        body.idle = responder.idle = settings.timeouts.idle
        places = route.places
        if places is not None:
            places.enter()
        try:
            if total is None:
                await route.handle(exchange)
            else:
                await self._within(total, exchange, responder)
        finally:
            if places is not None:
                places.leave()

    async def _within(
        self, seconds: float, exchange: Exchange, responder: ASGIResponder
    ) -> None:
        """Let the whole exchange take no longer than the route allows."""
        try:
            async with asyncio.timeout(seconds):
                await self._route.handle(exchange)
        except TimeoutError as error:
            message = "the answer took too long"
            kind = AnswerBrokenError if responder.is_started else DeadlineExceededError
            raise kind(message) from error

    async def _refuse(self, error: GraphGWError, responder: ASGIResponder) -> str:
        code: str = getattr(error, "error_code", error.code)
        if responder.is_started:
            responder.break_off()
            return code
        problem = describe_problem(error, self._request_id)
        if problem.status == _SERVER_ERROR:
            self._report(error)
        await responder.refuse(error, self._request_id)
        return problem.code

    def _report(self, error: BaseException) -> None:
        where = f"route {self._route.settings.name}"
        self._gateway.observer.observe(InternalFailure(self._request_id, where, error))

    def _finish(self, status: int, code: str | None, *, is_whole: bool) -> None:
        principal = None if self._context is None else self._context.principal
        self._gateway.observer.observe(
            RouteFinished(
                self._request_id,
                self._route.settings.name,
                self._head.method,
                status,
                time.perf_counter() - self._began,
                code,
                is_whole,
                None if principal is None else principal.subject,
                self._head.peer if principal is None else principal.ip,
            )
        )


def _allow(
    found: Match[OpenRoute] | NotAllowed,
) -> tuple[tuple[bytes, bytes], ...]:
    methods = found.methods if isinstance(found, NotAllowed) else ()
    return ((b"allow", ", ".join(methods).encode()),)
