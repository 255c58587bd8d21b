"""One request at one route: decided on, answered, and told of."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from graphgw.errors import ConfigurationError, DeadlineExceededError, GraphGWError
from graphgw.routes.exchange import ClientLeftError, Exchange
from graphgw.routes.problem import describe_problem
from graphgw.server.route_io import AnswerBrokenError
from graphgw.telemetry.events import InternalFailure, RouteFinished
from graphgw.types import Deadline

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.gateway import Gateway
    from graphgw.route_targets import OpenRoute
    from graphgw.routes.exchange import RequestHead
    from graphgw.server.route_io import ASGIBody, ASGIResponder

__all__ = ["RouteCall"]

_SERVER_ERROR: Final = 500
_CLIENT_LEFT: Final = 499
"""What the log says of a request whose client did not wait; nobody is sent it."""


class RouteCall:
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
        if body.whole:
            exchange.replace_body(body.whole)
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
        if problem.status == _SERVER_ERROR or isinstance(error, ConfigurationError):
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
