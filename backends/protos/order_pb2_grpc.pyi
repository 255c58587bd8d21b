from collections.abc import AsyncIterator

import grpc
import grpc.aio

from backends.protos import order_pb2

class OrderServiceStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    GetOrders: grpc.aio.UnaryUnaryMultiCallable[order_pb2.GetOrdersRequest, order_pb2.GetOrdersResponse]
    ListByUsers: grpc.aio.UnaryUnaryMultiCallable[order_pb2.ListByUsersRequest, order_pb2.ListByUsersResponse]
    CreateOrder: grpc.aio.UnaryUnaryMultiCallable[order_pb2.CreateOrderRequest, order_pb2.Order]

class OrderServiceServicer:
    async def GetOrders(
        self, request: order_pb2.GetOrdersRequest, context: grpc.aio.ServicerContext[order_pb2.GetOrdersRequest, order_pb2.GetOrdersResponse]
    ) -> order_pb2.GetOrdersResponse: ...
    async def ListByUsers(
        self, request: order_pb2.ListByUsersRequest, context: grpc.aio.ServicerContext[order_pb2.ListByUsersRequest, order_pb2.ListByUsersResponse]
    ) -> order_pb2.ListByUsersResponse: ...
    async def CreateOrder(
        self, request: order_pb2.CreateOrderRequest, context: grpc.aio.ServicerContext[order_pb2.CreateOrderRequest, order_pb2.Order]
    ) -> order_pb2.Order: ...

def add_OrderServiceServicer_to_server(
    servicer: OrderServiceServicer, server: grpc.aio.Server
) -> None: ...
