"""A remote subgraph, in Node, beside the four local ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import RunningGateway, Shop, wait_until_ready
from support.processes import ROOT, RunningProcess, start_process

from graphgw.cli.token import ensure_key_pair


@pytest.fixture(scope="module")
def review() -> Iterator[RunningProcess]:
    """Run the review service."""
    if not (ROOT / "backends/review/node_modules").exists():
        pytest.fail("run `make test`: it installs what backends/review needs")
    process = start_process(
        "review", "node", str(Path("backends/review/index.mjs")), "--port", "0"
    )
    try:
        process.wait_for_port()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def gateway(shop: Shop, review: RunningProcess) -> Iterator[RunningGateway]:
    """Run the example gateway with the remote subgraph in its graph."""
    ensure_key_pair(ROOT / ".graphgw")
    process = start_process(
        "gateway",
        sys.executable, "-m", "graphgw.cli.main", "serve", "--port", "0",
        environment={
            **shop.environment(),
            "REVIEW_URL": f"http://127.0.0.1:{review.port}/graphql",
        },
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        yield RunningGateway(process, url)
    finally:
        process.stop()


def calls(review: RunningProcess) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = httpx.get(
        f"http://127.0.0.1:{review.port}/_calls"
    ).json()
    return found


def test_reviews_join_products_and_users(
    gateway: RunningGateway, review: RunningProcess
):
    httpx.delete(f"http://127.0.0.1:{review.port}/_calls")

    answer = gateway.ask(
        """
        { products(first: 5) { nodes {
            name
            averageRating
            reviews(first: 2) { rating text author { name } }
        } } }
        """
    )

    assert "errors" not in answer
    products = answer["data"]["products"]["nodes"]
    assert len(products) == 5
    authors = [r["author"]["name"] for p in products for r in p["reviews"]]
    assert authors
    assert all(authors)
    (endpoint,) = calls(review).values()
    assert endpoint["calls"] == 1
    assert endpoint["keys"] == 5


def test_a_review_leads_back_into_local_subgraphs(gateway: RunningGateway):
    answer = gateway.ask(
        '{ user(id: "u2") { reviews(first: 3) { product { name price { cents } } } } }'
    )

    assert "errors" not in answer
    for found in answer["data"]["user"]["reviews"]:
        assert found["product"]["name"]
        assert found["product"]["price"]["cents"] > 0


def test_a_remote_mutation_answers_with_local_fields(gateway: RunningGateway):
    answer = gateway.ask(
        """
        mutation($input: AddReviewInput!) {
          addReview(input: $input) { rating author { name } product { name } }
        }
        """,
        {"input": {"productId": "p9", "authorId": "u9", "rating": 4, "text": "Good."}},
    )

    assert "errors" not in answer
    assert answer["data"]["addReview"]["rating"] == 4
    assert answer["data"]["addReview"]["author"]["name"]
    assert answer["data"]["addReview"]["product"]["name"]


def test_a_remote_subgraph_that_is_gone_nulls_its_own_fields(
    gateway: RunningGateway, review: RunningProcess
):
    review.stop()

    answer = gateway.ask('{ product(id: "p1") { name averageRating } }')

    assert answer["data"]["product"]["averageRating"] is None
    assert answer["data"]["product"]["name"]
    assert [e["extensions"]["code"] for e in answer["errors"]] == ["SOURCE_UNREACHABLE"]
