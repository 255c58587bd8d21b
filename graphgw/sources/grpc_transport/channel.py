"""The native gRPC client: unary calls to one service, each within its deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from graphgw.errors import SourceDisconnectedError
from graphgw.sources.grpc_transport.balancer import Balancer
from graphgw.sources.grpc_transport.call import Call
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

    from graphgw.sources.grpc_transport.requests import Metadata
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

    __slots__ = ("_balancer", "_encoder", "_loop", "_resolver", "_settings")

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
        self._loop = asyncio.get_running_loop()
        self._resolver = resolver or SystemResolver()
        self._balancer = Balancer(settings, self._resolver, context)
        self._encoder = HeadEncoder(settings.name, authority, is_tls=tls is not None)

    async def unary(
        self,
        path: str,
        message: bytes,
        deadline: Deadline,
        metadata: Metadata = (),
        own: Metadata = (),
        *,
        is_idempotent: bool = False,
    ) -> bytes:
        """Call a method that answers once; return the answer's message.

        Args:
            path: ``/package.Service/Method``.
            message: The serialized request.
            deadline: Until when the call may take; the service is told.
            metadata: What many calls have in common.
            own: What each request has for itself.
            is_idempotent: Whether it is made again if a kept connection was dead.

        Raises:
            SourceError: The call failed.
        """
        balancer = self._balancer
        for left in range(_ATTEMPTS - 1, -1, -1):
            connection = None if balancer.waiters else balancer.take()
            if connection is None:
                connection = await balancer.acquire(deadline)
            seconds = deadline.remaining()
            if not seconds:
                raise timed_out(self._settings.name)
            block = self._encoder.encode(path, metadata, own, seconds)
            call = Call(block, message, deadline, self._loop.create_future())
            had_answered = connection.answered
            connection.start(call, seconds)
            try:
                return await call.answer
            except UnprocessedError as error:
                if not left:
                    source = self._settings.name
                    raise unreachable(source, error.detail or "") from error
            except SourceDisconnectedError:
                is_stale = had_answered and call.head is None
                if not is_stale or not is_idempotent or not left:
                    raise
                is_idempotent = False
            except (asyncio.CancelledError, GeneratorExit):
                connection.cancel(call)
                raise
        raise unreachable(self._settings.name, "it took no call")

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        await self._balancer.aclose()
        self._resolver.close()
