"""Cost as a client's currency: debited before, refunded down to what was used."""

from __future__ import annotations

import asyncio

import pytest
import strawberry
from support.policies import Recorder, ruled

from graphgw import Gateway, Subgraph, batched, by, resolved
from graphgw import directives as d
from graphgw.config.settings import Settings
from graphgw.policies.cost import CostModel
from graphgw.policies.cost_measure import measure_cost
from graphgw.policies.settings import CostSettings, PolicySettings, RateLimitSettings
from graphgw.subgraphs.loaders import loader
from graphgw.telemetry.events import CostMeasured
from graphgw.types import Principal

SDL = """
type Query {
  number: Int
  dear: Int @cost(weight: 7)
  user: User
  users: [User!]
  node: Node
  numbers: [Int!]
  filter(by: Filter): Int
  sized(first: Int, last: Int, after: ID): [User!]
    @listSize(slicingArguments: ["first", "last"])
  preset(first: Int = 5, last: Int): [User!]
    @listSize(slicingArguments: ["first", "last"])
  free(first: Int): [User!]
    @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
}
type User { id: ID!  friends: [User!] }
interface Node { id: ID!  user: User }
type Leaf implements Node { id: ID!  user: User  users: [User!] }
type Twig implements Node { id: ID!  user: User  users: [User!] }
input Filter { dear: Int @cost(weight: 5) }
type Mutation { touch: Int }
"""


@pytest.fixture(scope="module")
def graph():
    return ruled(SDL, policies=PolicySettings(cost=CostSettings(limit=1000)))


@pytest.mark.parametrize(
    ("query", "data", "cost"),
    [
        pytest.param("{ number }", {"number": 1}, 0, id="scalar"),
        pytest.param("{ x: dear }", {"x": 1}, 7, id="weighted-alias"),
        pytest.param("{ dear }", {"dear": None}, 0, id="null"),
        pytest.param("{ dear }", None, 0, id="no-data"),
        pytest.param("{ users { id } }", {"users": [{"id": "1"}] * 3}, 3, id="list"),
        pytest.param("{ users { id } }", {"users": []}, 0, id="empty-list"),
        pytest.param("{ users { id } }", {"users": [None]}, 0, id="null-item"),
        pytest.param(
            "{ users { friends { id } } }",
            {"users": [{"friends": [{"id": "1"}] * 2}, {"friends": None}]},
            4,
            id="nested",
        ),
        pytest.param("{ numbers }", {"numbers": [1, 2]}, 0, id="scalars"),
        pytest.param(
            "{ node { ... on Leaf { users { id } } ... on Twig { users { id } } } }",
            {"node": {"users": [{"id": "1"}]}},
            2,
            id="once-for-each-key",
        ),
        pytest.param("{ filter(by: {dear: 1}) }", {"filter": 2}, 5, id="argument"),
        pytest.param("mutation { touch }", {"touch": 1}, 10, id="mutation"),
    ],
)
def test_the_actual_cost_counts_what_came(graph, query, data, cost):
    prepared = graph.graph.prepare(query)
    model = CostModel(graph.graph.supergraph, list_size=10)

    found = measure_cost(model.prepare(prepared.operation), prepared.variables, data)

    assert found == cost


@pytest.mark.parametrize(
    ("query", "is_refused"),
    [
        pytest.param("{ sized { id } }", True, id="none"),
        pytest.param("{ sized(first: 2) { id } }", False, id="one"),
        pytest.param("{ sized(first: 2, last: 2) { id } }", True, id="two"),
        pytest.param("{ sized(first: null) { id } }", True, id="null"),
        pytest.param("{ sized(after: 1) { id } }", True, id="another"),
        pytest.param("{ preset { id } }", False, id="default"),
        pytest.param("{ preset(last: 2) { id } }", False, id="beside-a-default"),
        pytest.param("{ free { id } }", False, id="not-required"),
        pytest.param("{ number ... on Query { sized { id } } }", True, id="fragment"),
    ],
)
async def test_a_list_is_sized_by_one_argument(graph, query, is_refused):
    decision = await graph.decide(query)

    assert (decision.refusal is not None) is is_refused
    if decision.refusal is not None:
        assert decision.refusal.code == "COST_ESTIMATED_TOO_EXPENSIVE"
        assert "exactly one of first, last" in decision.refusal.message


# Through a gateway


@loader(shared=True)
async def friends_by_user(ids, _context):
    return [[{"id": f"{key}f"}] for key in ids]


@loader(shared=True)
async def users_by_id(ids, _context):
    return [{"id": key, "name": key} for key in ids]


async def find_users(_context, *, count: int = 2):
    if count < 0:
        await asyncio.sleep(60)
    return [{"id": str(number), "name": "n"} for number in range(count)]


@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    name: str
    friends: list[User] = batched(friends_by_user, key="id")


@strawberry.type
class Query:
    users: list[User] | None = resolved(
        find_users, directives=[d.ListSize(assumed_size=50)]
    )


def subgraph():
    return Subgraph("users", query=Query, entities={User: by("id", users_by_id)})


@pytest.fixture
async def start():
    opened = []

    async def open_gateway(rate_limit=None, **cost):
        recorder = Recorder()
        policies = PolicySettings(
            cost=CostSettings(**cost), rate_limit=rate_limit or RateLimitSettings()
        )
        gateway = Gateway(
            subgraphs=[subgraph()],
            settings=Settings(policies=policies),
            observers=[recorder],
        )
        await gateway.start()
        opened.append(gateway)
        return gateway, recorder

    yield open_gateway
    for gateway in opened:
        await gateway.aclose()


QUERY = "query($count: Int!) { users(count: $count) { id } }"


async def ask(gateway, count, subject="u1"):
    return await gateway.execute(QUERY, {"count": count}, principal=Principal(subject))


async def test_what_was_not_used_is_given_back(start):
    gateway, recorder = await start(budget=60, window="1h")

    statuses = [(await ask(gateway, 2)).status for _ in range(6)]

    # Each needs 50 of 60 beforehand and costs 2 in the end: 0, 2, 4 ... are used.
    assert statuses == [200] * 6
    measured = [e for e in recorder.events if isinstance(e, CostMeasured)]
    assert [(e.estimate, e.actual) for e in measured] == [(50, 2)] * 6

    assert (await ask(gateway, 2)).status == 429
    assert (await ask(gateway, 2, "u2")).status == 200


async def test_the_budget_is_told_in_headers(start):
    gateway, _ = await start(budget=60, window="1h")

    headers = dict((await ask(gateway, 2)).headers)

    assert headers["ratelimit-policy"] == '"cost";q=60;w=3600'
    assert headers["ratelimit"].startswith('"cost";r=10;')


async def test_an_operation_without_an_answer_gets_nothing_back(start):
    gateway, _ = await start(budget=60, window="1h")
    running = asyncio.ensure_future(ask(gateway, -1))
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait([running])

    assert (await ask(gateway, 2)).status == 429


async def test_what_the_budget_can_never_pay_is_too_expensive(start):
    gateway, _ = await start(budget=40, window="1h")

    response = await ask(gateway, 2)

    assert response.error_codes == ("COST_ESTIMATED_TOO_EXPENSIVE",)


async def test_a_shadow_budget_refuses_nothing(start):
    gateway, _ = await start(budget=60, window="1h", switch="shadow")

    statuses = {(await ask(gateway, 40)).status for _ in range(4)}

    assert statuses == {200}


async def test_the_budget_holds_with_rate_limits_off(start):
    off = RateLimitSettings(switch="off", limit=1)
    gateway, _ = await start(off, budget=60, window="1h")

    statuses = [(await ask(gateway, 50)).status for _ in range(2)]

    assert statuses == [200, 429]


@pytest.mark.parametrize(("limit", "status"), [(1, 400), (2, 200)])
async def test_a_plan_may_need_so_many_backend_calls(start, limit, status):
    gateway, _ = await start(max_backend_calls=limit)

    response = await gateway.execute("{ users { friends { id } } }")

    assert response.status == status
    if status != 200:
        assert response.error_codes == ("COST_ESTIMATED_TOO_EXPENSIVE",)
        assert response.errors[0]["extensions"]["calls"] == 2
