"""The example graph by plain resolvers: graphql-core over the same SQLite rows."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from graphql import ExecutionResult, GraphQLSchema, build_schema, graphql_sync, parse

from backends.data.database import open_database
from backends.data.notifications import NotificationRepository
from backends.data.orders import OrderRepository
from backends.data.products import ProductRepository
from backends.data.users import UserRepository

__all__ = ["Oracle"]


class Oracle:
    """Answers operations on the example's API schema without the gateway."""

    def __init__(self, api_sdl: str) -> None:
        self.schema: GraphQLSchema = build_schema(api_sdl)
        for name, serialize in {"DateTime": _to_time, "Decimal": str}.items():
            self.schema.type_map[name].serialize = serialize  # type: ignore[attr-defined]
            self.schema.type_map[name].coerce_output_value = serialize  # type: ignore[attr-defined]
        self._connection = open_database()
        self.root = _Root(self._connection)

    def ask(
        self, query: str, variables: dict[str, Any] | None = None
    ) -> ExecutionResult:
        """Execute one operation with graphql-core."""
        parse(query)
        return graphql_sync(
            self.schema,
            query,
            root_value=self.root,
            variable_values=variables,
            field_resolver=_resolve,
            type_resolver=lambda value, _info, _type: value.typename,
        )


def _resolve(source: Any, info: Any, **arguments: Any) -> Any:
    name = _snake_case(info.field_name)
    name = _OLD_NAMES.get(name, name)
    arguments = {_snake_case(key): value for key, value in arguments.items()}
    value = source[name] if isinstance(source, dict) else getattr(source, name)
    return value(**arguments) if callable(value) else value


_OLD_NAMES = {"registered_at": "created_at"}


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _to_time(value: datetime) -> str:
    return value.isoformat()


class _Root:
    def __init__(self, connection: Any) -> None:
        self.shop = _Shop(connection)

    def user(self, id: str) -> Any:  # noqa: A002
        return self.shop.user(id)

    def users(
        self, first: int = 20, after: str | None = None, search: str | None = None
    ) -> Any:
        page = self.shop.users.page(limit=first, after=after, search=search or "")
        return _rest_page(page, [_User(self.shop, row) for row in page.items])

    def product(self, id: str) -> Any:  # noqa: A002
        return self.shop.product(id)

    def products(
        self,
        first: int = 20,
        after: str | None = None,
        category: str | None = None,
        search: str | None = None,
    ) -> Any:
        page = self.shop.products.page(
            limit=first, after=after, category=category, search=search or ""
        )
        return _rest_page(page, [_Product(row) for row in page.items])

    def order(self, id: str) -> Any:  # noqa: A002
        return self.shop.order(id)

    def notification(self, id: str) -> Any:  # noqa: A002
        rows = self.shop.notifications.get_many([id])
        return _Notification(self.shop, rows[0]) if rows else None

    def me(self) -> Any:
        return self.shop.user("u1")


class _Shop:
    def __init__(self, connection: Any) -> None:
        self.users = UserRepository(connection)
        self.products = ProductRepository(connection)
        self.orders = OrderRepository(connection)
        self.notifications = NotificationRepository(connection)

    def user(self, id: str) -> Any:  # noqa: A002
        row = self.users.get(id)
        return _User(self, row) if row else None

    def product(self, id: str) -> Any:  # noqa: A002
        row = self.products.get(id)
        return _Product(row) if row else None

    def order(self, id: str) -> Any:  # noqa: A002
        rows = self.orders.get_many([id])
        return _Order(self, rows[0]) if rows else None


class _Row:
    typename = ""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)


def _money(cents: int, currency: str) -> dict[str, Any]:
    amount = Decimal(cents) / 100
    return {"cents": cents, "currency": currency, "amount": amount}


def _rest_page(page: Any, nodes: list[Any]) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "edges": [{"cursor": node.id, "node": node} for node in nodes],
        "page_info": {
            "has_next_page": page.has_more,
            "end_cursor": page.end_cursor if page.has_more else None,
        },
        "total_count": page.total,
    }


class _User(_Row):
    typename = "User"

    def __init__(self, shop: _Shop, row: Any) -> None:
        super().__init__(row)
        self._shop = shop

    def orders(
        self, first: int = 10, after: str | None = None, status: str | None = None
    ) -> Any:
        page = self._shop.orders.pages_by_users(
            [self.id],
            first=first,
            after=after,
            status=status.lower() if status else None,
        )[self.id]
        nodes = [_Order(self._shop, row) for row in page.items]
        return {
            "nodes": nodes,
            "edges": [{"cursor": node.id, "node": node} for node in nodes],
            "page_info": {
                "has_next_page": page.has_more,
                "end_cursor": page.end_cursor,
            },
            "total_count": page.total,
        }

    def notifications(self, first: int = 10, unread_only: bool = False) -> Any:  # noqa: FBT001, FBT002
        found = self._shop.notifications.lists_by_users(
            [self.id], first=first, unread_only=unread_only
        )[self.id]
        return {
            "nodes": [_Notification(self._shop, row) for row in found.page.items],
            "total_count": found.page.total,
            "unread_count": found.unread_count,
        }


class _Product(_Row):
    typename = "Product"

    @property
    def price(self) -> Any:
        return _money(self._row.price.cents, self._row.price.currency)

    @property
    def delivery(self) -> Any:
        return _Delivery(self._row)


class _Delivery(_Row):
    @property
    def typename(self) -> str:  # type: ignore[override]
        return "ParcelDelivery" if self._row.kind == "physical" else "DownloadDelivery"

    @property
    def is_available(self) -> bool:
        return self._row.kind == "digital" or self._row.stock > 0

    @property
    def url(self) -> str:
        return str(self._row.download_url)


class _Order(_Row):
    typename = "Order"

    def __init__(self, shop: _Shop, row: Any) -> None:
        super().__init__(row)
        self._shop = shop

    @property
    def status(self) -> str:
        return str(self._row.status).upper()

    @property
    def items(self) -> Any:
        return [
            {
                "product": lambda item=item: self._shop.product(item.product_id),
                "quantity": item.quantity,
                "unit_price": _money(item.unit_price_cents, "EUR"),
            }
            for item in self._row.items
        ]

    @property
    def total(self) -> Any:
        return _money(self._row.total_cents, self._row.currency)

    def user(self) -> Any:
        return self._shop.user(self._row.user_id)


class _Notification(_Row):
    typename = "Notification"

    def __init__(self, shop: _Shop, row: Any) -> None:
        super().__init__(row)
        self._shop = shop

    @property
    def kind(self) -> str:
        return str(self._row.kind).upper()

    @property
    def is_read(self) -> bool:
        return bool(self._row.read)

    def user(self) -> Any:
        return self._shop.user(self._row.user_id)

    def order(self) -> Any:
        return self._shop.order(self._row.order_id) if self._row.order_id else None
