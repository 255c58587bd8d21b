"""A proxy as one writes it by hand: an ASGI application on the gateway's transport.

It sends on method, path, query, headers but those of the connection, and both bodies as
they come. It knows no routes, limits, callers, retries, metrics or logs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from graphgw.sources.http_transport.settings import TransportSettings
from graphgw.sources.http_transport.stream import StreamRequest, StreamTransport
from graphgw.types import Deadline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

__all__ = ["app"]

_HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_NOT_SENT: Final = _HOP_BY_HOP | {b"host", b"content-length", b"expect"}
_USERS: Final = os.environ.get("USER_URL", "")
_ECHO: Final = os.environ.get("ECHO_URL", "")
_TIMEOUT: Final = 10.0
_transport: Final = StreamTransport(TransportSettings())


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what the service answers."""
    path = scope["raw_path"].decode()
    query = scope["query_string"].decode()
    headers = scope["headers"]
    kept = [pair for pair in headers if pair[0] not in _NOT_SENT]
    kept.append((b"x-forwarded-for", scope["client"][0].encode()))
    body, length = None, None
    for name, value in headers:
        if name == b"content-length" and value != b"0":
            body, length = _read(receive), int(value)
        elif name == b"transfer-encoding":
            body = _read(receive)
    request = StreamRequest(
        scope["method"],
        _ECHO if path == "/echo" else _USERS,
        f"{path}?{query}" if query else path,
        Deadline.after(_TIMEOUT),
        tuple(kept),
        body,
        length,
    )
    answer = await _transport.send(request)
    try:
        given = [pair for pair in answer.headers if pair[0] not in _HOP_BY_HOP]
        start = {"type": "http.response.start", "status": answer.status}
        await send({**start, "headers": given})
        async for part in answer.chunks():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        await answer.aclose()


async def _read(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if part := message.get("body", b""):
            yield part
        if not message.get("more_body"):
            return
