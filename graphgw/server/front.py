"""The ASGI front: GraphQL over HTTP without a framework in between.

It recognises the GraphQL path itself and hands everything else to the Starlette
application behind it.
See https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from graphgw.errors import (
    BadRequestError,
    BodyTooLargeError,
    GraphGWError,
    OverloadedError,
)
from graphgw.execution.response import refuse
from graphgw.operations.request import parse_graphql_parameters, parse_graphql_request
from graphgw.server.client_watch import (
    unless_client_leaves,
    unless_connection_is_lost,
)
from graphgw.server.csrf import is_forged
from graphgw.server.entity_tags import revalidate
from graphgw.server.negotiate import (
    JSON_TYPE,
    check_content,
    choose_media_type,
    http_status,
    prefers_html,
)
from graphgw.server.protocol import CONNECTION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from graphgw.config.settings import ServerSettings
    from graphgw.execution.response import GraphQLResponse
    from graphgw.gateway import Gateway
    from graphgw.operations.operation import GraphQLRequest
    from graphgw.server.protocol import GuardedProtocol
    from graphgw.types import Headers

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["GraphQLFront"]

_OK: Final = 200
_NOT_ACCEPTABLE: Final = "accept must allow application/graphql-response+json or JSON"
_NO_EXTENSIONS: Final[dict[str, GuardedProtocol]] = {}


class GraphQLFront:
    """The outermost ASGI application."""

    def __init__(
        self, gateway: Gateway, settings: ServerSettings, application: App
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._application = application
        self._origins = frozenset(settings.allowed_origins)
        self._path = settings.path
        self.is_stopping = False

    def stop(self) -> None:
        """Say from now on that the gateway is not ready; answers go on."""
        self.is_stopping = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._application(scope, receive, send)
            return
        headers = _read_headers(scope["headers"])
        method = scope["method"]
        if method == "OPTIONS":
            await self._answer_preflight(headers, send)
        elif (
            method == "GET"
            and self._settings.has_graphiql
            and prefers_html(headers.get("accept"))
        ):
            await self._application(scope, receive, send)
        else:
            await self._serve(scope, headers, receive, send)

    async def _serve(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> None:
        media_type = choose_media_type(headers.get("accept"))
        method = scope["method"]
        connection = scope.get("extensions", _NO_EXTENSIONS).get(CONNECTION)
        try:
            self._check(method, media_type, headers)
            if method == "GET":
                request = _read_parameters(scope["query_string"])
            else:
                body = await self._read_body(receive, connection)
                if body is None:
                    return
                request = parse_graphql_request(body)
        except GraphGWError as error:
            response = self._gateway.refuse(error, headers)
        else:
            client = scope["client"]
            handled = self._gateway.handle(
                request,
                headers,
                peer=client[0] if client else None,
                allows_mutation=method == "POST",
            )
            try:
                answered = await _unless_client_leaves(
                    handled, request, receive, connection
                )
            except asyncio.CancelledError:
                if connection is None or not connection.is_draining:
                    raise
                answered = refuse(OverloadedError("the gateway is stopping"))
            if answered is None:
                return
            response = answered
        answer = self._encode(response, media_type or JSON_TYPE, headers)
        if method == "GET" and answer[0] == _OK and not response.errors:
            answer = revalidate(answer, headers)
        status, raw, encoded = answer
        if connection is None or not connection.answer(status, raw, encoded):
            await _send(status, raw, encoded, send)

    def _check(self, method: str, media_type: str | None, headers: Headers) -> None:
        """Refuse a request for what its head says."""
        if method not in {"POST", "GET"}:
            raise BadRequestError(f"{method} is not supported", status=405)
        if media_type is None:
            raise BadRequestError(_NOT_ACCEPTABLE, status=406)
        if is_forged(headers, self._origins):
            raise BadRequestError(
                "a page of another site sent this request; send JSON, or the"
                " header apollo-require-preflight",
                status=403,
            )
        if method == "POST":
            check_content(headers)
            limit = self._settings.max_body_bytes
            declared = headers.get("content-length", "0")
            if not declared.isdecimal() or int(declared[:20]) > limit:
                raise _too_large(limit)

    async def _read_body(
        self, receive: Receive, connection: GuardedProtocol | None
    ) -> bytes | None:
        """Return the whole body; ``None`` if the client leaves before it is sent."""
        if connection is not None:  # the protocol keeps the time
            body = connection.take_body()
            if body is None:
                return await self._collect_body(receive)
            if len(body) > self._settings.max_body_bytes:
                raise _too_large(self._settings.max_body_bytes)
            return body
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                return await self._collect_body(receive)
        except TimeoutError as error:
            raise BadRequestError("the body came too slowly", status=408) from error

    async def _collect_body(self, receive: Receive) -> bytes | None:
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
            raise _too_large(limit)
        return body

    def _encode(
        self, response: GraphQLResponse, media_type: str, headers: Headers
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Return the status, the headers and the body of an answer."""
        body = response.encode()
        codes = response.error_codes if response.errors else ()
        status = http_status(response.status, codes, media_type)
        raw = [
            (b"content-type", f"{media_type}; charset=utf-8".encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        if status == 405:  # noqa: PLR2004 - HTTP's own number
            raw.append((b"allow", b"GET, POST"))
        raw += [(name.encode(), value.encode()) for name, value in response.headers]
        if self._origins:
            raw += self._cors(headers)
        return status, raw, body

    def _cors(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        origin = headers.get("origin")
        allowed = [(b"vary", b"Origin")]
        if origin in self._origins or "*" in self._origins:
            allowed.append(
                (b"access-control-allow-origin", (origin or "*").encode("latin-1"))
            )
        return allowed

    async def _answer_preflight(self, headers: Headers, send: Send) -> None:
        raw = [(b"allow", b"GET, POST, OPTIONS")]
        allowed = self._cors(headers) if self._origins else []
        raw += allowed
        if len(allowed) > 1:
            wanted = headers.get("access-control-request-headers", "content-type")
            raw += [
                (b"access-control-allow-methods", b"GET, POST"),
                (b"access-control-allow-headers", wanted.encode("latin-1")),
                (b"access-control-max-age", b"600"),
            ]
        await send({"type": "http.response.start", "status": 204, "headers": raw})
        await send({"type": "http.response.body", "body": b""})


def _read_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return headers if len(headers) == len(raw) else _join_headers(raw)


def _join_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by name; one that came in several lines is one list."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        before = headers.get(name)
        separator = "; " if name == "cookie" else ", "
        headers[name] = value if before is None else f"{before}{separator}{value}"
    return headers


def _read_parameters(query: bytes) -> GraphQLRequest:
    return parse_graphql_parameters(
        dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    )


async def _send(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes, send: Send
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body is larger than {limit} bytes")


def _unless_client_leaves(
    handled: Awaitable[GraphQLResponse],
    request: GraphQLRequest,
    receive: Receive,
    connection: GuardedProtocol | None,
) -> Awaitable[GraphQLResponse | None]:
    """Give the answer up when its client leaves.

    A mutation runs to its end also when nobody waits for it any more.
    """
    if request.query is not None and "mutation" in request.query:
        return handled
    if connection is None:
        return unless_client_leaves(handled, receive)
    return unless_connection_is_lost(handled, connection)
