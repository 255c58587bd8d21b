"""A local subgraph served alone, asked as a federation router asks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import strawberry

from graphgw import directives as d
from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.config.settings import Settings
from graphgw.errors import ConfigurationError
from graphgw.gateway import Gateway
from graphgw.subgraphs.loaders import loader
from graphgw.subgraphs.local.fields import batched, by, resolved
from graphgw.subgraphs.local.subgraph import Subgraph

CALLS = []


@dataclass
class Row:
    id: str
    sku: str
    total: int


@loader
async def orders_by_id(ids: list[str], _context) -> list[Row | None]:
    CALLS.append(("id", ids))
    return [None if i == "none" else Row(i, f"s{i}", len(i)) for i in ids]


@loader
async def orders_by_sku(skus: list[str], _context) -> list[Row | None]:
    CALLS.append(("sku", skus))
    return [Row(s[1:], s, 7) for s in skus]


@loader
async def orders_by_user(
    ids: list[str], _context, *, first: int = 2
) -> list[list[Row]]:
    CALLS.append(("user", ids, first))
    return [[Row(f"{i}{n}", "s", n) for n in range(first)] for i in ids]


@loader
async def weights(keys: list[tuple[str, int]], _context) -> list[int | None]:
    return [weight for _, weight in keys]


async def find_order(_context, *, id: strawberry.ID) -> Row:  # noqa: A002 - the argument
    return Row(id, "s", 1)


@strawberry.federation.type(keys=["id", "sku"])
class Order:
    id: strawberry.ID
    sku: str
    total: int
    secret: int | None = batched(
        weights, key=("id", "total"), directives=[d.Authenticated()]
    )


@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    weight: int | None = strawberry.federation.field(external=True, default=None)
    orders: list[Order] = batched(orders_by_user, key="id")
    doubled: int | None = batched(weights, key=("id", "weight"), requires=["weight"])


@strawberry.type
class Query:
    order: Order | None = resolved(find_order)


SUBGRAPH = Subgraph(
    "order",
    query=Query,
    types=[User],
    entities={Order: [by("id", orders_by_id), by("sku", orders_by_sku)]},
)
ENTITIES = "query($r: [_Any!]!) { _entities(representations: $r) { %s } }"


@pytest.fixture
async def gateway():
    CALLS.clear()
    settings = Settings(alone="order")
    async with Gateway(subgraphs=[SUBGRAPH], settings=settings) as found:
        yield found


async def entities(gateway, selections, *representations):
    response = await gateway.execute(
        ENTITIES % selections, {"r": list(representations)}
    )
    return response.data and response.data["_entities"], response.errors


async def test_it_tells_its_schema(gateway):
    response = await gateway.execute("{ _service { sdl __typename } }")

    assert response.data == {
        "_service": {"sdl": SUBGRAPH.sdl, "__typename": "_Service"}
    }


async def test_its_root_fields_are_served(gateway):
    response = await gateway.execute('{ order(id: "1") { id total } __typename }')

    assert response.data == {"order": {"id": "1", "total": 1}, "__typename": "Query"}


async def test_entities_of_several_types_and_keys_are_loaded_by_key(gateway):
    data, errors = await entities(
        gateway,
        "__typename ... on Order { id total } ... on User { orders(first: 1) { id } }",
        {"__typename": "Order", "id": "11"},
        {"__typename": "User", "id": "u"},
        {"__typename": "Order", "sku": "s2"},
        {"__typename": "Order", "id": "12"},
    )

    assert not errors
    assert data == [
        {"__typename": "Order", "id": "11", "total": 2},
        {"__typename": "User", "orders": [{"id": "u0"}]},
        {"__typename": "Order", "id": "2", "total": 7},
        {"__typename": "Order", "id": "12", "total": 2},
    ]
    assert sorted(CALLS) == [
        ("id", ["11", "12"]),
        ("sku", ["s2"]),
        ("user", ["u"], 1),
    ]


async def test_required_fields_come_with_the_representation(gateway):
    data, errors = await entities(
        gateway,
        "... on User { doubled }",
        {"__typename": "User", "id": "u", "weight": 3},
    )

    assert (data, errors) == ([{"doubled": 3}], [])


async def test_an_entity_that_is_not_there_is_null(gateway):
    data, _ = await entities(
        gateway, "... on Order { total }", {"__typename": "Order", "id": "none"}
    )

    assert data == [None]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"id": "1"}, id="no-type"),
        pytest.param({"__typename": "Query"}, id="no-entity"),
        pytest.param({"__typename": "Nothing", "id": "1"}, id="unknown"),
        pytest.param({"__typename": ["Order"], "id": "1"}, id="type-of-type"),
        pytest.param("Order", id="text"),
        pytest.param(["Order"], id="list"),
        pytest.param({"__typename": "Order"}, id="no-key"),
        pytest.param({"__typename": "Order", "id": None}, id="null-key"),
    ],
)
async def test_a_wrong_representation_is_null_and_leaves_the_others_alone(
    gateway, wrong
):
    data, errors = await entities(
        gateway, "... on Order { total }", wrong, {"__typename": "Order", "id": "1"}
    )

    assert data == [None, {"total": 1}]
    assert all(error["path"] == ["_entities", 0] for error in errors)


async def test_policies_hold_for_entities_too(gateway):
    data, errors = await entities(
        gateway, "... on Order { id secret }", {"__typename": "Order", "id": "1"}
    )

    assert data == [{"id": "1", "secret": None}]
    (error,) = errors
    assert error["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"
    assert error["extensions"]["coordinate"] == "Order.secret"


async def test_entities_may_be_asked_for_under_several_keys_beside_others(gateway):
    response = await gateway.execute(
        """{
          a: _entities(representations: [{__typename: "Order", id: "1"}]) {
            ... on Order { id }
          }
          b: _entities(representations: []) { __typename }
          order(id: "3") { id }
        }"""
    )

    assert not response.errors
    assert response.data == {"a": [{"id": "1"}], "b": [], "order": {"id": "3"}}


async def test_a_name_that_is_no_local_subgraph_is_told():
    gateway = Gateway(subgraphs=[SUBGRAPH], settings=Settings(alone="orders"))

    with pytest.raises(ConfigurationError, match='no local subgraph "orders"') as found:
        await gateway.start()

    assert "the local subgraphs are: order" in str(found.value)


@strawberry.type
class Mutation:
    order: Order | None = resolved(find_order)


@pytest.mark.parametrize("mutation", [None, Mutation])
async def test_a_subgraph_without_query_fields_has_the_two_of_federation(mutation):
    subgraph = Subgraph(
        "order", mutation=mutation, entities={Order: by("id", orders_by_id)}
    )
    settings = Settings(alone="order")
    async with Gateway(subgraphs=[subgraph], settings=settings) as gateway:
        fields = await gateway.execute('{ __type(name: "Query") { fields { name } } }')
        served = await gateway.execute("{ __typename _service { sdl } }")
        found = await entities(
            gateway, "... on Order { total }", {"__typename": "Order", "id": "123"}
        )

    names = [field["name"] for field in fields.data["__type"]["fields"]]
    assert names == ["_service", "_entities"]
    assert served.data == {"__typename": "Query", "_service": {"sdl": subgraph.sdl}}
    assert found == ([{"total": 3}], [])


async def test_a_router_composes_a_subgraph_without_query_fields():
    bare = Subgraph("order", entities={Order: by("id", orders_by_id)})
    settings = Settings(alone="order")
    async with Gateway(subgraphs=[bare], settings=settings) as gateway:
        told = (await gateway.execute("{ _service { sdl } }")).data

    composed = compose(
        [
            SubgraphSDL("order", "", told["_service"]["sdl"]),
            SubgraphSDL("shop", "", "type Query { open: Boolean }"),
        ]
    )

    query = composed.supergraph.types["Query"]
    assert list(query.fields) == ["open"]
    assert composed.supergraph.types["Order"].fields["total"]
