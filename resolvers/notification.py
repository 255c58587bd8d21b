"""Notifications, from the gRPC service ``notification``."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator

import strawberry

from backends.protos import notification_pb2 as pb
from backends.protos.notification_pb2_grpc import NotificationServiceStub
from graphgw import RequestContext, grpc_source, loader
from resolvers.ownership import check_owner
from resolvers.refusals import tell_refusals

__all__ = [
    "NotificationKind",
    "mark_read",
    "new_notifications",
    "notification_by_id",
    "notifications_by_id",
    "notifications_by_user",
]


@strawberry.enum(description="What a notification is about.")
class NotificationKind(enum.Enum):
    """The service's own kinds, by their numbers."""

    ORDER = pb.NOTIFICATION_KIND_ORDER
    DELIVERY = pb.NOTIFICATION_KIND_DELIVERY
    PROMOTION = pb.NOTIFICATION_KIND_PROMOTION
    ACCOUNT = pb.NOTIFICATION_KIND_ACCOUNT


service = grpc_source(
    "notification",
    NotificationServiceStub,
    idempotent={"GetNotifications", "ListByUsers"},
)


@loader(max_batch=200, shared=True)
async def notifications_by_id(
    notification_ids: list[str], context: RequestContext
) -> list[pb.Notification | None]:
    """Get notifications by their ids, ``None`` where there is none."""
    request = pb.GetNotificationsRequest(ids=notification_ids)
    reply = await service.GetNotifications(request, context)
    found = {row.id: row for row in reply.notifications}
    return [found.get(notification_id) for notification_id in notification_ids]


@loader(max_batch=200, shared=True)
async def notifications_by_user(
    user_ids: list[str],
    context: RequestContext,
    *,
    first: int = 10,
    unread_only: bool = False,
) -> list[pb.UserNotifications]:
    """List each user's notifications, newest first."""
    request = pb.ListByUsersRequest(
        user_ids=user_ids, first=first, unread_only=unread_only
    )
    with tell_refusals():
        reply = await service.ListByUsers(request, context)
    return list(reply.lists)


async def notification_by_id(
    context: RequestContext,
    *,
    id: strawberry.ID,  # noqa: A002 - the argument's name
) -> pb.Notification | None:
    """Get one notification."""
    row: pb.Notification | None = await context.load(notifications_by_id, id)
    return row


async def mark_read(
    context: RequestContext,
    *,
    id: strawberry.ID,  # noqa: A002 - the argument's name
) -> pb.Notification:
    """Mark a notification as read: one of the caller's own."""
    known = await context.load(notifications_by_id, id)
    if known is not None:
        check_owner(context, known.user_id, "notifications:write")
    with tell_refusals():
        row: pb.Notification = await service.MarkRead(
            pb.MarkReadRequest(id=id), context
        )
    return row


async def new_notifications(
    context: RequestContext, *, user_id: strawberry.ID
) -> AsyncIterator[pb.Notification]:
    """Follow the notifications that a user gets from now on: the caller's own."""
    check_owner(context, user_id, "notifications:read")
    async for row in service.Watch(pb.WatchRequest(user_id=user_id), context):
        yield row
