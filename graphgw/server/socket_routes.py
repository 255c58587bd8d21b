"""WebSocket connections at routes: the ASGI end, decided on like requests."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import (
    BadRequestError,
    ConfigurationError,
    GraphGWError,
    SourceError,
)
from graphgw.proxy.websocket import SocketClosed
from graphgw.routes.problem import PROBLEM_TYPE, ProblemDetails, describe_problem
from graphgw.server.csrf import is_forged
from graphgw.telemetry.events import InternalFailure, RouteFinished
from graphgw.types import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from graphgw.context import RequestContext
    from graphgw.gateway import Gateway
    from graphgw.route_targets import OpenRoute
    from graphgw.routes.exchange import RawHeaders, RequestHead

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

__all__ = ["ASGISocket", "serve_socket"]

_METHOD: Final = "WEBSOCKET"
_SWITCHED: Final = 101
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
_INTERNAL: Final = 1011


class ASGISocket:
    """The client's end; see ``ClientSocket``."""

    __slots__ = ("_is_closed", "_receive", "_send", "is_accepted", "subprotocols")

    def __init__(
        self, subprotocols: tuple[str, ...], receive: Receive, send: Send
    ) -> None:
        self.subprotocols = subprotocols
        self.is_accepted = False
        self._receive = receive
        self._send = send
        self._is_closed = False

    async def accept(self, subprotocol: str | None) -> None:
        """Agree to the connection."""
        await self._receive()  # websocket.connect
        self.is_accepted = True
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})

    async def receive(self) -> str | bytes | SocketClosed:
        """Return the next message, or how the connection ended."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._is_closed = True
            return SocketClosed(message.get("code", 1006), message.get("reason") or "")
        text: str | None = message.get("text")
        if text is not None:
            return text
        data: bytes = message["bytes"]
        return data

    async def send(self, message: str | bytes) -> None:
        """Send a message; wait while the client does not take it."""
        kind = "text" if isinstance(message, str) else "bytes"
        await self._send({"type": "websocket.send", kind: message})

    async def close(self, code: int, reason: str) -> None:
        """End the connection, unless it has ended."""
        if not self._is_closed:
            self._is_closed = True
            await self._send(
                {"type": "websocket.close", "code": code, "reason": reason}
            )

    async def refuse(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Answer the handshake with an HTTP answer."""
        await self._receive()
        raw = [*headers, (b"content-length", b"%d" % len(body))]
        start = {"type": "websocket.http.response.start", "status": status}
        await self._send({**start, "headers": raw})
        await self._send({"type": "websocket.http.response.body", "body": body})


async def serve_socket(
    gateway: Gateway, route: OpenRoute, head: RequestHead, client: ASGISocket
) -> None:
    """Decide on a handshake, and pipe messages until one side ends."""
    began = time.perf_counter()
    request_id = gateway.request_id(head.headers)
    context: RequestContext | None = None
    status, code = _SWITCHED, None
    try:
        context = await _decide(gateway, route, head, request_id)
        await _pipe(route, head, context, client)
    except GraphGWError as error:
        problem = _describe(error, request_id)
        status, code = problem.status, problem.code
        if status == _SERVER_ERROR or isinstance(error, ConfigurationError):
            _report(gateway, route, request_id, error)
        if client.is_accepted:
            await client.close(_INTERNAL, "")
        else:
            kind = (b"content-type", PROBLEM_TYPE.encode())
            await client.refuse(status, (kind, *problem.headers), problem.encode())
    principal = None if context is None else context.principal
    gateway.observer.observe(
        RouteFinished(
            request_id,
            route.settings.name,
            _METHOD,
            status,
            time.perf_counter() - began,
            code,
            subject=None if principal is None else principal.subject,
            ip=head.peer if principal is None else principal.ip,
        )
    )


async def _decide(
    gateway: Gateway, route: OpenRoute, head: RequestHead, request_id: str
) -> RequestContext:
    """Return the context of a handshake that may go on.

    Raises:
        GraphGWError: It may not.
    """
    if route.socket is None:
        raise BadRequestError("there are no WebSocket connections here", status=403)
    if is_forged(head.headers, gateway.settings.server.allowed_origins):
        raise BadRequestError("a page of another site asked for this", status=403)
    deadline = Deadline.after(route.settings.timeouts.first_byte)
    context = await gateway.open_route_context(
        head.headers, head.peer, request_id, deadline
    )
    verdict = await route.policy.decide(context)
    if verdict.refusal is not None:
        raise verdict.refusal
    return context


async def _pipe(
    route: OpenRoute, head: RequestHead, context: RequestContext, client: ASGISocket
) -> None:
    socket, places = route.socket, route.places
    if socket is None:
        return
    if places is not None:
        places.enter()
    try:
        async with asyncio.timeout(route.settings.timeouts.total):
            outgoing = route.changes.outgoing(context.principal)
            await socket.handle(head, context, client, outgoing)
    except TimeoutError:
        await client.close(1001, "the connection took too long")
    finally:
        if places is not None:
            places.leave()


def _describe(error: GraphGWError, request_id: str) -> ProblemDetails:
    """Return a problem; a service that refuses a client is repeated."""
    problem = describe_problem(error, request_id)
    status = error.status if isinstance(error, SourceError) else None
    if isinstance(status, int) and _BAD_REQUEST <= status < _SERVER_ERROR:
        return replace(problem, status=status)
    return problem


def _report(
    gateway: Gateway, route: OpenRoute, request_id: str, error: BaseException
) -> None:
    where = f"route {route.settings.name}"
    gateway.observer.observe(InternalFailure(request_id, where, error))
