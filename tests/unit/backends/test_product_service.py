import httpx
import pytest

from backends.calls import CallLog
from backends.product.app import create_app
from backends.rest import serve_rest


@pytest.fixture
async def client(connection):
    app = create_app(connection, CallLog())
    async with (
        serve_rest(app, "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url) as opened,
    ):
        yield opened


async def test_a_physical_product_has_weight_and_stock(client):
    answer = await client.get("/products/p1")

    assert answer.json() == {
        "id": "p1",
        "name": "Original Lantern",
        "description": "Original Lantern no. 1 from our lighting range.",
        "category": "lighting",
        "price": {"cents": 4659, "currency": "EUR"},
        "rating": 2.3,
        "tags": ["gift", "sale"],
        "created_at": "2022-01-01T00:54:38Z",
        "kind": "physical",
        "stock": 229,
        "weight_grams": 5339,
    }


async def test_a_digital_product_has_an_address_and_a_size(client):
    product = (await client.get("/products/p2")).json()

    assert product["kind"] == "digital"
    assert product["download_url"].startswith("https://downloads.example.com/")
    assert product["size_bytes"] > 0
    assert "stock" not in product
    assert "weight_grams" not in product


async def test_an_unknown_product_is_a_problem(client):
    answer = await client.get("/products/u1")

    assert answer.status_code == 404
    assert answer.json()["detail"] == 'There is no product "u1".'


async def test_a_batch_keeps_the_order_and_leaves_out_the_unknown(client):
    body = (await client.get("/products?ids=p7,p0,p2")).json()

    assert [product["id"] for product in body["items"]] == ["p7", "p2"]


async def test_a_category_is_listed_in_pages(client):
    one = (await client.get("/products?category=toys&limit=5")).json()
    rest = (
        await client.get(
            f"/products?category=toys&limit=1000&after={one['next_cursor']}"
        )
    ).json()

    assert {row["category"] for row in one["items"] + rest["items"]} == {"toys"}
    assert one["total"] == rest["total"] == len(one["items"]) + len(rest["items"])


async def test_search_and_category_narrow_together(client):
    body = (await client.get("/products?category=books&search=atlas")).json()

    assert body["items"]
    assert all("Atlas" in row["name"] for row in body["items"])
    assert {row["category"] for row in body["items"]} == {"books"}


async def test_calls_are_counted_by_what_they_filter(client):
    await client.get("/products")
    await client.get("/products?category=books&search=atlas")
    await client.get("/products?ids=p1,p2")

    counted = (await client.get("/_calls")).json()

    assert {name: (c["calls"], c["keys"]) for name, c in counted.items()} == {
        "GET /products": (1, 0),
        "GET /products?category&search": (1, 0),
        "GET /products?ids": (1, 2),
    }
