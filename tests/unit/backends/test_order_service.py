from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backends.calls import CallLog
from backends.order.service import create_service
from backends.protos import calls_pb2, calls_pb2_grpc
from backends.protos import order_pb2 as pb
from backends.protos.order_pb2_grpc import OrderServiceStub
from backends.rpc import serve_rpc


@pytest.fixture
async def channel(connection):
    service = create_service(connection, CallLog())
    async with (
        serve_rpc(service, "127.0.0.1", 0) as url,
        grpc.aio.insecure_channel(url.removeprefix("grpc://")) as opened,
    ):
        yield opened


@pytest.fixture
def orders(channel):
    return OrderServiceStub(channel)


def new_order(**changes):
    items = [
        pb.NewOrderItem(product_id="p1", quantity=2),
        pb.NewOrderItem(product_id="p2", quantity=1),
    ]
    return pb.CreateOrderRequest(**{"user_id": "u1", "items": items, **changes})


async def test_orders_are_answered_in_the_order_of_the_ids(orders):
    reply = await orders.GetOrders(pb.GetOrdersRequest(ids=["o9", "o0", "o2", "o9"]))

    assert [order.id for order in reply.orders] == ["o9", "o2"]


async def test_an_order_has_all_its_parts(orders):
    reply = await orders.GetOrders(pb.GetOrdersRequest(ids=["o1"]))

    (order,) = reply.orders
    assert order.status == pb.ORDER_STATUS_DELIVERED
    assert order.currency == "EUR"
    assert order.total_cents == sum(
        item.quantity * item.unit_price_cents for item in order.items
    )
    assert order.created_at.ToDatetime(UTC).year == 2025
    assert order.HasField("delivered_at")
    assert not order.HasField("note")


async def test_each_user_has_a_page_of_the_newest_orders(orders):
    reply = await orders.ListByUsers(
        pb.ListByUsersRequest(user_ids=["u2", "nobody", "u1"], first=2)
    )

    assert [page.user_id for page in reply.lists] == ["u2", "nobody", "u1"]
    full, empty, _ = reply.lists
    assert len(full.orders) == 2
    assert full.page_info == pb.PageInfo(
        has_more=True, end_cursor=full.orders[-1].id, total=full.page_info.total
    )
    assert full.page_info.total > 2
    assert empty.page_info == pb.PageInfo(has_more=False, total=0)


async def test_the_next_page_begins_after_the_cursor(orders):
    whole = await orders.ListByUsers(pb.ListByUsersRequest(user_ids=["u1"], first=1000))
    (everything,) = whole.lists
    one = await orders.ListByUsers(pb.ListByUsersRequest(user_ids=["u1"], first=3))
    cursor = one.lists[0].page_info.end_cursor
    two = await orders.ListByUsers(
        pb.ListByUsersRequest(user_ids=["u1"], first=1000, after=cursor)
    )

    assert [*one.lists[0].orders, *two.lists[0].orders] == list(everything.orders)
    assert two.lists[0].page_info.total == everything.page_info.total
    assert not two.lists[0].page_info.has_more


async def test_orders_are_listed_by_status(orders):
    users = [f"u{number}" for number in range(1, 101)]
    cancelled = pb.ORDER_STATUS_CANCELLED

    reply = await orders.ListByUsers(
        pb.ListByUsersRequest(user_ids=users, status=cancelled)
    )

    listed = [order for page in reply.lists for order in page.orders]
    assert listed
    assert {order.status for order in listed} == {cancelled}
    assert sum(page.page_info.total for page in reply.lists) == len(listed)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(pb.ListByUsersRequest(first=-1), id="negative-first"),
        pytest.param(pb.ListByUsersRequest(first=1001), id="large-first"),
        pytest.param(pb.ListByUsersRequest(after="u1"), id="foreign-cursor"),
        pytest.param(pb.ListByUsersRequest(status=99), id="unknown-status"),
        pytest.param(pb.ListByUsersRequest(user_ids=["u1"] * 1001), id="large-batch"),
    ],
)
async def test_a_wrong_list_request_is_refused(orders, request_):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await orders.ListByUsers(request_)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_created_order_is_the_newest_of_its_user(orders):
    before = datetime.now(UTC) - timedelta(seconds=1)

    order = await orders.CreateOrder(new_order(note="Ring twice."))

    assert (order.id, order.user_id) == ("o5001", "u1")
    assert order.status == pb.ORDER_STATUS_PENDING
    assert [(item.product_id, item.quantity) for item in order.items] == [
        ("p1", 2),
        ("p2", 1),
    ]
    assert order.items[0].unit_price_cents == 4659
    assert order.note == "Ring twice."
    assert order.created_at.ToDatetime(UTC) >= before
    assert order.delivered_at == Timestamp()
    listed = await orders.ListByUsers(pb.ListByUsersRequest(user_ids=["u1"], first=1))
    assert list(listed.lists[0].orders) == [order]


@pytest.mark.parametrize(
    ("request_", "code", "detail"),
    [
        pytest.param(
            new_order(items=[]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "an order has 1 to 20 items, not 0",
            id="no-items",
        ),
        pytest.param(
            new_order(items=[pb.NewOrderItem(product_id="p1", quantity=0)]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "the quantity of p1 has to be 1 to 100",
            id="no-quantity",
        ),
        pytest.param(
            new_order(items=[pb.NewOrderItem(product_id="p1", quantity=1)] * 2),
            grpc.StatusCode.INVALID_ARGUMENT,
            "a product may be in an order once",
            id="product-twice",
        ),
        pytest.param(
            new_order(note="n" * 501),
            grpc.StatusCode.INVALID_ARGUMENT,
            "the note has more than 500 characters",
            id="long-note",
        ),
        pytest.param(
            new_order(user_id="u0"),
            grpc.StatusCode.NOT_FOUND,
            'there is no user "u0"',
            id="unknown-user",
        ),
        pytest.param(
            new_order(items=[pb.NewOrderItem(product_id="p0", quantity=1)]),
            grpc.StatusCode.NOT_FOUND,
            'there is no product "p0"',
            id="unknown-product",
        ),
    ],
)
async def test_a_wrong_order_is_refused(orders, request_, code, detail):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await orders.CreateOrder(request_)

    assert refused.value.code() is code
    assert refused.value.details() == detail


async def test_calls_their_keys_and_deadlines_are_counted(orders, channel):
    calls = calls_pb2_grpc.CallsServiceStub(channel)
    await orders.GetOrders(pb.GetOrdersRequest(ids=["o1", "o2"]))
    await orders.GetOrders(
        pb.GetOrdersRequest(ids=["o3"]), timeout=5, metadata=[("x-request-id", "r1")]
    )

    counted = (await calls.Get(calls_pb2.GetRequest())).endpoints

    assert list(counted) == ["OrderService/GetOrders"]
    entry = counted["OrderService/GetOrders"]
    assert (entry.calls, entry.keys, entry.with_deadline) == (2, 3, 1)
    assert 0 < entry.last_timeout_ms <= 5100  # gRPC rounds up what it sends
    assert entry.last_metadata["x-request-id"] == "r1"


async def test_counts_are_reset(orders, channel):
    calls = calls_pb2_grpc.CallsServiceStub(channel)
    await orders.GetOrders(pb.GetOrdersRequest(ids=["o1"]))

    await calls.Reset(calls_pb2.ResetRequest())

    assert not (await calls.Get(calls_pb2.GetRequest())).endpoints


async def test_a_slow_service_exceeds_a_short_deadline(connection):
    service = create_service(connection, CallLog(delay=30))
    async with (
        serve_rpc(service, "127.0.0.1", 0) as url,
        grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await OrderServiceStub(channel).GetOrders(
                pb.GetOrdersRequest(), timeout=0.1
            )

    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_second_service_cannot_take_the_port(connection):
    service = create_service(connection, CallLog())
    async with serve_rpc(service, "127.0.0.1", 0) as url:
        port = int(url.rpartition(":")[2])

        with pytest.raises(OSError, match="port"):
            async with serve_rpc(service, "127.0.0.1", port):
                pass
