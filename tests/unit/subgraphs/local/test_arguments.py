from datetime import date
from enum import Enum
from typing import Annotated

import pytest
import strawberry

from graphgw import Subgraph, batched, resolved


@strawberry.enum
class Order(Enum):
    UP = "up"
    DOWN = "down"


@strawberry.input
class Range:
    low: int = 0
    high: int | None = None


@strawberry.input
class Filter:
    text: str
    ranges: list[Range] | None = None
    order: Order = Order.UP


@pytest.fixture
def graph():
    seen = []

    async def find(
        _context,
        *,
        first: Annotated[int, strawberry.argument(description="How many.")] = 10,
        after: strawberry.ID | None,
        filter: Filter | None = None,  # noqa: A002 - the argument's name
        order: Order = Order.DOWN,
        day: date | None = None,
        sort_keys: list[str] | None = None,
    ):
        seen.append(
            {
                "first": first,
                "after": after,
                "filter": filter,
                "order": order,
                "day": day,
                "sort_keys": sort_keys,
            }
        )
        return "found"

    @strawberry.type
    class Query:
        search: str | None = resolved(find)

    return Subgraph("search", query=Query), seen


DEFAULTS = {
    "first": 10,
    "after": None,
    "filter": None,
    "order": Order.DOWN,
    "day": None,
    "sort_keys": None,
}


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        pytest.param("", {}, {}, id="left-out"),
        pytest.param("(first: 3)", {}, {"first": 3}, id="literal"),
        pytest.param("(first: $n)", {"n": 4}, {"first": 4}, id="variable"),
        pytest.param("(first: $n)", {}, {}, id="variable-left-out"),
        pytest.param("(after: null)", {}, {"after": None}, id="null"),
        pytest.param("(after: 7)", {}, {"after": "7"}, id="id-of-int"),
        pytest.param("(order: UP)", {}, {"order": Order.UP}, id="enum"),
        pytest.param(
            "(order: $o)", {"o": "UP"}, {"order": Order.UP}, id="enum-variable"
        ),
        pytest.param(
            '(day: "2026-11-24")', {}, {"day": date(2026, 11, 24)}, id="scalar"
        ),
        pytest.param(
            '(filter: {text: "a"})', {}, {"filter": Filter(text="a")}, id="input"
        ),
        pytest.param(
            '(filter: {text: "a", ranges: [{low: $l}, {high: $h}], order: $o})',
            {"l": 2, "o": "DOWN"},
            {
                "filter": Filter(
                    text="a", ranges=[Range(low=2), Range()], order=Order.DOWN
                )
            },
            id="variables-inside",
        ),
        pytest.param(
            "(filter: $f)",
            {"f": {"text": "a", "ranges": [{"low": 1, "high": 2}]}},
            {"filter": Filter(text="a", ranges=[Range(low=1, high=2)])},
            id="input-variable",
        ),
        pytest.param('(sortKeys: "a")', {}, {"sort_keys": ["a"]}, id="list-of-one"),
        pytest.param(
            '(sortKeys: ["a", $k])', {"k": "b"}, {"sort_keys": ["a", "b"]}, id="list"
        ),
    ],
)
async def test_arguments_arrive_as_python_values(
    ask, graph, arguments, variables, expected
):
    subgraph, seen = graph

    result = await ask(subgraph, f"{{ search{arguments} }}", variables=variables)

    assert result.data == {"search": "found"}
    assert seen == [DEFAULTS | expected]


async def test_a_value_that_does_not_fit_is_an_error_of_its_field(ask, graph):
    subgraph, seen = graph

    result = await ask(
        subgraph,
        "{ a: search(first: $n) b: search }",
        variables={"n": "many"},
    )

    assert result.data == {"a": None, "b": "found"}
    assert [(e.path, e.code) for e in result.errors] == [(("a",), "BAD_USER_INPUT")]
    assert seen == [DEFAULTS]


def test_arguments_are_declared_with_defaults_and_descriptions(graph):
    subgraph, _ = graph

    assert (
        'search(\n    """How many."""\n    first: Int! = 10\n    after: ID\n'
        in subgraph.sdl
    )
    assert "order: Order! = DOWN" in subgraph.sdl


async def test_each_set_of_arguments_is_one_call(ask):
    calls = []

    async def tag_rows(ids, _context, *, by: Filter | None = None):
        calls.append((ids, by and by.text))
        return ids

    async def find_rows(_context):
        return [{"id": "1"}, {"id": "2"}]

    @strawberry.type
    class Row:
        id: strawberry.ID
        tag: str = batched(tag_rows, key="id")

    @strawberry.type
    class Query:
        rows: list[Row] = resolved(find_rows)

    await ask(
        Subgraph("rows", query=Query),
        '{ rows { a: tag(by: {text: "x"}) b: tag(by: $f) c: tag(by: {text: "y"}) } }',
        variables={"f": {"text": "x"}},
    )

    assert calls == [(["1", "2"], "x"), (["1", "2"], "y")]
