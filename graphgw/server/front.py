"""The ASGI front: GraphQL over HTTP without a framework in between.

It recognises the GraphQL path itself and hands everything else to the Starlette
application behind it.
See https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from graphgw.errors import BadRequestError, BodyTooLargeError, GraphGWError
from graphgw.execution.response import refuse
from graphgw.operations.request import parse_graphql_parameters, parse_graphql_request
from graphgw.server.csrf import is_forged
from graphgw.server.negotiate import (
    JSON_TYPE,
    check_content,
    choose_media_type,
    http_status,
    prefers_html,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from graphgw.config.settings import ServerSettings
    from graphgw.execution.response import GraphQLResponse
    from graphgw.gateway import Gateway
    from graphgw.operations.operation import GraphQLRequest
    from graphgw.types import Headers

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["GraphQLFront"]

_WATCH_AFTER = 0.02
"""Seconds after which a running request is watched for a client that left."""

_NOT_ACCEPTABLE = "accept must allow application/graphql-response+json or JSON"


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._application(scope, receive, send)
            return
        headers = _read_headers(scope["headers"])
        method = scope["method"]
        if method == "GET" and prefers_html(headers.get("accept")):
            await self._application(scope, receive, send)
        elif method == "OPTIONS":
            await self._answer_preflight(headers, send)
        else:
            await self._serve(scope, headers, receive, send)

    async def _serve(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send
    ) -> None:
        media_type = choose_media_type(headers.get("accept"))
        client = scope.get("client")
        peer = client[0] if client else None
        try:
            if media_type is None:
                raise BadRequestError(_NOT_ACCEPTABLE, status=406)
            request = await self._read_request(scope, headers, receive)
        except GraphGWError as error:
            response = refuse(error)
        else:
            handled = self._gateway.handle(
                request,
                headers,
                peer=peer,
                allows_mutation=scope["method"] == "POST",
            )
            answered = await _unless_client_leaves(handled, request, receive)
            if answered is None:
                return
            response = answered
        await self._send(response, media_type or JSON_TYPE, headers, send)

    async def _read_request(
        self, scope: Scope, headers: Headers, receive: Receive
    ) -> GraphQLRequest:
        if is_forged(headers, self._origins):
            raise BadRequestError(
                "a page of another site sent this request; send JSON, or the"
                " header apollo-require-preflight",
                status=403,
            )
        method = scope["method"]
        if method == "GET":
            query = scope["query_string"].decode("latin-1")
            return parse_graphql_parameters(
                dict(parse_qsl(query, keep_blank_values=True))
            )
        if method != "POST":
            raise BadRequestError(f"{method} is not supported", status=405)
        check_content(headers)
        return parse_graphql_request(await self._read_body(headers, receive))

    async def _read_body(self, headers: Headers, receive: Receive) -> bytes:
        limit = self._settings.max_body_bytes
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared[:20]) > limit:
            raise _too_large(limit)
        message = await self._receive(receive)
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            if len(body) > limit:
                break
            message = await self._receive(receive)
            body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body

    async def _receive(self, receive: Receive) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(self._settings.body_timeout):
                message = await receive()
        except TimeoutError as error:
            raise BadRequestError("the body came too slowly", status=408) from error
        if message["type"] == "http.disconnect":
            raise BadRequestError("the client left", status=400)
        return message

    async def _send(
        self,
        response: GraphQLResponse,
        media_type: str,
        headers: Headers,
        send: Send,
    ) -> None:
        body = response.encode()
        codes = response.error_codes if response.errors else ()
        raw = [
            (b"content-type", f"{media_type}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        status = http_status(response.status, codes, media_type)
        if status == 405:  # noqa: PLR2004 - HTTP's own number
            raw.append((b"allow", b"GET, POST"))
        raw += [(name.encode(), value.encode()) for name, value in response.headers]
        raw += self._cors(headers)
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def _cors(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        if not self._origins:
            return []
        origin = headers.get("origin")
        allowed = [(b"vary", b"Origin")]
        if origin in self._origins or "*" in self._origins:
            allowed.append((b"access-control-allow-origin", (origin or "*").encode()))
        return allowed

    async def _answer_preflight(self, headers: Headers, send: Send) -> None:
        raw = [(b"allow", b"GET, POST, OPTIONS"), *self._cors(headers)]
        if len(raw) > 2:  # noqa: PLR2004 - the origin is allowed
            wanted = headers.get("access-control-request-headers", "content-type")
            raw += [
                (b"access-control-allow-methods", b"GET, POST"),
                (b"access-control-allow-headers", wanted.encode("latin-1")),
                (b"access-control-max-age", b"600"),
            ]
        await send({"type": "http.response.start", "status": 204, "headers": raw})
        await send({"type": "http.response.body", "body": b""})


def _read_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body is larger than {limit} bytes")


async def _unless_client_leaves(
    handled: Awaitable[GraphQLResponse], request: GraphQLRequest, receive: Receive
) -> GraphQLResponse | None:
    """Await the answer; ``None`` when the client left and it was given up.

    A mutation runs to its end also when nobody waits for it any more.
    """
    if request.query is not None and "mutation" in request.query:
        return await handled
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    watch = _ClientWatch(task, receive)
    timer = loop.call_later(_WATCH_AFTER, watch.start)
    try:
        return await handled
    except asyncio.CancelledError:
        if watch.client_left and task is not None and task.uncancel() == 0:
            return None
        raise
    finally:
        timer.cancel()
        await watch.stop()


class _ClientWatch:
    """Cancels a task when its client disconnects."""

    __slots__ = ("_receive", "_task", "_watcher", "client_left")

    def __init__(self, task: asyncio.Task[Any] | None, receive: Receive) -> None:
        self._task = task
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None
        self.client_left = False

    def start(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._task is not None:
            self.client_left = True
            self._task.cancel()

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
