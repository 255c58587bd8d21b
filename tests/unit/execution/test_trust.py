"""Answers of subgraphs that coerce themselves are cut, and not looked at again."""

import pytest
import strawberry
from support.graphs import FakeGraph, new_context

from graphgw import Subgraph, batched, by, resolved
from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.subgraphs.loaders import RequestLoaders

PRICES = {"a": 1, "b": 2}


async def find_products(_context):
    return [{"sku": "a", "title": "Apple"}, {"sku": "b", "title": "Bread"}]


async def products_by_sku(keys, _context):
    return [
        {"sku": key, "price": PRICES[key]} if key in PRICES else None for key in keys
    ]


async def reviews(keys, _context):
    return [[{"stars": 5, "text": f"of {key}"}] for key in keys]


def catalog():
    @strawberry.federation.type(keys=["sku"])
    class Product:
        sku: strawberry.ID
        title: str

    @strawberry.type
    class Query:
        products: list[Product] = resolved(find_products)

    return Subgraph(
        "catalog", query=Query, entities={Product: by("sku", products_by_sku)}
    )


def shop():
    @strawberry.federation.type(keys=["sku"], name="Product")
    class Priced:
        sku: strawberry.ID
        price: int

    return Subgraph(
        "shop", types=[Priced], entities={Priced: by("sku", products_by_sku)}
    )


def critics():
    @strawberry.type
    class Review:
        stars: int
        text: str

    @strawberry.federation.type(keys=["sku"], name="Product")
    class Reviewed:
        sku: strawberry.ID
        reviews: list[Review] | None = batched(reviews, key="sku")

    return Subgraph("critics", types=[Reviewed])


@pytest.fixture
def graph():
    found = [catalog(), shop(), critics()]
    composed = compose([SubgraphSDL(made.name, "", made.sdl) for made in found])
    return FakeGraph(composed.supergraph, {made.name.upper(): made for made in found})


async def ask(graph, query):
    return await graph.run(query, context=RequestLoaders.attach(new_context()))


def projection(graph, query, refused=()):
    return graph.compile(graph.prepare(query, refused=refused)).projection


def test_a_tree_of_the_clients_shape_is_returned_as_it_is(graph):
    tree = {"products": [{"title": "Apple"}]}

    data, errors = projection(graph, "{ products { title } }").run(
        tree, [], is_sound=True
    )

    assert data is tree
    assert errors == []


async def test_keys_that_the_client_did_not_ask_for_are_left_out(graph):
    result = await ask(graph, "{ products { price t: __typename title } }")

    assert [list(found.items()) for found in result.data["products"]] == [
        [("price", 1), ("t", "Product"), ("title", "Apple")],
        [("price", 2), ("t", "Product"), ("title", "Bread")],
    ]


async def test_what_two_fetches_add_stands_in_the_clients_order(graph):
    for fields in ("price reviews { text stars }", "reviews { text stars } price"):
        result = await ask(graph, f"{{ products {{ sku {fields} }} }}")

        keys = [
            part
            for part in ("sku", *fields.split())
            if part in {"price", "reviews", "sku"}
        ]
        assert [list(found) for found in result.data["products"]] == [keys, keys]
        assert list(result.data["products"][0]["reviews"][0]) == ["text", "stars"]


async def test_entities_that_are_missing_are_looked_for(graph, monkeypatch):
    monkeypatch.delitem(PRICES, "b")

    result = await ask(graph, "{ products { sku price } }")

    assert result.data is None
    assert [error["path"] for error in result.errors] == [["products", 1, "price"]]


async def test_what_failed_is_null_with_its_own_error(graph, monkeypatch):
    monkeypatch.setitem(PRICES, "b", "dear")

    result = await ask(graph, "{ products { sku price } }")

    assert result.data is None
    assert [error["path"] for error in result.errors] == [["products", 1, "price"]]


def test_refused_fields_are_not_trusted(graph):
    made = projection(graph, "{ products { sku title } }", ["Product.title"])

    assert made.trusted is None


def test_a_supergraph_that_promises_more_than_the_subgraph_is_not_trusted(graph):
    sdl = graph.supergraph.sdl
    assert "reviews: [Review!]" in sdl
    stricter = FakeGraph.read(
        sdl.replace("reviews: [Review!]", "reviews: [Review!]!"), graph.subgraphs
    )
    query = "{ products { reviews { stars } } }"

    assert projection(graph, query).trusted is not None
    assert projection(stricter, query).trusted is None
