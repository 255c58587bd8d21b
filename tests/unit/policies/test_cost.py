"""The estimated cost of an operation, and what is too expensive."""

from __future__ import annotations

import pytest
from support.policies import ruled

from graphgw.errors import CostError
from graphgw.policies.cost import CostModel, estimate_cost
from graphgw.policies.settings import CostSettings, PolicySettings
from graphgw.telemetry.events import SelectionRefused
from graphgw.types import Principal

SDL = """
type Query {
  number: Int
  user: User
  users: [User!]!
  few: [User!] @listSize(assumedSize: 3)
  page(first: Int = 5, last: Int, after: ID): [User!]
    @listSize(assumedSize: 50, slicingArguments: ["first", "last"])
  search(first: Int): Page
    @listSize(slicingArguments: ["first"], sizedFields: ["items"])
  dear: Int @cost(weight: 7)
  free: User @cost(weight: 0)
  blob: Blob
  level: Level
  heavy: Heavy
  node: Node
  numbers: [Int!]
  secret: User @authenticated
  filter(by: Filter, tags: [String!] @cost(weight: 2)): Int
  either: Either
}
type User { id: ID!  friends: [User!]  best: User }
type Page { total: Int  items: [User!]  other: [User!] }
type Heavy @cost(weight: 20) { id: ID! }
scalar Blob @cost(weight: 4)
enum Level @cost(weight: 2) { LOW }
interface Node { id: ID! }
type Leaf implements Node { id: ID! @cost(weight: 3) }
type Twig implements Node @cost(weight: 9) { id: ID! }
union Either = Leaf | Twig
input Filter { cheap: Int  dear: Int @cost(weight: 5)  all: [Filter!] @cost(weight: 1) }
type Mutation { touch: Int  user: User }
"""


@pytest.fixture(scope="module")
def graph():
    return ruled(SDL)


@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        pytest.param("{ number }", {}, 0, id="scalar"),
        pytest.param("{ user { id } }", {}, 1, id="object"),
        pytest.param("{ user { best { id } } }", {}, 2, id="nested"),
        pytest.param("{ a: user { id } b: user { id } }", {}, 2, id="aliases"),
        pytest.param("{ users { id } }", {}, 10, id="list"),
        pytest.param("{ users { friends { id } } }", {}, 110, id="list-in-list"),
        pytest.param("{ numbers }", {}, 0, id="list-of-scalars"),
        pytest.param("{ few { id } }", {}, 3, id="assumed-size"),
        pytest.param("{ page { id } }", {}, 5, id="default-of-the-argument"),
        pytest.param("{ page(first: 2) { id } }", {}, 2, id="slicing-argument"),
        pytest.param("{ page(first: 2, last: 8) { id } }", {}, 8, id="the-larger"),
        pytest.param(
            "query ($n: Int) { page(first: $n) { id } }", {"n": 30}, 30, id="variable"
        ),
        pytest.param(
            "query ($n: Int) { page(first: $n) { id } }", {"n": None}, 50, id="null"
        ),
        pytest.param("{ page(first: -3) { id } }", {}, 0, id="negative-is-none"),
        pytest.param(
            "{ search(first: 4) { total items { id } other { id } } }",
            {},
            1 + 4 + 10,
            id="sized-fields",
        ),
        pytest.param("{ dear }", {}, 7, id="weight-of-the-field"),
        pytest.param("{ free { best { id } } }", {}, 1, id="weight-zero"),
        pytest.param("{ blob level }", {}, 6, id="weight-of-scalar-and-enum"),
        pytest.param("{ heavy { id } }", {}, 20, id="weight-of-the-type"),
        pytest.param("{ node { id } }", {}, 12, id="dearest-implementation"),
        pytest.param(
            "{ either { ... on Leaf { id } ... on Twig { id } } }", {}, 12, id="union"
        ),
        pytest.param("{ filter(by: {cheap: 1}) }", {}, 0, id="free-input"),
        pytest.param("{ filter(by: {dear: 1}) }", {}, 5, id="input-field"),
        pytest.param(
            "{ filter(by: {all: [{dear: 1}, {dear: 1}]}) }", {}, 12, id="input-list"
        ),
        pytest.param('{ filter(tags: ["a"]) }', {}, 2, id="argument"),
        pytest.param("mutation { touch }", {}, 10, id="mutation"),
        pytest.param("mutation { user { id } }", {}, 11, id="mutation-with-object"),
        pytest.param("{ __typename __schema { types { name } } }", {}, 0, id="meta"),
    ],
)
def test_the_estimate(graph, query, variables, cost):
    prepared = graph.graph.prepare(query, variables)
    model = CostModel(graph.graph.supergraph, list_size=10)
    program = model.prepare(prepared.operation)

    assert estimate_cost(program, prepared.variables) == cost


def test_an_estimate_does_not_grow_without_end(graph):
    query = "{ users " + "{ friends " * 12 + "{ id }" + "}" * 12 + "}"
    prepared = graph.graph.prepare(query)
    model = CostModel(graph.graph.supergraph, list_size=1_000_000)
    program = model.prepare(prepared.operation)

    assert estimate_cost(program, {}) <= 2**53


def limited(switch="enforce"):
    cost = CostSettings(limit=50, switch=switch)
    return ruled(SDL, policies=PolicySettings(cost=cost))


async def test_what_is_too_expensive_is_refused_whole():
    graph = limited()

    decision = await graph.decide("{ users { friends { id } } }")

    assert isinstance(decision.refusal, CostError)
    assert decision.refusal.extensions == {"cost": 110, "limit": 50}
    assert (await graph.decide("{ users { id } }")).refusal is None


async def test_the_same_document_may_be_cheap_or_dear():
    graph = limited()
    query = "query ($n: Int) { page(first: $n) { id } }"

    for size, is_allowed in ((50, True), (51, False), (50, True)):
        decision = await graph.decide(query, variables={"n": size})
        assert (decision.refusal is None) is is_allowed


async def test_refused_fields_cost_nothing():
    graph = limited()
    query = "{ number secret { friends { friends { id } } } }"

    assert await graph.refused(query) == ["Query.secret"]
    decision = await graph.decide(query, Principal("u1"))
    assert isinstance(decision.refusal, CostError)


async def test_a_shadow_limit_reports_and_lets_pass():
    graph = limited("shadow")

    decision = await graph.decide("{ users { friends { id } } }")

    assert decision.refusal is None
    assert graph.recorder.events == [
        SelectionRefused("operation", "COST_ESTIMATED_TOO_EXPENSIVE", is_shadow=True)
    ]


@pytest.mark.parametrize(
    "cost", [CostSettings(), CostSettings(limit=1, switch="off")], ids=["none", "off"]
)
async def test_nothing_is_estimated_without_a_limit(cost):
    graph = ruled(SDL, policies=PolicySettings(cost=cost))
    query = "{ users { friends { id } } }"

    assert graph.policies.is_open(graph.operation(query))
    assert (await graph.decide(query)).refusal is None
