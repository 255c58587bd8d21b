"""The changes of a service and of a route to it, one around the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.routes.changes import join_outgoing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from graphgw.routes.changes import Changes
    from graphgw.routes.exchange import Exchange, Outgoing, RouteHandler
    from graphgw.types import Principal

__all__ = ["ChangeLayers"]


class ChangeLayers:
    """Changes around a handler; requests meet the first of them first.

    Answers come back through them the other way round.
    """

    __slots__ = ("_handler", "_layers")

    def __init__(self, layers: Sequence[Changes], handler: RouteHandler) -> None:
        self._layers = tuple(layer for layer in layers if not layer.is_empty)
        self._handler: RouteHandler = handler
        for layer in reversed(self._layers):
            self._handler = _Layer(layer, self._handler)

    def handle(self, exchange: Exchange) -> Awaitable[None]:
        """Have a request answered."""
        return self._handler.handle(exchange)

    def outgoing(self, principal: Principal) -> Outgoing:
        """Return what makes the headers that a backend is sent, without hooks."""
        made: Outgoing = _same
        for layer in self._layers:
            made = join_outgoing(made, layer.outgoing(principal))
        return made


class _Layer:
    """A handler with changes around it."""

    __slots__ = ("_changes", "_handler")

    def __init__(self, changes: Changes, handler: RouteHandler) -> None:
        self._changes = changes
        self._handler = handler

    async def handle(self, exchange: Exchange) -> None:
        """Change the request, have it handled, change the answer."""
        await self._changes.handle(exchange, self._handler)


def _same(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return headers
