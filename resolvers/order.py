"""Orders, from the gRPC service ``order``."""

from __future__ import annotations

import enum

import strawberry

from backends.protos import order_pb2 as pb
from backends.protos.order_pb2_grpc import OrderServiceStub
from graphgw import RequestContext, grpc_source, loader
from resolvers.refusals import tell_refusals

__all__ = [
    "NewOrderInput",
    "NewOrderItemInput",
    "OrderStatus",
    "create_order",
    "order_by_id",
    "orders_by_id",
    "orders_by_user",
]

service = grpc_source(
    "order", OrderServiceStub, idempotent={"GetOrders", "ListByUsers"}
)


@strawberry.enum(description="How far an order has come.")
class OrderStatus(enum.Enum):
    """The service's own statuses, by their numbers."""

    PENDING = pb.ORDER_STATUS_PENDING
    PAID = pb.ORDER_STATUS_PAID
    SHIPPED = pb.ORDER_STATUS_SHIPPED
    DELIVERED = pb.ORDER_STATUS_DELIVERED
    CANCELLED = pb.ORDER_STATUS_CANCELLED


@strawberry.input(description="Some pieces of one product.")
class NewOrderItemInput:
    """One line of a new order."""

    product_id: strawberry.ID
    quantity: int = 1


@strawberry.input(description="What a user orders.")
class NewOrderInput:
    """The arguments of ``createOrder``."""

    user_id: strawberry.ID
    items: list[NewOrderItemInput]
    note: str | None = None


@loader(max_batch=200, shared=True)
async def orders_by_id(
    order_ids: list[str], context: RequestContext
) -> list[pb.Order | None]:
    """Get orders by their ids, ``None`` where there is none."""
    reply = await service.GetOrders(pb.GetOrdersRequest(ids=order_ids), context)
    found = {order.id: order for order in reply.orders}
    return [found.get(order_id) for order_id in order_ids]


@loader(max_batch=200, shared=True)
async def orders_by_user(
    user_ids: list[str],
    context: RequestContext,
    *,
    first: int = 10,
    after: strawberry.ID | None = None,
    status: OrderStatus | None = None,
) -> list[pb.UserOrders]:
    """List a page of each user's orders, newest first."""
    request = pb.ListByUsersRequest(
        user_ids=user_ids,
        first=first,
        after=after,
        status=None if status is None else status.value,
    )
    with tell_refusals():
        reply = await service.ListByUsers(request, context)
    return list(reply.lists)


async def order_by_id(
    context: RequestContext,
    *,
    id: strawberry.ID,  # noqa: A002 - the argument's name
) -> pb.Order | None:
    """Get one order."""
    row: pb.Order | None = await context.load(orders_by_id, id)
    return row


async def create_order(context: RequestContext, *, order: NewOrderInput) -> pb.Order:
    """Order products for a user."""
    request = pb.CreateOrderRequest(
        user_id=order.user_id,
        items=[
            pb.NewOrderItem(product_id=item.product_id, quantity=item.quantity)
            for item in order.items
        ],
        note=order.note,
    )
    with tell_refusals():
        row: pb.Order = await service.CreateOrder(request, context)
    return row
