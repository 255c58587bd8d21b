"""One gRPC backend: a channel, guarded calls, status codes as errors."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
import grpc.aio
import orjson
from google.protobuf.message import DecodeError

from graphgw.errors import (
    ConfigurationError,
    Problem,
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.deadlines import shorten
from graphgw.sources.flights import Flights
from graphgw.sources.grpc_status import read_retry_after
from graphgw.sources.guard import Guard
from graphgw.sources.headers import select_headers
from graphgw.telemetry.events import SourceCalled
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from graphgw.context import RequestContext
    from graphgw.sources.settings import ServiceSettings, TLSSettings
    from graphgw.types import Clock, Deadline

__all__ = ["GRPCService"]

T = TypeVar("T")

_RECONNECT_MS: Final = 100
_MAX_RECONNECT_MS: Final = 2000
_TOO_LARGE: Final = "larger than max"


class GRPCService:
    """One gRPC backend, called within its limits; equal reads in flight sent once.

    The channel is made at the first call, inside the running loop, and lives as
    long as the gateway's connections.
    """

    __slots__ = (
        "_calls",
        "_channel",
        "_clock",
        "_fixed_metadata",
        "_flights",
        "_forward",
        "guard",
        "settings",
    )

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        clock: Clock = SYSTEM_CLOCK,
        guard: Guard | None = None,
    ) -> None:
        self.settings = settings
        self.guard = guard or Guard(settings, clock=clock)
        self._clock = clock
        self._flights: Flights[bytes] = Flights(settings.name)
        self._channel: grpc.aio.Channel | None = None
        self._calls: dict[str, Callable[..., Any]] = {}
        self._fixed_metadata = tuple(
            (name.lower(), value) for name, value in settings.headers
        )
        self._forward = tuple(name.lower() for name in settings.forward_headers)

    async def unary(
        self,
        path: str,
        request: bytes,
        parse: Callable[[bytes], T],
        context: RequestContext,
        *,
        is_idempotent: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - sent on, as grpc-timeout
    ) -> T:
        """Call a method that answers once.

        Args:
            path: ``/package.Service/Method``.
            request: The serialized message.
            parse: Makes the answer's message from its bytes.
            context: Gives the deadline, which goes on as ``grpc-timeout``, the
                request id and forwarded headers.
            is_idempotent: Whether a second attempt does no harm.
            timeout: Seconds for this call, if fewer than the service's.

        Raises:
            SourceError: The call failed; ``grpc_code`` and ``detail`` tell why.
        """
        usual = self.settings.timeout
        deadline = shorten(
            context.deadline, usual if timeout is None else min(timeout, usual)
        )
        shared, own = self._build_metadata(context), self._identify(context)
        answers: list[T] = []

        async def attempt(deadline: Deadline) -> tuple[str, bytes]:
            call = self._find_call(path)
            left = deadline.remaining()
            if left <= 0:
                raise self._timeout_error()
            try:
                answer: bytes = await call(request, timeout=left, metadata=shared + own)
            except grpc.aio.AioRpcError as error:
                raise self._translate(error) from error
            except asyncio.CancelledError:
                # The library says so too of calls that end with their channel.
                if self._channel is None and not _is_cancelled():
                    raise self._closed_error() from None
                raise
            answers.append(self._parse(parse, answer))
            return "OK", answer

        async def call(deadline: Deadline) -> bytes:
            return await self.guard.run(
                partial(attempt, deadline),
                endpoint=path,
                deadline=deadline,
                observer=context.observer,
                is_idempotent=is_idempotent,
            )

        if not is_idempotent:
            self._flights.separate()
            try:
                await call(deadline)
            finally:
                self._flights.separate()
        elif context.may_share:
            key = (path, request, shared)
            answer = await self._flights.run(key, deadline, call)
            if not answers:
                # Who joined another's call has a message of its own: it may change.
                return self._parse(parse, answer)
        else:
            await call(deadline)
        return answers[-1]

    async def stream(
        self,
        path: str,
        request: bytes,
        parse: Callable[[bytes], T],
        context: RequestContext,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - sent on, as grpc-timeout
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
        call = self._find_call(path, is_stream=True)(
            request,
            timeout=timeout,
            metadata=self._build_metadata(context) + self._identify(context),
        )
        try:
            async for message in call:
                yield self._parse(parse, message)
            status = "OK"
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            raise self._translate(error) from error
        finally:
            call.cancel()
            if status == "UNAVAILABLE":
                self.guard.breaker.fail(ticket)
            else:
                self.guard.breaker.release(ticket)
            seconds = self._clock.monotonic() - started
            context.observer.observe(
                SourceCalled(self.settings.name, path, seconds, status)
            )

    async def aclose(self) -> None:
        """Close the channel; calls in flight are cancelled."""
        channel, self._channel = self._channel, None
        self._calls.clear()
        if channel is not None:
            await channel.close()

    @property
    def _label(self) -> str:
        return f'service "{self.settings.name}"'

    def _find_call(self, path: str, *, is_stream: bool = False) -> Callable[..., Any]:
        call = self._calls.get(path)
        if call is None:
            if self._channel is None:
                self._channel = _open_channel(self.settings)
            channel = self._channel
            call = (
                channel.unary_stream(path) if is_stream else channel.unary_unary(path)
            )
            self._calls[path] = call
        return call

    def _build_metadata(self, context: RequestContext) -> tuple[tuple[str, str], ...]:
        if not self._forward:
            return self._fixed_metadata
        forwarded = select_headers(context.headers, self._forward)
        return (*self._fixed_metadata, *forwarded)

    def _identify(self, context: RequestContext) -> tuple[tuple[str, str], ...]:
        """Return the metadata that is every request's own."""
        name = self.settings.request_id_header
        if name is None or not context.request_id:
            return ()
        return ((name, context.request_id),)

    def _parse(self, parse: Callable[[bytes], T], answer: bytes) -> T:
        try:
            return parse(answer)
        except DecodeError as error:
            raise SourceBadAnswerError(
                f"{self._label} answered with a message that is damaged",
                source=self.settings.name,
            ) from error

    def _timeout_error(self) -> SourceTimeoutError:
        return SourceTimeoutError(
            f"{self._label} did not answer in time", source=self.settings.name
        )

    def _closed_error(self) -> SourceDisconnectedError:
        return SourceDisconnectedError(
            f"{self._label} was closed during the call", source=self.settings.name
        )

    def _translate(self, error: grpc.aio.AioRpcError) -> SourceError:
        code = error.code()
        detail = error.details() or ""
        kind, words = _TRANSLATIONS.get(code, (SourceError, f"answered {code.name}"))
        # The library tells its own limit from the service's only by these words.
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in detail:
            kind = SourceAnswerTooLargeError
            words = f"answered with more than {self.settings.max_answer_bytes} bytes"
        return kind(
            f"{self._label} {words}",
            source=self.settings.name,
            status=code.name,
            detail=detail,
            retry_after=read_retry_after(error.trailing_metadata()),
        )


_TRANSLATIONS: Final[dict[grpc.StatusCode, tuple[type[SourceError], str]]] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: (SourceTimeoutError, "did not answer in time"),
    grpc.StatusCode.UNAVAILABLE: (SourceUnreachableError, "could not be reached"),
}


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _open_channel(settings: ServiceSettings) -> grpc.aio.Channel:
    target = _build_target(settings.addresses)
    options = _build_options(settings)
    if settings.tls is None:
        return grpc.aio.insecure_channel(target, options)
    try:
        credentials = _read_credentials(settings.tls)
    except OSError as error:
        problem = Problem(
            f"a file cannot be read: {error}", where=f"services.{settings.name}.tls"
        )
        raise ConfigurationError([problem]) from error
    return grpc.aio.secure_channel(target, credentials, options)


def _build_target(addresses: tuple[str, ...]) -> str:
    if len(addresses) == 1:
        return f"dns:///{addresses[0]}"
    family = "ipv6" if addresses[0].startswith("[") else "ipv4"
    return f"{family}:{','.join(addresses)}"


def _build_options(settings: ServiceSettings) -> list[tuple[str, Any]]:
    service_config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if settings.has_health_check:
        service_config["healthCheckConfig"] = {"serviceName": ""}
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", orjson.dumps(service_config).decode()),
        # One budget for retries: ours.
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", settings.max_answer_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.absolute_max_metadata_size", settings.max_header_bytes),
        ("grpc.keepalive_time_ms", int(settings.ping_interval * 1000)),
        ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _MAX_RECONNECT_MS),
        ("grpc.min_reconnect_backoff_ms", int(settings.connect_timeout * 1000)),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]
    if settings.tls is not None and settings.tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", settings.tls.server_name))
    return options


def _read_credentials(tls: TLSSettings) -> grpc.ChannelCredentials:
    files = (tls.ca_file, tls.key_file, tls.certificate_file)
    authorities, key, certificate = (
        None if file is None else file.read_bytes() for file in files
    )
    return grpc.ssl_channel_credentials(authorities, key, certificate)
