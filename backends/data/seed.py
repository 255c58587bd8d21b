"""Fill the tables with rows that are the same on every machine and in every run.

Every table draws from a generator of its own, so that changing one leaves the others
alone. No row depends on the clock: orders end with the year 2025.
"""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson

from backends.data.words import (
    ACCOUNT_NEWS,
    ADJECTIVES,
    BIOS,
    CATEGORIES,
    CITIES,
    FIRST_NAMES,
    LAST_NAMES,
    NOTES,
    ORDER_NEWS,
    PROMOTIONS,
    STREETS,
    TAGS,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["CURRENCY", "NOTIFICATIONS", "ORDERS", "PRODUCTS", "USERS", "seed"]

USERS: Final = 1000
PRODUCTS: Final = 1000
ORDERS: Final = 5000
NOTIFICATIONS: Final = 3000
CURRENCY: Final = "EUR"

_DAY = 24 * 60 * 60
_OPENED = int(datetime(2022, 1, 1, tzinfo=UTC).timestamp())
_FIRST_ORDER = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())
_NOW = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def seed(connection: sqlite3.Connection) -> None:
    """Insert all rows; the tables have to be empty."""
    products = list(_products())
    orders = list(_orders())
    _insert(connection, "users", _users())
    _insert(connection, "products", products)
    _insert(connection, "orders", orders)
    _insert(connection, "order_items", _order_items(products))
    _insert(connection, "notifications", _notifications(orders))


def _insert(
    connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, object]]
) -> None:
    first, *others = rows
    columns, values = ", ".join(first), ", ".join(f":{name}" for name in first)
    connection.executemany(
        f"INSERT INTO {table} ({columns}) VALUES ({values})",  # noqa: S608 - our names
        [first, *others],
    )


def _happens(draw: Random, percent: int) -> bool:
    return draw.randrange(100) < percent


def _generator(table: str) -> Random:
    return Random(f"graphgw {table}")  # noqa: S311 - has to be predictable


def _users() -> Iterator[dict[str, object]]:
    draw = _generator("users")
    emails: set[str] = set()
    for number, created_at in _numbered_times(draw, USERS, _OPENED, _FIRST_ORDER):
        first_name, last_name = draw.choice(FIRST_NAMES), draw.choice(LAST_NAMES)
        address = f"{first_name}.{last_name}".lower()
        host = draw.choice(("example.com", "example.net", "example.org"))
        email = f"{address}@{host}"
        if email in emails:
            email = f"{address}{number}@{host}"
        emails.add(email)
        city = draw.choice(CITIES)
        yield {
            "number": number,
            "id": f"u{number}",
            "name": f"{first_name} {last_name}",
            "email": email,
            "phone": f"+49 30 555 {draw.randrange(10_000):04}"
            if _happens(draw, percent=80)
            else None,
            "bio": draw.choice(BIOS) if _happens(draw, percent=60) else None,
            "street": f"{draw.choice(STREETS)} {draw.randint(1, 120)}",
            "city": city.name,
            "postal_code": f"{city.postal_prefix}{draw.randrange(100):02}",
            "country": city.country,
            "created_at": created_at,
        }


def _products() -> Iterator[dict[str, object]]:
    draw = _generator("products")
    for number, created_at in _numbered_times(draw, PRODUCTS, _OPENED, _FIRST_ORDER):
        category = draw.choice(CATEGORIES)
        noun, adjective = draw.choice(category.nouns), draw.choice(ADJECTIVES)
        name = f"{adjective} {noun}"
        size = draw.randint(*category.size)
        physical = category.kind == "physical"
        slug = name.lower().replace(" ", "-")
        yield {
            "number": number,
            "id": f"p{number}",
            "kind": category.kind,
            "name": name,
            "description": f"{name} no. {number} from our {category.name} range.",
            "category": category.name,
            "price_cents": draw.randint(*category.cents) // 10 * 10 + 9,
            "currency": CURRENCY,
            "rating": draw.randint(10, 50) / 10 if _happens(draw, percent=90) else None,
            "tags": orjson.dumps(
                sorted(draw.sample(TAGS, draw.randint(0, 3)))
            ).decode(),
            "created_at": created_at,
            "stock": draw.randint(0, 250) if physical else None,
            "weight_grams": size if physical else None,
            "download_url": None
            if physical
            else f"https://downloads.example.com/{slug}-{number}.zip",
            "size_bytes": None if physical else size * 1000,
        }


def _orders() -> Iterator[dict[str, object]]:
    draw = _generator("orders")
    for number, created_at in _numbered_times(draw, ORDERS, _FIRST_ORDER, _NOW):
        status = _order_status(draw, _NOW - created_at)
        on_the_way = draw.randint(1 * _DAY, 6 * _DAY)
        yield {
            "number": number,
            "id": f"o{number}",
            "user_id": f"u{draw.randint(1, USERS)}",
            "status": status,
            "currency": CURRENCY,
            "note": draw.choice(NOTES) if _happens(draw, percent=15) else None,
            "created_at": created_at,
            "delivered_at": created_at + on_the_way if status == "delivered" else None,
        }


def _order_status(draw: Random, age: int) -> str:
    if _happens(draw, percent=6):
        return "cancelled"
    if age > 7 * _DAY:
        return "delivered"
    if age > 4 * _DAY:
        return "shipped"
    return draw.choice(("pending", "paid"))


def _order_items(
    products: Sequence[Mapping[str, Any]],
) -> Iterator[dict[str, object]]:
    draw = _generator("order_items")
    for number in range(1, ORDERS + 1):
        chosen = draw.sample(products, draw.randint(1, 5))
        for position, product in enumerate(chosen):
            yield {
                "order_id": f"o{number}",
                "position": position,
                "product_id": product["id"],
                "quantity": draw.choice((1, 1, 1, 2, 2, 3)),
                "unit_price_cents": product["price_cents"],
            }


def _notifications(
    orders: Sequence[Mapping[str, Any]],
) -> Iterator[dict[str, object]]:
    draw = _generator("notifications")
    occasions = [_occasion(draw, orders) for _ in range(NOTIFICATIONS)]
    occasions.sort(key=itemgetter("created_at"))
    for number, occasion in enumerate(occasions, start=1):
        yield {
            "number": number,
            "id": f"n{number}",
            **occasion,
            "read": int(_happens(draw, percent=70)),
        }


def _occasion(draw: Random, orders: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kind = draw.choice(("order", "order", "delivery", "promotion", "account"))
    if kind in {"promotion", "account"}:
        title, body = draw.choice(PROMOTIONS if kind == "promotion" else ACCOUNT_NEWS)
        user_id, order_id = f"u{draw.randint(1, USERS)}", None
        created_at = draw.randrange(_FIRST_ORDER, _NOW)
    else:
        order = draw.choice(orders)
        if order["status"] not in {"shipped", "delivered"}:
            kind = "order"
        title, body = ORDER_NEWS[kind]
        user_id, order_id = order["user_id"], order["id"]
        body = body.format(order_id)
        created_at = order["created_at"] + (_DAY if kind == "delivery" else 60)
    return {
        "user_id": user_id,
        "kind": kind,
        "title": title,
        "body": body,
        "order_id": order_id,
        "created_at": created_at,
    }


def _numbered_times(
    draw: Random, count: int, start: int, end: int
) -> Iterator[tuple[int, int]]:
    """Number the rows of a table, from 1 and in the order of their times."""
    times = sorted(draw.randrange(start, end) for _ in range(count))
    return enumerate(times, start=1)
