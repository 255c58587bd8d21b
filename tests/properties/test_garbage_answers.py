"""Whatever subgraphs answer, the client gets what the schema promises, or null."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.graphs import FakeGraph
from support.library_graph import LIBRARY_SDL, Library

from graphgw.subgraphs.protocol import FetchError, FetchResult

QUERY = """
{
  me { name age mood reviews { stars author { name } } }
  items {
    __typename title owner { name score }
    ... on Book { shipping shelf { grid } }
  }
  things { ... on Film { minutes copies } ... on User { friends { mood } } }
}
"""
KEYS = [
    *("__typename", "id", "grid", "me", "items", "things", "shelf", "owner", "author"),
    *("age", "name", "mood", "score", "friends", "reviews", "stars", "title"),
    *("price", "weight", "shipping", "copies", "minutes"),
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["Book", "Film", "User", "HAPPY", "SECRET", "x", "1", ""])
)
garbage = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=25,
)
roots = st.dictionaries(st.sampled_from(["me", "items", "things"]), garbage)
paths = st.lists(st.sampled_from(KEYS) | st.integers(0, 4), max_size=4)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_garbage_never_reaches_the_client_and_never_fails_the_operation(data):
    graph = FakeGraph.read(LIBRARY_SDL, Library().graph().subgraphs)
    for subgraph in graph.subgraphs.values():
        subgraph.change = lambda result: spoil(data, result)

    result = asyncio.run(graph.run(QUERY))

    schema = graph.supergraph.api_schema
    assert result.data is None or fits(result.data, schema.query_type, schema)
    codes = {error["extensions"]["code"] for error in result.errors}
    assert codes <= {"SOURCE_BAD_ANSWER", "SOURCE_ERROR"}
    orjson.dumps([result.data, result.errors])


def spoil(data: Any, result: FetchResult) -> FetchResult:
    """Return garbage for an answer, or sound parts with garbage among them."""
    errors = tuple(
        FetchError("broken", tuple(path))
        for path in data.draw(st.lists(paths, max_size=2))
    )
    choice = data.draw(st.integers(0, 3))
    if choice == 0:
        return FetchResult(data.draw(garbage | roots), errors)
    if isinstance(result.data, list):
        replaced = [
            data.draw(garbage) if data.draw(st.integers(0, 3)) == 0 else entity
            for entity in result.data
        ]
        return FetchResult(replaced, errors)
    if choice == 1 and isinstance(result.data, dict):
        return FetchResult({**result.data, **data.draw(roots)}, errors)
    return FetchResult(result.data, errors)


def fits(value: Any, type_: Any, schema: Any) -> bool:
    """Tell whether a value may stand where the schema has this type."""
    if isinstance(type_, GraphQLNonNull):
        return value is not None and fits(value, type_.of_type, schema)
    if value is None:
        return True
    if isinstance(type_, GraphQLList):
        return isinstance(value, list) and all(
            fits(item, type_.of_type, schema) for item in value
        )
    if isinstance(type_, GraphQLEnumType):
        return value in type_.values
    if is_leaf_type(type_):
        kinds = {"Int": int, "Float": (int, float), "String": str, "ID": str}
        return isinstance(value, kinds[type_.name]) and not isinstance(value, bool)
    return isinstance(value, dict) and fits_object(value, type_, schema)


def fits_object(value: dict[str, Any], type_: Any, schema: Any) -> bool:
    types = schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]
    return any(
        isinstance(get_named_type(found), GraphQLObjectType)
        and all(
            fits(item, found.fields[key].type, schema)
            if key in found.fields
            else key == "__typename" and item == found.name
            for key, item in value.items()
        )
        for found in types
    )
