"""Two gateways with one Redis share what they keep, and what they drop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.graphs import new_context

from backends.protos import order_pb2
from graphgw.subgraphs.cache_rules import CacheRule
from graphgw.subgraphs.entity_cache import EntityCache
from graphgw.subgraphs.loaders import RequestLoaders, loader
from graphgw.types import Principal

RULE = CacheRule(
    "Order", 60.0, is_private=False, tags=("order-{$key.id}",), key_names=("id",)
)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def rows(calls):
    @loader(shared=True)
    async def orders_by_id(ids, _context):
        calls.append(list(ids))
        return [order_pb2.Order(id=key) for key in ids]

    return orders_by_id


@pytest.fixture
def gateways(open_redis):
    return [EntityCache(open_redis()) for _ in range(2)]


async def ask(cache, rows, keys, rule=RULE, **context):
    made = RequestLoaders.attach(new_context(**context), cache)
    return await made.loaders.load_many(rows, keys, {}, rule)


async def test_a_row_is_fetched_once_for_both(gateways, rows, calls):
    first = await ask(gateways[0], rows, ["a", "b"])
    second = await ask(gateways[1], rows, ["b", "a", "c"])

    assert [row.id for row in first] == ["a", "b"]
    assert [row.id for row in second] == ["b", "a", "c"]
    assert calls == [["a", "b"], ["c"]]


async def test_what_one_drops_the_other_fetches_again(gateways, rows, calls):
    await ask(gateways[0], rows, ["a", "b"])
    await gateways[1].invalidate(["order-a"])

    await ask(gateways[0], rows, ["a", "b"])

    assert calls == [["a", "b"], ["a"]]


async def test_a_private_row_stays_with_its_caller(gateways, rows, calls):
    private = replace(RULE, is_private=True)
    for cache, subject in zip(gateways * 2, ("ann", "bob", "bob", "ann"), strict=True):
        await ask(cache, rows, ["a"], private, principal=Principal(subject))

    assert len(calls) == 2


async def test_junk_under_our_keys_is_a_miss(gateways, rows, calls, open_redis):
    await ask(gateways[0], rows, ["a"])
    raw = open_redis()._redis
    prefix = gateways[0]._store._prefix
    for name in await raw.keys(prefix.replace("[", "\\[") + "v:*"):
        await raw.set(name, b"\0" * 40)

    [row] = await ask(gateways[1], rows, ["a"])

    assert row.id == "a"
    assert len(calls) == 2
