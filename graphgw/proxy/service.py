"""Send requests on to an HTTP service, body by body, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.errors import SourceError
from graphgw.routes.headers import forward_answer, forward_request
from graphgw.routes.rewrite import build_target
from graphgw.sources.deadlines import shorten
from graphgw.sources.http_transport.origins import split_url
from graphgw.sources.http_transport.stream import StreamRequest

if TYPE_CHECKING:
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
        self._endpoint = f"route {route.name}"
        self._origin, path = split_url(settings.url.rstrip("/"))
        self._prefix = "" if path == "/" else path
        self._target = build_target(route)
        self._own = tuple(
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in settings.headers
        )
        own = {settings.request_id_header, settings.deadline_header} - {None}
        replaced = frozenset(str(name).lower().encode() for name in own)
        self._dropped = rules.dropped | replaced | {name for name, _ in self._own}

    async def handle(self, exchange: Exchange) -> None:
        """Send the request on and the answer back."""
        route, context = self._route, exchange.context
        deadline = shorten(context.deadline, route.timeouts.first_byte)
        last: StreamedAnswer | None = None

        async def attempt() -> tuple[str, StreamedAnswer]:
            nonlocal last
            if last is not None:
                await last.aclose()
                last = None
            answer = await self._service.streams.send(self._request(exchange, deadline))
            if answer.status >= _SERVER_ERROR:
                last = answer
                raise SourceError(
                    f'service "{self._service.settings.name}" answered {answer.status}',
                    source=self._service.settings.name,
                    status=answer.status,
                )
            return str(answer.status), answer

        head = exchange.head
        has_body = head.has_body or bool(exchange.replaced_body)
        try:
            answer = await self._service.guard.run(
                attempt,
                endpoint=self._endpoint,
                deadline=deadline,
                observer=context.observer,
                is_idempotent=head.method in _IDEMPOTENT and not has_body,
            )
        except SourceError:
            if last is None:
                raise
            answer = last
        except BaseException:
            if last is not None:
                await last.aclose()
            raise
        try:
            await self._answer(exchange, answer)
        finally:
            await answer.aclose()

    async def _answer(self, exchange: Exchange, answer: StreamedAnswer) -> None:
        headers = forward_answer(
            answer.headers, answer.status, set_cookie=self._rules.set_cookie
        )
        whole = None if exchange.method == "HEAD" else answer.take_whole()
        if whole is not None:
            kept = [pair for pair in headers if pair[0] != b"content-length"]
            await exchange.respond(answer.status, kept, whole)
        else:
            await exchange.stream(answer.status, headers, answer.chunks())

    def _request(self, exchange: Exchange, deadline: Deadline) -> StreamRequest:
        head = exchange.head
        headers = forward_request(
            head,
            self._dropped,
            is_trusted=bool(self._proxies) and self._proxies.holds(head.peer),
            keeps_host=self._rules.preserve_host,
        )
        headers = exchange.outgoing(headers)
        headers += self._own
        settings = self._service.settings
        if settings.request_id_header is not None:
            headers.append(
                (
                    settings.request_id_header.lower().encode(),
                    exchange.request_id.encode("latin-1"),
                )
            )
        body, length = None, None
        replaced = exchange.replaced_body
        if replaced is not None:
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
            settings.name,
            head.method in _IDEMPOTENT,
        )
