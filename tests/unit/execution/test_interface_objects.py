"""Objects of a subgraph that has an interface as an object: they have no type."""

import pytest
from support.fake_subgraph import FakeSubgraph
from support.graphs import FakeGraph, supergraph_header

from graphgw.subgraphs.protocol import FetchResult

SUPERGRAPH = (
    supergraph_header("ZOO", "FEED")
    + """
interface Animal
  @join__type(graph: ZOO, key: "id")
  @join__type(graph: FEED, key: "id", isInterfaceObject: true)
{ id: ID! name: String @join__field(graph: ZOO) meal: String @join__field(graph: FEED) }
type Seal implements Animal
  @join__implements(graph: ZOO, interface: "Animal")
  @join__type(graph: ZOO, key: "id")
{ id: ID! name: String @join__field(graph: ZOO) meal: String @join__field }
type Query @join__type(graph: ZOO) @join__type(graph: FEED)
{ hungry: [Animal] @join__field(graph: FEED) }
"""
)


@pytest.fixture
def feed():
    return FakeSubgraph(
        "feed",
        "type Query { hungry: [Animal] } type Animal { id: ID! meal: String }",
        {"hungry": [{"id": "1", "meal": "squid"}, None, {"id": "2", "meal": None}]},
    )


@pytest.fixture
def graph(feed):
    zoo = FakeSubgraph("zoo", "type Query { a: Int }")
    return FakeGraph.read(SUPERGRAPH, {"ZOO": zoo, "FEED": feed})


async def test_fields_that_need_no_type_are_answered_without_it(graph):
    result = await graph.run("{ hungry { meal id } }")

    assert result.data == {
        "hungry": [{"meal": "squid", "id": "1"}, None, {"meal": None, "id": "2"}]
    }
    assert result.errors == []


async def test_a_bad_value_is_null_beside_what_fits(graph, feed):
    rows = [{"meal": {}, "id": "1"}, {"meal": "squid", "id": "2"}]
    feed.change = lambda _: FetchResult({"hungry": rows})

    result = await graph.run("{ hungry { meal id } }")

    assert result.data == {
        "hungry": [{"meal": None, "id": "1"}, {"meal": "squid", "id": "2"}]
    }
    assert [error["path"] for error in result.errors] == [["hungry", 0, "meal"]]
