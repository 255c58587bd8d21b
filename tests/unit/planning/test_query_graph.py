"""Which fields a subgraph resolves, and how one gets into it."""

from __future__ import annotations

from support.graphs import supergraph_header
from support.plans import case_graph

from graphgw.federation.read_supergraph import read_supergraph
from graphgw.planning.query_graph import QueryGraph


def query_graph(name: str, *labels: str) -> QueryGraph:
    return QueryGraph(case_graph(name).supergraph, frozenset(labels))


def test_an_interface_lacks_a_field_that_one_of_its_types_gave_away():
    graph = query_graph("override_interface")

    assert graph.node("Post", "A").edge("id") is not None
    assert graph.node("Post", "A").edge("createdAt") is None
    assert graph.node("AnotherPost", "B").edge("createdAt") is not None


def test_an_external_field_is_there_only_where_it_is_provided():
    graph = query_graph("nested_provides")
    product = graph.node("Product", "CAT")
    provided = graph.node("Query", "CAT").edge("products").head

    assert product.edge("categories") is None
    assert provided.edge("categories").head.edge("name") is not None
    assert graph.node("Category", "CAT").edge("name") is None


def test_a_field_provided_for_one_member_is_there_on_that_member_alone():
    graph = query_graph("provides_union")
    media = graph.node("Query", "B").edge("media").head

    assert graph.cast(media, "Book").edge("title") is not None
    assert graph.cast(media, "Movie").edge("title") is None


def test_an_implementation_is_entered_by_its_interface_object_too():
    graph = query_graph("simple_io")

    ways = [(entry.typename, entry.node.graph_id) for entry in graph.entries("User")]

    assert ways == [("User", "A"), ("NodeWithName", "B")]


def test_a_key_that_cannot_be_resolved_is_no_way_in():
    graph = query_graph("mashup")

    keys = {
        entry.node.graph_id: [key.text for key in entry.keys]
        for entry in graph.entries("A")
    }

    assert keys == {"A": ["id", "id box { id two }"], "B": ["id box { id two }"]}


def test_a_label_moves_a_field_from_one_subgraph_to_the_other():
    old, new = query_graph("progressive"), query_graph("progressive", "move")

    assert old.node("Post", "A").edge("createdAt") is not None
    assert old.node("Post", "B").edge("createdAt") is None
    assert new.node("Post", "A").edge("createdAt") is None
    assert new.node("Post", "B").edge("createdAt") is not None


def test_an_interface_object_hides_no_field_of_an_implementation():
    graph = query_graph("simple_io")
    node = graph.node("Account", "C")

    assert graph.is_inherited("Admin", node, "name")
    assert graph.is_inherited("Admin", node, "id")
    assert not graph.is_inherited("Admin", node, "isActive")


def test_an_interface_is_not_entered_where_nothing_implements_it():
    supergraph = read_supergraph(
        supergraph_header("A", "B")
        + """
        interface Media
          @join__type(graph: A, key: "id")
          @join__type(graph: B, key: "id") {
          id: ID!
          title: String @join__field(graph: B)
        }
        type Book implements Media
          @join__implements(graph: A, interface: "Media")
          @join__type(graph: A, key: "id") {
          id: ID!
          title: String
        }
        type Query @join__type(graph: A) { media: Media }
        """
    )

    ways = QueryGraph(supergraph).entries("Media")

    assert [entry.node.graph_id for entry in ways] == ["A"]
