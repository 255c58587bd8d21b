from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

import pytest
import strawberry
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    timestamp_pb2,
    wrappers_pb2,
)
from strawberry.scalars import JSON

from graphgw import ConfigurationError, Subgraph, batched, resolved, sourced
from graphgw.subgraphs.local.well_known import stamp_text, to_datetime, to_timedelta

TYPES = descriptor_pb2.FieldDescriptorProto


def build_messages():
    """Compile an order message with every kind of field."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/order.proto", package="tests", syntax="proto3"
    )
    file.dependency.extend(
        [
            timestamp_pb2.DESCRIPTOR.name,
            duration_pb2.DESCRIPTOR.name,
            wrappers_pb2.DESCRIPTOR.name,
        ]
    )
    status = file.enum_type.add(name="OrderStatus")
    for number, name in enumerate(("UNSPECIFIED", "OPEN", "DONE", "LOST")):
        status.value.add(name=f"ORDER_STATUS_{name}", number=number)
    money = file.message_type.add(name="Money")
    money.field.add(name="amount", number=1, type=TYPES.TYPE_INT64, label=1)
    order = file.message_type.add(name="Order")
    for number, (name, kind, type_name, label) in enumerate(
        [
            ("id", TYPES.TYPE_STRING, None, 1),
            ("number", TYPES.TYPE_INT64, None, 1),
            ("weight", TYPES.TYPE_DOUBLE, None, 1),
            ("paid", TYPES.TYPE_BOOL, None, 1),
            ("status", TYPES.TYPE_ENUM, ".tests.OrderStatus", 1),
            ("history", TYPES.TYPE_ENUM, ".tests.OrderStatus", 3),
            ("price", TYPES.TYPE_MESSAGE, ".tests.Money", 1),
            ("fees", TYPES.TYPE_MESSAGE, ".tests.Money", 3),
            ("tags", TYPES.TYPE_STRING, None, 3),
            ("numbers", TYPES.TYPE_INT64, None, 3),
            ("created_at", TYPES.TYPE_MESSAGE, ".google.protobuf.Timestamp", 1),
            ("seen_at", TYPES.TYPE_MESSAGE, ".google.protobuf.Timestamp", 3),
            ("from", TYPES.TYPE_STRING, None, 1),
            ("nickname", TYPES.TYPE_MESSAGE, ".google.protobuf.StringValue", 1),
        ],
        1,
    ):
        order.field.add(
            name=name, number=number, type=kind, type_name=type_name, label=label
        )
    order.oneof_decl.add(name="_note")
    order.field.add(
        name="note",
        number=30,
        type=TYPES.TYPE_STRING,
        label=1,
        proto3_optional=True,
        oneof_index=0,
    )
    entry = order.nested_type.add(name="CountsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=TYPES.TYPE_STRING, label=1)
    entry.field.add(name="value", number=2, type=TYPES.TYPE_INT32, label=1)
    order.field.add(
        name="counts",
        number=31,
        type=TYPES.TYPE_MESSAGE,
        type_name=".tests.Order.CountsEntry",
        label=3,
    )
    pool = descriptor_pool.DescriptorPool()
    for known in (timestamp_pb2, duration_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.Order"))


OrderMessage = build_messages()


@strawberry.enum
class Status(Enum):
    OPEN = "open"
    DONE = "done"


@dataclass
class Holder:
    node: object


async def note_of(keys, _context):
    return [f"note {key!r}" for key in keys]


@strawberry.type
class Money:
    amount: int


@strawberry.type
class Order:
    id: strawberry.ID
    number: int | None
    number_as_id: strawberry.ID = sourced("number")
    weight: float
    paid: bool
    status: Status | None
    must_status: Status = sourced("status")
    history: list[Status]
    price: Money | None
    cents: int | None = sourced("price.amount")
    fees: list[Money]
    tags: list[str]
    numbers: list[int | None] | None
    created_at: datetime | None
    seen_at: list[datetime]
    sender: str = sourced("from")
    nickname: str | None
    note: str | None
    must_note: str = sourced("note")
    counts: JSON
    about: str | None = batched(note_of, key="note")


def serve(*rows, **options):
    async def find_orders(_context):
        return list(rows)

    @strawberry.type
    class Query:
        orders: list[Order | None] = resolved(find_orders)

    return Subgraph("orders", query=Query, **options)


def full():
    order = OrderMessage(
        id="o1",
        number=7,
        weight=1.5,
        paid=True,
        status=1,
        history=[1, 2],
        tags=["a", "b"],
        numbers=[1, 2],
        note="n",
        counts={"x": 1},
        **{"from": "me"},
    )
    order.price.amount = 250
    order.fees.add(amount=1)
    order.created_at.FromDatetime(datetime(2026, 11, 24, 10, tzinfo=UTC))
    order.seen_at.add().FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    order.nickname.value = "nick"
    return order


FULL = {
    "id": "o1",
    "number": 7,
    "numberAsId": "7",
    "weight": 1.5,
    "paid": True,
    "status": "OPEN",
    "mustStatus": "OPEN",
    "history": ["OPEN", "DONE"],
    "price": {"amount": 250},
    "cents": 250,
    "fees": [{"amount": 1}],
    "tags": ["a", "b"],
    "numbers": [1, 2],
    "createdAt": "2026-11-24T10:00:00+00:00",
    "seenAt": ["2026-01-01T00:00:00+00:00"],
    "sender": "me",
    "nickname": "nick",
    "note": "n",
    "counts": {"x": 1},
    "about": "note 'n'",
}
UNSET = {
    "id": "",
    "number": 0,
    "numberAsId": "0",
    "weight": 0.0,
    "paid": False,
    "status": None,
    "history": [],
    "price": None,
    "cents": None,
    "fees": [],
    "tags": [],
    "numbers": [],
    "createdAt": None,
    "seenAt": [],
    "sender": "",
    "nickname": None,
    "note": None,
    "counts": {},
    "about": None,
}


def select_all(fields):
    below = {"price": "price { amount }", "fees": "fees { amount }"}
    return " ".join(below.get(field, field) for field in fields)


async def test_messages_are_read_by_their_descriptor(ask):
    result = await ask(serve(full()), f"{{ orders {{ {select_all(FULL)} }} }}")

    assert result.data == {"orders": [FULL]}
    assert result.errors == ()


async def test_what_is_unset_is_null_only_where_presence_is_known(ask):
    result = await ask(serve(OrderMessage()), f"{{ orders {{ {select_all(UNSET)} }} }}")

    assert result.data == {"orders": [UNSET]}
    assert result.errors == ()


@pytest.mark.parametrize("field", ["mustStatus", "mustNote"])
async def test_what_is_unset_may_not_stand_in_a_non_null_field(ask, field):
    rows = [full(), OrderMessage()]

    result = await ask(serve(*rows), f"{{ orders {{ {field} }} }}")

    assert [order is None for order in result.data["orders"]] == [False, True]
    assert [(e.path, e.message) for e in result.errors] == [
        (
            ("orders", 1, field),
            f"Cannot return null for non-nullable field Order.{field}.",
        )
    ]


async def test_an_enum_number_without_name_is_an_error(ask):
    result = await ask(serve(OrderMessage(status=3)), "{ orders { status } }")

    assert result.data == {"orders": [{"status": None}]}
    assert [e.path for e in result.errors] == [("orders", 0, "status")]


async def test_numbers_beyond_int_are_errors(ask):
    result = await ask(serve(OrderMessage(number=2**31)), "{ orders { number } }")

    assert result.data == {"orders": [{"number": None}]}
    assert [e.message for e in result.errors] == [
        "Int cannot represent non 32-bit signed integer value: 2147483648"
    ]


async def test_an_unset_message_key_makes_no_call(ask):
    result = await ask(serve(OrderMessage(), full()), "{ orders { about } }")

    assert result.data == {"orders": [{"about": None}, {"about": "note 'n'"}]}


async def test_messages_and_dicts_may_share_a_column(ask):
    rows = [full(), {"id": "d", "status": "done"}]

    result = await ask(serve(*rows), "{ orders { id status } }")

    assert result.data == {
        "orders": [{"id": "o1", "status": "OPEN"}, {"id": "d", "status": "DONE"}]
    }


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda row: {"node": row}, id="dict"),
        pytest.param(Holder, id="dataclass"),
    ],
)
async def test_paths_lead_from_rows_of_one_kind_into_another(ask, wrap):
    async def find_edges(_context):
        return [wrap(full()), wrap(OrderMessage()), wrap({"id": "d"}), wrap(None)]

    @strawberry.type
    class Edge:
        cursor: str | None = sourced("node.id")
        status: Status | None = sourced("node.status")
        at: datetime | None = sourced("node.created_at")
        cents: int | None = sourced("node.price.amount")

    @strawberry.type
    class Query:
        edges: list[Edge] = resolved(find_edges)

    result = await ask(
        Subgraph("edges", query=Query), "{ edges { cursor status at cents } }"
    )

    assert result.errors == ()
    assert [tuple(edge.values()) for edge in result.data["edges"]] == [
        ("o1", "OPEN", "2026-11-24T10:00:00+00:00", 250),
        ("", None, None, None),
        ("d", None, None, None),
        (None, None, None, None),
    ]


async def test_an_enum_may_have_the_numbers_of_a_message_as_values(ask):
    @strawberry.enum
    class Stage(Enum):
        FIRST = 1
        SECOND = 2

    async def find_order(_context):
        return OrderMessage(status=2, history=[1, 2])

    @strawberry.type
    class Staged:
        status: Stage
        history: list[Stage]

    @strawberry.type
    class Query:
        order: Staged = resolved(find_order)

    result = await ask(Subgraph("stages", query=Query), "{ order { status history } }")

    assert result.data == {
        "order": {"status": "SECOND", "history": ["FIRST", "SECOND"]}
    }


def test_messages_below_promised_messages_are_expected(prepare):
    async def find_orders(_context) -> list[OrderMessage]:
        return []

    @strawberry.type
    class Query:
        orders: list[Order] = resolved(find_orders)

    code = prepare(
        Subgraph("orders", query=Query), "{ orders { id price { amount } } }"
    ).code()

    assert "# Order from tests.Order\n" in code
    assert "# Money from tests.Money\n" in code
    assert "from dict" not in code


def test_durations_become_timedeltas():
    assert to_timedelta(duration_pb2.Duration(seconds=2, nanos=5000)) == timedelta(
        seconds=2, microseconds=5
    )


def test_fields_that_a_named_message_lacks_are_found_at_registration():
    @strawberry.type
    class Parcel:
        id: strawberry.ID
        colour: str
        size: int = sourced("price.size")

    async def find_parcel(_context):
        return full()

    @strawberry.type
    class Query:
        parcel: Parcel = resolved(find_parcel)

    with pytest.raises(ConfigurationError) as refusal:
        Subgraph("parcels", query=Query, rows={OrderMessage: Parcel})

    assert [(p.where, p.message) for p in refusal.value.problems] == [
        ("Parcel.colour", "Order has no field colour"),
        ("Parcel.size", "Order has no field price.size"),
    ]


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [
        pytest.param(0, 0, id="epoch"),
        pytest.param(0, 1_000, id="microsecond"),
        pytest.param(0, 999, id="below-a-microsecond"),
        pytest.param(-1, 999_999_999, id="before-epoch"),
        pytest.param(1_709_210_096, 0, id="leap-day"),
        pytest.param(1_709_210_096, 120_000_000, id="fraction"),
        pytest.param(-62_135_596_800, 0, id="first-year"),
        pytest.param(253_402_300_799, 999_999_999, id="last-second"),
    ],
)
def test_a_timestamp_reads_like_its_datetime(seconds, nanos):
    stamp = timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)

    assert stamp_text(seconds, nanos) == to_datetime(stamp).isoformat()


def test_a_timestamp_beyond_the_calendar_is_refused():
    with pytest.raises(ValueError, match=r"year|ordinal"):
        stamp_text(253_402_300_800, 0)


async def test_a_timestamp_at_the_epoch_is_not_an_unset_one(ask):
    epoch = OrderMessage()
    epoch.created_at.SetInParent()

    result = await ask(serve(epoch, OrderMessage()), "{ orders { createdAt } }")

    assert [order["createdAt"] for order in result.data["orders"]] == [
        "1970-01-01T00:00:00+00:00",
        None,
    ]
