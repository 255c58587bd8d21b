import asyncio

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from backends.calls import CallLog
from backends.data.notifications import NotificationRepository
from backends.notification.service import create_service
from backends.notification.watchers import MAX_BEHIND, WatchEnd, Watchers
from backends.protos import notification_pb2 as pb
from backends.protos.notification_pb2_grpc import NotificationServiceStub
from backends.rpc import serve_rpc

SERVICE = "shop.notification.v1.NotificationService"


@pytest.fixture
async def channel(connection):
    service = create_service(connection, CallLog())
    async with (
        serve_rpc(service, "127.0.0.1", 0) as url,
        grpc.aio.insecure_channel(url.removeprefix("grpc://")) as opened,
    ):
        yield opened


@pytest.fixture
def notifications(channel):
    return NotificationServiceStub(channel)


def new_notification(**changes):
    values = {
        "user_id": "u1",
        "kind": pb.NOTIFICATION_KIND_ORDER,
        "title": "Order received",
        "body": "Thank you.",
    }
    return pb.NotifyRequest(**{**values, **changes})


async def test_notifications_are_answered_in_the_order_of_the_ids(notifications):
    reply = await notifications.GetNotifications(
        pb.GetNotificationsRequest(ids=["n5", "n0", "n2"])
    )

    assert [found.id for found in reply.notifications] == ["n5", "n2"]


async def test_each_user_has_a_list_newest_first(notifications):
    reply = await notifications.ListByUsers(
        pb.ListByUsersRequest(user_ids=["u2", "nobody", "u1"])
    )

    assert [listed.user_id for listed in reply.lists] == ["u2", "nobody", "u1"]
    for listed in reply.lists:
        times = [found.created_at.seconds for found in listed.notifications]
        assert times == sorted(times, reverse=True)
        assert listed.total == len(times)
        assert listed.unread_count == sum(
            not found.read for found in listed.notifications
        )


async def test_read_notifications_are_left_out_on_request(notifications):
    users = [f"u{number}" for number in range(1, 51)]

    reply = await notifications.ListByUsers(
        pb.ListByUsersRequest(user_ids=users, unread_only=True)
    )

    found = [row for listed in reply.lists for row in listed.notifications]
    assert found
    assert not any(row.read for row in found)


async def test_a_notification_is_marked_as_read(notifications):
    created = await notifications.Notify(new_notification())

    marked = await notifications.MarkRead(pb.MarkReadRequest(id=created.id))

    assert not created.read
    assert marked.read
    assert marked.id == created.id


async def test_all_notifications_of_a_user_are_marked_as_read(notifications):
    await notifications.Notify(new_notification())
    ask = pb.ListByUsersRequest(user_ids=["u1"])
    unread = (await notifications.ListByUsers(ask)).lists[0].unread_count

    reply = await notifications.MarkAllRead(pb.MarkAllReadRequest(user_id="u1"))

    assert reply.updated == unread > 0
    assert (await notifications.ListByUsers(ask)).lists[0].unread_count == 0


async def test_a_watcher_gets_what_is_new_for_its_user(notifications):
    watch = notifications.Watch(pb.WatchRequest(user_id="u1"))
    await watch.initial_metadata()

    await notifications.Notify(new_notification(user_id="u2"))
    created = await notifications.Notify(new_notification(order_id="o1"))

    assert await watch.read() == created
    assert created.id == "n3002"
    assert created.order_id == "o1"
    watch.cancel()


async def test_every_watcher_of_a_user_is_told(notifications):
    watches = [notifications.Watch(pb.WatchRequest(user_id="u1")) for _ in range(2)]
    for watch in watches:
        await watch.initial_metadata()

    created = await notifications.Notify(new_notification())

    assert [await watch.read() for watch in watches] == [created, created]
    for watch in watches:
        watch.cancel()


async def test_watchers_are_told_when_the_service_stops(connection):
    service = create_service(connection, CallLog())
    async with asyncio.timeout(5), serve_rpc(service, "127.0.0.1", 0) as url:
        channel = grpc.aio.insecure_channel(url.removeprefix("grpc://"))
        watch = NotificationServiceStub(channel).Watch(pb.WatchRequest(user_id="u1"))
        await watch.initial_metadata()

    async with channel:
        assert await watch.code() is grpc.StatusCode.UNAVAILABLE
        assert await watch.details() == "the service stops"


def test_a_watcher_that_falls_behind_is_ended(connection):
    watchers = Watchers()
    notification = NotificationRepository(connection).get_many(["n1"])[0]

    with watchers.watch(notification.user_id) as queue:
        for _ in range(MAX_BEHIND + 2):
            watchers.publish(notification)

        received = [queue.get_nowait() for _ in range(queue.qsize())]

    assert received == [notification] * MAX_BEHIND + [WatchEnd.FELL_BEHIND]


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        pytest.param(
            "Notify",
            new_notification(user_id="u0"),
            grpc.StatusCode.NOT_FOUND,
            id="notify-unknown-user",
        ),
        pytest.param(
            "Notify",
            new_notification(kind=0),
            grpc.StatusCode.INVALID_ARGUMENT,
            id="no-kind",
        ),
        pytest.param(
            "Notify",
            new_notification(kind=99),
            grpc.StatusCode.INVALID_ARGUMENT,
            id="unknown-kind",
        ),
        pytest.param(
            "Notify",
            new_notification(title=""),
            grpc.StatusCode.INVALID_ARGUMENT,
            id="no-title",
        ),
        pytest.param(
            "Notify",
            new_notification(body="b" * 1001),
            grpc.StatusCode.INVALID_ARGUMENT,
            id="long-body",
        ),
        pytest.param(
            "MarkRead",
            pb.MarkReadRequest(id="n0"),
            grpc.StatusCode.NOT_FOUND,
            id="unknown-notification",
        ),
        pytest.param(
            "MarkAllRead",
            pb.MarkAllReadRequest(user_id="u0"),
            grpc.StatusCode.NOT_FOUND,
            id="mark-unknown-user",
        ),
        pytest.param(
            "ListByUsers",
            pb.ListByUsersRequest(first=-1),
            grpc.StatusCode.INVALID_ARGUMENT,
            id="negative-first",
        ),
    ],
)
async def test_a_wrong_call_is_refused(notifications, method, request_, code):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(notifications, method)(request_)

    assert refused.value.code() is code


async def test_an_unknown_user_cannot_be_watched(notifications):
    watch = notifications.Watch(pb.WatchRequest(user_id="u0"))

    assert await watch.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("name", ["", SERVICE])
async def test_health_is_answered(channel, name):
    stub = health_pb2_grpc.HealthStub(channel)

    reply = await stub.Check(health_pb2.HealthCheckRequest(service=name))

    assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_services_are_found_by_reflection(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")

    replies = [reply async for reply in stub.ServerReflectionInfo(iter([ask]))]

    names = {service.name for service in replies[0].list_services_response.service}
    assert {SERVICE, "shop.calls.v1.CallsService", "grpc.health.v1.Health"} <= names
