"""What the two gRPC services share: checks, call counts, health and serving."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from backends.calls import CallLog
from backends.data.database import open_database
from backends.process import explain_failure, read_options, run_until_stopped
from backends.protos import calls_pb2, calls_pb2_grpc

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Sequence

__all__ = [
    "MAX_FIRST",
    "MAX_IDS",
    "RPCContext",
    "RPCService",
    "check_batch",
    "note_call",
    "read_first",
    "run_rpc",
    "serve_rpc",
]

MAX_IDS = 1000
MAX_FIRST = 1000
DEFAULT_FIRST = 20
GRACE_SECONDS = 1.0

RPCContext: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True, slots=True)
class RPCService:
    """A gRPC service that can be served."""

    full_name: str
    """With its package, as health checks ask for it."""
    register: Callable[[grpc.aio.Server], None]
    calls: CallLog
    end_streams: Callable[[], None]
    """Ends the streams that would run on when the server stops."""


async def note_call(
    calls: CallLog, context: RPCContext, endpoint: str, *, keys: int
) -> None:
    """Count a call, and make it as slow as the service is told to be."""
    remaining: float | None = context.time_remaining()
    await calls.arrived(
        endpoint,
        keys=keys,
        headers={
            name: value
            for name, value in context.invocation_metadata() or ()
            if isinstance(value, str)
        },
        timeout_ms=None if remaining is None else int(remaining * 1000),
    )


async def check_batch(ids: Sequence[str], context: RPCContext) -> None:
    """Refuse more ids than a call may name."""
    if len(ids) > MAX_IDS:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"the call names {len(ids)} ids, more than {MAX_IDS}",
        )


async def read_first(first: int | None, context: RPCContext) -> int:
    """Take the default for an unset page size, and refuse one that is out of range."""
    if first is None:
        return DEFAULT_FIRST
    if not 0 <= first <= MAX_FIRST:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"first has to be 0 to {MAX_FIRST}, not {first}",
        )
    return first


class _CallsService(calls_pb2_grpc.CallsServiceServicer):
    def __init__(self, calls: CallLog) -> None:
        self._calls = calls

    async def Get(  # noqa: N802 - named by the contract
        self, _request: calls_pb2.GetRequest, _context: RPCContext
    ) -> calls_pb2.GetResponse:
        return calls_pb2.GetResponse(
            endpoints={
                endpoint: calls_pb2.EndpointCalls(
                    calls=counted.calls,
                    keys=counted.keys,
                    with_deadline=counted.with_deadline,
                    last_timeout_ms=counted.last_timeout_ms,
                    last_metadata=counted.last_headers,
                )
                for endpoint, counted in self._calls.endpoints.items()
            }
        )

    async def Reset(  # noqa: N802 - named by the contract
        self, _request: calls_pb2.ResetRequest, _context: RPCContext
    ) -> calls_pb2.ResetResponse:
        self._calls.reset()
        return calls_pb2.ResetResponse()


@asynccontextmanager
async def serve_rpc(service: RPCService, host: str, port: int) -> AsyncIterator[str]:
    """Serve the service while entered, and say at which address.

    Health checks, reflection and call counts are served beside it.

    Raises:
        OSError: If the address cannot be listened on.
    """
    # Without this a second process could take the same port and half of the calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    service.register(server)
    calls_pb2_grpc.add_CallsServiceServicer_to_server(
        _CallsService(service.calls), server
    )
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    await checks.set(service.full_name, health_pb2.HealthCheckResponse.SERVING)
    calls_name = calls_pb2.DESCRIPTOR.services_by_name["CallsService"].full_name
    reflection.enable_server_reflection(
        [service.full_name, calls_name, health.SERVICE_NAME, reflection.SERVICE_NAME],
        server,
    )
    try:
        bound_port = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(None, "the port is taken or the address is not ours") from error
    await server.start()
    try:
        yield f"grpc://{host}:{bound_port}"
    finally:
        await checks.enter_graceful_shutdown()
        service.end_streams()
        await server.stop(GRACE_SECONDS)


def run_rpc(
    name: str,
    default_port: int,
    create_service: Callable[[sqlite3.Connection, CallLog], RPCService],
) -> None:
    """Run one gRPC service as the process that the command line describes."""
    options = read_options(name, default_port)
    with closing(open_database(options.database)) as connection:
        service = create_service(connection, CallLog(delay=options.delay))
        serving = serve_rpc(service, options.host, options.port)
        with explain_failure(options):
            asyncio.run(run_until_stopped(name, serving))
