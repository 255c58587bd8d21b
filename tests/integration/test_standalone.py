"""A local subgraph as a process of its own, behind a second gateway."""

from __future__ import annotations

import sys

import httpx
import pytest
from conftest import Shop, wait_until_ready
from integration.test_shop import mint
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
    text = text.replace("file: operations/", f"file: {ROOT}/operations/")
    text = text.replace("descriptors: ", f"descriptors: {ROOT}/")
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


RULED = """
import strawberry
from graphgw import Subgraph, batched
from graphgw.directives import Owner, RowPolicy

CALLS = []

async def letters_by_user(ids, _context):
    CALLS.append(ids)
    return [f"letter of {key}" for key in ids]

async def counts_by_user(ids, _context):
    return [len(CALLS)] * len(ids)

@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    letter: str | None = batched(
        letters_by_user,
        key="id",
        directives=[Owner(field="email", claim="email", or_scopes=[["mail:read"]])],
    )
    calls: int = batched(counts_by_user, key="id")

@strawberry.type
class Query:
    post_office: str = "open"

subgraph = Subgraph("letter", query=Query, types=[User])
"""


@pytest.fixture(scope="module")
def ruled_subgraph(gateway, tmp_path_factory):
    """Serve a subgraph alone whose row rule reads another subgraph's field."""
    del gateway  # it makes the keys of development
    folder = tmp_path_factory.mktemp("ruled")
    (folder / "letter_schema.py").write_text(RULED)
    config = folder / "graphgw.yaml"
    config.write_text(
        "subgraphs: {letter: letter_schema:subgraph}\n"
        "auth: {issuers: [{issuer: graphgw-dev, algorithms: [RS256],"
        f" key_file: {ROOT}/.graphgw/dev-public.pem}}]}}\n"
    )
    options = ("--config", str(config), "--subgraph", "letter")
    with serving(*options, environment={"PYTHONPATH": str(folder)}) as found:
        yield found


def test_a_row_rule_that_reads_another_subgraph_refuses_where_it_is_alone(
    ruled_subgraph,
):
    query = """{ _entities(representations: [{__typename: "User", id: "u1"}]) {
      ... on User { letter calls } } }"""

    def entity(token):
        body = {"query": query}
        headers = {"authorization": f"Bearer {token}"}
        url = f"{ruled_subgraph.url}/graphql"
        answer = httpx.post(url, json=body, headers=headers, timeout=30).json()
        return answer["data"]["_entities"][0], answer.get("errors", [])

    refused, errors = entity(mint("", "--subject", "u1"))
    allowed, none = entity(mint("mail:read", "--subject", "clerk"))

    assert refused == {"letter": None, "calls": 0}
    assert errors[0]["extensions"]["code"] == "UNAUTHORIZED_FIELD_OR_TYPE"
    assert allowed["letter"] == "letter of u1"
    assert none == []
