"""One function for each operation: fetch, join and encode, nothing else.

Answers have the shape that GraphQL would give them, so that they can be compared.
"""

from __future__ import annotations

import asyncio
import gc
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import grpc.aio
import orjson

from backends.protos import notification_pb2, order_pb2
from backends.protos.notification_pb2_grpc import NotificationServiceStub
from backends.protos.order_pb2_grpc import OrderServiceStub
from benchmarks.by_hand.upstream import Upstream
from graphgw.server.freed_memory import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Query = dict[str, str]

__all__ = ["app"]

_STATUSES = {
    number: name.removeprefix("ORDER_STATUS_")
    for name, number in order_pb2.OrderStatus.items()
}
_KINDS = {
    number: name.removeprefix("NOTIFICATION_KIND_")
    for name, number in notification_pb2.NotificationKind.items()
}


class _Backends:
    """Opened at the first request, in the loop that serves."""

    def __init__(self) -> None:
        self.users = _upstream("USER_URL")
        self.products = _upstream("PRODUCT_URL")
        self.orders = OrderServiceStub(_channel("ORDER_URL"))
        self.notifications = NotificationServiceStub(_channel("NOTIFICATION_URL"))


def _upstream(variable: str) -> Upstream:
    url = urlsplit(os.environ[variable])
    return Upstream(str(url.hostname), int(url.port or 80))


def _channel(variable: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(urlsplit(os.environ[variable]).netloc)


async def _q1(backends: _Backends, query: Query) -> dict[str, Any]:
    return {"user": await _get_user(backends, query["id"])}


async def _q5(backends: _Backends, query: Query) -> dict[str, Any]:
    user, product = await asyncio.gather(
        _get_user(backends, query["user"]),
        backends.products.get(f"/products?ids={query['product']}"),
    )
    items = product["items"]
    found = {"id": items[0]["id"], "name": items[0]["name"]} if items else None
    return {"user": user, "product": found}


async def _get_user(backends: _Backends, user_id: str) -> dict[str, Any] | None:
    items = (await backends.users.get(f"/users?ids={user_id}"))["items"]
    return {"id": items[0]["id"], "name": items[0]["name"]} if items else None


async def _q3(backends: _Backends, query: Query) -> dict[str, Any]:
    page = await backends.products.get(f"/products?limit=1000&after={query['after']}")
    nodes = [
        {
            "id": row["id"],
            "name": row["name"],
            "category": row["category"],
            "rating": row["rating"],
            "price": {"cents": row["price"]["cents"]},
        }
        for row in page["items"]
    ]
    return {"products": {"nodes": nodes}}


async def _q2(backends: _Backends, query: Query) -> dict[str, Any]:
    page = await backends.users.get(f"/users?limit=10&after={query['after']}")
    users = page["items"]
    orders, products, told = await _load_lists(backends, [u["id"] for u in users])
    shown = {
        row["id"]: {
            "id": row["id"],
            "name": row["name"],
            "price": {"cents": row["price"]["cents"]},
        }
        for row in products
    }
    nodes = [
        {
            "id": user["id"],
            "name": user["name"],
            "orders": {
                "nodes": [
                    {
                        "id": order.id,
                        "status": _STATUSES[order.status],
                        "items": [
                            {
                                "quantity": item.quantity,
                                "product": shown[item.product_id],
                            }
                            for item in order.items
                        ],
                    }
                    for order in listed.orders
                ]
            },
            "notifications": {
                "nodes": [{"id": n.id, "title": n.title} for n in news.notifications]
            },
        }
        for user, listed, news in zip(users, orders, told, strict=True)
    ]
    return {"users": {"nodes": nodes}}


async def _q4(backends: _Backends, query: Query) -> dict[str, Any]:
    page = await backends.users.get(f"/users?limit=50&after={query['after']}")
    users = page["items"]
    orders, products, told = await _load_lists(backends, [u["id"] for u in users])
    shown = {row["id"]: {"id": row["id"], "name": row["name"]} for row in products}
    nodes = [
        {
            "id": user["id"],
            "name": user["name"],
            "bio": user["bio"],
            "createdAt": user["created_at"].replace("Z", "+00:00"),
            "address": _address(user["address"]),
            "orders": {
                "totalCount": listed.page_info.total,
                "nodes": [_full_order(order, shown) for order in listed.orders],
            },
            "notifications": {
                "totalCount": news.total,
                "unreadCount": news.unread_count,
                "nodes": [_full_notification(n) for n in news.notifications],
            },
        }
        for user, listed, news in zip(users, orders, told, strict=True)
    ]
    return {"users": {"nodes": nodes}}


def _address(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "street": row["street"],
        "city": row["city"],
        "postalCode": row["postal_code"],
        "country": row["country"],
    }


def _full_order(
    order: order_pb2.Order, shown: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    is_delivered = order.HasField("delivered_at")
    return {
        "id": order.id,
        "status": _STATUSES[order.status],
        "createdAt": _time(order.created_at),
        "deliveredAt": _time(order.delivered_at) if is_delivered else None,
        "items": [
            {
                "quantity": item.quantity,
                "unitPrice": {"cents": item.unit_price_cents},
                "product": shown[item.product_id],
            }
            for item in order.items
        ],
    }


def _full_notification(row: notification_pb2.Notification) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": _KINDS[row.kind],
        "title": row.title,
        "body": row.body,
        "isRead": row.read,
        "createdAt": _time(row.created_at),
    }


def _time(stamp: Any) -> datetime:
    return datetime.fromtimestamp(stamp.seconds, UTC)


async def _load_lists(
    backends: _Backends, user_ids: list[str]
) -> tuple[Iterable[Any], list[dict[str, Any]], Iterable[Any]]:
    """Load orders, then their products, and meanwhile notifications."""
    telling = backends.notifications.ListByUsers(
        notification_pb2.ListByUsersRequest(user_ids=user_ids, first=3)
    )
    listed = await backends.orders.ListByUsers(
        order_pb2.ListByUsersRequest(user_ids=user_ids, first=5)
    )
    wanted = dict.fromkeys(
        item.product_id
        for user in listed.lists
        for order in user.orders
        for item in order.items
    )
    products = await backends.products.get("/products?ids=" + ",".join(wanted))
    told = await telling
    return listed.lists, products["items"], told.lists


_ANSWERS: dict[str, Callable[[_Backends, Query], Awaitable[dict[str, Any]]]] = {
    "/q1": _q1,
    "/q2": _q2,
    "/q3": _q3,
    "/q4": _q4,
    "/q5": _q5,
}
_opened: list[_Backends] = []


async def app(scope: Message, _receive: Receive, send: Send) -> None:
    """Answer one request."""
    answer = _ANSWERS.get(scope["path"])
    if answer is None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    if not _opened:
        _opened.append(_Backends())
        gc.collect()
        gc.freeze()  # as the gateway does, once everything is there
        gc.set_threshold(100_000, 10, 10)
        keep_freed_memory()  # this, too
    query = dict(
        pair.split("=", 1) for pair in scope["query_string"].decode().split("&")
    )
    body = orjson.dumps({"data": await answer(_opened[0], query)})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
