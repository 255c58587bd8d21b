"""Planned and executed over subgraphs equals graphql-core on the monolith."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from graphql import ExecutionResult, graphql_sync
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fake_subgraph import resolve_field
from support.generate_operations import operations
from support.library_graph import BREAKABLE, LIBRARY_SDL, Library

from graphgw.federation.read_supergraph import read_supergraph

API_SCHEMA = read_supergraph(LIBRARY_SDL).api_schema
HIDDEN = "SECRET"

ids = st.sampled_from(["1", "2", "4", "9"])
any_operation = operations(
    API_SCHEMA,
    values={
        "Query.users(first:)": st.integers(0, 4),
        "User.reviews(min:)": st.integers(0, 5),
        "ID": ids,
    },
    max_depth=5,
)
slow = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


breaks = st.dictionaries(
    st.sampled_from(BREAKABLE), st.sampled_from(["null", "error"]), max_size=6
)


def run(library: Library, query: str, variables: dict[str, Any]) -> Any:
    return asyncio.run(library.graph().run(query, variables))


def broken_library(breaks: dict[tuple[str, str, str], str]) -> Library:
    library = Library()
    for (type_name, key, name), what in breaks.items():
        broken = None if what == "null" else ValueError(f"{type_name}.{name} broke")
        library.rows[type_name, key][name] = broken
    return library


def ask_oracle(
    library: Library, query: str, variables: dict[str, Any]
) -> ExecutionResult:
    return graphql_sync(
        API_SCHEMA,
        query,
        library.data,
        variable_values=variables,
        field_resolver=_resolve,
    )


def _resolve(row: Any, info: Any, **arguments: Any) -> Any:
    """Resolve like a subgraph, but give hidden enum values as null."""
    value = resolve_field(row, info, **arguments)
    return None if value == HIDDEN else value


@slow
@given(any_operation)
def test_the_federated_answer_is_the_monoliths(operation):
    query, variables = operation
    library = Library()

    actual = run(library, query, variables)

    expected = ask_oracle(library, query, variables)
    assert expected.errors is None
    assert actual.errors == []
    assert json.dumps(actual.data) == json.dumps(expected.data)


@slow
@given(any_operation, breaks)
def test_nulls_and_errors_are_those_of_the_monolith(operation, breaks):
    query, variables = operation
    library = broken_library(breaks)

    actual = run(library, query, variables)

    expected = ask_oracle(library, query, variables)
    assert json.dumps(actual.data) == json.dumps(expected.data)
    paths = {tuple(error["path"]) for error in actual.errors}
    for error in expected.errors or ():
        assert tuple(error.path or ()) in paths
    assert bool(actual.errors) == bool(expected.errors)


@slow
@given(any_operation, breaks, st.randoms(use_true_random=False))
def test_the_order_in_which_fetches_end_does_not_matter(operation, breaks, random):
    query, variables = operation
    library = broken_library(breaks)
    shuffled = library.graph()
    for subgraph in shuffled.subgraphs.values():
        subgraph.turns = lambda: random.randrange(8)

    actual = asyncio.run(shuffled.run(query, variables))

    expected = run(library, query, variables)
    assert json.dumps(actual.data) == json.dumps(expected.data)
    assert actual.errors == expected.errors
