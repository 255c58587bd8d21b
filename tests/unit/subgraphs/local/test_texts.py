"""Rows of JSON that nobody decoded answer as the values in it do."""

import datetime as dt
import sys
from enum import Enum
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.scalars import JSON

from graphgw import (
    JSONText,
    Subgraph,
    batched,
    by,
    computed,
    embedded,
    reference,
    resolved,
    sourced,
)
from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.row_codec import decode_row, encode_row
from graphgw.subgraphs.row_size import estimate_size


@strawberry.enum
class Status(Enum):
    OPEN = "open"
    DONE = 2


@strawberry.federation.type(keys=["id"])
class Maker:
    id: strawberry.ID


@strawberry.type
class Money:
    cents: int
    currency: str | None
    note: str | None = sourced("text")


async def label_of(keys, _context):
    return [f"label {key!r}" for key in keys]


@strawberry.type
class Item:
    id: strawberry.ID
    name: str
    note: str | None
    real: float | None
    flag: bool | None
    status: Status | None
    at: dt.datetime | None
    day: dt.date | None
    tags: list[str] | None
    ids: list[strawberry.ID | None]
    price: Money
    fees: list[Money | None] | None
    named: str = sourced("a.b")
    same: str | None = sourced("note")
    paid: Money = embedded(cents="total", currency="note", constants={"text": "t"})
    maker: Maker | None = reference(id="maker_id")
    upper: str | None = computed(str.upper, reads=("name",))
    any: JSON | None
    label: str | None = batched(label_of, key="id")


BELOW = {
    "price": "price { cents currency }",
    "fees": "fees { currency cents __typename }",
    "paid": "paid { cents currency note }",
    "maker": "maker { id }",
}
FIELDS = [
    *("id", "name", "note", "real", "flag", "status", "at", "day", "tags", "ids"),
    *("price", "fees", "named", "same", "paid", "maker", "upper", "any", "label"),
]
READ_AT_ONCE = [f for f in FIELDS if f not in {"named", "upper", "any", "label"}]
RIGHT = {
    "id": "i1",
    "name": "Größe",
    "note": None,
    "real": 2,
    "flag": True,
    "status": "open",
    "at": "2026-11-24T10:00:00Z",
    "day": "2026-11-24",
    "tags": ["a"],
    "ids": ["x", 5, None],
    "price": {"cents": 5, "currency": "EUR"},
    "fees": [{"cents": 1}],
    "a": {"b": "c"},
    "total": 7,
    "maker_id": "m1",
    "any": {"x": [1]},
    "more": {"not": ["asked", "for"]},
}
CHANGES = [
    *[{key: None} for key in RIGHT],
    {"id": 7},
    {"id": 1.5},
    {"name": 5},
    {"note": 5},
    {"real": 1.25},
    {"real": "1"},
    {"real": 2**60},
    {"flag": 1},
    {"status": "OPEN"},
    {"status": 2},
    {"status": "none"},
    {"at": "2026-11-24T10:00:00.5+02:00"},
    {"at": "never"},
    {"day": "2026-13-01"},
    {"tags": "a"},
    {"tags": ["a", None]},
    {"ids": []},
    {"ids": [True]},
    {"price": {"cents": 2**31}},
    {"price": {"cents": 5.0}},
    {"price": {"cents": "5"}},
    {"price": {}},
    {"price": []},
    {"price": [1]},
    {"fees": [None, {"cents": 2}]},
    {"fees": [{}]},
    {"fees": {}},
    {"total": -(2**31) - 1},
    {"maker_id": 5},
    {"maker_id": True},
]


def serve(value):
    async def find(_context) -> Any:
        return value

    @strawberry.type
    class Query:
        item: Item | None = resolved(find)
        must: Item = resolved(find)
        items: list[Item] | None = resolved(find)

    return Subgraph("items", query=Query)


def told(result):
    return result.data, [(error.path, error.message) for error in result.errors]


def select(fields, root="item"):
    return f"{{ {root} {{ {' '.join(BELOW.get(f, f) for f in fields)} }} }}"


READ_FROM = {"note": ["note", "same", "paid"], "total": ["paid"], "maker_id": ["maker"]}


@pytest.mark.parametrize("change", [{}, *CHANGES], ids=repr)
async def test_what_is_not_decoded_is_as_what_is(ask, change):
    whole = RIGHT | change
    found = {key: value for key, value in whole.items() if value is not None}
    chosen = [[f] for key in change for f in READ_FROM.get(key, [key]) if f in FIELDS]

    for row in [whole, found] if None in change.values() else [whole]:
        text = JSONText(orjson.dumps(row))
        for fields in [FIELDS, READ_AT_ONCE, *chosen]:
            for root in ("item", "must"):
                document = select(fields, root)
                expected = await ask(serve(row), document)
                assert told(await ask(serve(text), document)) == told(expected)


@pytest.mark.parametrize("value", [None, [], [RIGHT, RIGHT], 5, "x", {}, True])
async def test_it_need_not_be_an_object(ask, value):
    text = JSONText(orjson.dumps(value))

    for root in ("item", "must", "items"):
        document = select(["id", "price", "note"], root)
        expected = await ask(serve(value), document)
        assert told(await ask(serve(text), document)) == told(expected)


async def test_it_may_be_an_item_of_a_list(ask):
    rows = [RIGHT, RIGHT | {"id": 5}]
    texts = [JSONText(orjson.dumps(row)) for row in rows]

    document = select(["id", "label"], "items")
    expected = await ask(serve(rows), document)
    assert told(await ask(serve(texts), document)) == told(expected)
    assert not expected.errors


async def test_damaged_json_is_the_services_fault(ask):
    text = JSONText(b'{"id": "i1", "name": "x"', "shop")

    result = await ask(serve(text), select(["id", "name"]))

    assert result.data == {"item": None}
    (error,) = result.errors
    assert error.message == 'service "shop" answered JSON that is damaged'
    with pytest.raises(SourceBadAnswerError):
        _ = text.value


async def test_entities_and_batches_may_be_texts(ask_entities, ask):
    async def load(keys, _context):
        texts = {
            "i1": JSONText(orjson.dumps(RIGHT)),
            "i2": JSONText(b"null"),
            "i3": JSONText(b"{", "shop"),
        }
        return [texts.get(key) for key in keys]

    @strawberry.federation.type(keys=["id"])
    class Thing:
        id: strawberry.ID
        name: str
        price: Money
        item: Item | None = batched(load, key="id")
        meta: JSON | None = batched(load, key="id")

    async def find(_context) -> JSONText:
        return JSONText(b'{"id": "i1"}')

    @strawberry.type
    class Query:
        thing: Thing | None = resolved(find)

    subgraph = Subgraph("things", query=Query, entities={Thing: by("id", load)})
    ids = [{"__typename": "Thing", "id": f"i{n}"} for n in range(1, 5)]
    made = await ask_entities(
        subgraph, "{ ... on Thing { name price { cents } } }", ids, keys={"Thing": "id"}
    )
    shown = {"name": "Größe", "price": {"cents": 5}}
    assert made.data == [shown, None, None, None]
    assert [error.path for error in made.errors] == [(2,)]

    result = await ask(subgraph, "{ thing { id item { name price { cents } } meta } }")
    assert not result.errors
    assert result.data == {"thing": {"id": "i1", "item": shown, "meta": RIGHT}}


async def test_only_what_is_selected_is_decoded(prepare, open_context):
    text = JSONText(orjson.dumps(RIGHT))
    prepared = prepare(serve(text), select(READ_AT_ONCE))

    result = await prepared.run(open_context(), {}, ())

    assert result.data["item"]["paid"] == {"cents": 7, "currency": None, "note": "t"}
    assert sys.getsizeof(text) < 2 * len(text.text)  # nobody has read its value
    assert text.value == RIGHT
    assert text.value is text.value
    assert sys.getsizeof(text) > 4 * len(text.text)


def test_rows_that_are_promised_as_texts_are_made_ahead(prepare):
    async def find(_context) -> JSONText:
        return JSONText(b"null")

    @strawberry.type
    class Query:
        item: Item | None = resolved(find)

    prepared = prepare(Subgraph("items", query=Query), select(["id", "price"]))

    assert "# Item from JSON text" in prepared.code()
    assert "(row.text) for row in rows]" in prepared.code()


def test_keys_that_json_escapes_are_read_from_decoded_rows(prepare):
    @strawberry.type
    class Odd:
        text: str = sourced('a"b')

    async def find(_context) -> JSONText:
        return JSONText(b'{"a\\"b": "x"}')

    @strawberry.type
    class Query:
        odd: Odd | None = resolved(find)

    code = prepare(Subgraph("odd", query=Query), "{ odd { text } }").code()
    assert "(row.text) for row in rows]" not in code


def test_texts_are_kept_as_they_are():
    text = JSONText(b'{"id": 1}', "shop")

    kept = encode_row(text)

    assert kept is not None
    assert decode_row(kept).value == {"id": 1}
    assert encode_row(JSONText(b'{"id": 1')) is None
    assert estimate_size(JSONText(b" " * 1000)) > 1000
