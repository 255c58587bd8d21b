"""Answer requests at a route with an operation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from graphgw.endpoints.answer import render_answer
from graphgw.endpoints.bind import bind_variables
from graphgw.errors import BadUserInputError
from graphgw.execution.response import refuse
from graphgw.operations.operation import GraphQLRequest
from graphgw.routes.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphgw.context import RequestContext
    from graphgw.endpoints.endpoint import Endpoint
    from graphgw.execution.response import GraphQLResponse
    from graphgw.routes.exchange import Exchange

    Answerer: TypeAlias = Callable[
        [GraphQLRequest, RequestContext], Awaitable[GraphQLResponse]
    ]

__all__ = ["EndpointHandler"]


class EndpointHandler:
    """Answers with what an operation answers.

    Args:
        endpoint: The operation, and how requests become its variables.
        answer: Runs an operation for the principal, and until the deadline, of a
            context.
    """

    __slots__ = ("_answer", "_running", "endpoint")

    def __init__(self, endpoint: Endpoint, answer: Answerer) -> None:
        self.endpoint = endpoint
        self._answer = answer
        self._running: set[asyncio.Future[GraphQLResponse]] = set()

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request.

        Raises:
            GraphGWError: The body cannot be read.
        """
        endpoint = self.endpoint
        try:
            variables = await bind_variables(endpoint, exchange)
        except BadUserInputError as error:
            response = refuse(error)
        else:
            request = GraphQLRequest(
                endpoint.text, endpoint.operation_name, variables=variables
            )
            if not exchange.is_unchanged:
                raw = exchange.outgoing(list(exchange.head.raw_headers))
                exchange.context.headers = read_headers(raw)
            running = self._answer(request, exchange.context)
            response = await (
                self._finish(running) if endpoint.is_mutation else running
            )
        await exchange.respond(*render_answer(endpoint, response, exchange))

    async def _finish(self, running: Awaitable[GraphQLResponse]) -> GraphQLResponse:
        """Let a mutation run to its end, also where its client does not wait."""
        task = asyncio.ensure_future(running)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)
