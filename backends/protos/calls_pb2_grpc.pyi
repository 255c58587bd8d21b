from collections.abc import AsyncIterator

import grpc
import grpc.aio

from backends.protos import calls_pb2

class CallsServiceStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    Get: grpc.aio.UnaryUnaryMultiCallable[calls_pb2.GetRequest, calls_pb2.GetResponse]
    Reset: grpc.aio.UnaryUnaryMultiCallable[calls_pb2.ResetRequest, calls_pb2.ResetResponse]

class CallsServiceServicer:
    async def Get(
        self, request: calls_pb2.GetRequest, context: grpc.aio.ServicerContext[calls_pb2.GetRequest, calls_pb2.GetResponse]
    ) -> calls_pb2.GetResponse: ...
    async def Reset(
        self, request: calls_pb2.ResetRequest, context: grpc.aio.ServicerContext[calls_pb2.ResetRequest, calls_pb2.ResetResponse]
    ) -> calls_pb2.ResetResponse: ...

def add_CallsServiceServicer_to_server(
    servicer: CallsServiceServicer, server: grpc.aio.Server
) -> None: ...
