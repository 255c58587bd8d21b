from graphql import build_schema

from graphgw.federation.print_supergraph import print_supergraph
from graphgw.federation.read_supergraph import read_supergraph

SDL = '''
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.4", for: EXECUTION, as: "j")
  @link(url: "https://example.com/notes/v1.0", import: ["@note"])
{ query: Query }

directive @note(kind: Kind, text: String) on FIELD_DEFINITION
directive @trace(level: Int = 1) on FIELD

enum j__Graph {
  B @j__graph(name: "beta", url: "http://b")
  A @j__graph(name: "a", url: "")
}

"The root."
type Query @j__type(graph: A) @j__type(graph: B) {
  """
  Many
  lines.
  """
  items(
    "How many."
    first: Int = 10 @cost(weight: 2)
    filter: Filter = {name: "a", kinds: [X]}
  ): [Item!]! @j__field(graph: A) @note(kind: X, text: "x") @deprecated(reason: "old")
  cached: Int @cacheControl(maxAge: 5, scope: PRIVATE) @j__directive(
    graphs: [B], name: "federation__tag", args: {name: "t"}
  )
}

union Item @j__type(graph: A) @j__unionMember(graph: A, member: "Thing") = Thing
type Thing @j__type(graph: A, key: "id", resolvable: false) { id: ID! }
input Filter @j__type(graph: A) { name: String = "n" kinds: [Kind!] }
enum Kind @j__type(graph: A) @j__type(graph: B) { X @j__enumValue(graph: A) Y }
scalar Money @j__type(graph: A) @specifiedBy(url: "https://example.com/money")
'''


def test_any_dialect_is_printed_as_join_v0_5():
    text = print_supergraph(read_supergraph(SDL))

    assert "join/v0.5" in text
    assert "type Query\n  @join__type(graph: A)\n  @join__type(graph: B)\n" in text
    assert text.index("A @join__graph") < text.index("B @join__graph")


def test_what_is_printed_is_valid_sdl():
    text = print_supergraph(read_supergraph(SDL))

    assert build_schema(text).query_type


def test_printing_keeps_descriptions_defaults_and_deprecation():
    text = print_supergraph(read_supergraph(SDL))

    assert '"The root."\ntype Query' in text
    assert '  """\n  Many\n  lines.\n  """\n' in text
    assert '@deprecated(reason: "old")' in text
    assert 'filter: Filter = { name: "a", kinds: [X] }' in text
    assert '@specifiedBy(url: "https://example.com/money")' in text


def test_enum_values_in_directives_are_printed_bare():
    text = print_supergraph(read_supergraph(SDL))

    assert "scope: PRIVATE" in text
    assert '@note(kind: X, text: "x")' in text
    assert 'args: {name: "t"}' in text


def test_printing_twice_gives_the_same_text():
    text = print_supergraph(read_supergraph(SDL))

    assert print_supergraph(read_supergraph(text)) == text
