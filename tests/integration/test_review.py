"""The example with its remote subgraph, which is written in another stack."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from conftest import RunningGateway, Shop, wait_until_ready
from support.processes import ROOT, RunningProcess, start_process

FOLDER = ROOT / "backends" / "review"
CONFIG = """
subgraphs:
  user: schema.user:subgraph
  product: schema.product:subgraph
  review: http://127.0.0.1:{port}/graphql
services:
  user: ${{USER_URL}}
  product: ${{PRODUCT_URL}}
"""

pytestmark = pytest.mark.skipif(not shutil.which("npm"), reason="needs Node and npm")


@pytest.fixture(scope="module")
def review() -> Iterator[RunningProcess]:
    """Run the review subgraph; its packages are installed where they are not."""
    if not (FOLDER / "node_modules").is_dir():
        command = ("npm", "ci", "--no-audit", "--no-fund")
        subprocess.run(command, cwd=FOLDER, check=True, timeout=120)  # noqa: S603 - our own command
    process = start_process("review", "node", str(FOLDER / "index.mjs"), "--port", "0")
    try:
        process.wait_for_port()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def reviewed(
    shop: Shop, review: RunningProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """Run a gateway over users, products and the remote reviews."""
    config = tmp_path_factory.mktemp("review") / "graphgw.yaml"
    config.write_text(CONFIG.format(port=review.port))
    process = start_process(
        "gateway",
        sys.executable, "-m", "graphgw.cli.main", "serve",
        "--config", str(config), "--port", "0",
        environment={**shop.environment(), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        yield RunningGateway(process, url)
    finally:
        process.stop()


@pytest.fixture
def calls(review: RunningProcess):
    """Return what counts the calls of the review subgraph, from zero."""
    url = f"http://127.0.0.1:{review.port}/_calls"
    httpx.delete(url).raise_for_status()

    def count() -> tuple[int, int]:
        counted = httpx.get(url).json().get("POST /graphql", {})
        return counted.get("calls", 0), counted.get("keys", 0)

    return count


def test_reviews_of_a_page_of_products_cost_one_call(reviewed, calls):
    answer = reviewed.ask(
        "{ products(first: 20) { nodes { name averageRating"
        " reviews(first: 3) { rating author { name } } } } }"
    )

    assert "errors" not in answer
    nodes = answer["data"]["products"]["nodes"]
    reviews = [review for node in nodes for review in node["reviews"]]
    assert reviews
    assert all(review["author"]["name"] for review in reviews)
    assert calls() == (1, 20)


def test_a_review_leads_to_its_product_and_author(reviewed):
    answer = reviewed.ask(
        '{ review(id: "r7")'
        " { rating text createdAt product { name } author { name } } }"
    )

    assert "errors" not in answer
    review = answer["data"]["review"]
    assert 1 <= review["rating"] <= 5
    assert review["product"]["name"]
    assert review["author"]["name"]


def test_a_review_is_added_and_stands_first(reviewed):
    answer = reviewed.ask(
        "mutation ($input: AddReviewInput!) { addReview(input: $input)"
        " { id author { name reviews(first: 1) { text } } } }",
        {"input": {"productId": "p3", "authorId": "u4", "rating": 5, "text": "Good."}},
    )

    assert "errors" not in answer
    author = answer["data"]["addReview"]["author"]
    assert author["name"]
    assert author["reviews"] == [{"text": "Good."}]


def test_the_subgraphs_refusal_reaches_the_client(reviewed):
    answer = reviewed.ask('{ user(id: "u1") { name reviews(first: 1000) { id } } }')

    assert answer["data"] == {"user": None}
    (error,) = answer["errors"]
    assert error["path"] == ["user", "reviews"]
    assert error["message"] == "first must be between 0 and 100"


def test_the_service_says_when_it_cannot_listen(review: RunningProcess):
    command = ("node", str(FOLDER / "index.mjs"), "--port", str(review.port))
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{review.port}" in done.stderr
