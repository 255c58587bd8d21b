"""A local subgraph as a process of its own, behind a second gateway."""

from __future__ import annotations

import sys

import httpx
import pytest
from conftest import Shop, wait_until_ready
from support.integration_gateways import serving
from support.processes import ROOT, start_process

QUERY = """
query($first: Int!) {
  users(first: $first) {
    nodes {
      name
      orders(first: 3) {
        nodes { id status items { quantity product { name } } }
      }
    }
  }
}
"""


@pytest.fixture(scope="module")
def order_subgraph(shop: Shop, gateway):
    """Run the example's order subgraph alone."""
    del gateway  # it makes the keys of development
    options = ("--config", str(ROOT / "graphgw.yaml"), "--subgraph", "order")
    with serving(*options, environment=shop.environment()) as found:
        yield found


@pytest.fixture(scope="module")
def router(shop: Shop, order_subgraph, tmp_path_factory):
    """Run a gateway that has orders from the other process, the rest from its own."""
    config = tmp_path_factory.mktemp("router") / "graphgw.yaml"
    text = (ROOT / "graphgw.yaml").read_text()
    text = text.replace(
        "order: schema.order:subgraph", f"order: {order_subgraph.url}/graphql"
    )
    text = text.replace("key_file: ", f"key_file: {ROOT}/")
    text = text.replace("examples: examples", f"examples: {ROOT}/examples")
    config.write_text(text)
    process = start_process(
        "router",
        sys.executable, "-m", "graphgw.cli.main", "serve",
        "--config", str(config), "--port", "0",
        environment=shop.environment(),
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        yield url
    finally:
        process.stop()


def ask(url, query, variables=None):
    body = {"query": query, "variables": variables or {}}
    return httpx.post(f"{url}/graphql", json=body, timeout=30).json()


def test_a_router_composes_it_like_any_other_subgraph(router, gateway):
    expected = gateway.ask(QUERY, {"first": 5})

    assert ask(router, QUERY, {"first": 5}) == expected
    assert expected["data"]["users"]["nodes"][0]["name"]


def test_entities_are_asked_of_it_in_one_call(router, order_subgraph, shop: Shop):
    shop.reset_calls()

    query = QUERY.replace("first: 3", "first: 4")  # not asked before

    answer = ask(router, query, {"first": 7})

    assert "errors" not in answer
    assert shop.calls()["order"] == {"OrderService/ListByUsers": (1, 7)}
    log = [line for line in order_subgraph.process.lines if '"operation"' in line]
    assert "graphgw__order__" in log[-1]
