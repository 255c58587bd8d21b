"""Changes made around a route's handler: of the request, of the answer.

A service may have changes of its own; they lie around those of each route to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from graphgw.errors import GraphGWError, SourceAnswerTooLargeError
from graphgw.routes.headers import is_of_connection, read_headers
from graphgw.routes.messages import RouteRequest, RouteResponse
from graphgw.routes.rewrite import set_query
from graphgw.routes.transform import (
    BodyTransform,
    HeaderTransform,
    StatusMap,
    claim_headers,
    is_json,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from graphgw.routes.exchange import (
        Exchange,
        Outgoing,
        RawHeaders,
        Responder,
        RouteHandler,
    )
    from graphgw.sources.changes import RequestChanges, ResponseChanges
    from graphgw.types import Principal

__all__ = ["Changes", "RequestHook", "ResponseHook", "join_outgoing"]

RequestHook: TypeAlias = (
    "Callable[[RouteRequest], Awaitable[RouteRequest | RouteResponse]]"
)
ResponseHook: TypeAlias = (
    "Callable[[RouteResponse, RouteRequest], Awaitable[RouteResponse]]"
)

_BODILESS: Final = frozenset((204, 205, 304))
_OF_BYTES: Final = frozenset(
    (
        b"accept-ranges",
        b"content-digest",
        b"content-length",
        b"content-md5",
        b"digest",
        b"repr-digest",
    )
)
"""Headers of an answer that are not true any more once its body is another."""
_ASKING: Final = frozenset((b"accept-encoding", b"if-range", b"range"))
"""Headers of a request that ask for what cannot be changed."""


class Changes:
    """Changes what passes; see ``RequestChanges`` and ``ResponseChanges``.

    Args:
        request: The changes of requests.
        response: The changes of answers.
        limit: The longest answer that is read whole.
        request_hook: What ``request.hook`` names.
        response_hook: What ``response.hook`` names.
    """

    __slots__ = (
        "_answer_body",
        "_answer_headers",
        "_body",
        "_claims",
        "_headers",
        "_is_answer_changed",
        "_is_answer_read",
        "_limit",
        "_query",
        "_request_hook",
        "_response_hook",
        "_status",
        "is_empty",
    )

    def __init__(
        self,
        request: RequestChanges,
        response: ResponseChanges,
        limit: int,
        request_hook: RequestHook | None = None,
        response_hook: ResponseHook | None = None,
    ) -> None:
        self._headers = HeaderTransform(request.headers)
        self._claims = request.claims
        self._query = request.query
        self._body = BodyTransform(request.body)
        self._request_hook = request_hook
        self._answer_headers = HeaderTransform(response.headers)
        self._status = StatusMap(response)
        self._answer_body = BodyTransform(response.body)
        self._response_hook = response_hook
        self._limit = limit
        self._is_answer_read = not self._answer_body.is_empty or bool(response_hook)
        self._is_answer_changed = self._is_answer_read or not (
            self._answer_headers.is_empty and self._status.is_empty
        )
        self.is_empty = (
            self._headers.is_empty
            and not self._claims
            and not self._query
            and self._body.is_empty
            and request_hook is None
            and not self._is_answer_changed
        )

    async def handle(self, exchange: Exchange, handler: RouteHandler) -> None:
        """Change the request, have it handled, change the answer."""
        if self._query:
            query = set_query(exchange.query, self._query)
            exchange.head = replace(exchange.head, query=query)
        if not self._body.is_empty and _has_json(exchange):
            body = await exchange.read_body()
            exchange.replace_body(self._body.apply(body))
        own: tuple[tuple[bytes, bytes], ...] = ()
        asked: RouteRequest | None = None
        if self._request_hook is not None or self._response_hook is not None:
            asked = await _read_request(exchange, whole=self._request_hook is not None)
        if self._is_answer_changed:
            exchange.responder = _ChangingResponder(self, exchange, asked)
        if self._request_hook is not None and asked is not None:
            given = await self._request_hook(asked)
            if isinstance(given, RouteResponse):
                await exchange.respond(given.status, _encode(given.headers), given.body)
                return
            own = _take_over(exchange, asked, given)
        exchange.outgoing = join_outgoing(
            exchange.outgoing, self.outgoing(exchange.principal, own)
        )
        await handler.handle(exchange)

    def outgoing(
        self, principal: Principal, own: tuple[tuple[bytes, bytes], ...] = ()
    ) -> Outgoing:
        """Return what makes the headers that a backend is sent.

        Args:
            principal: Whose claims go into headers.
            own: Headers of a hook's own, which replace those of the client.
        """
        claims, replaced = claim_headers(self._claims, principal.claims)
        replaced |= {name for name, _ in own}
        if self._is_answer_read:
            replaced |= _ASKING

        def outgoing(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
            kept = (pair for pair in headers if pair[0] not in replaced)
            return [*self._headers.apply(kept), *claims, *own]

        return outgoing

    # The answer

    def head(
        self, status: int, headers: RawHeaders
    ) -> tuple[int, tuple[tuple[bytes, bytes], ...]]:
        """Return the status and the headers as the client is to see them."""
        return self._status.apply(status), self._answer_headers.apply(headers)

    def reads(self, status: int, headers: list[tuple[bytes, bytes]]) -> bool:
        """Tell whether the body of an answer is read whole."""
        if not self._is_answer_read or status in _BODILESS:
            return False
        return self._response_hook is not None or _is_plain_json(headers)

    async def change(
        self,
        answer: RouteResponse,
        asked: RouteRequest | None,
    ) -> RouteResponse:
        """Return an answer with its body, and all else, changed."""
        headers = _encode(answer.headers)
        body = answer.body
        if not self._answer_body.is_empty and _is_plain_json(headers):
            body = self._answer_body.apply(body)
        status, changed = self.head(answer.status, _for_another_body(headers))
        answer = RouteResponse(status=status, headers=_decode(changed), body=body)
        if self._response_hook is not None and asked is not None:
            answer = await self._response_hook(answer, asked)
        return answer

    @property
    def limit(self) -> int:
        """The longest answer that is read whole."""
        return self._limit

    @property
    def needs_whole(self) -> bool:
        """Tell whether an answer that cannot be read whole cannot be given."""
        return self._response_hook is not None


def join_outgoing(first: Outgoing, then: Outgoing) -> Outgoing:
    """Return what makes headers by one change after another."""

    def outgoing(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return then(first(headers))

    return outgoing


class _ChangingResponder:
    """Gives answers on as a route's changes make them."""

    __slots__ = ("_asked", "_changes", "_exchange", "_inner")

    def __init__(
        self, changes: Changes, exchange: Exchange, asked: RouteRequest | None
    ) -> None:
        self._changes = changes
        self._exchange = exchange
        self._inner: Responder = exchange.responder
        self._asked = asked

    async def respond(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Answer with a whole body."""
        raw = list(headers)
        if not self._changes.reads(status, raw) or (
            len(body) > self._changes.limit and not self._changes.needs_whole
        ):
            status, changed = self._changes.head(status, raw)
            await self._inner.respond(status, changed, body)
            return
        answer = RouteResponse(status=status, headers=_decode(raw), body=body)
        given = await self._changes.change(answer, self._asked)
        kept = [p for p in _encode(given.headers) if not _is_framing(p[0])]
        await self._inner.respond(given.status, kept, given.body)

    async def stream(
        self, status: int, headers: RawHeaders, chunks: AsyncIterator[bytes]
    ) -> None:
        """Answer piece by piece; collect the pieces where a change needs them all."""
        raw = list(headers)
        if self._exchange.method == "HEAD" and self._changes.reads(status, raw):
            raw = _for_another_body(raw)
        elif self._changes.reads(status, raw):
            parts, size = [], 0
            async for part in chunks:
                parts.append(part)
                size += len(part)
                if size > self._changes.limit:
                    break
            else:
                await self.respond(status, raw, b"".join(parts))
                return
            if self._changes.needs_whole:
                raise SourceAnswerTooLargeError(
                    f"the answer is longer than the {self._changes.limit} bytes that"
                    " are read for its hook"
                )
            chunks = _chain(parts, chunks)
        status, changed = self._changes.head(status, raw)
        await self._inner.stream(status, changed, chunks)


async def _chain(
    parts: list[bytes], rest: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    async for part in rest:
        yield part


def _take_over(
    exchange: Exchange, asked: RouteRequest, given: RouteRequest
) -> tuple[tuple[bytes, bytes], ...]:
    """Let handlers see a hook's request; return the headers that are the hook's own.

    What clients may not send is sent on if it is a hook that sets it.
    """
    if not isinstance(given, RouteRequest):
        raise GraphGWError("a hook of a route returned neither request nor response")
    before = set(asked.headers)
    own = [
        pair
        for pair in given.headers
        if pair not in before and not is_of_connection(pair[0].lower().encode())
    ]
    raw = _encode(tuple(pair for pair in given.headers if pair in before))
    exchange.head = replace(
        exchange.head,
        method=given.method,
        path=given.path,
        query=given.query,
        parameters=given.parameters,
        headers=read_headers([*raw, *_encode(tuple(own))]),
        raw_headers=tuple(raw),
    )
    if given.body != asked.body or exchange.replaced_body is not None:
        exchange.replace_body(given.body)
    return tuple(_encode(tuple(own)))


async def _read_request(exchange: Exchange, *, whole: bool) -> RouteRequest:
    body = b""
    if whole and (exchange.head.has_body or exchange.replaced_body):
        body = await exchange.read_body()
    head = exchange.head
    return RouteRequest(
        method=head.method,
        path=head.path,
        query=head.query,
        parameters=head.parameters,
        headers=_decode(head.raw_headers),
        body=body,
        principal=exchange.principal,
        request_id=exchange.request_id,
    )


def _has_json(exchange: Exchange) -> bool:
    headers = exchange.headers
    return (
        exchange.head.has_body
        and is_json(headers.get("content-type", ""))
        and headers.get("content-encoding", "identity") == "identity"
    )


def _is_plain_json(headers: list[tuple[bytes, bytes]]) -> bool:
    found = dict(headers)
    kind = found.get(b"content-type", b"").decode("latin-1")
    return is_json(kind) and found.get(b"content-encoding", b"") in {b"", b"identity"}


def _for_another_body(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer whose body has become another."""
    kept = []
    for name, value in headers:
        if name in _OF_BYTES:
            continue
        is_strong = name == b"etag" and not value.startswith(b"W/")
        kept.append((name, b"W/" + value if is_strong else value))
    return kept


def _is_framing(name: bytes) -> bool:
    return name == b"content-length" or is_of_connection(name)


def _decode(raw: RawHeaders) -> tuple[tuple[str, str], ...]:
    return tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in raw)


def _encode(headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    return [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers]
