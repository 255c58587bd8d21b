"""One gRPC backend: its clients, what each call is sent, answers as messages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError

from graphgw.errors import (
    ConfigurationError,
    Problem,
    SourceBadAnswerError,
    SourceError,
    SourceUnreachableError,
)
from graphgw.sources.balancing.balancer import Balancer
from graphgw.sources.balancing.channel import BalancedChannel
from graphgw.sources.deadlines import shorten
from graphgw.sources.grpc_caller import GRPCCall, GRPCCaller
from graphgw.sources.grpc_transport.channel import Channel
from graphgw.sources.grpc_transport.failures import disconnected
from graphgw.sources.grpc_transport.requests import GRPCRequest
from graphgw.sources.grpcio_channel import GRPCIOChannel
from graphgw.sources.guard import Guard
from graphgw.sources.headers import select_headers
from graphgw.telemetry.events import SourceCalled
from graphgw.telemetry.observer import NO_OBSERVER
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from graphgw.context import RequestContext
    from graphgw.sources.grpc_transport.requests import Metadata
    from graphgw.sources.settings import ServiceSettings
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Clock, Headers

__all__ = ["GRPCService"]

T = TypeVar("T")
ClientT = TypeVar("ClientT")


class GRPCService:
    """One gRPC backend, called within its limits; equal reads in flight sent once.

    Its clients are made at the first call, inside the running loop, and live as long
    as the gateway's connections: one for calls that answer once, and grpcio's for
    streams.
    """

    __slots__ = (
        "_caller",
        "_clock",
        "_fixed_metadata",
        "_forward",
        "_is_balanced",
        "_is_closed",
        "_observer",
        "_request_id_name",
        "_streams",
        "guard",
        "settings",
    )

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        clock: Clock = SYSTEM_CLOCK,
        guard: Guard | None = None,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        """Prepare the service; ``observer`` is told what becomes of addresses."""
        self.settings = settings
        self.guard = guard or Guard(settings, clock=clock)
        self._clock = clock
        self._observer = observer
        self._is_balanced = settings.is_balanced
        self._caller: GRPCCaller | None = None
        self._streams: GRPCIOChannel | BalancedChannel | None = None
        self._is_closed = False
        self._fixed_metadata = tuple(
            (name.lower(), value) for name, value in settings.headers
        )
        self._request_id_name = (settings.request_id_header or "").lower()
        self._forward = tuple(name.lower() for name in settings.forward_headers)

    def unary(
        self,
        path: str,
        request: bytes,
        parse: Callable[[bytes], T],
        context: RequestContext,
        *,
        is_idempotent: bool = False,
        timeout: float | None = None,
        metadata: Metadata = (),
        forwarded: Metadata | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Call a method that answers once; to be awaited.

        Args:
            path: ``/package.Service/Method``.
            request: The serialized message.
            parse: Makes the answer's message from its bytes.
            context: Gives the deadline, which goes on as ``grpc-timeout``, the
                request id and forwarded headers.
            is_idempotent: Whether a second attempt does no harm.
            timeout: Seconds for this call, if fewer than the service's.
            metadata: What is sent beside what the service's settings say.
            forwarded: What goes on of the client's headers, where that is not what
                the settings say.

        Raises:
            SourceError: The call failed; ``grpc_code`` and ``detail`` tell why.
        """
        seconds = self.settings.timeout
        if timeout is not None and timeout < seconds:
            seconds = timeout
        metadata = self._build_metadata(context, forwarded) + metadata
        caller = self._caller or self._open_caller()
        return caller.call(
            GRPCCall(
                GRPCRequest(
                    path,
                    request,
                    metadata,
                    self._identify(context),
                    is_idempotent,
                    [] if self._is_balanced else None,
                ),
                shorten(context.deadline, seconds),
                partial(self._parse, parse),
                context.observer,
                (path, request, metadata)
                if is_idempotent and context.may_share
                else None,
            )
        )

    async def stream(
        self,
        path: str,
        request: bytes,
        parse: Callable[[bytes], T],
        context: RequestContext,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - sent on, as grpc-timeout
        metadata: Metadata = (),
        forwarded: Metadata | None = None,
    ) -> AsyncIterator[T]:
        """Yield the messages of a method that answers many times.

        A stream has no deadline but ``timeout``: it lives until the service ends
        it, or until the generator is closed or cancelled, which cancels the call.

        Raises:
            SourceError: The call failed, or the stream broke.
        """
        started = self._clock.monotonic()
        ticket = self.guard.breaker.admit()
        if not ticket:
            raise SourceUnreachableError(
                f"{self._label} is left alone for a while: it kept failing",
                source=self.settings.name,
            )
        status = "CANCELLED"
        metadata = self._build_metadata(context, forwarded) + metadata
        own = self._identify(context)
        messages = self._open_streams().stream(
            GRPCRequest(path, request, metadata, own), timeout
        )
        try:
            async for message in messages:
                yield self._parse(parse, message)
            status = "OK"
        except SourceError as error:
            status = error.grpc_code or error.code
            raise
        finally:
            if status == "UNAVAILABLE":
                self.guard.breaker.fail(ticket)
            else:
                self.guard.breaker.release(ticket)
            seconds = self._clock.monotonic() - started
            context.observer.observe(
                SourceCalled(self.settings.name, path, seconds, status)
            )
            await messages.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls under way fail, and so do later ones."""
        self._is_closed = True
        if self._caller is not None:
            await self._caller.client.aclose()
        if self._streams is not None:
            await self._streams.aclose()

    @property
    def _label(self) -> str:
        return f'service "{self.settings.name}"'

    def _open_caller(self) -> GRPCCaller:
        settings = self.settings
        is_native = settings.grpc_client == "native" and not (
            settings.has_health_check or self._is_balanced
        )
        client = self._open(Channel) if is_native else self._open_streams()
        self._caller = GRPCCaller(settings.name, client, self.guard, self._clock)
        return self._caller

    def _open_streams(self) -> GRPCIOChannel | BalancedChannel:
        streams = self._streams
        if streams is None:
            streams = self._streams = (
                self._open(self._balance)
                if self._is_balanced
                else self._open(GRPCIOChannel)
            )
        return streams

    def _balance(self, settings: ServiceSettings) -> BalancedChannel:
        balancer = Balancer(settings, clock=self._clock, observer=self._observer)
        return BalancedChannel(balancer)

    def _open(self, kind: Callable[[ServiceSettings], ClientT]) -> ClientT:
        if self._is_closed:
            raise disconnected(self.settings.name)
        try:
            return kind(self.settings)
        except OSError as error:
            problem = Problem(
                f"a file cannot be read: {error}",
                where=f"services.{self.settings.name}.tls",
            )
            raise ConfigurationError([problem]) from error

    def select_forwarded(self, headers: Headers) -> Metadata:
        """Return what goes on, by the service's settings, of a client's headers."""
        return tuple(select_headers(headers, self._forward)) if self._forward else ()

    def _build_metadata(
        self, context: RequestContext, forwarded: Metadata | None
    ) -> Metadata:
        if forwarded is None:
            forwarded = self.select_forwarded(context.headers)
        return self._fixed_metadata + forwarded

    def _identify(self, context: RequestContext) -> Metadata:
        """Return the metadata that is every request's own."""
        if not self._request_id_name or not context.request_id:
            return ()
        return ((self._request_id_name, context.request_id),)

    def _parse(self, parse: Callable[[bytes], T], answer: bytes) -> T:
        try:
            return parse(answer)
        except DecodeError as error:
            raise SourceBadAnswerError(
                f"{self._label} answered with a message that is damaged",
                source=self.settings.name,
            ) from error
