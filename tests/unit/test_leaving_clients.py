"""Whoever leaves before the answer ends the calls that were made for it."""

import asyncio

import pytest
import strawberry
from support.faulty_backend import FaultyBackend

from graphgw import Gateway, Subgraph, loader, resolved, rest_source

service = rest_source("gate")


async def user(context):
    return await service.get("/gate", context, params={"of": "user"})


@loader(shared=True)
async def products_by_sku(keys, context):
    answer = await service.get("/gate", context, params={"of": ",".join(keys)})
    return [answer] * len(keys)


async def product(context, *, sku: str):
    return await context.load(products_by_sku, sku)


def users_subgraph():
    @strawberry.type
    class User:
        name: str | None

    @strawberry.type
    class Query:
        user: User | None = resolved(user)

    return Subgraph("users", query=Query)


def products_subgraph():
    @strawberry.type
    class Product:
        title: str | None

    @strawberry.type
    class Query:
        product: Product | None = resolved(product)

    return Subgraph("products", query=Query)


@pytest.fixture
async def backend():
    async with FaultyBackend() as backend:
        yield backend


@pytest.fixture
async def gateway(backend):
    subgraphs = [users_subgraph(), products_subgraph()]
    services = {"gate": backend.url("")}
    async with Gateway(subgraphs=subgraphs, services=services) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        pytest.param("{ user { name } }", 1, id="one"),
        pytest.param('{ product(sku: "a") { title } }', 1, id="one through a loader"),
        pytest.param('{ user { name } product(sku: "a") { title } }', 2, id="both"),
    ],
)
async def test_who_leaves_ends_the_calls_at_the_backend(gateway, backend, query, calls):
    asking = asyncio.create_task(gateway.execute(query))
    await asyncio.wait_for(backend.has_waiting(calls), 5)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(backend.is_quiet(), 5)
    assert backend.stats.requests == calls
    assert backend.stats.cancelled == calls


async def test_who_stays_gets_the_answer_of_a_call_that_another_left(gateway, backend):
    query = '{ user { name } product(sku: "a") { title } }'
    leaving = asyncio.create_task(gateway.execute(query))
    staying = asyncio.create_task(gateway.execute(query))
    await asyncio.wait_for(backend.has_waiting(2), 5)

    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    backend.release.set()

    answer = await asyncio.wait_for(staying, 5)
    assert answer.errors == []
    assert answer.plain_data == {"user": {"name": None}, "product": {"title": None}}
    assert (backend.stats.requests, backend.stats.cancelled) == (2, 0)
