"""The rows of the REST and gRPC backends, in the shape of the subgraphs' types."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from backends.protos import notification_pb2, order_pb2
from benchmarks.backends import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NAMES", "Graph", "Row", "load_graph"]

Row = dict[str, Any]
Arguments = dict[str, Any]

_SCHEMAS: Final = Path(__file__).with_name("schemas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One subgraph: its schema, its entities, and what answers a field."""

    sdl: str
    entities: Mapping[str, Mapping[str, Row]]
    """By type and ``id``."""
    roots: Mapping[str, Callable[[Arguments], Any]]
    """What answers a field of ``Query``."""
    fields: Mapping[tuple[str, str], Callable[[Any, Arguments], Any]]
    """What a field with arguments makes of the value that is in the row."""


def load_graph(name: str, count: int = rows.COUNT) -> Graph:
    """Return one of the four subgraphs with its rows."""
    return _GRAPHS[name]((_SCHEMAS / f"{name}.graphql").read_text(), count)


def _user(sdl: str, count: int) -> Graph:
    users = {
        key: {
            "id": row["id"],
            "name": row["name"],
            "bio": row["bio"],
            "address": {
                "street": row["address"]["street"],
                "city": row["address"]["city"],
                "postalCode": row["address"]["postal_code"],
                "country": row["address"]["country"],
            },
            "createdAt": row["created_at"],
        }
        for key, row in _decode(rows.encode_users(count))
    }
    return Graph(
        sdl=sdl,
        entities={"User": users},
        roots={"user": _by_id(users), "users": _listed(users)},
        fields={},
    )


def _product(sdl: str, count: int) -> Graph:
    products = dict(_decode(rows.encode_products(count)))
    return Graph(
        sdl=sdl,
        entities={"Product": products},
        roots={"product": _by_id(products), "products": _listed(products)},
        fields={},
    )


def _order(sdl: str, count: int) -> Graph:
    users, orders = {}, {}
    for user_id, encoded in rows.encode_orders(count).items():
        (listed,) = order_pb2.ListByUsersResponse.FromString(encoded).lists
        nodes = [_order_row(order) for order in listed.orders]
        orders.update({row["id"]: row for row in nodes})
        page = {"hasNextPage": False, "endCursor": listed.page_info.end_cursor}
        users[user_id] = {
            "id": user_id,
            "orders": {
                "nodes": nodes,
                "pageInfo": page,
                "totalCount": listed.page_info.total,
            },
        }
    return Graph(
        sdl=sdl,
        entities={"User": users, "Order": orders},
        roots={"order": _by_id(orders)},
        fields={("User", "orders"): _first_nodes},
    )


def _order_row(order: Any) -> Row:
    is_delivered = order.HasField("delivered_at")
    status = order_pb2.OrderStatus.Name(order.status)
    return {
        "id": order.id,
        "status": status.removeprefix("ORDER_STATUS_"),
        "items": [
            {
                "product": {"id": item.product_id},
                "quantity": item.quantity,
                "unitPrice": _euros(item.unit_price_cents),
            }
            for item in order.items
        ],
        "total": _euros(order.total_cents),
        "createdAt": _time(order.created_at),
        "deliveredAt": _time(order.delivered_at) if is_delivered else None,
        "user": {"id": order.user_id},
    }


def _notification(sdl: str, count: int) -> Graph:
    users, notifications = {}, {}
    for user_id, encoded in rows.encode_notifications(count).items():
        (told,) = notification_pb2.ListByUsersResponse.FromString(encoded).lists
        nodes = [_notification_row(row) for row in told.notifications]
        notifications.update({row["id"]: row for row in nodes})
        users[user_id] = {
            "id": user_id,
            "notifications": {
                "nodes": nodes,
                "totalCount": told.total,
                "unreadCount": told.unread_count,
            },
        }
    return Graph(
        sdl=sdl,
        entities={"User": users, "Notification": notifications},
        roots={"notification": _by_id(notifications)},
        fields={("User", "notifications"): _first_nodes},
    )


def _notification_row(row: Any) -> Row:
    kind = notification_pb2.NotificationKind.Name(row.kind)
    return {
        "id": row.id,
        "kind": kind.removeprefix("NOTIFICATION_KIND_"),
        "title": row.title,
        "body": row.body,
        "isRead": row.read,
        "createdAt": _time(row.created_at),
        "user": {"id": row.user_id},
    }


def _decode(encoded: Mapping[str, bytes]) -> list[tuple[str, Row]]:
    return [(key, orjson.loads(row)) for key, row in encoded.items()]


def _by_id(found: Mapping[str, Row]) -> Callable[[Arguments], Row | None]:
    return lambda arguments: found.get(arguments["id"])


def _listed(found: Mapping[str, Row]) -> Callable[[Arguments], Row]:
    """Return what lists rows; the list is a ring, as that of the REST backends."""
    ring = [*found.values(), *found.values()]
    positions = {row_id: index for index, row_id in enumerate(found)}

    def answer(arguments: Arguments) -> Row:
        start = positions.get(arguments.get("after") or "", -1) + 1
        nodes = ring[start : start + arguments["first"]]
        return {
            "nodes": nodes,
            "pageInfo": {
                "hasNextPage": True,
                "endCursor": nodes[-1]["id"] if nodes else None,
            },
            "totalCount": len(found),
        }

    return answer


def _first_nodes(value: Row, arguments: Arguments) -> Row:
    first = arguments["first"]
    if first >= len(value["nodes"]):
        return value
    return {**value, "nodes": value["nodes"][:first]}


def _euros(cents: int) -> Row:
    return {"cents": cents, "currency": "EUR"}


def _time(stamp: Any) -> str:
    moment = datetime.fromtimestamp(stamp.seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_GRAPHS: Final = {
    "user": _user,
    "product": _product,
    "order": _order,
    "notification": _notification,
}

NAMES: Final = tuple(_GRAPHS)
"""The four subgraphs."""
