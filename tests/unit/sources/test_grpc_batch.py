from backends.protos import order_pb2 as pb
from backends.protos.order_pb2_grpc import OrderServiceStub
from graphgw.sources.grpc import grpc_source


class FakeOrders:
    """Answers ``GetOrders`` with known orders, newest first, and remembers."""

    def __init__(self, *known):
        self.known = known
        self.asked = []

    async def unary(self, path, request, parse, context, **options):
        del parse, context, options
        assert path == "/shop.order.v1.OrderService/GetOrders"
        ids = list(pb.GetOrdersRequest.FromString(request).ids)
        self.asked.append(ids)
        found = [pb.Order(id=key, user_id="u1") for key in self.known if key in ids]
        return pb.GetOrdersResponse(orders=found)


class Services:
    def __init__(self, service):
        self.service = service

    def grpc(self, name):
        assert name == "order"
        return self.service


async def test_a_batch_asks_once_and_keeps_the_keys_order(make_context):
    service = FakeOrders("o3", "o2", "o1")
    orders = grpc_source("order", OrderServiceStub)
    load = orders.batch("GetOrders", pb.GetOrdersRequest, rows="orders")

    rows = await load(["o1", "o9", "o3"], make_context(sources=Services(service)))

    assert [row and row.id for row in rows] == ["o1", None, "o3"]
    assert service.asked == [["o1", "o9", "o3"]]


async def test_a_large_batch_is_several_calls(make_context):
    service = FakeOrders("o1", "o2", "o3")
    orders = grpc_source("order", OrderServiceStub)
    load = orders.batch("GetOrders", pb.GetOrdersRequest, rows="orders", max_batch=2)

    rows = await load(["o1", "o2", "o3"], make_context(sources=Services(service)))

    assert [row.id for row in rows] == ["o1", "o2", "o3"]
    assert sorted(service.asked) == [["o1", "o2"], ["o3"]]


async def test_a_batch_may_give_lists(make_context):
    service = FakeOrders("o1", "o2")
    orders = grpc_source("order", OrderServiceStub)
    load = orders.batch(
        "GetOrders", pb.GetOrdersRequest, rows="orders", key="user_id", many=True
    )
    service.known = ("u1",)

    rows = await load(["u1", "u2"], make_context(sources=Services(service)))

    assert [[row.id for row in group] for group in rows] == [["u1"], []]
