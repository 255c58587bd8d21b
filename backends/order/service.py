"""The order service's methods."""
# ruff: noqa: N802 - methods are named by the contract

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import grpc

from backends.data.orders import Order, OrderRepository, UnknownReferenceError
from backends.data.pages import InvalidCursorError, Page
from backends.protos import order_pb2 as pb
from backends.protos import order_pb2_grpc
from backends.rpc import RPCContext, RPCService, check_batch, note_call, read_first

if TYPE_CHECKING:
    import sqlite3

    from backends.calls import CallLog

__all__ = ["OrderService", "create_service"]

MAX_ITEMS = 20
MAX_QUANTITY = 100
MAX_NOTE = 500


def create_service(connection: sqlite3.Connection, calls: CallLog) -> RPCService:
    """Make the service over one database."""
    servicer = OrderService(OrderRepository(connection), calls)
    return RPCService(
        full_name=pb.DESCRIPTOR.services_by_name["OrderService"].full_name,
        register=partial(order_pb2_grpc.add_OrderServiceServicer_to_server, servicer),
        calls=calls,
        end_streams=lambda: None,
    )


class OrderService(order_pb2_grpc.OrderServiceServicer):
    """Answers from one database."""

    def __init__(self, orders: OrderRepository, calls: CallLog) -> None:
        self._orders = orders
        self._calls = calls

    async def GetOrders(
        self, request: pb.GetOrdersRequest, context: RPCContext
    ) -> pb.GetOrdersResponse:
        """Find orders by their ids."""
        await self._note(context, "GetOrders", len(request.ids))
        await check_batch(request.ids, context)
        orders = self._orders.get_many(request.ids)
        return pb.GetOrdersResponse(orders=map(_order_message, orders))

    async def ListByUsers(
        self, request: pb.ListByUsersRequest, context: RPCContext
    ) -> pb.ListByUsersResponse:
        """List each user's newest orders."""
        await self._note(context, "ListByUsers", len(request.user_ids))
        await check_batch(request.user_ids, context)
        first = request.first if request.HasField("first") else None
        try:
            pages = self._orders.pages_by_users(
                request.user_ids,
                first=await read_first(first, context),
                after=request.after if request.HasField("after") else None,
                status=await _read_status(request, context),
            )
        except InvalidCursorError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"after {error}")
        return pb.ListByUsersResponse(
            lists=[_list_message(*page) for page in pages.items()]
        )

    async def CreateOrder(
        self, request: pb.CreateOrderRequest, context: RPCContext
    ) -> pb.Order:
        """Add an order."""
        await self._note(context, "CreateOrder", 0)
        problem = _find_problem(request)
        if problem:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        try:
            order = self._orders.create(
                request.user_id,
                {item.product_id: item.quantity for item in request.items},
                request.note if request.HasField("note") else None,
                datetime.now(UTC),
            )
        except UnknownReferenceError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        return _order_message(order)

    async def _note(self, context: RPCContext, method: str, keys: int) -> None:
        await note_call(self._calls, context, f"OrderService/{method}", keys=keys)


def _find_problem(request: pb.CreateOrderRequest) -> str | None:
    """Say what is wrong with a new order, the first thing only."""
    if not 1 <= len(request.items) <= MAX_ITEMS:
        return f"an order has 1 to {MAX_ITEMS} items, not {len(request.items)}"
    for item in request.items:
        if not 1 <= item.quantity <= MAX_QUANTITY:
            return f"the quantity of {item.product_id} has to be 1 to {MAX_QUANTITY}"
    if len({item.product_id for item in request.items}) < len(request.items):
        return "a product may be in an order once"
    if len(request.note) > MAX_NOTE:
        return f"the note has more than {MAX_NOTE} characters"
    return None


async def _read_status(
    request: pb.ListByUsersRequest, context: RPCContext
) -> str | None:
    if request.status == pb.ORDER_STATUS_UNSPECIFIED:
        return None
    if request.status not in pb.OrderStatus.values():
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT, f"there is no status {request.status}"
        )
    name = pb.OrderStatus.Name(request.status)
    return name.removeprefix("ORDER_STATUS_").lower()


def _list_message(user_id: str, page: Page[Order]) -> pb.UserOrders:
    return pb.UserOrders(
        user_id=user_id,
        orders=map(_order_message, page.items),
        page_info=pb.PageInfo(
            has_more=page.has_more, end_cursor=page.end_cursor, total=page.total
        ),
    )


def _order_message(order: Order) -> pb.Order:
    return pb.Order(
        id=order.id,
        user_id=order.user_id,
        status=f"ORDER_STATUS_{order.status.upper()}",
        items=[
            pb.OrderItem(
                product_id=item.product_id,
                quantity=item.quantity,
                unit_price_cents=item.unit_price_cents,
            )
            for item in order.items
        ],
        total_cents=order.total_cents,
        currency=order.currency,
        note=order.note,
        created_at=order.created_at,
        delivered_at=order.delivered_at,
    )
