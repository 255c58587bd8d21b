"""The answer's ``Cache-Control`` is as strict as its strictest part."""

from __future__ import annotations

import pytest
from support.policies import ruled

from graphgw.types import ANONYMOUS, Principal

SDL = """
type Query {
  minute: Int @cacheControl(maxAge: 60)
  hour: Int @cacheControl(maxAge: 3600)
  mine: Int @cacheControl(maxAge: 60, scope: PRIVATE)
  never: Int @cacheControl(maxAge: 0)
  unsaid: Int
  guarded: Int @authenticated @cacheControl(maxAge: 60)
  accept: Int @cacheControl(maxAge: 60, vary: ["Accept-Language"])
  user: User @cacheControl(maxAge: 3600)
  product: Product
  products: [Product!]
  node: Node
  union: Both
}
type User { name: String  secret: Int @cacheControl(scope: PRIVATE)  friend: Friend
  kept: Friend @cacheControl(inheritMaxAge: true) }
type Friend { name: String }
type Product @cacheControl(maxAge: 120) {
  name: String  stock: Int @cacheControl(maxAge: 5)
}
interface Node { id: ID }
type Leaf implements Node @cacheControl(maxAge: 30) { id: ID }
type Twig implements Node @cacheControl(maxAge: 20) { id: ID @cacheControl(maxAge: 10) }
union Both = Leaf | Twig
type Mutation { minute: Int @cacheControl(maxAge: 60) }
"""


@pytest.fixture(scope="module")
def graph():
    return ruled(SDL)


def control(graph, query, *, has_errors=False, principal=ANONYMOUS):
    headers = graph.policies.response_headers(
        graph.operation(query), has_errors=has_errors, principal=principal
    )
    return dict(headers)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("{ minute }", "max-age=60, public", id="one"),
        pytest.param("{ minute hour }", "max-age=60, public", id="least"),
        pytest.param("{ mine hour }", "max-age=60, private", id="private-wins"),
        pytest.param("{ minute never }", "no-store", id="zero"),
        pytest.param("{ minute unsaid }", "no-store", id="a-root-field-without"),
        pytest.param("{ user { name } }", "max-age=3600, public", id="plain-inherits"),
        pytest.param("{ user { secret } }", "max-age=3600, private", id="part"),
        pytest.param("{ user { friend { name } } }", "no-store", id="object-without"),
        pytest.param(
            "{ user { kept { name } } }", "max-age=3600, public", id="inherit-max-age"
        ),
        pytest.param("{ product { name } }", "max-age=120, public", id="of-the-type"),
        pytest.param("{ products { name stock } }", "max-age=5, public", id="in-list"),
        pytest.param("{ node { id } }", "max-age=10, public", id="implementations"),
        pytest.param(
            "{ node { ... on Leaf { id } } }", "max-age=20, public", id="fragment"
        ),
        pytest.param("{ union { __typename } }", "max-age=20, public", id="union"),
        pytest.param("{ guarded }", "max-age=60, private", id="guarded-is-private"),
        pytest.param(
            "{ minute __schema { queryType { name } } }", "no-store", id="introspection"
        ),
    ],
)
def test_the_strictest_part_counts(graph, query, expected):
    assert control(graph, query)["cache-control"] == expected


@pytest.mark.parametrize(
    "query", ["{ unsaid }", "{ __typename }", "mutation { minute }"]
)
def test_nothing_is_said_where_nothing_is_declared(graph, query):
    assert control(graph, query) == {}
    assert control(graph, query, has_errors=True) == {}


def test_an_answer_with_errors_is_not_to_be_kept(graph):
    assert control(graph, "{ minute }", has_errors=True) == {
        "cache-control": "no-store"
    }


def test_headers_that_change_the_answer_are_named(graph):
    assert control(graph, "{ accept }")["vary"] == "accept-language"


def test_what_a_known_caller_is_answered_is_for_them_alone(graph):
    operation = graph.operation("{ minute hour }")
    found = [
        graph.policies.response_headers(operation, has_errors=False, principal=who)
        for who in (ANONYMOUS, Principal("u1"))
    ]

    assert [dict(headers)["cache-control"] for headers in found] == [
        "max-age=60, public",
        "max-age=60, private",
    ]


def test_a_graph_without_hints_says_nothing():
    graph = ruled("type Query { x: Int }")

    assert control(graph, "{ x }") == {}
