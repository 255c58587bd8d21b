"""The notification service's methods."""
# ruff: noqa: N802 - methods are named by the contract

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import grpc

from backends.data.notifications import (
    NewNotification,
    Notification,
    NotificationList,
    NotificationRepository,
    UnknownUserError,
)
from backends.notification.watchers import WatchEnd, Watchers
from backends.protos import notification_pb2 as pb
from backends.protos import notification_pb2_grpc
from backends.rpc import RPCContext, RPCService, check_batch, note_call, read_first

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator

    from backends.calls import CallLog

__all__ = ["NotificationService", "create_service"]

MAX_TITLE = 100
MAX_BODY = 1000

_ENDINGS = {
    WatchEnd.FELL_BEHIND: (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "the watcher reads too slowly",
    ),
    WatchEnd.STOPPED: (grpc.StatusCode.UNAVAILABLE, "the service stops"),
}


def create_service(connection: sqlite3.Connection, calls: CallLog) -> RPCService:
    """Make the service over one database."""
    watchers = Watchers()
    servicer = NotificationService(
        NotificationRepository(connection), watchers=watchers, calls=calls
    )
    return RPCService(
        full_name=pb.DESCRIPTOR.services_by_name["NotificationService"].full_name,
        register=partial(
            notification_pb2_grpc.add_NotificationServiceServicer_to_server, servicer
        ),
        calls=calls,
        end_streams=watchers.end_all,
    )


class NotificationService(notification_pb2_grpc.NotificationServiceServicer):
    """Answers from one database."""

    def __init__(
        self,
        notifications: NotificationRepository,
        *,
        watchers: Watchers,
        calls: CallLog,
    ) -> None:
        self._notifications = notifications
        self._watchers = watchers
        self._calls = calls

    async def GetNotifications(
        self, request: pb.GetNotificationsRequest, context: RPCContext
    ) -> pb.GetNotificationsResponse:
        """Find notifications by their ids."""
        await self._note(context, "GetNotifications", len(request.ids))
        await check_batch(request.ids, context)
        found = self._notifications.get_many(request.ids)
        return pb.GetNotificationsResponse(
            notifications=map(_notification_message, found)
        )

    async def ListByUsers(
        self, request: pb.ListByUsersRequest, context: RPCContext
    ) -> pb.ListByUsersResponse:
        """List each user's newest notifications."""
        await self._note(context, "ListByUsers", len(request.user_ids))
        await check_batch(request.user_ids, context)
        first = request.first if request.HasField("first") else None
        lists = self._notifications.lists_by_users(
            request.user_ids,
            first=await read_first(first, context),
            unread_only=request.unread_only,
        )
        return pb.ListByUsersResponse(
            lists=[_list_message(*entry) for entry in lists.items()]
        )

    async def MarkRead(
        self, request: pb.MarkReadRequest, context: RPCContext
    ) -> pb.Notification:
        """Mark one notification as read."""
        await self._note(context, "MarkRead", 1)
        notification = self._notifications.mark_read(request.id)
        if notification is None:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f'there is no notification "{request.id}"'
            )
        return _notification_message(notification)

    async def MarkAllRead(
        self, request: pb.MarkAllReadRequest, context: RPCContext
    ) -> pb.MarkAllReadResponse:
        """Mark all of a user's notifications as read."""
        await self._note(context, "MarkAllRead", 1)
        try:
            updated = self._notifications.mark_all_read(request.user_id)
        except UnknownUserError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        return pb.MarkAllReadResponse(updated=updated)

    async def Notify(
        self, request: pb.NotifyRequest, context: RPCContext
    ) -> pb.Notification:
        """Add a notification, and send it to those who watch."""
        await self._note(context, "Notify", 1)
        problem = _find_problem(request)
        if problem:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        kind = pb.NotificationKind.Name(request.kind)
        new = NewNotification(
            user_id=request.user_id,
            kind=kind.removeprefix("NOTIFICATION_KIND_").lower(),
            title=request.title,
            body=request.body,
            order_id=request.order_id if request.HasField("order_id") else None,
        )
        try:
            notification = self._notifications.create(new, datetime.now(UTC))
        except UnknownUserError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        self._watchers.publish(notification)
        return _notification_message(notification)

    async def Watch(
        self, request: pb.WatchRequest, context: RPCContext
    ) -> AsyncIterator[pb.Notification]:
        """Stream a user's new notifications."""
        await self._note(context, "Watch", 1)
        try:
            self._notifications.check_user(request.user_id)
        except UnknownUserError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        with self._watchers.watch(request.user_id) as queue:
            await context.send_initial_metadata(())
            while not isinstance(notification := await queue.get(), WatchEnd):
                yield _notification_message(notification)
        await context.abort(*_ENDINGS[notification])

    async def _note(self, context: RPCContext, method: str, keys: int) -> None:
        endpoint = f"NotificationService/{method}"
        await note_call(self._calls, context, endpoint, keys=keys)


def _find_problem(request: pb.NotifyRequest) -> str | None:
    """Say what is wrong with a new notification, the first thing only."""
    if request.kind not in pb.NotificationKind.values():
        return f"there is no kind {request.kind}"
    if request.kind == pb.NOTIFICATION_KIND_UNSPECIFIED:
        return "the kind is missing"
    if not 1 <= len(request.title) <= MAX_TITLE:
        return f"the title has to be 1 to {MAX_TITLE} characters"
    if len(request.body) > MAX_BODY:
        return f"the body has more than {MAX_BODY} characters"
    return None


def _list_message(user_id: str, listed: NotificationList) -> pb.UserNotifications:
    return pb.UserNotifications(
        user_id=user_id,
        notifications=map(_notification_message, listed.page.items),
        has_more=listed.page.has_more,
        total=listed.page.total,
        unread_count=listed.unread_count,
    )


def _notification_message(notification: Notification) -> pb.Notification:
    return pb.Notification(
        id=notification.id,
        user_id=notification.user_id,
        kind=f"NOTIFICATION_KIND_{notification.kind.upper()}",
        title=notification.title,
        body=notification.body,
        order_id=notification.order_id,
        read=notification.read,
        created_at=notification.created_at,
    )
