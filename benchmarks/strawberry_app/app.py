"""The part of the example graph that the operations ask for, as one Strawberry app."""

import enum
from datetime import datetime
from typing import Any

import strawberry
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL

from backends.protos import notification_pb2, order_pb2
from benchmarks.strawberry_app.loaders import Backends, Loaders

__all__ = ["app"]

Info = strawberry.Info[dict[str, Any], None]


@strawberry.enum
class OrderStatus(enum.Enum):
    """How far an order has come."""

    PENDING = order_pb2.ORDER_STATUS_PENDING
    PAID = order_pb2.ORDER_STATUS_PAID
    SHIPPED = order_pb2.ORDER_STATUS_SHIPPED
    DELIVERED = order_pb2.ORDER_STATUS_DELIVERED
    CANCELLED = order_pb2.ORDER_STATUS_CANCELLED


@strawberry.enum
class NotificationKind(enum.Enum):
    """What a notification is about."""

    ORDER = notification_pb2.NOTIFICATION_KIND_ORDER
    DELIVERY = notification_pb2.NOTIFICATION_KIND_DELIVERY
    PROMOTION = notification_pb2.NOTIFICATION_KIND_PROMOTION
    ACCOUNT = notification_pb2.NOTIFICATION_KIND_ACCOUNT


@strawberry.type
class Money:
    """An amount of money."""

    cents: int
    currency: str


@strawberry.type
class Product:
    """A product of the catalogue."""

    id: strawberry.ID
    name: str
    category: str
    rating: float | None
    price: Money

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Product":
        """Build the product from its JSON."""
        return cls(
            id=row["id"],
            name=row["name"],
            category=row["category"],
            rating=row["rating"],
            price=Money(**row["price"]),
        )


@strawberry.type
class OrderItem:
    """Some pieces of one product."""

    quantity: int
    unit_price: Money
    product_id: strawberry.Private[str]

    @strawberry.field
    async def product(self, info: Info) -> Product:
        """Load the product."""
        row = await info.context["loaders"].products.load(self.product_id)
        return Product.from_row(row)


@strawberry.type
class Order:
    """What a user bought at once."""

    id: strawberry.ID
    status: OrderStatus
    created_at: datetime
    delivered_at: datetime | None
    items: list[OrderItem]

    @classmethod
    def from_message(cls, order: order_pb2.Order) -> "Order":
        """Build the order from its message."""
        is_delivered = order.HasField("delivered_at")
        return cls(
            id=strawberry.ID(order.id),
            status=OrderStatus(order.status),
            created_at=order.created_at.ToDatetime(),
            delivered_at=order.delivered_at.ToDatetime() if is_delivered else None,
            items=[
                OrderItem(
                    quantity=item.quantity,
                    unit_price=Money(cents=item.unit_price_cents, currency="EUR"),
                    product_id=item.product_id,
                )
                for item in order.items
            ],
        )


@strawberry.type
class OrderConnection:
    """A page of orders."""

    total_count: int
    nodes: list[Order]


@strawberry.type
class Notification:
    """A message to a user."""

    id: strawberry.ID
    kind: NotificationKind
    title: str
    body: str
    is_read: bool
    created_at: datetime


@strawberry.type
class NotificationList:
    """The newest notifications of a user."""

    total_count: int
    unread_count: int
    nodes: list[Notification]


@strawberry.type
class Address:
    """Where parcels go."""

    street: str
    city: str
    postal_code: str
    country: str


@strawberry.type
class User:
    """A customer of the shop."""

    id: strawberry.ID
    name: str
    bio: str | None
    created_at: datetime
    address: Address

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "User":
        """Build the user from its JSON."""
        return cls(
            id=row["id"],
            name=row["name"],
            bio=row["bio"],
            created_at=datetime.fromisoformat(row["created_at"]),
            address=Address(**row["address"]),
        )

    @strawberry.field
    async def orders(self, info: Info, first: int = 10) -> OrderConnection:
        """Load the user's orders."""
        listed = await info.context["loaders"].orders.load(self.id)
        return OrderConnection(
            total_count=listed.page_info.total,
            nodes=[Order.from_message(order) for order in listed.orders[:first]],
        )

    @strawberry.field
    async def notifications(self, info: Info, first: int = 10) -> NotificationList:
        """Load the user's notifications."""
        told = await info.context["loaders"].notifications.load(self.id)
        return NotificationList(
            total_count=told.total,
            unread_count=told.unread_count,
            nodes=[
                Notification(
                    id=strawberry.ID(row.id),
                    kind=NotificationKind(row.kind),
                    title=row.title,
                    body=row.body,
                    is_read=row.read,
                    created_at=row.created_at.ToDatetime(),
                )
                for row in told.notifications[:first]
            ],
        )


@strawberry.type
class UserConnection:
    """A page of users."""

    nodes: list[User]


@strawberry.type
class ProductConnection:
    """A page of products."""

    nodes: list[Product]


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field
    async def user(self, info: Info, id: strawberry.ID) -> User | None:  # noqa: A002 - the argument's name
        """Load one user."""
        row = await info.context["loaders"].users.load(id)
        return None if row is None else User.from_row(row)

    @strawberry.field
    async def product(self, info: Info, id: strawberry.ID) -> Product | None:  # noqa: A002 - the argument's name
        """Load one product."""
        row = await info.context["loaders"].products.load(id)
        return None if row is None else Product.from_row(row)

    @strawberry.field
    async def users(
        self, info: Info, first: int = 20, after: strawberry.ID | None = None
    ) -> UserConnection:
        """List users."""
        loaders: Loaders = info.context["loaders"]
        rows = await loaders.page(loaders.backends.users, "/users", first, after)
        return UserConnection(nodes=[User.from_row(row) for row in rows])

    @strawberry.field
    async def products(
        self, info: Info, first: int = 20, after: strawberry.ID | None = None
    ) -> ProductConnection:
        """List products."""
        loaders: Loaders = info.context["loaders"]
        rows = await loaders.page(loaders.backends.products, "/products", first, after)
        return ProductConnection(nodes=[Product.from_row(row) for row in rows])


class _App(GraphQL[dict[str, Any], None]):
    _backends: Backends | None = None

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,
    ) -> dict[str, Any]:
        if self._backends is None:
            self._backends = Backends()
        loaders = Loaders(self._backends)
        return {"request": request, "response": response, "loaders": loaders}


app = _App(strawberry.Schema(query=Query), graphql_ide=None)
