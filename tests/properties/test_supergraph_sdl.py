"""Properties of supergraph SDL: the reader is the printer's inverse."""

import dataclasses

from graphql import lexicographic_sort_schema, print_schema
from hypothesis import given
from hypothesis import strategies as st

from graphgw.federation.print_supergraph import print_supergraph
from graphgw.federation.read_supergraph import read_supergraph

GRAPHS = ("A", "B", "C")
NAMES = ("a", "b", "c")
OBJECTS = ("One", "Two", "Three")
HEADER = """
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION, as: "j")
  @link(url: "https://specs.apollo.dev/context/v0.1", for: SECURITY)
{ query: One }
enum j__Graph {
  A @j__graph(name: "alpha", url: "http://a")
  B @j__graph(name: "beta", url: "")
  C @j__graph(name: "gamma", url: "http://c/\\\\\\"quoted\\\\\\"")
}
"""

graphs = st.lists(st.sampled_from(GRAPHS), unique=True, min_size=1)
keys = st.sampled_from(("a", "a b", "a { b ... on Two { c } }", 'a(x: "y") b'))
rules = st.lists(
    st.sampled_from(
        (
            '@tag(name: "t")',
            "@authenticated",
            '@requiresScopes(scopes: [["a", "b"], ["c"]])',
            "@cost(weight: 3)",
            "@cacheControl(maxAge: 3, scope: PRIVATE)",
            '@rateLimit(limit: 3, window: "1m", key: [IP, PRINCIPAL])',
            '@j__directive(graphs: [B], name: "sunset", args: {on: "2030-01-01"})',
        )
    ),
    unique=True,
    max_size=3,
)
options = st.sampled_from(
    (
        "",
        ", external: true",
        ', requires: "b c { a }"',
        ', provides: "a ... on Two { b }"',
        ', type: "Two!"',
        ', override: "beta"',
        ', override: "beta", overrideLabel: "percent(5)"',
        ", usedOverridden: true",
        (
            ', contextArguments: [{context: "alpha__c", name: "n", type: "Int",'
            ' selection: "{ a }"}]'
        ),
    )
)


@st.composite
def fields(draw, name):
    type_name = draw(st.sampled_from(("Int", "One", "[Two!]!", "Both", "Kind")))
    arguments = draw(st.sampled_from(("", "(x: Int = 3 @cost(weight: 1))")))
    joins = [
        f"@j__field(graph: {graph}{draw(options)})"
        for graph in draw(st.one_of(st.just([]), graphs))
    ] or draw(st.sampled_from(([], ["@j__field"])))
    return f"  {name}{arguments}: {type_name} {' '.join([*joins, *draw(rules)])}"


@st.composite
def objects(draw, name):
    in_graphs = draw(graphs)
    joins = []
    for graph in in_graphs:
        flags = draw(st.sampled_from(("", ", extension: true", ", resolvable: false")))
        keyed = [f', key: "{escaped(key)}"' for key in draw(st.lists(keys, max_size=2))]
        joins += [f"@j__type(graph: {graph}{key}{flags})" for key in keyed or [""]]
        joins += draw(
            st.sampled_from(
                ([], [f'@j__implements(graph: {graph}, interface: "Node")'])
            )
        )
    joins += draw(st.sampled_from(([], ['@context(name: "alpha__c")'])))
    implements = " implements Node" if any("implements" in j for j in joins) else ""
    body = [draw(fields(field)) for field in NAMES]
    head = " ".join([*joins, *draw(rules)])
    node = "  id: ID" if implements else ""
    return f"type {name}{implements} {head} {{\n" + "\n".join([*body, node]) + "\n}"


def escaped(text):
    return text.replace('"', '\\"')


@st.composite
def supergraphs(draw):
    types = [draw(objects(name)) for name in OBJECTS]
    interface = [
        f'@j__type(graph: {graph}, key: "id"{draw(st.sampled_from(flags))})'
        for graph in draw(graphs)
        for flags in [("", ", isInterfaceObject: true")]
    ]
    members = [
        f'@j__unionMember(graph: {graph}, member: "{member}")'
        for graph in draw(graphs)
        for member in ("One", "Two")
    ]
    union = " ".join(f"@j__type(graph: {graph})" for graph in GRAPHS)
    return HEADER + "\n".join(
        [
            *types,
            f"interface Node {' '.join(interface)} {{ id: ID }}",
            f"union Both {union} {' '.join(members)} = One | Two",
            (
                "enum Kind @j__type(graph: A) @j__type(graph: B)"
                " { X @j__enumValue(graph: A) Y }"
            ),
        ]
    )


def comparable(supergraph):
    model = {
        field.name: getattr(supergraph, field.name)
        for field in dataclasses.fields(supergraph)
        if field.name not in {"schema", "api_schema", "sdl", "hash"}
    }
    for name in ("schema", "api_schema"):
        schema = lexicographic_sort_schema(getattr(supergraph, name))
        model[name] = print_schema(schema)
    return model


@given(supergraphs())
def test_reading_what_was_printed_gives_the_model_back(sdl):
    supergraph = read_supergraph(sdl)

    text = print_supergraph(supergraph)

    again = read_supergraph(text)
    assert comparable(again) == comparable(supergraph)
    assert print_supergraph(again) == text
