"""The notification subgraph: what the shop tells its users."""

from __future__ import annotations

from datetime import datetime

import strawberry

from graphgw import Subgraph, batched, by, reference, resolved, sourced
from graphgw.directives import Authenticated
from resolvers import notification as resolve
from schema.shared import MOBILE

__all__ = ["subgraph"]


@strawberry.federation.type(keys=["id"])
class Order:
    """Another subgraph's entity; here it is named, not described."""

    id: strawberry.ID


@strawberry.federation.type(
    keys=["id"], description="News for one user.", directives=[MOBILE]
)
class Notification:
    """A message to a user."""

    id: strawberry.ID
    kind: resolve.NotificationKind
    title: str
    body: str
    is_read: bool = sourced("read")
    created_at: datetime
    order: Order | None = reference(id="order_id")
    user: User | None = reference(id="user_id")


@strawberry.type(description="The newest notifications of a user.", directives=[MOBILE])
class NotificationList:
    """Some notifications, and how many there are."""

    nodes: list[Notification] = sourced("notifications")
    total_count: int = sourced("total")
    unread_count: int


@strawberry.federation.type(keys=["id"])
class User:
    """Another subgraph's entity, with its notifications."""

    id: strawberry.ID
    notifications: NotificationList | None = batched(
        resolve.notifications_by_user,
        key="id",
        description="What the user was told, newest first.",
        directives=[MOBILE],
    )


@strawberry.type
class Query:
    """What can be asked of notifications."""

    notification: Notification | None = resolved(
        resolve.notification_by_id, description="One notification."
    )


@strawberry.type
class Mutation:
    """What can be done with notifications."""

    mark_notification_read: Notification | None = resolved(
        resolve.mark_read,
        description="Mark a notification as read.",
        directives=[Authenticated()],
    )


@strawberry.type
class Subscription:
    """What can be followed."""

    notification_added: Notification = resolved(
        resolve.new_notifications,
        description="A user's notifications from now on.",
        directives=[Authenticated()],
    )


subgraph = Subgraph(
    "notification",
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[User],
    entities={Notification: by("id", resolve.notifications_by_id)},
)
