"""A gRPC backend on grpc.aio whose answers are joined from encoded messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.backends.counter import CallCounter

__all__ = ["run_rpc"]


def run_rpc(
    service: str,
    request_type: Any,
    rows: Mapping[str, bytes],
    port: int,
    counter: CallCounter,
) -> None:
    """Serve ``ListByUsers`` of one service until the process is ended.

    Every list has the length that the benchmarks ask for; ``first`` is not read.
    """

    async def list_by_users(request: Any, _context: Any) -> bytes:
        counter.add()
        return b"".join([rows[user_id] for user_id in request.user_ids])

    async def serve() -> None:
        handler: grpc.RpcMethodHandler[Any, bytes] = (
            grpc.unary_unary_rpc_method_handler(
                list_by_users, request_deserializer=request_type.FromString
            )
        )
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"ListByUsers": handler}),)
        )
        server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(serve())
