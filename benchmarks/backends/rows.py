"""The rows of the four backends, encoded once when a process starts.

There are 1,000 users with 5 orders of 3 items and 3 notifications each, and 1,000
products, unless another number is asked for. Rows are small on purpose: what a gateway
adds weighs more that way.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from backends.protos import notification_pb2, order_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "COUNT",
    "encode_notifications",
    "encode_orders",
    "encode_products",
    "encode_users",
]

COUNT: Final = 1_000
"""Users, and products."""

ORDERS: Final = 5
ITEMS: Final = 3
NOTIFICATIONS: Final = 3

_SEED: Final = 20_261
_START: Final = datetime(2024, 1, 1, 8, 30, tzinfo=UTC)
_FIRST_NAMES: Final = ("Ada", "Bruno", "Chiara", "Dilan", "Elif", "Felix", "Greta")
_LAST_NAMES: Final = ("Almeida", "Berg", "Costa", "Dubois", "Eriksson", "Fischer")
_CITIES: Final = ("Amsterdam", "Berlin", "Copenhagen", "Dublin", "Evora")
_CATEGORIES: Final = ("lighting", "outdoor", "bikes", "kitchen", "software")
_STATUSES: Final = (
    order_pb2.ORDER_STATUS_PENDING,
    order_pb2.ORDER_STATUS_PAID,
    order_pb2.ORDER_STATUS_SHIPPED,
    order_pb2.ORDER_STATUS_DELIVERED,
    order_pb2.ORDER_STATUS_CANCELLED,
)
_KINDS: Final = (
    notification_pb2.NOTIFICATION_KIND_ORDER,
    notification_pb2.NOTIFICATION_KIND_DELIVERY,
    notification_pb2.NOTIFICATION_KIND_PROMOTION,
)
_THINGS: Final = ("Lantern", "Backpack", "Bell", "Kettle", "Notebook", "Chair")


def encode_users(count: int = COUNT) -> dict[str, bytes]:
    """Return every user's JSON by id, in the order of the list."""
    return dict(_encode("u", _user, count))


def encode_products(count: int = COUNT) -> dict[str, bytes]:
    """Return every product's JSON by id, in the order of the list."""
    return dict(_encode("p", _product, count))


def encode_orders(count: int = COUNT) -> dict[str, bytes]:
    """Return, by user id, an encoded ``ListByUsersResponse`` of that user alone.

    A protobuf message with a repeated field is the concatenation of messages with
    one element each, so answers are joined, never built.
    """
    rng = random.Random(_SEED)
    return {
        f"u{number}": order_pb2.ListByUsersResponse(
            lists=[_orders(number, count, rng)]
        ).SerializeToString()
        for number in range(1, count + 1)
    }


def encode_notifications(count: int = COUNT) -> dict[str, bytes]:
    """Return, by user id, an encoded ``ListByUsersResponse`` of that user alone."""
    return {
        f"u{number}": notification_pb2.ListByUsersResponse(
            lists=[_notifications(number)]
        ).SerializeToString()
        for number in range(1, count + 1)
    }


def _encode(
    letter: str, make: Callable[[int], dict[str, Any]], count: int
) -> Iterator[tuple[str, bytes]]:
    for number in range(1, count + 1):
        yield f"{letter}{number}", orjson.dumps(make(number), option=orjson.OPT_UTC_Z)


def _user(number: int) -> dict[str, Any]:
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number % len(_LAST_NAMES)]
    return {
        "id": f"u{number}",
        "name": f"{first} {last}",
        "bio": None if number % 3 else f"{first} collects bells.",
        "address": {
            "street": f"Willow Way {number}",
            "city": _CITIES[number % len(_CITIES)],
            "postal_code": f"{10_000 + number}",
            "country": "NL",
        },
        "created_at": _START + timedelta(hours=number),
    }


def _product(number: int) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "name": f"{_THINGS[number % len(_THINGS)]} no. {number}",
        "category": _CATEGORIES[number % len(_CATEGORIES)],
        "price": {"cents": 100 + number * 37 % 20_000, "currency": "EUR"},
        "rating": None if number % 7 == 0 else number % 40 / 10 + 1,
    }


def _orders(number: int, count: int, rng: random.Random) -> order_pb2.UserOrders:
    orders = []
    for position in range(ORDERS):
        placed = _START + timedelta(hours=number, days=position)
        is_delivered = position % 2 == 0
        orders.append(
            order_pb2.Order(
                id=f"o{number * ORDERS + position}",
                user_id=f"u{number}",
                status=_STATUSES[position],
                items=[_item(count, rng) for _ in range(ITEMS)],
                total_cents=number * 100 + position,
                currency="EUR",
                created_at=placed,
                delivered_at=placed + timedelta(days=2) if is_delivered else None,
            )
        )
    page = order_pb2.PageInfo(end_cursor=orders[-1].id, total=ORDERS)
    return order_pb2.UserOrders(user_id=f"u{number}", orders=orders, page_info=page)


def _item(count: int, rng: random.Random) -> order_pb2.OrderItem:
    # Some products sell better than others, as in any shop.
    product = 1 + int(count * rng.random() ** 2)
    return order_pb2.OrderItem(
        product_id=f"p{product}",
        quantity=rng.randint(1, 5),
        unit_price_cents=100 + product * 37 % 20_000,
    )


def _notifications(number: int) -> notification_pb2.UserNotifications:
    nodes = [
        notification_pb2.Notification(
            id=f"n{number * NOTIFICATIONS + position}",
            user_id=f"u{number}",
            kind=_KINDS[position],
            title=f"News no. {position + 1}",
            body=f"Something about order o{number * ORDERS + position}.",
            order_id=f"o{number * ORDERS + position}",
            read=position > 0,
            created_at=_START + timedelta(hours=number, days=position),
        )
        for position in range(NOTIFICATIONS)
    ]
    return notification_pb2.UserNotifications(
        user_id=f"u{number}",
        notifications=nodes,
        total=NOTIFICATIONS,
        unread_count=1,
    )
