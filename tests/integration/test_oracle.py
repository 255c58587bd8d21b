"""The gateway's answers equal those of graphql-core over the same rows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import RunningGateway
from graphql import print_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.test_shop import mint
from support.generate_operations import operations
from support.oracle import Oracle
from support.processes import ROOT

from graphgw.assemble import compose_settings
from graphgw.config.load import load_settings

COMPOSED = asyncio.run(compose_settings(load_settings(ROOT / "graphgw.yaml", {})))
SCHEMA = COMPOSED.supergraph.api_schema


def ids(letter: str, highest: int) -> st.SearchStrategy[str]:
    # The last id of each kind does not exist.
    return st.integers(1, highest).map(lambda number: f"{letter}{number}") | st.just(
        f"{letter}999999"
    )


FIRST = st.integers(0, 4)
WORDS = st.sampled_from(["an", "el", "lamp", "zzz"])

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Query.user(id:)": ids("u", 800),
    "Query.product(id:)": ids("p", 1000),
    "Query.order(id:)": ids("o", 5000),
    "Query.notification(id:)": ids("n", 3000),
    "Query.users(first:)": FIRST,
    "Query.users(after:)": ids("u", 300),
    "Query.users(search:)": WORDS,
    "Query.products(first:)": FIRST,
    "Query.products(after:)": ids("p", 900),
    "Query.products(search:)": WORDS,
    "Query.products(category:)": st.sampled_from(["Books", "Garden", "nothing"]),
    "User.orders(first:)": FIRST,
    "User.orders(after:)": ids("o", 5000),
    "User.notifications(first:)": FIRST,
}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(print_schema(SCHEMA))


@pytest.fixture(scope="module")
def token() -> str:
    return mint("orders:read users:contact")


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(
    print_blob=False,
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(drawn=operations(SCHEMA, values=VALUES, max_depth=6))
def test_generated_operations_are_answered_as_by_graphql_core(
    gateway: RunningGateway,
    oracle: Oracle,
    token: str,
    drawn: tuple[str, dict[str, Any]],
):
    text, variables = drawn

    answer = gateway.ask(text, variables, token=token)

    expected = oracle.ask(text, variables)
    told = f"{text}\n{variables}\n{answer.get('errors')}\n{expected.errors}"
    assert find_difference(answer.get("data"), expected.data) is None, told
    paths = [error.get("path") for error in answer.get("errors", [])]
    expected_paths = [error.path for error in expected.errors or []]
    assert sorted(map(repr, paths)) == sorted(map(repr, expected_paths)), told


def find_difference(actual: Any, expected: Any, path: str = "data") -> str | None:
    """Return the first place where two answers differ, order of keys included."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        if list(actual) != list(expected):
            return f"{path}: {list(actual)} != {list(expected)}"
        pairs = [(f"{path}.{key}", actual[key], expected[key]) for key in actual]
    elif isinstance(actual, list) and isinstance(expected, list):
        if len(actual) != len(expected):
            return f"{path}: {len(actual)} items != {len(expected)}"
        both = zip(actual, expected, strict=True)
        pairs = [(f"{path}[{i}]", one, other) for i, (one, other) in enumerate(both)]
    else:
        same = actual == expected and type(actual) is type(expected)
        return None if same else f"{path}: {actual!r} != {expected!r}"
    found = (find_difference(one, other, place) for place, one, other in pairs)
    return next((difference for difference in found if difference), None)
