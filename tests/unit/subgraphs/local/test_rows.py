import datetime as dt
from collections import UserDict
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

import pytest
import strawberry

from graphgw import Subgraph, batched, computed, resolved, sourced


@strawberry.enum
class Status(Enum):
    OPEN = "open"
    DONE = "done"


async def echo(keys, _context):
    return [f"note {key}" for key in keys]


@strawberry.type
class Part:
    code: str


@strawberry.type
class Item:
    id: strawberry.ID
    unit_price: int
    amount: float | None = sourced("price.amount")
    status: Status
    parts: list[Part]
    label: str = computed("{}/{}".format, reads=("unit_price", "status"))
    note: str = batched(echo, key="unit_price")


@dataclass
class PriceRow:
    amount: float


@dataclass
class PartRow:
    code: str


@dataclass
class ItemRow:
    id: str
    unit_price: int
    price: PriceRow | None
    status: Status
    parts: list[PartRow]


def as_dict():
    return {
        "id": "i",
        "unit_price": 5,
        "price": {"amount": 1.5},
        "status": "open",
        "parts": [{"code": "a"}],
    }


def as_mapping():
    return UserDict(as_dict())


def as_dataclass():
    return ItemRow("i", 5, PriceRow(1.5), Status.OPEN, [PartRow("a")])


def as_instance():
    return Item(
        id=strawberry.ID("i"),
        unit_price=5,
        amount=1.5,
        status=Status.OPEN,
        parts=[Part(code="a")],
    )


@strawberry.type
class Box:
    size: int
    boxes: list["Box"]
    lid: "Box | None"


def serve(*rows):
    async def find_items(_context):
        return list(rows)

    @strawberry.type
    class Query:
        items: list[Item] | None = resolved(find_items)

    return Subgraph("items", query=Query)


TEXT = "{ items { id unitPrice amount status parts { code } note } }"
ANSWER = {
    "id": "i",
    "unitPrice": 5,
    "amount": 1.5,
    "status": "OPEN",
    "parts": [{"code": "a"}],
    "note": "note 5",
}

KINDS = [
    pytest.param(as_dict, id="dict"),
    pytest.param(as_mapping, id="mapping"),
    pytest.param(as_dataclass, id="dataclass"),
    pytest.param(as_instance, id="strawberry"),
]


@pytest.mark.parametrize("make", KINDS)
async def test_every_kind_of_row_gives_the_same_answer(ask, make):
    result = await ask(serve(make()), TEXT)

    assert result.data == {"items": [ANSWER]}
    assert result.errors == ()


async def test_kinds_may_be_mixed_in_one_column(ask):
    rows = [as_dict(), as_instance(), as_dataclass(), as_dict()]

    result = await ask(serve(*rows), TEXT)

    assert result.data == {"items": [ANSWER] * 4}


@pytest.mark.parametrize("make", KINDS)
async def test_computed_fields_read_every_kind_of_row(ask, make):
    result = await ask(serve(make()), "{ items { label } }")

    (item,) = result.data["items"]
    assert item["label"] in {"5/open", "5/Status.OPEN"}


async def test_a_path_that_ends_early_is_null(ask):
    rows = [as_dict() | {"price": None}, as_dict()]
    del rows[1]["price"]

    result = await ask(serve(*rows), "{ items { amount } }")

    assert result.data == {"items": [{"amount": None}] * 2}
    assert result.errors == ()


async def test_a_path_of_a_dataclass_that_ends_early_is_null(ask):
    row = as_dataclass()
    row.price = None

    result = await ask(serve(row), "{ items { amount } }")

    assert result.data == {"items": [{"amount": None}]}


async def test_an_attribute_that_is_not_there_is_an_error_of_ours(ask):
    result = await ask(serve(PartRow("x")), "{ items { unitPrice } }")

    assert result.data == {"items": None}
    assert [(e.message, e.path) for e in result.errors] == [
        ("Internal server error", ("items", 0, "unitPrice"))
    ]


async def test_selections_keep_their_order_and_aliases(ask):
    result = await ask(
        serve(as_dict()), "{ items { note z: id __typename a: id unitPrice } }"
    )

    assert list(result.data["items"][0].items()) == [
        ("note", "note 5"),
        ("z", "i"),
        ("__typename", "Item"),
        ("a", "i"),
        ("unitPrice", 5),
    ]


async def test_selections_of_one_response_key_are_joined(ask):
    result = await ask(
        serve(as_dict()),
        "{ items { parts { code } parts { again: code } ... on Item { id } } }",
    )

    assert result.data["items"][0] == {
        "parts": [{"code": "a", "again": "a"}],
        "id": "i",
    }


async def test_answers_are_fresh_objects(ask):
    row = as_dict()

    first = await ask(serve(row), "{ items { parts { code } } }")
    first.data["items"][0]["parts"].append("changed")

    assert row["parts"] == [{"code": "a"}]


async def test_texts_of_json_are_taken_for_scalars_that_are_text(ask):
    moment = "2026-11-24T10:00:00+00:00"

    async def find_event(_context):
        return {
            "at": "2026-11-24T10:00:00Z",
            "day": "2026-11-24",
            "hour": "10:30:00",
            "total": "12.50",
        }

    async def find_object(_context):
        return {
            "at": dt.datetime.fromisoformat(moment),
            "day": dt.date(2026, 11, 24),
            "hour": dt.time(10, 30),
            "total": Decimal("12.50"),
        }

    @strawberry.type
    class Event:
        at: dt.datetime
        day: dt.date | None
        hour: dt.time
        total: Decimal

    @strawberry.type
    class Query:
        text: Event = resolved(find_event)
        object: Event = resolved(find_object)

    result = await ask(
        Subgraph("events", query=Query),
        "{ text { at day hour total } object { at day hour total } }",
    )

    expected = {
        "at": moment,
        "day": "2026-11-24",
        "hour": "10:30:00",
        "total": "12.50",
    }
    assert result.data == {"text": expected, "object": expected}


async def test_a_text_that_is_no_date_is_an_error(ask):
    async def find_event(_context):
        return {"at": "yesterday"}

    @strawberry.type
    class Event:
        at: dt.datetime | None

    @strawberry.type
    class Query:
        event: Event = resolved(find_event)

    result = await ask(Subgraph("events", query=Query), "{ event { at } }")

    assert result.data == {"event": {"at": None}}
    assert [(e.message, e.code) for e in result.errors] == [
        ("DateTime cannot represent value: 'yesterday'", "SOURCE_BAD_ANSWER")
    ]


async def test_values_that_do_not_fit_show_no_more_than_plain_values(ask):
    row = as_dict() | {"unit_price": {"secret": 1}, "status": {"secret": 1}}

    result = await ask(serve(row), "{ items { unitPrice status } }")

    assert [e.message for e in result.errors] == ["Int cannot represent value: <dict>"]


async def test_names_of_types_keep_clear_of_generated_names(ask):
    @strawberry.enum(name="input")
    class Input(Enum):
        A = 1

    async def find_thing(_context):
        return {"input": 1, "parts": [{"code": "c"}]}

    @strawberry.type
    class Thing:
        input: Input
        parts: list[Part]

    @strawberry.type
    class Query:
        thing: Thing = resolved(find_thing)

    result = await ask(
        Subgraph("names", query=Query), "{ thing { input parts { code } } }"
    )

    assert result.data == {"thing": {"input": "A", "parts": [{"code": "c"}]}}


@pytest.mark.parametrize("key", ["boxes", "lid"])
@pytest.mark.parametrize("levels", [5, 40])
async def test_rows_may_stand_in_each_other_at_any_depth(ask, key, levels):
    row = {"size": 0, "boxes": [], "lid": None}
    made, query = {"size": 0}, "size"
    for size in range(1, levels):
        row = {"size": size, "boxes": [row, row][: size % 2 + 1], "lid": row}
        inner = [made, made][: size % 2 + 1] if key == "boxes" else made
        made, query = {"size": size, key: inner}, f"size {key} {{ {query} }}"
        if size > 10:
            row["boxes"] = row["boxes"][:1]
            made[key] = made[key][:1] if key == "boxes" else made[key]

    async def find_box(_context) -> dict[str, object]:
        return row

    @strawberry.type
    class Query:
        box: Box = resolved(find_box)

    result = await ask(Subgraph("boxes", query=Query), f"{{ box {{ {query} }} }}")

    assert result.data == {"box": made}
    assert result.errors == ()
