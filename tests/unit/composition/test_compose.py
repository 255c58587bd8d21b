import pytest

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import CompositionError


def subgraphs(**sdls):
    return [SubgraphSDL(name, f"http://{name}", sdl) for name, sdl in sdls.items()]


def test_graphs_get_unique_ids_from_their_names():
    names = ["my-shop", "my_shop", "2nd", "Ünïcode"]
    given = [
        SubgraphSDL(name, "", f"type Query {{ f{index}: Int }}")
        for index, name in enumerate(names)
    ]

    graphs = compose(given).supergraph.graphs

    assert {graph.id: graph.name for graph in graphs.values()} == {
        "MY_SHOP": "my-shop",
        "MY_SHOP_1": "my_shop",
        "_2ND": "2nd",
        "_N_CODE": "Ünïcode",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param([], "no subgraphs", id="none"),
        pytest.param(
            subgraphs(a="type Query { a: Int }") * 2, 'named "a"', id="same-name"
        ),
        pytest.param(
            [SubgraphSDL("", "", "type Query { a: Int }")], "no name", id="no-name"
        ),
    ],
)
def test_subgraphs_need_names_of_their_own(given, message):
    with pytest.raises(CompositionError, match=message):
        compose(given)


def test_all_problems_come_at_once():
    with pytest.raises(CompositionError) as error:
        compose(subgraphs(a="type Query { a: X b(y: Y): Int }", b="enum Query { A }"))

    places = {problem.where for problem in error.value.problems}
    assert places >= {"Query.a", "Query.b(y:)", "Query"}


def test_federation_1_subgraphs_may_share_fields_and_federation_2_ones_may_not():
    federation_1 = "type Query { a: P } type P { x: Int }"
    federation_2 = (
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.0")'
        "type P { x: Int }"
    )

    composed = compose(subgraphs(a=federation_1, b="type P { x: Int }"))
    with pytest.raises(CompositionError) as error:
        compose(subgraphs(a=federation_1, b=federation_2))

    assert list(composed.supergraph.types["P"].fields["x"].graphs) == ["A", "B"]
    assert 'not @shareable in subgraph "b"' in str(error.value)


def test_what_servers_add_for_federation_is_left_out():
    sdl = """
    directive @key(fields: _FieldSet!) repeatable on OBJECT | INTERFACE
    scalar _FieldSet
    scalar _Any
    union _Entity = A
    type _Service { sdl: String }
    type Query {
      a: A
      _service: _Service!
      _entities(representations: [_Any!]!): [_Entity]!
    }
    type A @key(fields: "id") { id: ID! }
    """

    supergraph = compose(subgraphs(a=sdl)).supergraph

    assert set(supergraph.types) == {"A", "Query"}
    assert set(supergraph.types["Query"].fields) == {"a"}


def test_rules_hold_without_an_import():
    sdl = """
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.5")
    type Query { a: Int @authenticated b: Int @federation__authenticated }
    """

    rules = compose(subgraphs(a=sdl)).supergraph.rules

    assert [rules[c][0].name for c in ("Query.a", "Query.b")] == ["authenticated"] * 2


def test_a_version_that_is_not_federation_2_is_refused():
    sdl = (
        'extend schema @link(url: "https://specs.apollo.dev/federation/v3.0")'
        "type Query { a: Int }"
    )

    with pytest.raises(CompositionError, match="not a version of Federation 2"):
        compose(subgraphs(a=sdl))
