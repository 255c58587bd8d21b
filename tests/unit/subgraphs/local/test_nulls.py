"""How far a null travels: the table of the specification's section 6.4.4."""

import pytest
import strawberry

from graphgw import Subgraph, batched, resolved

GOOD = {"must": "x"}
BAD = {"must": None}


async def fail(keys, _context):
    return [None for _ in keys]


@strawberry.type
class Inner:
    must: str
    other: str | None = None
    loaded: str = batched(fail, key="must")


@strawberry.type
class Outer:
    plain: Inner
    maybe: Inner | None
    all_must: list[Inner]
    items_maybe: list[Inner | None]
    list_maybe: list[Inner] | None
    grid: list[list[Inner] | None]
    tags: list[str] | None


ROW = {
    "plain": GOOD,
    "maybe": GOOD,
    "all_must": [GOOD],
    "items_maybe": [GOOD],
    "list_maybe": [GOOD],
    "grid": [[GOOD]],
    "tags": ["a"],
}


def serve(row):
    async def find(_context):
        return row

    @strawberry.type
    class Query:
        maybe: Outer | None = resolved(find)
        must: Outer = resolved(find)

    return Subgraph("nulls", query=Query)


def told(result):
    return [(e.path, e.message) for e in result.errors]


INNER_MUST = "Cannot return null for non-nullable field Inner.must."


@pytest.mark.parametrize(
    ("text", "row", "expected", "path"),
    [
        pytest.param(
            "maybe { must }", {"maybe": BAD}, {"maybe": None}, ("maybe", "must"), id="o"
        ),
        pytest.param(
            "plain { must }", {"plain": BAD}, None, ("plain", "must"), id="object!"
        ),
        pytest.param(
            "itemsMaybe { must }",
            {"items_maybe": [GOOD, BAD]},
            {"itemsMaybe": [GOOD, None]},
            ("itemsMaybe", 1, "must"),
            id="item",
        ),
        pytest.param(
            "listMaybe { must }",
            {"list_maybe": [GOOD, BAD, BAD]},
            {"listMaybe": None},
            ("listMaybe", 1, "must"),
            id="item!-of-list",
        ),
        pytest.param(
            "allMust { must }",
            {"all_must": [BAD]},
            None,
            ("allMust", 0, "must"),
            id="item!-of-list!",
        ),
        pytest.param(
            "grid { must }",
            {"grid": [[GOOD], [GOOD, BAD], None]},
            {"grid": [[GOOD], None, None]},
            ("grid", 1, 1, "must"),
            id="grid",
        ),
    ],
)
async def test_a_null_travels_to_the_nearest_nullable_place(
    ask, text, row, expected, path
):
    result = await ask(serve(ROW | row), f"{{ maybe {{ {text} }} }}")

    assert result.data == {"maybe": expected}
    assert told(result) == [(("maybe", *path), INNER_MUST)]


@pytest.mark.parametrize(
    ("text", "row", "expected", "path", "coordinate"),
    [
        pytest.param(
            "plain { must }", {"plain": None}, None, ("plain",), "plain", id="object!"
        ),
        pytest.param(
            "allMust { must }",
            {"all_must": None},
            None,
            ("allMust",),
            "allMust",
            id="list!",
        ),
        pytest.param(
            "listMaybe { must }",
            {"list_maybe": [None]},
            {"listMaybe": None},
            ("listMaybe", 0),
            "listMaybe",
            id="item!",
        ),
        pytest.param(
            "tags",
            {"tags": ["a", None]},
            {"tags": None},
            ("tags", 1),
            "tags",
            id="leaf",
        ),
    ],
)
async def test_a_missing_row_is_told_where_it_is_missing(
    ask, text, row, expected, path, coordinate
):
    result = await ask(serve(ROW | row), f"{{ maybe {{ {text} }} }}")

    message = f"Cannot return null for non-nullable field Outer.{coordinate}."
    assert result.data == {"maybe": expected}
    assert told(result) == [(("maybe", *path), message)]


async def test_a_null_that_travels_all_the_way_leaves_no_data(ask):
    result = await ask(serve(ROW | {"plain": BAD}), "{ must { plain { must } } }")

    assert result.data is None
    assert told(result) == [(("must", "plain", "must"), INNER_MUST)]


async def test_nulls_are_no_errors_where_they_may_be(ask):
    row = ROW | {"maybe": None, "items_maybe": [None], "list_maybe": None}

    result = await ask(
        serve(row),
        "{ maybe { maybe { must } itemsMaybe { must } listMaybe { must } } }",
    )

    assert result.data == {
        "maybe": {"maybe": None, "itemsMaybe": [None], "listMaybe": None}
    }
    assert result.errors == ()


async def test_one_error_is_told_for_an_object_that_is_nulled(ask):
    """Fields after the one whose null has travelled past them count no more."""
    row = ROW | {"maybe": {"must": "x", "other": {"no": "text"}}}

    result = await ask(serve(row), "{ maybe { maybe { loaded other } } }")

    assert result.data == {"maybe": {"maybe": None}}
    assert told(result) == [
        (
            ("maybe", "maybe", "loaded"),
            "Cannot return null for non-nullable field Inner.loaded.",
        )
    ]


async def test_errors_before_it_are_told_as_well(ask):
    row = ROW | {"maybe": {"must": "x", "other": {"no": "text"}}}

    result = await ask(serve(row), "{ maybe { maybe { other loaded } } }")

    assert [path for path, _ in told(result)] == [
        ("maybe", "maybe", "other"),
        ("maybe", "maybe", "loaded"),
    ]


async def test_null_items_are_seen_where_no_field_of_theirs_is_read(ask):
    @strawberry.type
    class Leaf:
        text: str

    @strawberry.type
    class Node:
        leaves: list[Leaf] | None

    async def answer(_context):
        return [{"leaves": [{"text": "a"}, None]}]

    @strawberry.type
    class Query:
        nodes: list[Node] = resolved(answer)

    subgraph = Subgraph("nodes", query=Query)

    result = await ask(subgraph, "{ nodes { leaves { __typename } } }")

    assert result.data == {"nodes": [{"leaves": None}]}
    assert [error.path for error in result.errors] == [("nodes", 0, "leaves", 1)]
