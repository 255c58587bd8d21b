"""Every field that clients see must be reachable on every way that leads to it."""

import pytest

from graphgw.composition.compose import compose
from graphgw.composition.satisfiability import check_satisfiability
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import CompositionError
from graphgw.federation.read_supergraph import read_supergraph

HEADER = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ['
    '"@key", "@shareable", "@requires", "@external", "@interfaceObject", "@override",'
    ' "@inaccessible", "@context", "@fromContext"]) '
)


def composed(**sdls):
    return compose([SubgraphSDL(name, "", HEADER + sdl) for name, sdl in sdls.items()])


def problems(**sdls):
    with pytest.raises(CompositionError) as error:
        composed(**sdls)
    return [(problem.where, problem.message) for problem in error.value.problems]


def test_a_problem_shows_the_way_and_what_is_missing_on_it():
    found = problems(
        a="""
        type Query { n: [Node] } interface Node { id: ID! owner: User }
        type P implements Node @shareable { id: ID! owner: User }
        type User @key(fields: "id") { id: ID! }
        """,
        b="""
        type Query { b: Int }
        type User @key(fields: "name org { id }") { name: String org: Org age: Int }
        type Org @shareable { id: ID! }
        """,
    )

    assert found == [
        (
            "User.name",
            (
                "Query.n { ... on P { owner { name } } } cannot be resolved: "
                'subgraph "a" cannot give subgraph "b" its key "name org { id }"'
            ),
        )
    ]


def test_the_first_field_of_each_type_is_reported():
    found = problems(
        a="""
        type Query { u: User v: V }
        type User @shareable { id: ID! } type V @shareable { id: ID! }
        """,
        b="""
        type Query { w: User x: V }
        type User @shareable { id: ID! a: Int b: Int }
        type V @shareable { id: ID! c: Int }
        """,
    )

    assert [where for where, _ in found] == ["User.a", "V.c"]


def test_what_a_reachable_subgraph_requires_must_be_reachable_too():
    found = problems(
        a='type Query { p: P } type P @key(fields: "id") { id: ID! }',
        b="""
        type P @key(fields: "id")
        {
          id: ID!
          size: Int @external @inaccessible
          cost: Int @requires(fields: "size")
        }
        """,
        c="""
        type Query { q: P }
        type P @key(fields: "id", resolvable: false) { id: ID! size: Int @inaccessible }
        """,
    )

    assert found == [
        (
            "P.cost",
            (
                "Query.p { cost } cannot be resolved: "
                '"size", which subgraph "b" requires, is not to be had'
            ),
        )
    ]


def test_a_mutation_is_a_way_of_its_own():
    found = problems(
        a="""
        type Query { p: P @shareable } type Mutation { add: P }
        type P @shareable { a: Int }
        """,
        b="type Query { p: P @shareable } type P @shareable { a: Int b: Int }",
    )

    assert [where for where, _ in found] == ["P.b"]
    assert found[0][1].startswith("Mutation.add { b } cannot be resolved")


def test_types_of_an_interface_object_must_be_told_by_somebody():
    found = problems(
        a="""
        type Query { a: Int }
        interface I @key(fields: "id", resolvable: false) { id: ID! }
        type P implements I @key(fields: "id", resolvable: false) { id: ID! }
        """,
        b="""
        type Query { i: I }
        type I @key(fields: "id") @interfaceObject { id: ID! x: Int }
        """,
    )

    assert found == [
        (
            "I.__typename",
            (
                "Query.i { __typename } cannot be resolved: "
                "no subgraph that knows the types of I is reached"
            ),
        )
    ]


def test_a_progressive_override_must_work_on_either_side():
    assert [
        where
        for where, _ in problems(
            a='type Query { u: User } type User @key(fields: "id") { id: ID! n: Int }',
            b="""
            type User @key(fields: "id", resolvable: false)
            { id: ID! n: Int @override(from: "a", label: "percent(1)") }
            """,
        )
    ] == ["User.n"]


def test_hidden_fields_need_not_be_reachable():
    composed(
        a="type Query { u: User } type User @shareable { id: ID! }",
        b="""
        type Query { v: User }
        type User @shareable { id: ID! secret: Int @inaccessible }
        """,
    )


def test_an_argument_from_a_context_needs_the_context_on_every_way():
    payment = """
    type Payment @key(fields: "id") {
      id: ID!
      amount(locale: String @fromContext(field: "$place { locale }")): String
    }
    """

    composed(
        a="type Query { user: User }"
        ' type User @context(name: "place") { locale: String payment: Payment }'
        + payment
    )
    found = problems(
        a="type Query { user: User payment: Payment }"
        ' type User @context(name: "place") { locale: String payment: Payment }'
        + payment
    )

    assert found == [
        (
            "Payment.amount",
            (
                "Query.payment { amount } cannot be resolved: "
                'nothing above sets the context that subgraph "a" takes an argument'
                " from"
            ),
        )
    ]


def test_types_that_lead_to_themselves_are_looked_at_once():
    sdl = """
    type Query { u: User } type User @key(fields: "id") { id: ID! friends: [User!]! }
    """
    supergraph = composed(
        a=sdl, b='type User @key(fields: "id") { id: ID! best: User }'
    ).supergraph

    assert check_satisfiability(read_supergraph(supergraph.sdl)).problems == []


def test_a_check_that_stops_early_says_so():
    supergraph = composed(
        a="type Query { one: One } type One { two: Two } type Two { id: ID }"
    ).supergraph

    assert check_satisfiability(supergraph).is_complete
    assert not check_satisfiability(supergraph, max_places=1).is_complete
