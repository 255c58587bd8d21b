"""Read and create orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.data.database import (
    from_epoch,
    next_number,
    to_json_list,
    transaction,
    user_exists,
)
from backends.data.pages import Page, cut_page, number_of
from backends.data.seed import CURRENCY

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

__all__ = ["Order", "OrderItem", "OrderRepository", "UnknownReferenceError"]

_GET_MANY = """
SELECT orders.* FROM json_each(?) AS asked JOIN orders ON orders.id = asked.value
GROUP BY orders.id ORDER BY min(asked.key)
"""
_ITEMS = """
SELECT * FROM order_items WHERE order_id IN (SELECT value FROM json_each(?))
ORDER BY order_id, position
"""
_NEWEST_BY_USERS = """
SELECT * FROM (
  SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY number DESC) AS place
  FROM orders
  WHERE user_id IN (SELECT value FROM json_each(:users))
    AND (:status IS NULL OR status = :status)
    AND (:before IS NULL OR number < :before)
)
WHERE place <= :limit ORDER BY user_id, place
"""
_COUNT_BY_USERS = """
SELECT user_id, count(*) FROM orders
WHERE user_id IN (SELECT value FROM json_each(:users))
  AND (:status IS NULL OR status = :status)
GROUP BY user_id
"""
_INSERT = """
INSERT INTO orders (number, id, user_id, currency, note, created_at, status)
VALUES (?, ?, ?, ?, ?, ?, 'pending')
"""
_PRICES = """
SELECT id, price_cents FROM products WHERE id IN (SELECT value FROM json_each(?))
"""


class UnknownReferenceError(Exception):
    """A new order names a user or a product that does not exist."""


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A product in an order."""

    product_id: str
    quantity: int
    unit_price_cents: int


@dataclass(frozen=True, slots=True)
class Order:
    """One order with its items."""

    id: str
    user_id: str
    status: str
    items: Sequence[OrderItem]
    currency: str
    note: str | None
    created_at: datetime
    delivered_at: datetime | None

    @property
    def total_cents(self) -> int:
        """Add up the items."""
        return sum(item.quantity * item.unit_price_cents for item in self.items)


class OrderRepository:
    """The orders of one database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get_many(self, order_ids: Iterable[str]) -> list[Order]:
        """Find orders, each once, in the ids' order, but the unknown ones."""
        rows = self._connection.execute(_GET_MANY, [to_json_list(order_ids)])
        return self._with_items(rows.fetchall())

    def pages_by_users(
        self,
        user_ids: Iterable[str],
        *,
        first: int,
        after: str | None = None,
        status: str | None = None,
    ) -> dict[str, Page[Order]]:
        """List each user's newest orders.

        Args:
            user_ids: The users; one that is unknown gets an empty page.
            first: The most that each page holds.
            after: The order whose older ones are wanted.
            status: The only status that is wanted.

        Raises:
            InvalidCursorError: If ``after`` does not look like an order's id.
        """
        asked = list(user_ids)
        parameters = {
            "users": to_json_list(asked),
            "status": status,
            "before": None if after is None else number_of(after, "o"),
            "limit": first + 1,
        }
        rows = self._connection.execute(_NEWEST_BY_USERS, parameters).fetchall()
        totals = dict(self._connection.execute(_COUNT_BY_USERS, parameters).fetchall())
        found: dict[str, list[Order]] = {user_id: [] for user_id in asked}
        for order in self._with_items(rows):
            found[order.user_id].append(order)
        return {
            user_id: cut_page(orders, first, totals.get(user_id, 0))
            for user_id, orders in found.items()
        }

    def create(
        self,
        user_id: str,
        quantities: Mapping[str, int],
        note: str | None,
        created_at: datetime,
    ) -> Order:
        """Add an order at today's prices.

        Args:
            user_id: Who orders.
            quantities: How many of each product, by its id.
            note: The user's wish.
            created_at: The time of the order, in whole seconds.

        Raises:
            UnknownReferenceError: If there is no such user or product.
        """
        if not user_exists(self._connection, user_id):
            raise UnknownReferenceError(f'there is no user "{user_id}"')
        with transaction(self._connection):
            prices = self._prices(quantities)
            number = next_number(self._connection, "orders")
            order_id = f"o{number}"
            order = (order_id, user_id, CURRENCY, note, int(created_at.timestamp()))
            self._connection.execute(_INSERT, (number, *order))
            self._connection.executemany(
                "INSERT INTO order_items VALUES (?, ?, ?, ?, ?)",
                [
                    (order_id, position, product_id, quantity, prices[product_id])
                    for position, (product_id, quantity) in enumerate(
                        quantities.items()
                    )
                ],
            )
        return self.get_many([order_id])[0]

    def _prices(self, product_ids: Iterable[str]) -> dict[str, int]:
        asked = list(product_ids)
        rows = self._connection.execute(_PRICES, [to_json_list(asked)])
        prices = dict(rows.fetchall())
        for product_id in asked:
            if product_id not in prices:
                raise UnknownReferenceError(f'there is no product "{product_id}"')
        return prices

    def _with_items(self, rows: Sequence[sqlite3.Row]) -> list[Order]:
        items: dict[str, list[OrderItem]] = {row["id"]: [] for row in rows}
        for row in self._connection.execute(_ITEMS, [to_json_list(items)]):
            items[row["order_id"]].append(
                OrderItem(row["product_id"], row["quantity"], row["unit_price_cents"])
            )
        return [_to_order(row, items[row["id"]]) for row in rows]


def _to_order(row: sqlite3.Row, items: Sequence[OrderItem]) -> Order:
    delivered_at = row["delivered_at"]
    return Order(
        id=row["id"],
        user_id=row["user_id"],
        status=row["status"],
        items=items,
        currency=row["currency"],
        note=row["note"],
        created_at=from_epoch(row["created_at"]),
        delivered_at=None if delivered_at is None else from_epoch(delivered_at),
    )
