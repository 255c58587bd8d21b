"""The order subgraph: what was bought, and by whom."""

from __future__ import annotations

from datetime import datetime

import strawberry

from graphgw import (
    Subgraph,
    batched,
    by,
    computed,
    embedded,
    reference,
    resolved,
    sourced,
)
from graphgw.directives import (
    CacheControl,
    CacheInvalidation,
    CacheTag,
    ListSize,
    Owner,
    RateLimit,
    RequiresScopes,
)
from resolvers import order as resolve
from schema.shared import MOBILE, Money, PageInfo, edges_of

__all__ = ["subgraph"]


@strawberry.federation.type(keys=["id"])
class Product:
    """Another subgraph's entity; here it is named, not described."""

    id: strawberry.ID


@strawberry.type(description="Some pieces of one product.", directives=[MOBILE])
class OrderItem:
    """One line of an order."""

    product: Product | None = reference(id="product_id")
    quantity: int
    unit_price: Money = embedded(
        cents="unit_price_cents",
        constants={"currency": "EUR"},
        options={"description": "At the time of the order."},
    )


@strawberry.federation.type(
    keys=["id"], description="What a user bought at once.", directives=[MOBILE]
)
class Order:
    """An order and its lines."""

    id: strawberry.ID
    status: resolve.OrderStatus
    items: list[OrderItem]
    total: Money | None = embedded(
        cents="total_cents",
        currency="currency",
        options={"directives": [RequiresScopes(scopes=[["orders:read"]])]},
    )
    note: str | None = strawberry.federation.field(
        description="Only the buyer's own, or with the scope `orders:read`.",
        directives=[Owner(field="user { id }", or_scopes=[["orders:read"]])],
    )
    created_at: datetime
    delivered_at: datetime | None
    user: User | None = reference(id="user_id")


@strawberry.type(description="An order in a list, and the cursor after it.")
class OrderEdge:
    """An order and the cursor that stands for it."""

    cursor: strawberry.ID
    node: Order


@strawberry.type(description="A page of orders.", directives=[MOBILE])
class OrderConnection:
    """Some orders, and how to ask for more."""

    nodes: list[Order] = sourced("orders")
    edges: list[OrderEdge] = computed(edges_of, reads=("orders",))
    page_info: PageInfo
    total_count: int = sourced("page_info.total")


@strawberry.federation.type(keys=["id"])
class User:
    """Another subgraph's entity, with its orders."""

    id: strawberry.ID
    orders: OrderConnection | None = batched(
        resolve.orders_by_user,
        key="id",
        description="What the user bought, newest first.",
        directives=[
            MOBILE,
            RateLimit(limit=600, window="1m"),
            CacheControl(max_age=5),
            CacheTag(format="orders-of-{$key.id}"),
            ListSize(slicing_arguments=["first"], sized_fields=["nodes", "edges"]),
        ],
    )


@strawberry.type
class Query:
    """What can be asked of orders."""

    order: Order | None = resolved(
        resolve.order_by_id, description="One order.", directives=[MOBILE]
    )


@strawberry.type
class Mutation:
    """What can be done with orders."""

    create_order: Order | None = resolved(
        resolve.create_order,
        description="Order products for a user.",
        directives=[
            RequiresScopes(scopes=[["orders:write"]]),
            RateLimit(limit=10, window="1m"),
            CacheInvalidation(tags=["orders-of-{$args.order.userId}"]),
        ],
    )


subgraph = Subgraph(
    "order",
    query=Query,
    mutation=Mutation,
    types=[User],
    entities={Order: by("id", resolve.orders_by_id)},
)
