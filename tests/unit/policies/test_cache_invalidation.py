"""Mutations drop the cached values that they change, by tag."""

from __future__ import annotations

import pytest
from support.graphs import new_context
from support.policies import ruled

from graphgw.policies.cache_tags import render_tag
from graphgw.policies.decision import Outcome
from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import StoreError

SDL = """
type Query { x: Int @cacheInvalidation(tags: ["never"]) }
type Mutation {
  plain: Int
  pay(id: ID, count: Int = 2): Int
    @cacheInvalidation(tags: ["order-{$args.id}", "page-{$args.count}"])
    @cacheInvalidation(tags: ["orders"])
  guarded: Int @authenticated @cacheInvalidation(tags: ["guarded"])
}
"""


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        pytest.param("mutation { plain }", (), id="none"),
        pytest.param(
            'mutation { pay(id: "7") }', ("order-7", "page-2", "orders"), id="arguments"
        ),
        pytest.param("mutation { pay }", ("page-2", "orders"), id="missing-argument"),
        pytest.param(
            'mutation { a: pay(id: "1", count: 1) b: pay(id: "2", count: 1) }',
            ("order-1", "page-1", "orders", "order-2"),
            id="aliases",
        ),
        pytest.param("mutation { guarded plain }", (), id="refused-field"),
        pytest.param("{ x }", (), id="query"),
    ],
)
async def test_a_mutation_invalidates_the_tags_of_its_fields(query, tags):
    decision = await ruled(SDL).decide(query)

    assert decision.invalidates == tags


async def test_a_mutation_without_rules_is_open():
    graph = ruled(SDL)

    assert graph.policies.is_open(graph.operation("mutation { plain }"))
    assert not graph.policies.is_open(graph.operation("mutation { pay }"))


@pytest.mark.parametrize("has_errors", [False, True])
async def test_tags_are_dropped_when_the_operation_is_settled(has_errors):
    store = MemoryStore()
    graph = ruled(SDL, store=store)
    decision = await graph.decide('mutation { pay(id: "7") }')
    before = (await store.get_many([], ["order-7", "order-8"])).stamps

    outcome = Outcome(200, has_errors=has_errors)
    await graph.policies.settle(new_context(), decision, outcome)

    after = (await store.get_many([], ["order-7", "order-8"])).stamps
    assert after[0] != before[0]
    assert after[1] == before[1]


@pytest.mark.parametrize(
    ("arguments", "tag"),
    [
        ({"order": {"user": "u1"}}, "orders-of-u1"),
        ({"order": {"user": None}}, None),
        ({"order": "u1"}, None),
        ({}, None),
    ],
)
def test_a_tag_may_name_a_field_of_an_input_object(arguments, tag):
    text = "orders-of-{$args.order.user}"

    assert render_tag(text, key={}, arguments=arguments) == tag


async def test_a_store_that_is_down_is_no_error():
    class Down(MemoryStore):
        async def invalidate(self, _tags):
            raise StoreError("down")

    graph = ruled(SDL, store=Down())
    decision = await graph.decide('mutation { pay(id: "7") }')

    await graph.policies.settle(new_context(), decision, Outcome(200))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="no-place"),
        pytest.param("u-{$key.id}", "u-7", id="key"),
        pytest.param("{$args.first}/{ $key.id }", "10/7", id="both"),
        pytest.param("{$args.nothing}", None, id="missing"),
        pytest.param("{$args.null}", None, id="null"),
        pytest.param("{$args.many}", None, id="list"),
        pytest.param("{$args.long}", None, id="too-long"),
        pytest.param(
            "{key.__class__} {0} {$x.y}", "{key.__class__} {0} {$x.y}", id="text"
        ),
    ],
)
def test_a_tags_format_is_filled_in(text, expected):
    arguments = {"first": 10, "null": None, "many": [1], "long": "x" * 600}

    assert render_tag(text, key={"id": "7"}, arguments=arguments) == expected
