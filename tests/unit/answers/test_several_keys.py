"""Objects with several keys: loaded by one, dropped by another, rows and answers."""

import asyncio

import orjson
import pytest
import strawberry

from graphgw import Subgraph, by, loader, resolved, sourced
from graphgw import directives as d
from graphgw.config.settings import Settings
from graphgw.gateway import Gateway
from graphgw.policies.drop_cached import read_dropped_tags

PUBLIC = d.CacheControl(max_age=60, scope=d.CacheScope.PUBLIC)
BY_ID = '{ product(id: "p1") { name } }'
BY_SKU = '{ productBySku(sku: "s1") { name } }'


def build(calls: list[str]) -> Subgraph:
    def row(number: str):
        return {"id": f"p{number}", "stock_code": f"s{number}", "name": f"n{number}"}

    @loader(shared=True)
    async def by_id(keys, _context):
        calls.append("id")
        return [row(key[1:]) for key in keys]

    @loader(shared=True)
    async def by_sku(keys, _context):
        calls.append("sku")
        return [row(key[1:]) for key in keys]

    async def product_of(context, *, id: strawberry.ID):  # noqa: A002 - its GraphQL name
        return await context.load(by_id, id)

    async def product_by_sku_of(context, *, sku: str):
        return await context.load(by_sku, sku)

    @strawberry.federation.type(keys=["id", "sku"], directives=[PUBLIC])
    class Product:
        id: strawberry.ID
        sku: str = sourced("stock_code")
        name: str

    @strawberry.type
    class Query:
        product: Product | None = resolved(product_of)
        product_by_sku: Product | None = resolved(product_by_sku_of)

    return Subgraph(
        "shop",
        query=Query,
        entities={Product: [by("id", by_id), by("sku", by_sku)]},
    )


@pytest.fixture(params=["memory", "redis"])
async def gateway(request):
    """Run a gateway with each kind of store; gives it and what was called."""
    url = None
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
    calls: list[str] = []
    settings = Settings(redis_url=url, redis_timeout=2.0)
    async with Gateway(subgraphs=[build(calls)], settings=settings) as made:
        await drop(made, {"types": ["Product"]})
        yield made, calls


async def drop(gateway, body) -> None:
    supergraph = gateway.snapshot.supergraph
    tags = read_dropped_tags(orjson.dumps(body), supergraph)
    await gateway._served.resources.store.invalidate(tags)


async def ask(gateway, query) -> None:
    answer = await gateway.execute(query)
    assert answer.data[next(iter(answer.data))] == {"name": "n1"}
    await asyncio.sleep(0.02)  # until it is kept


@pytest.mark.parametrize("query", [BY_ID, BY_SKU], ids=["id", "sku"])
@pytest.mark.parametrize(
    ("named", "is_dropped"),
    [
        pytest.param({"id": "p1"}, True, id="by-id"),
        pytest.param({"sku": "s1"}, True, id="by-sku"),
        pytest.param({"id": "p2"}, False, id="another-id"),
        pytest.param({"sku": "p1"}, False, id="another-sku"),
    ],
)
async def test_whatever_key_it_was_loaded_by_each_drops_it(
    gateway, query, named, is_dropped
):
    running, calls = gateway
    await ask(running, query)
    await ask(running, query)
    assert len(calls) == 1

    await drop(running, {"keys": [{"type": "Product", **named}]})
    for _ in range(2):
        await ask(running, query)

    assert len(calls) == (2 if is_dropped else 1)
