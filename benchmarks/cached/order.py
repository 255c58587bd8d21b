"""Orders of the example graph; pages of them are kept."""

from __future__ import annotations

from datetime import datetime

import strawberry

from benchmarks.cached.hour import AS_LONG, HOUR
from graphgw import Subgraph, batched, sourced
from resolvers import order as resolve
from schema.order import OrderItem

__all__ = ["subgraph"]


@strawberry.type
class Order:
    """An order in a page."""

    id: strawberry.ID
    status: resolve.OrderStatus
    items: list[OrderItem] = strawberry.federation.field(directives=[AS_LONG])
    created_at: datetime
    delivered_at: datetime | None


@strawberry.type
class OrderConnection:
    """A page of orders."""

    nodes: list[Order] = sourced("orders", directives=[AS_LONG])
    total_count: int = sourced("page_info.total")


@strawberry.federation.type(keys=["id"])
class User:
    """A user with orders."""

    id: strawberry.ID
    orders: OrderConnection | None = batched(
        resolve.orders_by_user, key="id", directives=[HOUR]
    )


subgraph = Subgraph("order", types=[User])
