from collections.abc import AsyncIterator

import grpc
import grpc.aio

from backends.protos import notification_pb2

class NotificationServiceStub:
    def __init__(self, channel: grpc.aio.Channel) -> None: ...
    GetNotifications: grpc.aio.UnaryUnaryMultiCallable[notification_pb2.GetNotificationsRequest, notification_pb2.GetNotificationsResponse]
    ListByUsers: grpc.aio.UnaryUnaryMultiCallable[notification_pb2.ListByUsersRequest, notification_pb2.ListByUsersResponse]
    MarkRead: grpc.aio.UnaryUnaryMultiCallable[notification_pb2.MarkReadRequest, notification_pb2.Notification]
    MarkAllRead: grpc.aio.UnaryUnaryMultiCallable[notification_pb2.MarkAllReadRequest, notification_pb2.MarkAllReadResponse]
    Notify: grpc.aio.UnaryUnaryMultiCallable[notification_pb2.NotifyRequest, notification_pb2.Notification]
    Watch: grpc.aio.UnaryStreamMultiCallable[notification_pb2.WatchRequest, notification_pb2.Notification]

class NotificationServiceServicer:
    async def GetNotifications(
        self, request: notification_pb2.GetNotificationsRequest, context: grpc.aio.ServicerContext[notification_pb2.GetNotificationsRequest, notification_pb2.GetNotificationsResponse]
    ) -> notification_pb2.GetNotificationsResponse: ...
    async def ListByUsers(
        self, request: notification_pb2.ListByUsersRequest, context: grpc.aio.ServicerContext[notification_pb2.ListByUsersRequest, notification_pb2.ListByUsersResponse]
    ) -> notification_pb2.ListByUsersResponse: ...
    async def MarkRead(
        self, request: notification_pb2.MarkReadRequest, context: grpc.aio.ServicerContext[notification_pb2.MarkReadRequest, notification_pb2.Notification]
    ) -> notification_pb2.Notification: ...
    async def MarkAllRead(
        self, request: notification_pb2.MarkAllReadRequest, context: grpc.aio.ServicerContext[notification_pb2.MarkAllReadRequest, notification_pb2.MarkAllReadResponse]
    ) -> notification_pb2.MarkAllReadResponse: ...
    async def Notify(
        self, request: notification_pb2.NotifyRequest, context: grpc.aio.ServicerContext[notification_pb2.NotifyRequest, notification_pb2.Notification]
    ) -> notification_pb2.Notification: ...
    def Watch(
        self, request: notification_pb2.WatchRequest, context: grpc.aio.ServicerContext[notification_pb2.WatchRequest, notification_pb2.Notification]
    ) -> AsyncIterator[notification_pb2.Notification]: ...

def add_NotificationServiceServicer_to_server(
    servicer: NotificationServiceServicer, server: grpc.aio.Server
) -> None: ...
