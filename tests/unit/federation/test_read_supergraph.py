import pytest
from graphql import print_schema

from graphgw.errors import ConfigurationError
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.federation.selection import Field, Fragment
from graphgw.federation.supergraph import (
    AppliedDirective,
    ContextArgument,
    FieldInGraph,
    Graph,
)

HEADER = """
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)
  @link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY)
  @link(url: "https://specs.apollo.dev/tag/v0.3")
  @link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@cost"])
  @link(url: "https://specs.apollo.dev/context/v0.1", for: SECURITY)
{
  query: Query
}

directive @link(url: String, as: String, for: Purpose, import: [I]) repeatable on SCHEMA
directive @inaccessible on FIELD_DEFINITION
directive @listen(to: link__Purpose) on FIELD
scalar join__FieldSet
scalar link__Import
enum link__Purpose { SECURITY EXECUTION }
enum join__Graph {
  A @join__graph(name: "alpha", url: "http://alpha/graphql")
  B @join__graph(name: "beta", url: "")
}
"""


def read(body, header=HEADER):
    return read_supergraph(header + body)


def test_graphs_have_id_name_and_url():
    supergraph = read("type Query @join__type(graph: A) { a: Int }")

    assert supergraph.graphs == {
        "A": Graph("A", "alpha", "http://alpha/graphql"),
        "B": Graph("B", "beta", ""),
    }
    assert supergraph.root_types == {"query": "Query"}
    assert len(supergraph.hash) == 16


def test_a_field_without_join_field_lives_in_every_graph_of_its_type():
    supergraph = read(
        "type Query @join__type(graph: A) @join__type(graph: B)"
        "{ a: Int b: Int @join__field(graph: B) }"
    )

    fields = supergraph.types["Query"].fields
    assert fields["a"].graphs == {"A": FieldInGraph(), "B": FieldInGraph()}
    assert fields["b"].graphs == {"B": FieldInGraph()}


def test_what_an_interface_object_requires_is_external_there():
    supergraph = read(
        "type Query @join__type(graph: A) { a: Int }"
        'interface Item @join__type(graph: A, key: "id")'
        '@join__type(graph: B, key: "id", isInterfaceObject: true)'
        '{ id: ID! size: Int fee: Int @join__field(graph: B, requires: "id size") }'
    )

    fields = supergraph.types["Item"].fields
    assert fields["size"].graphs == {
        "A": FieldInGraph(),
        "B": FieldInGraph(is_external=True),
    }
    assert fields["id"].graphs == {"A": FieldInGraph(), "B": FieldInGraph()}


def test_a_join_field_without_a_graph_comes_from_no_graph():
    supergraph = read("type Query @join__type(graph: A) { a: Int @join__field b: Int }")

    assert supergraph.types["Query"].fields["a"].graphs == {}


def test_keys_are_read_in_order_with_their_flags():
    supergraph = read(
        """
        type Query @join__type(graph: A) { p: P }
        type P
          @join__type(graph: A, key: "id")
          @join__type(graph: A, key: "sku org { id }", resolvable: false)
          @join__type(graph: B, key: "id", extension: true)
        { id: ID! sku: ID org: O }
        type O @join__type(graph: A) { id: ID }
        """
    )

    in_a, in_b = supergraph.types["P"].graphs.values()
    assert [key.text for key in in_a.keys] == ["id", "sku org { id }"]
    assert [key.is_resolvable for key in in_a.keys] == [True, False]
    assert in_a.keys[1].fields[1] == Field("org", selections=(Field("id"),))
    assert in_b.is_extension


def test_everything_a_join_field_says_is_kept():
    supergraph = read(
        """
        type Query @join__type(graph: A) @join__type(graph: B) {
          a: Int @join__field(graph: A, external: true)
          b: Int @join__field(graph: A, type: "Int!", requires: "a ... on Q { c }")
          c: Int
            @join__field(graph: A, override: "beta", overrideLabel: "percent(5)")
            @join__field(graph: B, usedOverridden: true, overrideLabel: "percent(5)")
          d: Int @join__field(
            graph: A
            provides: "e"
            contextArguments: [
              {name: "x", type: "Int", context: "alpha__ctx", selection: "{ a }"}
            ]
          )
        }
        """
    )

    fields = supergraph.types["Query"].fields
    assert fields["a"].graphs["A"].is_external
    assert fields["b"].graphs["A"].type == "Int!"
    assert fields["b"].graphs["A"].requires[1] == Fragment("Q", (Field("c"),))
    assert fields["c"].graphs["A"] == FieldInGraph(
        override="beta", override_label="percent(5)"
    )
    assert fields["c"].graphs["B"] == FieldInGraph(
        is_overridden=True, override_label="percent(5)"
    )
    assert fields["d"].graphs["A"] == FieldInGraph(
        provides=(Field("e"),),
        context_arguments=(ContextArgument("x", "Int", "alpha__ctx", "{ a }"),),
    )


ABSTRACT = """
type Query @join__type(graph: A) @join__type(graph: B) { n: N u: U }
interface N
  @join__type(graph: A, key: "id")
  @join__type(graph: B, key: "id", isInterfaceObject: true)
{ id: ID }
type X implements N
  @join__type(graph: A)
  @join__type(graph: B)
  @join__implements(graph: A, interface: "N")
{ id: ID @join__field(graph: A) x: Int }
type Y implements N
  @join__type(graph: A)
  @join__implements(graph: A, interface: "N")
{ id: ID }
union U
  @join__type(graph: A)
  @join__type(graph: B)
  @join__unionMember(graph: A, member: "X")
  @join__unionMember(graph: A, member: "Y")
  @join__unionMember(graph: B, member: "X")
  = X | Y
"""


def test_possible_types_are_counted_per_graph():
    supergraph = read(ABSTRACT)

    assert supergraph.possible["N"] == {"A": ("X", "Y"), "B": ()}
    assert supergraph.possible["U"] == {"A": ("X", "Y"), "B": ("X",)}
    assert supergraph.possible["X"] == {"A": ("X",), "B": ("X",)}
    assert supergraph.types["N"].graphs["B"].is_interface_object


def test_members_without_join_count_for_every_graph_that_has_them():
    supergraph = read(
        """
        type Query @join__type(graph: A) { u: U }
        union U @join__type(graph: A) @join__type(graph: B) = X | Y
        type X @join__type(graph: A) @join__type(graph: B) { x: Int }
        type Y @join__type(graph: B) { x: Int }
        """
    )

    assert supergraph.possible["U"] == {"A": ("X",), "B": ("X", "Y")}


def test_contexts_belong_to_the_graph_that_their_name_begins_with():
    supergraph = read(
        """
        type Query @join__type(graph: A) @join__type(graph: B)
          @context(name: "beta__ctx") { a: Int }
        """
    )

    assert supergraph.types["Query"].contexts == {"B": ("beta__ctx",)}


def test_hidden_elements_are_in_the_schema_and_not_in_the_api_schema():
    supergraph = read(
        """
        type Query @join__type(graph: A) {
          a(x: Int, y: Int @inaccessible): E
          b: Int @inaccessible
          n: N
          u: U
        }
        enum E @join__type(graph: A) { P Q @inaccessible }
        interface N @join__type(graph: A) { id: ID }
        type X implements N @join__type(graph: A) { id: ID }
        type Y implements N @join__type(graph: A) @inaccessible { id: ID }
        union U @join__type(graph: A) = X | Y
        """
    )

    assert "union U = X | Y" in print_schema(supergraph.schema)
    api = print_schema(supergraph.api_schema)
    assert "a(x: Int): E" in api
    assert "Y" not in api
    assert "union U = X" in api
    assert "  b: Int" not in api
    assert "  Q" not in api
    assert "join__" not in api
    assert supergraph.types["Query"].fields["b"].is_inaccessible
    assert supergraph.types["Y"].is_inaccessible


def test_a_visible_field_of_a_hidden_type_is_a_problem():
    with pytest.raises(ConfigurationError) as error:
        read(
            """
            type Query @join__type(graph: A) { a: X b(x: I): Int }
            type X @join__type(graph: A) @inaccessible { x: Int }
            input I @join__type(graph: A) @inaccessible { x: Int }
            """
        )

    places = [problem.where for problem in error.value.problems]
    assert places == ["Query.a", "Query.b(x:)"]


def test_policy_directives_become_rules_with_canonical_names():
    supergraph = read(
        """
        type Query @join__type(graph: A) @tag(name: "t") {
          a(x: Int @cost(weight: 2)): Int @cost(weight: 3) @rateLimit(limit: 5)
          b: Int @join__directive(
            graphs: [B], name: "federation__cacheTag", args: {format: "x"}
          )
        }
        """
    )

    assert supergraph.rules == {
        "Query": (AppliedDirective("tag", {"name": "t"}),),
        "Query.a": (
            AppliedDirective("cost", {"weight": 3}),
            AppliedDirective("rateLimit", {"limit": 5}),
        ),
        "Query.a(x:)": (AppliedDirective("cost", {"weight": 2}),),
        "Query.b": (AppliedDirective("cacheTag", {"format": "x"}, "B"),),
    }


def test_names_are_resolved_through_link():
    supergraph = read_supergraph(
        """
        schema
          @link(url: "https://specs.apollo.dev/link/v1.0")
          @link(
            url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION, as: "j",
            import: [{name: "@field", as: "@lives"}, "Graph"]
          )
          @link(url: "https://specs.apollo.dev/inaccessible/v0.2", as: "hidden")
          @link(
            url: "https://specs.apollo.dev/authenticated/v0.1", for: SECURITY,
            import: [{name: "@authenticated", as: "@login"}]
          )
        { query: Root }
        enum Graph { G @j__graph(name: "g", url: "u") H @j__graph(name: "h", url: "u") }
        scalar j__FieldSet
        type Root @j__type(graph: G) @j__type(graph: H) {
          a: Int @lives(graph: H) @login
          b: Int @hidden
        }
        """
    )

    root = supergraph.types["Root"]
    assert list(root.graphs) == ["G", "H"]
    assert list(root.fields["a"].graphs) == ["H"]
    assert root.fields["b"].is_inaccessible
    assert supergraph.rules["Root.a"] == (AppliedDirective("authenticated", {}),)
    assert set(supergraph.types) == {"Root"}
    assert "b" not in supergraph.api_schema.query_type.fields


def test_every_unknown_specification_that_must_be_known_is_reported_with_its_line():
    with pytest.raises(ConfigurationError) as error:
        read_supergraph(
            """schema
  @link(url: "https://specs.apollo.dev/join/v0.9", for: EXECUTION)
  @link(url: "https://example.com/secret/v1.0", for: SECURITY)
  @link(url: "https://example.com/harmless/v1.0")
{ query: Query }
type Query { a: Int }"""
        )

    places = [problem.where for problem in error.value.problems]
    assert places == ["line 2", "line 3"]


@pytest.mark.parametrize(
    ("sdl", "message"),
    [
        pytest.param("type Query { a: Int }", "not a supergraph", id="plain-schema"),
        pytest.param("type Query {", "Syntax Error", id="syntax"),
        pytest.param(
            HEADER + "type Query @join__type(graph: Z) { a: Int }",
            'no subgraph has the id "Z"',
            id="unknown-graph",
        ),
        pytest.param(
            HEADER + "type Query @join__type(graph: A) { a: Foo }",
            'Query.a: the type "Foo" is not defined',
            id="unknown-type",
        ),
        pytest.param(
            HEADER + 'type Query @join__type(graph: A, key: "a {") { a: Int }',
            "not a field set",
            id="broken-key",
        ),
        pytest.param(
            HEADER + "type Other @join__type(graph: A) { a: Int }",
            'the query type "Query" is not defined',
            id="no-query",
        ),
        pytest.param(
            HEADER + "type Query @join__type(graph: A) { a: Int @inaccessible }",
            "must define one or more fields",
            id="nothing-visible",
        ),
    ],
)
def test_a_broken_supergraph_is_refused(sdl, message):
    with pytest.raises(ConfigurationError, match=message):
        read_supergraph(sdl)
