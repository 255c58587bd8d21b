"""The gRPC client of the grpcio package: for streams, health checks, and if wanted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
import orjson

from graphgw.sources.grpc_status import find_status_details, read_retry_after
from graphgw.sources.grpc_transport.failures import (
    answered,
    disconnected,
    message_too_large,
    timed_out,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from graphgw.errors import SourceError
    from graphgw.sources.grpc_transport.requests import GRPCRequest
    from graphgw.sources.settings import ServiceSettings, TLSSettings
    from graphgw.types import Deadline

__all__ = ["GRPCIOChannel"]

_RECONNECT_MS: Final = 100
_MAX_RECONNECT_MS: Final = 2000
_TOO_LARGE: Final = "larger than max"


class GRPCIOChannel:
    """Makes calls with grpcio; it belongs to the event loop in which it is made."""

    __slots__ = ("_calls", "_channel", "_is_closed", "_settings")

    def __init__(self, settings: ServiceSettings) -> None:
        """Prepare the channel; nothing is connected before the first call.

        Raises:
            OSError: A file of the TLS settings cannot be read.
        """
        self._settings = settings
        self._channel = _open_channel(settings)
        self._calls: dict[str, Callable[..., Any]] = {}
        self._is_closed = False

    async def unary(self, request: GRPCRequest, deadline: Deadline) -> bytes:
        """Call a method that answers once; see ``grpc_transport.channel.Channel``."""
        self._check_open()
        call = self._calls.get(request.path)
        if call is None:
            multi_callable: Any = self._channel.unary_unary(request.path)
            call = self._calls[request.path] = multi_callable
        seconds = deadline.remaining()
        if not seconds:
            raise timed_out(self._settings.name)
        try:
            answer: bytes = await call(
                request.message,
                timeout=seconds,
                metadata=request.metadata + request.own,
            )
        except grpc.aio.AioRpcError as error:
            raise self._translate(error) from error
        except asyncio.CancelledError:
            # The library says so too of calls that end with their channel.
            if self._is_closed and not _is_cancelled():
                raise disconnected(self._settings.name) from None
            raise
        return answer

    async def stream(
        self, request: GRPCRequest, seconds: float | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the messages of a method that answers many times.

        The call ends with the generator.

        Raises:
            SourceError: The call failed, or the stream broke.
        """
        self._check_open()
        open_call: Any = self._channel.unary_stream(request.path)
        metadata = request.metadata + request.own
        call = open_call(request.message, timeout=seconds, metadata=metadata)
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise self._translate(error) from error
        finally:
            call.cancel()

    async def aclose(self) -> None:
        """Close the channel; calls under way fail."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._channel.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise disconnected(self._settings.name)

    def _translate(self, error: grpc.aio.AioRpcError) -> SourceError:
        code, detail, source = error.code(), error.details() or "", self._settings.name
        # The library tells its own limit from the service's only by these words.
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in detail:
            return message_too_large(source, self._settings.max_answer_bytes)
        trailers = error.trailing_metadata()
        retry_after, details = read_retry_after(trailers), find_status_details(trailers)
        return answered(source, code.name, detail, retry_after, details)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _open_channel(settings: ServiceSettings) -> grpc.aio.Channel:
    target = _build_target(settings.addresses)
    options = _build_options(settings)
    if settings.tls is None:
        return grpc.aio.insecure_channel(target, options)
    return grpc.aio.secure_channel(target, _read_credentials(settings.tls), options)


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
