"""The subgraphs of the benchmarks answer what they are asked, and nothing else."""

from __future__ import annotations

import orjson
import pytest
from graphql import build_schema, execute_sync, parse, validate

from benchmarks.operations import OPERATIONS
from benchmarks.remote.prepare import MACHINERY
from benchmarks.remote.rows import NAMES, load_graph
from benchmarks.remote.server import Answerer
from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL


def _ask(name, query, variables=None):
    body = orjson.dumps({"query": query, "variables": variables})
    return orjson.loads(Answerer(load_graph(name)).answer(body))


def test_entities_stand_where_their_representations_do():
    query = """query ($of: [_Any!]!) {
      _entities(representations: $of) { ... on Product { id price { cents } } }
    }"""
    found = [{"__typename": "Product", "id": key} for key in ("p2", "p0", "p1", "p2")]

    answer = _ask("product", query, {"of": found})

    entities = answer["data"]["_entities"]
    assert [entity and entity["id"] for entity in entities] == ["p2", None, "p1", "p2"]
    assert entities[0]["price"] == {"cents": 174}


def test_entities_of_several_types_are_told_apart():
    query = """query ($of: [_Any!]!) {
      _entities(representations: $of) {
        __typename
        ... on User { orders(first: 1) { nodes { id } } }
        ... on Order { user { id } }
      }
    }"""
    found = [{"__typename": "User", "id": "u1"}, {"__typename": "Order", "id": "o5"}]

    answer = _ask("order", query, {"of": found})

    assert answer["data"]["_entities"] == [
        {"__typename": "User", "orders": {"nodes": [{"id": "o5"}]}},
        {"__typename": "Order", "user": {"id": "u1"}},
    ]


def test_another_argument_is_another_answer():
    answerer = Answerer(load_graph("order"))
    query = """query ($of: [_Any!]!, $first: Int = 3) {
      _entities(representations: $of) {
        ... on User { orders(first: $first) { nodes { id } } }
      }
    }"""
    of = [{"__typename": "User", "id": "u1"}]

    counts = []
    for variables in ({"of": of}, {"of": of, "first": 1}, {"of": of, "first": 2}):
        body = orjson.dumps({"query": query, "variables": variables})
        (user,) = orjson.loads(answerer.answer(body))["data"]["_entities"]
        counts.append(len(user["orders"]["nodes"]))

    assert counts == [3, 1, 2]


def test_aliases_and_fragments_are_followed():
    query = """query {
      a: user(id: "u1") { ...names key: id }
      b: user(id: "u2") { ...names ... on User { id } ... { name } }
    }
    fragment names on User { name __typename }"""

    answer = _ask("user", query)

    assert answer["data"] == {
        "a": {"name": "Bruno Berg", "__typename": "User", "key": "u1"},
        "b": {"name": "Chiara Costa", "__typename": "User", "id": "u2"},
    }


def test_lists_are_rings():
    query = '{ users(first: 3, after: "u999") { nodes { id } totalCount } }'

    answer = _ask("user", query)

    listed = answer["data"]["users"]
    assert [row["id"] for row in listed["nodes"]] == ["u1000", "u1", "u2"]
    assert listed["totalCount"] == 1000


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("{ user(id: 1) { nothing } }", "nothing", id="unknown-field"),
        pytest.param("{ user(id: 1) { id ", "Syntax Error", id="no-graphql"),
        pytest.param("query A { __typename } query B { __typename }", "one query",
                     id="two-queries"),
        pytest.param("{ user(id: 1) @skip(if: true) { id } }", "directives",
                     id="directive"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_an_error(query, message):
    answer = _ask("user", query)

    assert message in answer["errors"][0]["message"]
    assert "data" not in answer


@pytest.mark.parametrize("name", NAMES)
def test_rows_fit_the_schema(name):
    graph = load_graph(name)
    schema = build_schema(graph.sdl + MACHINERY % " | ".join(graph.entities))
    for typename, rows in graph.entities.items():
        fields = schema.type_map[typename].fields
        assert fields.keys() == next(iter(rows.values())).keys()


def test_answers_are_those_of_a_reference_executor():
    graph = load_graph("product")
    schema = build_schema(graph.sdl + MACHINERY % "Product")
    query = """{
      products(first: 30, after: "p5") {
        nodes { id name category rating price { cents currency } }
        pageInfo { hasNextPage endCursor }
        totalCount
      }
    }"""
    root = {"products": lambda _info, **given: graph.roots["products"](given)}

    expected = execute_sync(schema, parse(query), root).data

    assert _ask("product", query)["data"] == expected


def test_the_operations_fit_the_composed_graph():
    subgraphs = [
        SubgraphSDL(name, f"http://{name}", load_graph(name).sdl) for name in NAMES
    ]

    composed = compose(subgraphs)

    schema = composed.supergraph.api_schema
    for operation in OPERATIONS.values():
        assert validate(schema, parse(operation.query)) == []
