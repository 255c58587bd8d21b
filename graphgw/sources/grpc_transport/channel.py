"""The native gRPC client: unary calls to one service, each within its deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from graphgw.errors import SourceDisconnectedError
from graphgw.sources.grpc_transport.balancer import Balancer
from graphgw.sources.grpc_transport.failures import (
    UnprocessedError,
    timed_out,
    unreachable,
)
from graphgw.sources.grpc_transport.requests import HeadEncoder
from graphgw.sources.http_transport.resolver import SystemResolver
from graphgw.sources.tls import build_tls_context

if TYPE_CHECKING:
    import ssl

    from graphgw.sources.grpc_transport.call import Call
    from graphgw.sources.grpc_transport.connection import Connection
    from graphgw.sources.grpc_transport.requests import GRPCRequest
    from graphgw.sources.http_transport.resolver import Resolver
    from graphgw.sources.settings import ServiceSettings
    from graphgw.types import Deadline

__all__ = ["Channel"]

_ATTEMPTS: Final = 3
"""How often a call is made that services did not even begin with."""


class Channel:
    """Makes unary calls over HTTP/2 connections that it keeps to every address.

    It belongs to the event loop in which it is made. A call that is cancelled, or
    whose deadline passes, is cancelled at the service.
    """

    __slots__ = ("_balancer", "_encoder", "_resolver", "_settings")

    def __init__(
        self, settings: ServiceSettings, *, resolver: Resolver | None = None
    ) -> None:
        """Prepare the channel; nothing is connected before the first call.

        Raises:
            OSError: A file of the TLS settings cannot be read.
        """
        tls = settings.tls
        context: ssl.SSLContext | None = None
        if tls is not None:
            context = build_tls_context(tls)
            context.set_alpn_protocols(["h2"])
        authority = (tls and tls.server_name) or settings.addresses[0]
        self._settings = settings
        self._resolver = resolver or SystemResolver()
        self._balancer = Balancer(settings, self._resolver, context)
        self._encoder = HeadEncoder(settings.name, authority, is_tls=tls is not None)

    def take(self) -> Connection | None:
        """Return a connection that has room for a call now, if there is one."""
        return None if self._balancer.waiters else self._balancer.take()

    def encode(self, request: GRPCRequest, seconds: float) -> bytes:
        """Return what a call that has so many seconds begins with.

        Raises:
            SourceError: Some metadata cannot be sent.
        """
        return self._encoder.encode(request, seconds)

    async def unary(self, request: GRPCRequest, deadline: Deadline) -> bytes:
        """Call a method that answers once; return the answer's message.

        Raises:
            SourceError: The call failed.
        """
        return await self.resume(request, deadline, await self.start(request, deadline))

    async def start(self, request: GRPCRequest, deadline: Deadline) -> Call:
        """Send a call over the first connection that has room for it.

        Raises:
            SourceError: Nothing was sent: there is no connection, or no time left.
        """
        connection = self.take() or await self._balancer.acquire(deadline)
        seconds = deadline.remaining()
        if not seconds:
            raise timed_out(self._settings.name)
        block = self._encoder.encode(request, seconds)
        return connection.start(block, request.message, deadline, seconds)

    async def resume(
        self, request: GRPCRequest, deadline: Deadline, call: Call
    ) -> bytes:
        """Go on with a call that was sent; see ``unary``.

        It is made again if that does no harm: because the service did not begin with
        it, or because it is idempotent and the connection had been dead before it.
        """
        may_repeat = request.is_idempotent
        for left in range(_ATTEMPTS - 1, -1, -1):
            try:
                return await call.answer
            except UnprocessedError as error:
                if not left:
                    source = self._settings.name
                    raise unreachable(source, error.detail or "") from error
            except SourceDisconnectedError:
                if not (may_repeat and call.is_stale and left):
                    raise
                may_repeat = False
            except (asyncio.CancelledError, GeneratorExit):
                call.cancel()
                raise
            call = await self.start(request, deadline)
        raise unreachable(self._settings.name, "it took no call")

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        await self._balancer.aclose()
        self._resolver.close()
