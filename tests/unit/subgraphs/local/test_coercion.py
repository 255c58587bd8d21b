"""Every leaf type, plainly right or not: what graphql-core makes of it."""

import math
from decimal import Decimal
from enum import Enum

import pytest
import strawberry
from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
)

from graphgw import Subgraph, resolved
from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.local.coerce import complete_leaf
from graphgw.subgraphs.local.generate import generate_leaves

VALUES = [
    "",
    "text",
    "12",
    "1.5",
    0,
    1,
    -5,
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    2**53 + 1,
    0.0,
    1.5,
    2.0,
    math.nan,
    math.inf,
    -math.inf,
    True,
    False,
    Decimal(2),
    Decimal("2.5"),
    [],
    {},
    b"bytes",
]
LEAVES = [GraphQLInt, GraphQLFloat, GraphQLString, GraphQLBoolean, GraphQLID]


def coerced(leaf, value):
    try:
        return leaf.coerce_output_value(value), None
    except GraphQLError as error:
        return None, error.message


OUTCOMES = [
    pytest.param(leaf, value, *coerced(leaf, value), id=f"{leaf.name}-{value!r}")
    for leaf in LEAVES
    for value in VALUES
]


@pytest.mark.parametrize(
    ("leaf", "value", "expected"),
    [pytest.param(*o.values[:3], id=o.id) for o in OUTCOMES if o.values[3] is None],
)
def test_what_graphql_core_coerces_is_coerced_alike(leaf, value, expected):
    done, is_right = complete_leaf(value, (True,), leaf, "T.f")
    (quick,) = generate_leaves(leaf, (False,))([value])

    assert is_right
    assert (type(done), done) == (type(expected), expected)
    assert (type(quick), quick) == (type(expected), expected)


@pytest.mark.parametrize(
    ("leaf", "value", "message"),
    [
        pytest.param(*o.values[:2], o.values[3], id=o.id)
        for o in OUTCOMES
        if o.values[3] is not None
    ],
)
def test_what_graphql_core_refuses_is_refused(leaf, value, message):
    failure, is_right = complete_leaf(value, (True,), leaf, "T.f")

    assert not is_right
    assert isinstance(failure, SourceBadAnswerError)
    if isinstance(value, str | int | float):
        assert str(failure) == message
    with pytest.raises(GraphQLError):
        generate_leaves(leaf, (True,))([value])


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.name)
def test_null_fits_nullable_leaves_alone(leaf):
    assert complete_leaf(None, (False,), leaf, "T.f") == (None, True)
    assert complete_leaf(None, (True,), leaf, "T.f") == (None, False)
    assert generate_leaves(leaf, (False,))([None]) == [None]
    with pytest.raises(Exception, match="None"):
        generate_leaves(leaf, (True,))([None])


@strawberry.enum
class Size(Enum):
    SMALL = 1
    LARGE = strawberry.enum_value(2, name="BIG")


@strawberry.enum
class Crossed(Enum):
    """A value of one is the name of the other: values count first."""

    LEFT = "RIGHT"
    RIGHT = "LEFT"


def enum_leaf(enum):
    async def find(_context):
        return None

    @strawberry.type
    class Query:
        value: enum | None = resolved(find)

    return Subgraph("enums", query=Query).schema.core.get_type(enum.__name__)


@pytest.mark.parametrize(
    ("enum", "value", "name"),
    [
        pytest.param(Size, Size.SMALL, "SMALL", id="member"),
        pytest.param(Size, 1, "SMALL", id="value"),
        pytest.param(Size, "SMALL", "SMALL", id="name"),
        pytest.param(Size, Size.LARGE, "BIG", id="renamed-member"),
        pytest.param(Size, "LARGE", "BIG", id="python-name"),
        pytest.param(Size, "BIG", "BIG", id="graphql-name"),
        pytest.param(Crossed, "LEFT", "RIGHT", id="value-before-name"),
        pytest.param(Crossed, Crossed.LEFT, "LEFT", id="member-before-value"),
    ],
)
def test_enums_are_told_by_member_value_or_name(enum, value, name):
    leaf = enum_leaf(enum)

    assert complete_leaf(value, (True,), leaf, "T.f") == (name, True)
    assert generate_leaves(leaf, (True,))([value]) == [name]


@pytest.mark.parametrize("value", [9, "HUGE", [], {}], ids=repr)
def test_other_values_are_no_enum(value):
    leaf = enum_leaf(Size)

    failure, is_right = complete_leaf(value, (True,), leaf, "T.f")

    assert not is_right
    assert str(failure).startswith("Enum 'Size' cannot represent value: ")
    with pytest.raises((KeyError, TypeError)):
        generate_leaves(leaf, (True,))([value])


@pytest.mark.parametrize(
    ("non_null", "value", "expected"),
    [
        pytest.param((True, True), ["a"], ["a"], id="list"),
        pytest.param((True, True), ("a", "b"), ["a", "b"], id="tuple"),
        pytest.param((True, False), [None, "a"], [None, "a"], id="null-item"),
        pytest.param((False, True), None, None, id="no-list"),
        pytest.param((True, False, True), [["a"], None], [["a"], None], id="grid"),
    ],
)
def test_lists_are_coerced_item_by_item(non_null, value, expected):
    assert complete_leaf(value, non_null, GraphQLString, "T.f") == (expected, True)
    assert generate_leaves(GraphQLString, non_null)([value]) == [expected]


def test_any_iterable_is_a_list_with_care():
    texts = {"a": 1}.keys()

    assert complete_leaf(texts, (True, True), GraphQLString, "T.f") == (["a"], True)


def test_a_list_of_a_copy_is_made():
    row = ["a"]

    assert generate_leaves(GraphQLString, (True, True))([row])[0] is not row
