"""What the gateway keeps, as a client sees it: dropped, dated and not sent twice."""

from __future__ import annotations

import re

import httpx
import pytest
from conftest import RunningGateway, Shop
from integration.test_shop import mint

PRODUCT = "query($id: ID!) { product(id: $id) { name price { cents } } }"
PAGE = '{ products(first: 3, category: "Garden") { nodes { name } } }'


@pytest.fixture(scope="module")
def admin() -> str:
    return mint("cache:invalidate", "--subject", "ops")


def drop(gateway: RunningGateway, body, token: str | None = None, **headers: str):
    sent = {"authorization": f"Bearer {token}"} if token else {}
    url = f"{gateway.url}/cache/invalidate"
    return httpx.post(url, json=body, headers={**sent, **headers})


def products_asked(shop: Shop) -> int:
    return sum(calls for calls, _ in shop.calls()["product"].values())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"tags": ["product-p41"]}, id="tag"),
        pytest.param({"types": ["Product"]}, id="type"),
        pytest.param({"keys": [{"type": "Product", "id": "p41"}]}, id="key"),
    ],
)
def test_a_kept_row_is_dropped(gateway: RunningGateway, shop: Shop, admin, body):
    gateway.ask(PRODUCT, {"id": "p41"})
    shop.reset_calls()
    gateway.ask(PRODUCT, {"id": "p41"})
    assert products_asked(shop) == 0

    answer = drop(gateway, body, admin)

    assert answer.status_code == 200
    assert answer.json()["data"]["invalidated"]
    gateway.ask(PRODUCT, {"id": "p41"})
    assert products_asked(shop) == 1


def test_with_an_object_goes_what_is_kept_of_its_fields(
    gateway: RunningGateway, shop: Shop, admin
):
    query = '{ user(id: "u77") { orders(first: 1) { totalCount } } }'

    def asked() -> int:
        shop.reset_calls()
        gateway.ask(query)
        return sum(calls for calls, _ in shop.calls()["order"].values())

    asked()
    assert asked() == 0

    drop(gateway, {"keys": [{"type": "User", "id": "u77"}]}, admin)

    assert asked() == 1


def test_a_page_is_dropped_by_its_own_tag(gateway: RunningGateway, shop: Shop, admin):
    gateway.ask(PAGE)
    drop(gateway, {"tags": ["product-p1"]}, admin)
    shop.reset_calls()
    gateway.ask(PAGE)
    assert products_asked(shop) == 0

    drop(gateway, {"tags": ["catalogue"]}, admin)

    gateway.ask(PAGE)
    assert products_asked(shop) == 1


def test_only_those_who_may_drop_anything(gateway: RunningGateway):
    body = {"tags": ["catalogue"]}

    assert drop(gateway, body).status_code == 401
    assert drop(gateway, body, "nonsense").status_code == 401
    assert drop(gateway, body, mint("orders:read")).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([], id="list"),
        pytest.param({}, id="nothing"),
        pytest.param({"tag": ["x"]}, id="unknown"),
        pytest.param({"tags": "x"}, id="text"),
        pytest.param({"tags": [1]}, id="number"),
        pytest.param({"types": ["Address"]}, id="not-kept"),
        pytest.param({"keys": [{"type": "Product"}]}, id="half-a-key"),
        pytest.param({"keys": ["p1"]}, id="no-key"),
    ],
)
def test_another_body_is_refused(gateway: RunningGateway, admin, body):
    answer = drop(gateway, body, admin)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_a_page_of_another_site_drops_nothing(gateway: RunningGateway, admin):
    url = f"{gateway.url}/cache/invalidate"
    headers = {"authorization": f"Bearer {admin}", "content-type": "text/plain"}

    assert httpx.post(url, content="{}", headers=headers).status_code in {403, 415}
    assert httpx.get(url).status_code in {404, 405}


def get(gateway: RunningGateway, query: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{gateway.url}/graphql", params={"query": query}, headers=headers)


def test_an_answer_that_the_client_has_is_not_sent_again(gateway: RunningGateway):
    query = '{ product(id: "p50") { name } }'
    first = get(gateway, query)
    tag = first.headers["etag"]

    again = get(gateway, query, **{"if-none-match": f'"other", {tag}'})
    other = get(gateway, '{ product(id: "p51") { name } }', **{"if-none-match": tag})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert first.headers["cache-control"] == "max-age=60, public"
    assert re.fullmatch(r"max-age=5\d, public", again.headers["cache-control"])
    assert other.status_code == 200
    assert other.headers["etag"] != tag


def test_errors_and_posts_have_no_tag(gateway: RunningGateway):
    refused = get(gateway, "{ me { id } }", **{"if-none-match": "*"})
    posted = gateway.post('{ product(id: "p50") { name } }')

    assert refused.status_code == 200
    assert "etag" not in refused.headers
    assert "etag" not in posted.headers
