"""Each stage of an operation of the example graph, as text."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from graphgw.assemble import RemoteSubgraphs, assemble
from graphgw.config.load import load_settings_text
from graphgw.context import RequestContext
from graphgw.errors import BadUserInputError, UnauthenticatedError
from graphgw.explain.stages import STAGES, explain
from graphgw.operations.operation import GraphQLRequest
from graphgw.operations.worker import ColdWorker
from graphgw.stores.memory import MemoryStore
from graphgw.types import ANONYMOUS, Deadline, Principal

CONFIGURATION = """
subgraphs:
  user: schema.user:subgraph
  product: schema.product:subgraph
  order: schema.order:subgraph
"""
ORDERS = """
query Orders($first: Int = 5) {
  users(first: $first) {
    nodes { name email orders(first: 2) { nodes { items { product { name } } } } }
  }
}
"""


async def text_of(
    stage: str,
    query: str = ORDERS,
    *,
    principal: Principal = ANONYMOUS,
    variables: dict[str, object] | None = None,
    extra: str = "",
) -> str:
    settings = load_settings_text(CONFIGURATION + extra, Path("graphgw.yaml"), {})
    worker, remote = ColdWorker(), RemoteSubgraphs()
    try:
        snapshot = await assemble(
            settings, (), sdl=None, remote=remote, worker=worker, store=MemoryStore()
        )
        context = RequestContext(deadline=Deadline.after(10), principal=principal)
        request = GraphQLRequest(query, None, variables or {})
        return await explain(snapshot, request, context, stage)
    finally:
        await remote.aclose()
        await worker.aclose()


async def test_normalize_hoists_literals_without_showing_them():
    text = await text_of("normalize", '{ product(id: "p-secret") { name } }')

    assert text == dedent(
        """\
        query ($_gw1: ID!) {
          product(id: $_gw1) {
            name
          }
        }
        """
    )


async def test_decide_names_the_rules_and_who_they_refuse():
    text = await text_of("decide")

    assert text == dedent(
        """\
        principal: anonymous
        User.email at users.nodes: refused, UNAUTHORIZED_FIELD_OR_TYPE \
(@owner sub or users:contact)
        User.orders at users.nodes: allowed (rate limit User.orders/600/1m)
        """
    )


async def test_decide_allows_what_the_scopes_of_the_caller_allow():
    query = '{ order(id: "o1") { total { cents } } }'
    principal = Principal("u1", frozenset(("orders:read",)))

    assert "refused" in await text_of("decide", query)
    assert "Order.total at order.total: allowed" in await text_of(
        "decide", query, principal=principal
    )


async def test_graph_shows_what_each_subgraph_resolves_and_how_it_is_entered():
    text = await text_of("graph", '{ user(id: "u1") { name orders { totalCount } } }')

    assert text == dedent(
        """\
        Query
          user
            user -> User
        User
          order: enter by { id }
            orders -> OrderConnection
          user: enter by { id }
            name
        OrderConnection
          order
            totalCount
        """
    )


async def test_paths_mark_the_ones_that_are_taken():
    text = await text_of("paths", '{ user(id: "u1") { id orders { totalCount } } }')

    assert text.startswith(
        dedent(
            """\
            # the ways to each leaf: * taken, + possible, - impossible
            user.id
              * user: Query.user
              + order by { id } at user: User
            user.orders.totalCount
              * order by { id } at user: User.orders
            # cost """
        )
    )


async def test_paths_of_a_mutation_are_shown_for_each_subgraph_that_has_the_field():
    text = await text_of(
        "paths",
        'mutation { createOrder(order: {userId: "u1", items: []}) { id } }',
        principal=Principal("u1", frozenset(("orders:write",))),
    )

    assert (
        "# Mutation by order\ncreateOrder.id\n  * order: Mutation.createOrder" in text
    )


async def test_fetches_say_what_each_waits_for():
    text = await text_of("fetches")

    assert "fetches: 3, stages: 3" in text
    assert "1: order at users.nodes.@, stage 2, after 0\n  sends User { id }" in text
    assert ".items.@.product, stage 3, after 1\n  sends Product { id }" in text


async def test_what_is_refused_is_cut_out_of_the_plan_with_a_comment():
    anonymous = await text_of("plan")
    known = await text_of("plan", principal=Principal("u1"))

    assert anonymous.startswith("# cut out: User.email at users.nodes: UNAUTHORIZED")
    assert "        email\n" not in anonymous
    assert known.startswith("QueryPlan {")
    assert "            email\n" in known


async def test_code_shows_what_runs():
    text = await text_of("code")

    assert "# fetch 1: order, after 0" in text
    assert "def collect(tree):" in text
    assert "# projection" in text


@pytest.mark.parametrize("stage", STAGES)
async def test_every_stage_prints_alike_at_every_run(stage: str):
    assert await text_of(stage) == await text_of(stage)


@pytest.mark.parametrize("stage", STAGES)
async def test_an_operation_that_asks_no_subgraph_has_every_stage(stage: str):
    assert (await text_of(stage, "{ __typename }")).endswith("\n")


async def test_variables_are_wanted_only_where_conditions_read_them():
    condition = "query ($all: Boolean!) { users { totalCount @include(if: $all) } }"
    argument = "query ($id: ID!) { user(id: $id) { name } }"

    assert "user(id: $id)" in await text_of("plan", argument)
    with pytest.raises(BadUserInputError):
        await text_of("plan", condition)
    assert "totalCount" in await text_of("plan", condition, variables={"all": True})


async def test_a_refusal_of_the_whole_operation_is_told_and_ends_the_stages():
    reject = "auth: {mode: reject}\n"

    text = await text_of("decide", extra=reject)

    assert "refused as a whole: UNAUTHENTICATED" in text
    with pytest.raises(UnauthenticatedError):
        await text_of("plan", extra=reject)
