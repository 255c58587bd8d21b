"""A gRPC backend that fails in every way that a gateway must survive.

Each fault is a method of ``/faulty.Faulty``; messages are ``StringValue``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import StringValue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["FaultyGRPCBackend", "GRPCStats", "faulty_path"]

OK = StringValue(value="ok").SerializeToString()
_CODES = {
    "ResourceExhausted": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "Unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "PermissionDenied": grpc.StatusCode.PERMISSION_DENIED,
    "NotFound": grpc.StatusCode.NOT_FOUND,
    "InvalidArgument": grpc.StatusCode.INVALID_ARGUMENT,
    "Internal": grpc.StatusCode.INTERNAL,
    "DataLoss": grpc.StatusCode.DATA_LOSS,
    "Unavailable": grpc.StatusCode.UNAVAILABLE,
    "DeadlineExceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
}


def faulty_path(method: str) -> str:
    """Return a method's full path."""
    return f"/faulty.Faulty/{method}"


@dataclass
class GRPCStats:
    """What the backend saw since its start."""

    calls: Counter[str] = field(default_factory=Counter)
    with_deadline: int = 0
    in_flight: int = 0
    cancelled: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    time_remaining: float | None = None


class FaultyGRPCBackend(grpc.GenericRpcHandler):
    """The backend, on a free loopback port; an asynchronous context manager."""

    def __init__(self, *, fail_first: int = 3, port: int = 0) -> None:
        self.stats = GRPCStats()
        self.fail_first = fail_first
        self.port = port
        self._changed = asyncio.Condition()
        self._server: Any = None

    async def __aenter__(self) -> Self:
        options = [("grpc.so_reuseport", 0)]
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def has_waiting(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.stats.in_flight >= count)

    async def is_quiet(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.stats.in_flight == 0)

    def service(self, call_details: Any) -> Any:
        """Find the handler of a call (grpc)."""
        method = call_details.method.rpartition("/")[2]
        if method.startswith("Stream"):
            return grpc.unary_stream_rpc_method_handler(self._make_stream(method))
        return grpc.unary_unary_rpc_method_handler(self._make_unary(method))

    def _make_unary(self, method: str) -> Any:
        async def handle(request: bytes, context: Any) -> bytes:
            self._note(method, context)
            await self._count(1)
            try:
                return await self._answer(method, request, context)
            except asyncio.CancelledError:
                self.stats.cancelled += 1
                raise
            finally:
                await self._count(-1)

        return handle

    def _make_stream(self, method: str) -> Any:
        async def handle(_: bytes, context: Any) -> AsyncIterator[bytes]:
            self._note(method, context)
            await self._count(1)
            try:
                for _ in range(3):
                    yield OK
                if method == "StreamBreaks":
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "internal words")
                if method == "StreamHangs":
                    await asyncio.Event().wait()
            except (asyncio.CancelledError, GeneratorExit):
                self.stats.cancelled += 1
                raise
            finally:
                await self._count(-1)

        return handle

    def _note(self, method: str, context: Any) -> None:
        self.stats.calls[method] += 1
        remaining = context.time_remaining()
        self.stats.time_remaining = remaining
        self.stats.with_deadline += remaining is not None and remaining < 1e6
        self.stats.metadata = dict(context.invocation_metadata())

    async def _count(self, change: int) -> None:
        self.stats.in_flight += change
        async with self._changed:
            self._changed.notify_all()

    async def _answer(self, method: str, request: bytes, context: Any) -> bytes:
        if method == "Echo":
            return request
        if method == "Hang":
            await asyncio.Event().wait()
        if method == "Garbage":
            return b"\xff\xff\xffgarbage"
        if method == "Huge":
            return StringValue(value="a" * (8 << 20)).SerializeToString()
        if method == "FailThenOk" and self.stats.calls[method] <= self.fail_first:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        if method == "Pushback":
            trailers = (("grpc-retry-pushback-ms", "700"),)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "later", trailers)
        if method == "RetryInfo":
            trailers = (("grpc-status-details-bin", _retry_info(2, 500_000_000)),)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "later", trailers)
        if method in _CODES:
            await context.abort(_CODES[method], "internal words")
        return OK


def _retry_info(seconds: int, nanos: int) -> bytes:
    """Encode ``google.rpc.Status`` with a ``RetryInfo`` by hand."""
    duration = b"\x08" + bytes([seconds]) + b"\x10" + _varint(nanos)
    info = AnyMessage(
        type_url="type.googleapis.com/google.rpc.RetryInfo",
        value=b"\x0a" + bytes([len(duration)]) + duration,
    ).SerializeToString()
    return b"\x08\x0e\x12\x05later\x1a" + bytes([len(info)]) + info


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
