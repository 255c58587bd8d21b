"""Notifications of the example graph; lists of them are kept."""

from __future__ import annotations

from datetime import datetime

import strawberry

from benchmarks.cached.hour import AS_LONG, HOUR
from graphgw import Subgraph, batched, sourced
from resolvers import notification as resolve

__all__ = ["subgraph"]


@strawberry.type
class Notification:
    """A message to a user."""

    id: strawberry.ID
    kind: resolve.NotificationKind
    title: str
    body: str
    is_read: bool = sourced("read")
    created_at: datetime


@strawberry.type
class NotificationList:
    """The newest of them."""

    nodes: list[Notification] = sourced("notifications", directives=[AS_LONG])
    total_count: int = sourced("total")
    unread_count: int


@strawberry.federation.type(keys=["id"])
class User:
    """A user with notifications."""

    id: strawberry.ID
    notifications: NotificationList | None = batched(
        resolve.notifications_by_user, key="id", directives=[HOUR]
    )


subgraph = Subgraph("notification", types=[User])
