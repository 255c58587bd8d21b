"""Embedded objects: what their values are, and that they are as computed ones."""

from dataclasses import make_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
import strawberry
from strawberry.scalars import JSON

from backends.protos import order_pb2
from graphgw import Subgraph, batched, computed, embedded, reference, resolved, sourced


@strawberry.enum
class Status(Enum):
    OPEN = 1
    DONE = 2


@strawberry.federation.type(keys=["id"])
class Product:
    id: strawberry.ID


@strawberry.type
class Inner:
    number: int
    text: str | None


async def note_of(keys, _context):
    return [f"note {key}" for key in keys]


@strawberry.type
class Part:
    number: int = sourced("n")
    maybe_number: int | None = sourced("n")
    text: str = sourced("t")
    number_as_id: strawberry.ID = sourced("n")
    real: float | None = sourced("n")
    flag: bool | None = sourced("f")
    status: Status | None = sourced("s")
    at: datetime | None = sourced("a")
    tags: list[str] | None = sourced("l")
    any: JSON | None = sourced("n")
    currency: str = sourced("c")
    rank: int | None = sourced("r")
    lost: str | None
    deep: str | None = sourced("t.deep")
    shown: str = computed("{} {}".format, reads=("n", "c"))
    inner: Inner = embedded(number="n", text="t")
    product: Product | None = reference(id="t")
    about: str | None = batched(note_of, key="n")


PARTS = {"n": "number", "t": "text", "f": "flag", "s": "status", "a": "at", "l": "tags"}
CONSTANTS = {"c": "EUR", "r": 3}
FIELDS = {
    "number": "number",
    "maybeNumber": "maybeNumber",
    "text": "text",
    "numberAsId": "numberAsId",
    "real": "real",
    "flag": "flag",
    "status": "status",
    "at": "at",
    "tags": "tags",
    "any": "any",
    "currency": "currency",
    "rank": "rank",
    "lost": "lost",
    "deep": "deep",
    "shown": "shown",
    "inner": "inner { text number }",
    "product": "product { id }",
    "about": "about",
}


def make_part(number, text, flag, status, at, tags) -> dict[str, Any]:
    values = (number, text, flag, status, at, tags)
    return {**dict(zip(PARTS, values, strict=True)), **CONSTANTS}


@strawberry.type
class Order:
    id: strawberry.ID
    must: Part = embedded(**PARTS, constants=CONSTANTS)
    may: Part | None = embedded(**PARTS, constants=CONSTANTS)


@strawberry.type(name="Order")
class Computed:
    id: strawberry.ID
    must: Part = computed(make_part, reads=tuple(PARTS.values()))
    may: Part | None = computed(make_part, reads=tuple(PARTS.values()))


def serve(order, rows):
    async def find_orders(_context):
        return rows

    @strawberry.type
    class Query:
        orders: list[order | None] = resolved(find_orders)

    return Subgraph("orders", query=Query)


RIGHT = {
    "id": "o1",
    "number": 7,
    "text": "seven",
    "flag": True,
    "status": 1,
    "at": datetime(2026, 11, 24, tzinfo=UTC),
    "tags": ["a", "b"],
}
EMPTY = dict.fromkeys(RIGHT) | {"id": "o2"}
CHANGES = [
    {},
    {"number": 2**31},
    {"number": None},
    {"number": "7"},
    {"number": 7.5},
    {"number": True},
    {"text": None},
    {"text": 5},
    {"text": {"deep": "down"}},
    {"flag": None},
    {"flag": 1},
    {"status": "OPEN"},
    {"status": Status.DONE},
    {"status": 9},
    {"at": "2026-11-24T00:00:00Z"},
    {"at": "never"},
    {"tags": ("a",)},
    {"tags": ["a", None]},
    {"tags": "ab"},
]


SELECTED = [
    "number text currency rank lost",
    "maybeNumber real any",
    "numberAsId",
    "flag status at tags",
    "shown inner product",
    "deep",
    " ".join(FIELDS),
]


def as_dataclass(values):
    row_class = make_dataclass("Row", values)
    return row_class(**values)


def select(selected):
    below = " ".join(FIELDS[name] for name in selected.split())
    return f"{{ orders {{ id must {{ {below} }} may {{ {below} }} }} }}"


@pytest.mark.parametrize("change", CHANGES, ids=repr)
@pytest.mark.parametrize("make", [dict, as_dataclass])
@pytest.mark.parametrize("selected", SELECTED)
async def test_embedded_objects_are_as_computed_ones(ask, change, make, selected):
    rows = [make(RIGHT), None, make(RIGHT | change), make(EMPTY)]
    text = select(selected)

    result = await ask(serve(Order, rows), text)

    expected = await ask(serve(Computed, rows), text)
    assert result.data == expected.data
    assert [(e.path, e.message) for e in result.errors] == [
        (e.path, e.message) for e in expected.errors
    ]


async def test_embedded_objects_are_made_without_calls(prepare):
    prepared = prepare(
        serve(Order, []), "{ orders { must { number shown currency inner { text } } } }"
    )

    code = prepared.code()

    assert "must: embed n=number, t=text" in code
    whole = code.partition("def whole(rows)")[2].partition("\n\n")[0]
    assert "row1['must']" not in whole
    assert "'n':" not in whole
    assert "RowOf" not in whole


def as_message(**change):
    row = order_pb2.Order(**({"id": "o1", "total_cents": 5, "note": "n"} | change))
    row.created_at.FromDatetime(datetime(2026, 11, 24, tzinfo=UTC))
    return row


@pytest.mark.parametrize(
    "row",
    [
        as_message(),
        as_message(status=1),
        as_message(status=9),
        as_message(total_cents=2**40),
        as_message(note=None),
        order_pb2.Order(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("selected", SELECTED)
async def test_embedded_objects_of_messages_are_as_computed_ones(ask, row, selected):
    parts = {"n": "total_cents", "t": "note", "s": "status", "a": "created_at"}
    parts |= {"l": "items", "f": "id"}

    @strawberry.type(name="Order")
    class Embedding:
        id: strawberry.ID
        must: Part = embedded(**parts, constants=CONSTANTS)
        may: Part | None = embedded(**parts, constants=CONSTANTS)

    def make_part(*values) -> dict[str, Any]:
        return {**dict(zip(parts, values, strict=True)), **CONSTANTS}

    @strawberry.type(name="Order")
    class Computing:
        id: strawberry.ID
        must: Part = computed(make_part, reads=tuple(parts.values()))
        may: Part | None = computed(make_part, reads=tuple(parts.values()))

    rows = [as_message(), row]
    result = await ask(serve(Embedding, rows), select(selected))

    expected = await ask(serve(Computing, rows), select(selected))
    assert result.data == expected.data
    assert [(e.path, e.message) for e in result.errors] == [
        (e.path, e.message) for e in expected.errors
    ]
