"""Root fields of a remote subgraph, as a client sees them: kept, dropped, combined."""

from __future__ import annotations

import httpx
import pytest
from conftest import Shop
from integration.test_shop import mint
from support.integration_gateways import serving
from support.processes import ROOT

PAGE = '{ products(first: 2, after: "p100") { nodes { id name } } }'


@pytest.fixture(scope="module")
def catalogue(shop: Shop, gateway, tmp_path_factory):
    """Serve the product subgraph alone, keeping nothing itself."""
    del gateway  # it makes the keys of development
    config = tmp_path_factory.mktemp("catalogue") / "graphgw.yaml"
    text = (ROOT / "graphgw.yaml").read_text()
    text = text.replace("key_file: ", f"key_file: {ROOT}/")
    text = text.replace("examples: examples", f"examples: {ROOT}/examples")
    text = text.replace("file: operations/", f"file: {ROOT}/operations/")
    text = text.replace("descriptors: ", f"descriptors: {ROOT}/")
    config.write_text(f"{text}\npolicies: {{cache: {{is_enabled: false}}}}\n")
    options = ("--config", str(config), "--subgraph", "product")
    with serving(*options, environment=shop.environment()) as found:
        yield found


@pytest.fixture(scope="module")
def router(shop: Shop, catalogue, tmp_path_factory):
    """Run a gateway that has products from the other process, the rest of its own."""
    config = tmp_path_factory.mktemp("router") / "graphgw.yaml"
    text = (ROOT / "graphgw.yaml").read_text()
    text = text.replace(
        "product: schema.product:subgraph", f"product: {catalogue.url}/graphql"
    )
    text = text.replace("key_file: ", f"key_file: {ROOT}/")
    text = text.replace("examples: examples", f"examples: {ROOT}/examples")
    text = text.replace("file: operations/", f"file: {ROOT}/operations/")
    text = text.replace("descriptors: ", f"descriptors: {ROOT}/")
    config.write_text(text)
    with serving("--config", str(config), environment=shop.environment()) as found:
        yield found


def asked(shop: Shop, router, query: str) -> int:
    """Ask, and return how many calls the product service got."""
    shop.reset_calls()
    answer = router.ask(query)
    assert "errors" not in answer
    assert answer["data"]["products"]["nodes"]
    return sum(calls for calls, _ in shop.calls()["product"].values())


def test_a_page_is_fetched_once_until_its_tag_is_dropped(router, shop: Shop):
    assert [asked(shop, router, PAGE) for _ in range(3)] == [1, 0, 0]

    token = mint("cache:invalidate", "--subject", "ops")
    dropped = httpx.post(
        f"{router.url}/cache/invalidate",
        json={"tags": ["catalogue"]},
        headers={"authorization": f"Bearer {token}"},
    )

    assert dropped.status_code == 200
    assert asked(shop, router, PAGE) == 1


def test_other_arguments_are_another_page(router, shop: Shop):
    other = PAGE.replace("first: 2", "first: 3")

    assert [asked(shop, router, q) for q in (other, PAGE, other)][2] == 0
    assert len(router.ask(other)["data"]["products"]["nodes"]) == 3
    assert len(router.ask(PAGE)["data"]["products"]["nodes"]) == 2


def test_a_field_beside_it_is_asked_for_alone(router, shop: Shop):
    both = PAGE.replace("{ products", '{ product(id: "p8") { name } products', 1)
    first = both.replace('"p100"', '"p200"')
    then = first.replace('"p8"', '"p9"')

    assert asked(shop, router, first) == 2
    assert asked(shop, router, then) == 1
