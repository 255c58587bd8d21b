"""Contracts: what a filter of tags leaves of a graph, and when it leaves too little."""

import pytest
from graphql import build_schema, lexicographic_sort_schema, print_schema

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import ConfigurationError
from graphgw.federation.contract import (
    ContractFilter,
    build_contract,
    find_unknown_tags,
)
from graphgw.federation.print_supergraph import print_supergraph
from graphgw.federation.read_supergraph import read_supergraph

HEADER = """
extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.3",
  import: ["@key", "@tag", "@inaccessible", "@shareable"]
)
"""


def graph(sdl):
    return compose([SubgraphSDL("shop", "http://shop", HEADER + sdl)]).supergraph


def show(sdl, **options):
    return print_schema(
        build_contract(graph(sdl), ContractFilter(**options)).api_schema
    )


def problems(sdl, **options):
    with pytest.raises(ConfigurationError) as caught:
        build_contract(graph(sdl), ContractFilter(**options))
    return [(p.where, p.message) for p in caught.value.problems]


def is_like(text, expected):
    return sorted_text(text) == sorted_text(expected)


def sorted_text(sdl):
    return print_schema(lexicographic_sort_schema(build_schema(sdl)))


def test_without_tags_the_graph_stays_as_it_is():
    supergraph = graph("type Query { a: Int }")

    assert build_contract(supergraph, ContractFilter()) is supergraph


def test_excluded_elements_of_every_kind_are_hidden():
    text = show(
        """
        type Query {
          a(secret: Int @tag(name: "x"), plain: Int): Int
          b: Int @tag(name: "x")
          search(filter: Filter): [Kind]
        }
        enum Kind { ONE TWO @tag(name: "x") }
        input Filter { name: String cost: Int @tag(name: "x") }
        """,
        exclude=("x",),
    )

    assert is_like(
        text,
        """
        type Query { a(plain: Int): Int search(filter: Filter): [Kind] }
        enum Kind { ONE }
        input Filter { name: String }
        """,
    )


def test_an_excluded_type_goes_with_what_refers_to_it():
    text = show(
        """
        type Query { a: Int audit: Audit any: Any find(by: Rule, name: String): Int }
        type Audit @tag(name: "x") { at: Int }
        input Rule @tag(name: "x") { all: Boolean }
        union Any = Audit | Other
        type Other { id: ID }
        """,
        exclude=("x",),
    )

    assert is_like(
        text,
        """
        type Query { a: Int any: Any find(name: String): Int }
        union Any = Other
        type Other { id: ID }
        """,
    )


def test_where_tags_are_included_fields_without_one_are_hidden():
    text = show(
        """
        type Query { user(by: By): User @tag(name: "m") hidden: Int }
        type User { name: String @tag(name: "m") mail: Int role: Role @tag(name: "m") }
        enum Role { A B }
        input By { id: ID }
        type Unused { a: Int }
        """,
        include=("m",),
    )

    assert is_like(
        text,
        """
        type Query { user(by: By): User }
        type User { name: String role: Role }
        enum Role { A B }
        input By { id: ID }
        """,
    )


def test_the_tag_of_a_type_counts_for_its_fields():
    text = show(
        """
        type Query @tag(name: "m") { user: User audit: Audit }
        type User @tag(name: "m") { name: String mail: Int @tag(name: "x") log: Audit }
        type Audit { at: Int }
        """,
        include=("m",),
        exclude=("x",),
    )

    assert is_like(text, "type Query { user: User } type User { name: String }")


def test_a_type_keeps_what_its_interfaces_demand():
    text = show(
        """
        type Query { thing: Thing @tag(name: "m") }
        interface Thing { id: ID! @tag(name: "m") }
        type Book implements Thing { id: ID! pages: Int @tag(name: "m") size: Int }
        type Disc implements Thing { id: ID! length: Int }
        """,
        include=("m",),
    )

    assert is_like(
        text,
        """
        type Query { thing: Thing }
        interface Thing { id: ID! }
        type Book implements Thing { id: ID! pages: Int }
        """,
    )


def test_an_interface_that_is_hidden_is_not_implemented_any_more():
    text = show(
        """
        type Query { book: Book }
        interface Thing @tag(name: "x") { id: ID! }
        type Book implements Thing { id: ID! }
        """,
        exclude=("x",),
    )

    assert is_like(text, "type Query { book: Book } type Book { id: ID! }")


def test_types_that_nothing_leads_to_can_stay():
    sdl = """
        type Query { a: Int thing: Thing @tag(name: "x") }
        type Thing { id: ID }
        """

    hides = show(sdl, exclude=("x",))
    keeps = show(sdl, exclude=("x",), hides_unreachable=False)

    assert is_like(hides, "type Query { a: Int }")
    assert is_like(keeps, "type Query { a: Int } type Thing { id: ID }")


def test_implementations_and_arguments_of_directives_are_reached():
    text = show(
        """
        directive @listen(to: Channel) on FIELD
        enum Channel { A }
        type Query { thing: Thing x: Int @tag(name: "x") }
        interface Thing { id: ID! }
        type Book implements Thing { id: ID! author: Author }
        type Author { name: String }
        """,
        exclude=("x",),
    )

    assert "type Book implements Thing" in text
    assert "type Author" in text
    assert "enum Channel" in text


def test_a_root_type_with_nothing_left_goes():
    text = show(
        """
        type Query { a: Int @tag(name: "m") }
        type Mutation { change: Int }
        """,
        include=("m",),
    )

    assert is_like(text, "type Query { a: Int }")


def test_what_is_inaccessible_stays_so():
    text = show(
        """
        type Query { a: Int @tag(name: "m") b: Int @tag(name: "m") @inaccessible }
        """,
        include=("m",),
    )

    assert is_like(text, "type Query { a: Int }")


def test_the_whole_graph_is_still_behind_a_contract():
    supergraph = graph(
        'type Query { a: Int b: Int @tag(name: "x") }',
    )

    contract = build_contract(supergraph, ContractFilter(exclude=("x",)))

    assert contract.schema is supergraph.schema
    assert contract.types["Query"].fields["b"].is_inaccessible
    assert not supergraph.types["Query"].fields["b"].is_inaccessible


def test_a_contract_prints_as_a_supergraph_with_inaccessible_elements():
    contract = build_contract(
        graph(
            """
            type Query { user(deep: Int @tag(name: "x")): User }
            type User { name: String mail: String @tag(name: "x") role: Role }
            type Audit @tag(name: "x") { at: Int }
            enum Role { A B @tag(name: "x") }
            """
        ),
        ContractFilter(exclude=("x",)),
    )

    again = read_supergraph(print_supergraph(contract))

    assert print_schema(again.api_schema) == print_schema(contract.api_schema)


@pytest.mark.parametrize(
    ("sdl", "options", "expected"),
    [
        pytest.param(
            'type Query { a: Int } type T @tag(name: "m") { a: Int }',
            {"include": ("m",)},
            ("Query", "nothing is left of it, and every graph needs a query"),
            id="no-query",
        ),
        pytest.param(
            'type Query @tag(name: "x") { a: Int }',
            {"exclude": ("x",)},
            ("Query", "nothing is left of it, and every graph needs a query"),
            id="excluded-query",
        ),
        pytest.param(
            'type Query { user: User @tag(name: "m") } type User { name: String }',
            {"include": ("m",)},
            ("Query.user", 'it is shown, and its type "User" has none of the tags'),
            id="untagged-type",
        ),
        pytest.param(
            'type Query { a: Int @tag(name: "m") user: User @tag(name: "m") }'
            'type User @tag(name: "x") { name: String }',
            {"include": ("m",), "exclude": ("x",)},
            ("Query.user", 'it is shown, and its type "User" is excluded'),
            id="excluded-type",
        ),
        pytest.param(
            "type Query { a: Int user: User }"
            'type User { name: String @tag(name: "x") }',
            {"exclude": ("x",)},
            ("Query.user", 'nothing is left of its type "User"'),
            id="emptied-type",
        ),
        pytest.param(
            'type Query { a: Kind b: Int } enum Kind { ONE @tag(name: "x") }',
            {"exclude": ("x",)},
            ("Query.a", 'nothing is left of its type "Kind"'),
            id="emptied-enum",
        ),
        pytest.param(
            "type Query { a: Any b: Int } union Any = One"
            ' type One @tag(name: "x") { id: ID }',
            {"exclude": ("x",)},
            ("Query.a", 'nothing is left of its type "Any"'),
            id="emptied-union",
        ),
        pytest.param(
            "type Query { a: Thing b: Int } interface Thing { id: ID }"
            ' type One implements Thing @tag(name: "x") { id: ID }',
            {"exclude": ("x",)},
            ("Query.a", 'nothing is left of its type "Thing"'),
            id="interface-without-types",
        ),
        pytest.param(
            "type Query { a: Thing } interface Thing { id: ID n: Int }"
            ' type One implements Thing { id: ID @tag(name: "x") n: Int }',
            {"exclude": ("x",)},
            ("One.id", 'it is hidden, and the interface "Thing" demands it'),
            id="interface-broken",
        ),
        pytest.param(
            'type Query { a(id: ID! @tag(name: "x")): Int }',
            {"exclude": ("x",)},
            ("Query.a(id:)", "it is required, and cannot be hidden alone"),
            id="required-argument",
        ),
        pytest.param(
            'type Query { a(by: By!): Int b: Int } input By @tag(name: "x") { id: ID }',
            {"exclude": ("x",)},
            ("Query.a(by:)", "it is required, and cannot be hidden alone"),
            id="required-argument-of-hidden-type",
        ),
        pytest.param(
            'type Query { a(by: By): Int } input By { n: Int id: ID! @tag(name: "x") }',
            {"exclude": ("x",)},
            ("By.id", "it is required, and cannot be hidden alone"),
            id="required-input-field",
        ),
        pytest.param(
            "type Query { a(kind: Kind = TWO): Int }"
            ' enum Kind { ONE TWO @tag(name: "x") }',
            {"exclude": ("x",)},
            ("Query.a(kind:)", 'its default value uses "Kind.TWO", which is hidden'),
            id="default-value",
        ),
        pytest.param(
            "type Query { a(by: By = {kinds: [ONE, TWO]}): Int }"
            ' input By { kinds: [Kind] } enum Kind { ONE TWO @tag(name: "x") }',
            {"exclude": ("x",)},
            ("Query.a(by:)", 'its default value uses "Kind.TWO", which is hidden'),
            id="default-value-within",
        ),
    ],
)
def test_what_is_no_valid_schema_any_more_is_told_with_its_coordinate(
    sdl, options, expected
):
    assert problems(sdl, **options) == [expected]


def test_all_problems_are_told_at_once():
    found = problems(
        """
        type Query { a: A @tag(name: "m") b: B @tag(name: "m") }
        type A { id: ID }
        type B { id: ID }
        """,
        include=("m",),
    )

    assert {where for where, _ in found} == {"Query.a", "Query.b"}


def test_what_is_wrong_where_nothing_leads_does_not_matter():
    text = show(
        """
        type Query { a: Int far: Far @tag(name: "x") }
        type Far { near: Near }
        type Near { id: ID @tag(name: "x") }
        """,
        exclude=("x",),
    )

    assert is_like(text, "type Query { a: Int }")


def test_tags_that_stand_nowhere_are_found():
    supergraph = graph('type Query { a: Int @tag(name: "m") }')
    contract = ContractFilter(include=("m", "mobil"), exclude=("intern",))

    assert find_unknown_tags(supergraph, contract) == ("mobil", "intern")


def test_what_is_decided_late_is_followed_to_its_end():
    text = show(
        """
        type Query @tag(name: "m") { user: User count: Int things: [Thing] }
        interface Thing @tag(name: "m") { name: String }
        type User { id: ID @tag(name: "x") kind: Int }
        type Box implements Thing { name: String any: Any @tag(name: "m") }
        union Any @tag(name: "m") = Box
        """,
        include=("m",),
        exclude=("x",),
    )

    assert is_like(
        text,
        """
        type Query { count: Int things: [Thing] }
        interface Thing { name: String }
        type Box implements Thing { name: String any: Any }
        union Any = Box
        """,
    )
