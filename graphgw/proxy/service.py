"""Send requests on to an HTTP service, body by body, as they come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from graphgw.errors import SourceError
from graphgw.operations.cache import BoundedCache
from graphgw.routes.headers import forward_answer, forward_request
from graphgw.routes.rewrite import build_target
from graphgw.sources.deadlines import shorten
from graphgw.sources.http_transport.origins import split_url
from graphgw.sources.http_transport.stream import StreamRequest, encode_lines
from graphgw.telemetry.events import SourceCalled

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from graphgw.policies.authenticate.addresses import AddressList
    from graphgw.routes.exchange import Exchange
    from graphgw.routes.headers import ForwardRules
    from graphgw.routes.settings import RouteSettings
    from graphgw.sources.http_service import HTTPService
    from graphgw.sources.http_transport.stream import StreamedAnswer
    from graphgw.types import Deadline

__all__ = ["ServiceHandler"]

_IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_SERVER_ERROR: Final = 500
_WHOLE_BYTES: Final = 64 * 1024
"""Bodies that are here and no longer than this go with the head of a request."""
_KNOWN: Final = 1000
_KNOWN_BYTES: Final = 2 * 1024 * 1024
_BYTES_PER_BYTE: Final = 4
"""What remembered headers weigh for each byte that is sent."""


class ServiceHandler:
    """Answers a route's requests with what its service answers.

    Neither body is held back: a slow reader on one side slows the writer on the
    other. Only the way to the head of the answer is guarded by the service's breaker,
    bulkhead and retries; what streams after that is bounded by the route.

    Args:
        route: Its settings.
        service: Where it leads.
        rules: What goes on, and what comes back.
        proxies: The peers that are believed what they say of clients.
    """

    __slots__ = (
        "_dropped",
        "_endpoint",
        "_id_header",
        "_known",
        "_name",
        "_origin",
        "_own",
        "_prefix",
        "_proxies",
        "_route",
        "_rules",
        "_service",
        "_target",
    )

    def __init__(
        self,
        route: RouteSettings,
        service: HTTPService,
        rules: ForwardRules,
        proxies: AddressList,
    ) -> None:
        settings = service.settings
        self._route = route
        self._service = service
        self._rules = rules
        self._proxies = proxies
        self._name = settings.name
        self._endpoint = f"route {route.name}"
        self._origin, path = split_url(settings.base_url.rstrip("/"))
        self._known: BoundedCache[object, bytes] = BoundedCache(
            max_entries=_KNOWN, max_bytes=_KNOWN_BYTES
        )
        self._prefix = "" if path == "/" else path
        self._target = build_target(route)
        self._own = tuple(
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in settings.headers
        )
        name = settings.request_id_header
        self._id_header = None if name is None else name.lower().encode()
        own = {settings.request_id_header, settings.deadline_header} - {None}
        replaced = frozenset(str(name).lower().encode() for name in own)
        self._dropped = rules.dropped | replaced | {name for name, _ in self._own}

    async def handle(self, exchange: Exchange) -> None:
        """Send the request on and the answer back."""
        deadline = shorten(exchange.context.deadline, self._route.timeouts.first_byte)
        answer = await self._send(exchange, deadline)
        try:
            await self._answer(exchange, answer)
        finally:
            if not answer.finish():
                await answer.aclose()

    async def _send(self, exchange: Exchange, deadline: Deadline) -> StreamedAnswer:
        """Return the head of an answer, within what the service can bear."""
        guard, observer = self._service.guard, exchange.context.observer
        tried: list[str] | None = None if self._service.balanced is None else []
        ticket = guard.begin()
        if not ticket:
            return await self._retry(exchange, deadline, 0, None, 0.0, tried)
        began = time.monotonic()
        try:
            answer = await self._service.streams.send(
                self._request(exchange, deadline, tried)
            )
        except SourceError as error:
            return await self._retry(exchange, deadline, ticket, error, began, tried)
        except BaseException:
            guard.abandon(ticket)
            raise
        if answer.status >= _SERVER_ERROR:
            return await self._retry(exchange, deadline, ticket, answer, began, tried)
        guard.succeed(ticket)
        seconds = time.monotonic() - began
        observer.observe(
            SourceCalled(self._name, self._endpoint, seconds, str(answer.status))
        )
        return answer

    async def _retry(
        self,
        exchange: Exchange,
        deadline: Deadline,
        ticket: int,
        first: SourceError | StreamedAnswer | None,
        began: float,
        tried: list[str] | None,
    ) -> StreamedAnswer:
        """Settle a first attempt that failed; try again where that is allowed.

        If the service says that it cannot answer to the last, that is the answer.
        """
        last: StreamedAnswer | None = None
        waiting = first

        async def attempt() -> tuple[str, StreamedAnswer]:
            nonlocal last, waiting
            if last is not None:
                await last.aclose()
                last = None
            answer, waiting = waiting, None
            if isinstance(answer, SourceError):
                raise answer
            if answer is None:
                answer = await self._service.streams.send(
                    self._request(exchange, deadline, tried)
                )
            if answer.status >= _SERVER_ERROR:
                last = answer
                raise self._failed(answer.status)
            return str(answer.status), answer

        guard, head = self._service.guard, exchange.head
        has_body = head.has_body or bool(exchange.replaced_body)
        may_retry = head.method in _IDEMPOTENT and not has_body
        observer = exchange.context.observer
        try:
            if not ticket:
                return await guard.run(
                    attempt,
                    endpoint=self._endpoint,
                    deadline=deadline,
                    observer=observer,
                    is_idempotent=may_retry,
                )
            return await guard.conduct(
                ticket,
                attempt,
                endpoint=self._endpoint,
                deadline=deadline,
                observer=observer,
                is_idempotent=may_retry,
                started=began,
            )
        except SourceError:
            if last is None:
                raise
            return last
        except BaseException:
            if last is not None:
                await last.aclose()
            raise

    def _failed(self, status: int) -> SourceError:
        message = f'service "{self._name}" answered {status}'
        return SourceError(message, source=self._name, status=status)

    def _answer(self, exchange: Exchange, answer: StreamedAnswer) -> Awaitable[None]:
        headers = forward_answer(
            answer.headers, answer.status, set_cookie=self._rules.set_cookie
        )
        if b"set-cookie" in dict(answer.headers):
            exchange.may_keep = False
        whole = None if exchange.method == "HEAD" else answer.take_whole()
        if whole is not None:
            kept = [pair for pair in headers if pair[0] != b"content-length"]
            return exchange.respond(answer.status, kept, whole)
        return exchange.stream(answer.status, headers, answer.chunks())

    def _request(
        self, exchange: Exchange, deadline: Deadline, tried: list[str] | None
    ) -> StreamRequest:
        head = exchange.head
        lines = self._lines(exchange) if exchange.is_unchanged else b""
        headers = [] if lines else self._headers(exchange)
        if self._id_header is not None:
            headers.append((self._id_header, exchange.request_id.encode("latin-1")))
        body, length, whole = None, None, b""
        replaced = exchange.replaced_body
        if replaced and len(replaced) <= _WHOLE_BYTES:
            whole = replaced
        elif replaced is not None:
            length = len(replaced)
            body = exchange.stream_body()
        elif head.has_body:
            declared = head.headers.get("content-length")
            length = None if declared is None else int(declared)
            body = exchange.stream_body()
        elif head.method in {"POST", "PUT", "PATCH"}:
            headers.append((b"content-length", b"0"))
        return StreamRequest(
            head.method,
            self._origin,
            self._prefix + self._target(head),
            deadline,
            tuple(headers),
            body,
            length,
            self._name,
            head.method in _IDEMPOTENT,
            lines,
            self._rules.preserve_host and "host" in head.headers,
            self._route.timeouts.first_byte,
            self._route.timeouts.idle,
            tried,
            whole,
        )

    def _lines(self, exchange: Exchange) -> bytes:
        """Return header lines; clients send the same headers again and again."""
        head = exchange.head
        key = (head.raw_headers, head.peer, head.scheme)
        lines = self._known.get(key)
        if lines is None:
            lines = encode_lines(self._headers(exchange), self._name)
            self._known.put(key, lines, _BYTES_PER_BYTE * len(lines))
        return lines

    def _headers(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        head = exchange.head
        headers = forward_request(
            head,
            self._dropped,
            is_trusted=bool(self._proxies) and self._proxies.holds(head.peer),
            keeps_host=self._rules.preserve_host,
        )
        return [*exchange.outgoing(headers), *self._own]
