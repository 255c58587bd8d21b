"""A rule is kept whatever way a query takes to what it protects."""

from __future__ import annotations

import pytest
from support.policies import ruled

from graphgw.federation.selection import print_selections
from graphgw.types import Principal

KNOWN = Principal("u1", frozenset({"a"}))

CATALOGUE = """
type Query {
  node: Node  nodes: [Node!]  search: [Result!]  secret: Secret  open: Open
  locked: Locked
}
interface Node { id: ID!  label: String }
type Open implements Node { id: ID!  label: String  secrets: [Secret!] }
type Secret implements Node @authenticated { id: ID!  label: String  code: String }
type Hidden implements Node {
  id: ID!  label: String @authenticated  code: String @authenticated
}
union Result = Open | Secret
interface Locked @authenticated { id: ID! }
type Door implements Locked { id: ID! }
extend type Query { door: Door  paper: Paper }
interface Titled { title: String @authenticated }
type Paper implements Titled { title: String  pages: Int }
"""


@pytest.fixture(scope="module")
def graph():
    return ruled(CATALOGUE)


WAYS = [
    pytest.param("{ secret { id } }", ["Query.secret"], id="field-of-protected-type"),
    pytest.param("{ secret { __typename } }", ["Query.secret"], id="typename-only"),
    pytest.param("{ s: secret { c: code } }", ["Query.secret"], id="alias"),
    pytest.param("{ open { secrets { id } } }", ["Open.secrets"], id="nested-list"),
    pytest.param("{ node { label } }", ["Node.label"], id="through-the-interface"),
    pytest.param("{ nodes { x: label } }", ["Node.label"], id="interface-list-alias"),
    pytest.param("{ node { __typename } }", ["Node.__typename"], id="interface-type"),
    pytest.param(
        "{ node { ... on Secret { id } } }", ["Secret.id"], id="inline-fragment"
    ),
    pytest.param(
        "{ node { ...F } } fragment F on Secret { id }", ["Secret.id"], id="fragment"
    ),
    pytest.param(
        "{ node { ... on Secret { __typename } } }",
        ["Secret.__typename"],
        id="typename-in-fragment",
    ),
    pytest.param(
        "{ node { ... on Hidden { code } } }", ["Hidden.code"], id="field-in-fragment"
    ),
    pytest.param(
        "{ search { ... on Secret { code } } }", ["Secret.code"], id="union-member"
    ),
    pytest.param("{ search { __typename } }", ["Result.__typename"], id="union-type"),
    pytest.param(
        "{ search { ... on Node { id } } }", ["Node.id"], id="interface-in-union"
    ),
    pytest.param("{ locked { id } }", ["Query.locked"], id="protected-interface"),
    pytest.param("{ door { id } }", ["Query.door"], id="its-implementation"),
    pytest.param("{ paper { title } }", ["Paper.title"], id="interface-field-rule"),
]


@pytest.mark.parametrize(("query", "refused"), WAYS)
async def test_an_anonymous_caller_is_refused(graph, query, refused):
    assert await graph.refused(query) == refused


@pytest.mark.parametrize(("query", "refused"), WAYS)
async def test_a_known_caller_is_not(graph, query, refused):
    assert refused
    assert await graph.refused(query, KNOWN) == []


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{ open { id label } }", id="open-type"),
        pytest.param("{ node { ... on Open { id label } } }", id="open-fragment"),
        pytest.param("{ search { ... on Open { label } } }", id="open-member"),
        pytest.param("{ node { ... on Hidden { id } } }", id="open-field"),
        pytest.param("{ paper { pages } }", id="beside-a-protected-field"),
        pytest.param("{ __typename __schema { types { name } } }", id="introspection"),
    ],
)
async def test_what_has_no_rule_is_open(graph, query):
    operation = graph.operation(query)

    assert graph.policies.is_open(operation)
    assert await graph.refused(query) == []


async def test_only_the_outermost_refused_selection_is_reported(graph):
    refused = await graph.refused("{ secret { id label code } open { id } }")

    assert refused == ["Query.secret"]


async def test_each_refused_alias_is_reported_and_cut(graph):
    query = "{ a: secret { id } b: secret { id } open { id } }"

    decision = await graph.decide(query)

    assert [r.path for r in decision.refusals] == [("a",), ("b",)]
    assert print_selections(graph.cut(query, decision).selections) == (
        "open {\n  id\n}"
    )


async def test_the_error_names_the_path_up_to_the_first_list(graph):
    decision = await graph.decide("{ o: open { x: secrets { id } } }")

    [refusal] = decision.refusals
    assert refusal.path == ("o", "x")
    assert refusal.code == "UNAUTHORIZED_FIELD_OR_TYPE"
    decision = await graph.decide("{ nodes { l: label } }")
    assert decision.refusals[0].path == ("nodes",)


REQUIRED = [
    """
    type Query { user: User }
    type User @key(fields: "id") {
      id: ID!
      salary: Int @shareable @authenticated
      address: Address @shareable
    }
    type Address @shareable {
      city: String
      zip: String @requiresScopes(scopes: [["a"]])
    }
    """,
    """
    type User @key(fields: "id") {
      id: ID!
      salary: Int @external
      address: Address @external
      bonus: Int @requires(fields: "salary")
      region: String @requires(fields: "address { city }")
      post: String @requires(fields: "address { zip }")
      free: Int
    }
    type Address @external { city: String  zip: String }
    """,
    """
    type User @key(fields: "id") {
      id: ID!
      bonus: Int @external
      rank: Int @requires(fields: "bonus")
    }
    """,
]


@pytest.fixture(scope="module")
def required():
    return ruled(*REQUIRED)


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        pytest.param("bonus", True, id="one-step"),
        pytest.param("rank", True, id="chain"),
        pytest.param("post", True, id="nested"),
        pytest.param("region", False, id="open-part-of-a-protected-type"),
        pytest.param("free", False, id="requires-nothing"),
    ],
)
async def test_a_field_has_the_rules_of_what_it_requires(required, name, is_refused):
    refused = await required.refused(f"{{ user {{ {name} }} }}")

    assert refused == ([f"User.{name}"] if is_refused else [])
    assert await required.refused(f"{{ user {{ {name} }} }}", KNOWN) == []


async def test_a_field_has_the_rules_of_what_it_reads_from_a_context():
    graph = ruled(
        """
        type Query { account: Account }
        type Account @key(fields: "id") @context(name: "account") {
          id: ID!
          plan: String @authenticated
          tier: String
          child: Child
        }
        type Child @key(fields: "id") {
          id: ID!
          price(plan: String @fromContext(field: "$account { plan }")): Int
          size(tier: String @fromContext(field: "$account { tier }")): Int
        }
        """
    )

    assert await graph.refused("{ account { child { price } } }") == ["Child.price"]
    assert await graph.refused("{ account { child { size } } }") == []


async def test_a_field_of_an_interface_object_has_its_requirements():
    graph = ruled(
        """
        type Query { media: Media }
        interface Media @key(fields: "id") { id: ID!  price: Int }
        type Book implements Media @key(fields: "id") {
          id: ID!  price: Int @authenticated
        }
        """,
        """
        type Media @key(fields: "id") @interfaceObject {
          id: ID!
          price: Int @external
          tax: Int @requires(fields: "price")
        }
        """,
    )

    assert await graph.refused("{ media { tax } }") == ["Media.tax"]
    assert await graph.refused("{ media { ... on Book { tax } } }") == ["Book.tax"]


async def test_rules_of_two_subgraphs_on_one_field_must_both_hold():
    graph = ruled(
        """type Query { user: User }
        type User @key(fields: "id") { id: ID!  name: String @shareable
          @requiresScopes(scopes: [["a"]]) }""",
        """type User @key(fields: "id") { id: ID!  name: String @shareable
          @requiresScopes(scopes: [["b"]]) }""",
    )
    query = "{ user { name } }"

    assert await graph.refused(query, KNOWN) == ["User.name"]
    both = Principal("u1", frozenset({"a", "b"}))
    assert await graph.refused(query, both) == []


async def test_a_protected_scalar_or_enum_protects_the_fields_that_have_it():
    graph = ruled(
        """
        type Query { a: Pin  b: Level  c: [Pin!]! }
        scalar Pin @authenticated
        enum Level @authenticated { LOW HIGH }
        """
    )

    assert await graph.refused("{ a b c }") == ["Query.a", "Query.b", "Query.c"]


async def test_a_mutation_is_guarded_like_a_query():
    graph = ruled(
        "type Query { x: Int } type Mutation { pay: Int @authenticated  look: Int }"
    )

    assert await graph.refused("mutation { pay look }") == ["Mutation.pay"]


def test_guards_are_found_once_for_operations_that_differ_in_literals():
    literal = ruled("type Query { user(id: ID!): Int @authenticated }")

    first = literal.policies.guards_for(literal.operation('{ user(id: "1") }'))
    second = literal.policies.guards_for(literal.operation('{ user(id: "2") }'))

    assert first is second
