"""The subgraphs of the scenarios refuse what a wrong plan would ask of them."""

import pytest
from support.fixture_graph import FixtureGraph, ScenarioState
from support.fixture_schema import read_subgraph_schema

SDL = """
type Query {
  lamp: Lamp
  lit: Lamp @provides(fields: "maker { name }")
}

type Lamp
  @key(fields: "id")
  @key(fields: "site { code }")
  @key(fields: "tag", resolvable: false)
{
  id: ID!
  tag: ID!
  site: Site
  watts: Int
  size: Int @external
  maker: Maker
  label: String @requires(fields: "size")
}

type Site { code: ID! }

type Maker @key(fields: "name", resolvable: false) { name: String @external }

extend type Room @key(fields: "id") {
  id: ID! @external
  area: Int @external
  lamps: [Lamp!]
}
"""
DATA = {
    "Query": {"lamp": {"$ref": "Lamp", "id": "1"}, "lit": {"$ref": "Lamp", "id": "1"}},
    "entities": {
        "Lamp": [
            {
                "id": "1",
                "site": {"code": "n"},
                "watts": 9,
                "maker": {"name": "Ada"},
                "label": {"$format": "of {size}"},
            }
        ],
        "Room": [{"id": "r", "lamps": [{"$ref": "Lamp", "id": "1"}]}],
    },
}
ENTITIES = (
    "query ($representations: [_Any!]!)"
    "{ _entities(representations: $representations) { %s } }"
)


@pytest.fixture
def graph():
    schema = read_subgraph_schema(SDL)
    return FixtureGraph("lamps", schema, DATA, {("Lamp", "watts")}, ScenarioState())


def ask(graph, query):
    return graph.answer({"query": query})


def ask_for(graph, selections, *representations):
    variables = {"representations": list(representations)}
    return graph.answer({"query": ENTITIES % selections, "variables": variables})


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        pytest.param("{ lamp { size } }", "Lamp.size is external", id="external"),
        pytest.param("{ lamp { watts } }", "Lamp.watts is overridden", id="moved"),
        pytest.param(
            "{ lamp { maker { name } } }", "Maker.name is external", id="not-provided"
        ),
        pytest.param(
            "{ lamp { qqq } }",
            "Cannot query field 'qqq' on type 'Lamp'.",
            id="unknown",
        ),
    ],
)
def test_what_a_subgraph_does_not_resolve_is_refused(graph, query, complaint):
    answer = ask(graph, query)

    assert answer["data"] is None
    assert graph.state.complaints == [f"lamps: {complaint}"]


def test_what_is_provided_and_the_key_of_an_extension_are_answered(graph):
    lit = ask(graph, "{ lit { maker { name } } }")
    room = ask_for(graph, "... on Room { id }", {"__typename": "Room", "id": "r"})

    assert graph.state.complaints == []
    assert lit["data"] == {"lit": {"maker": {"name": "Ada"}}}
    assert room["data"] == {"_entities": [{"id": "r"}]}


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        pytest.param({"id": "1"}, "no reference resolver for None", id="no-type"),
        pytest.param(
            {"__typename": "Maker", "name": "Ada"},
            "no reference resolver for Maker",
            id="no-way-in",
        ),
        pytest.param(
            {"__typename": "Lamp", "tag": "t", "size": 1},
            "no whole key of Lamp",
            id="other-key",
        ),
        pytest.param(
            {"__typename": "Lamp", "site": {}, "size": 1},
            "no whole key of Lamp",
            id="half-a-key",
        ),
        pytest.param(
            {"__typename": "Lamp", "id": "1"},
            "Lamp lacks a required field",
            id="nothing-required",
        ),
        pytest.param(
            {"__typename": "Lamp", "id": "1", "size": 1, "colour": "red"},
            "Lamp.colour was not needed",
            id="too-much",
        ),
    ],
)
def test_a_poor_representation_is_refused(graph, sent, complaint):
    ask_for(graph, "... on Lamp { label }", sent)

    assert complaint in graph.state.complaints[0]


@pytest.mark.parametrize(
    ("sent", "label"),
    [
        pytest.param({"id": "1", "size": 4}, "of 4", id="first-key"),
        pytest.param({"site": {"code": "n"}, "size": None}, "of null", id="nested-key"),
    ],
)
def test_a_whole_representation_finds_its_row(graph, sent, label):
    answer = ask_for(graph, "... on Lamp { label }", {"__typename": "Lamp", **sent})

    assert graph.state.complaints == []
    assert answer["data"] == {"_entities": [{"label": label}]}


def test_an_unknown_key_finds_nothing(graph):
    sent = {"__typename": "Lamp", "id": "2", "size": 1}

    assert ask_for(graph, "... on Lamp { label }", sent)["data"] == {
        "_entities": [None]
    }
