"""Gateways with one relay forget together, whatever their configuration becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import strawberry

from graphgw import Subgraph, resolved
from graphgw.config.settings import Settings
from graphgw.directives import CacheControl, CacheInvalidation, CacheScope, CacheTag
from graphgw.gateway import Gateway
from graphgw.policies.settings import CacheSettings, PolicySettings
from graphgw.stores.relay import Tables

MADE: list[str] = []


async def make(_context, *, of: str) -> int:
    MADE.append(of)
    return MADE.count(of)


async def change(_context, *, of: str) -> str:
    return of


@strawberry.type
class Query:
    made: int = resolved(
        make,
        directives=[
            CacheControl(max_age=3600, scope=CacheScope.PUBLIC),
            CacheTag(format="thing-{$args.of}"),
        ],
    )


@strawberry.type
class Mutation:
    change: str = resolved(
        change, directives=[CacheInvalidation(tags=["thing-{$args.of}"])]
    )


@pytest.fixture
async def pair():
    MADE.clear()
    relay = Tables()
    subgraph = Subgraph("thing", query=Query, mutation=Mutation)
    first, second = (Gateway(subgraphs=[subgraph], relay=relay) for _ in range(2))
    async with first, second:
        yield first, second


async def made(gateway: Gateway, of: str) -> int:
    response = await gateway.execute(f'{{ made(of: "{of}") }}')
    assert not response.errors
    return response.data["made"]


def with_cache(settings: Settings, **cache) -> Settings:
    policies = PolicySettings(cache=CacheSettings(**cache))
    return replace(settings, policies=policies)


async def test_what_one_changes_both_forget(pair):
    first, second = pair
    assert [await made(g, of) for of in "ab" for g in (*pair, *pair)] == [1, 2] * 4

    await first.execute('mutation { change(of: "a") }')

    assert [await made(g, "a") for g in (first, second, first)] == [3, 4, 3]
    assert [await made(g, "b") for g in pair] == [1, 2]


async def test_a_store_of_another_size_hears_of_changes_too(pair):
    first, second = pair
    await second.reconfigure(with_cache(second.settings, max_bytes=1_000_000))
    assert [await made(g, "a") for g in (*pair, *pair)] == [1, 2, 1, 2]

    await first.execute('mutation { change(of: "a") }')
    assert [await made(g, "a") for g in pair] == [3, 4]

    await second.execute('mutation { change(of: "a") }')
    assert [await made(g, "a") for g in pair] == [5, 6]
