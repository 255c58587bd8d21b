"""The shop's variants as real processes: one graph behind them, each with its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from conftest import RunningGateway, Shop
from support.integration_gateways import serving, wait_for
from support.processes import ROOT

VARIANTS = {
    "mobile": {"include": ["mobile"], "limits": {"depth": 4}, "max_age": 10},
    "rest": {"exclude": ["mobile"], "has_introspection": False},
    "v1": {"path": "/v1/graphql", "deprecated": "2020-01-31", "sunset": "2099-01-31"},
    "v0": {"path": "/v0/graphql", "sunset": "2020-01-31", "replacement": "v1"},
}
PAGE = "{ user(id: 1) { name orders(first: 1) { nodes { status } } } }"
USER = '{ user(id: "u5") { name } }'


def write(folder: Path, **changes: Any) -> Path:
    """Write a configuration of the shop with these variants."""
    base = yaml.safe_load((ROOT / "graphgw.yaml").read_text())
    kept = {key: base[key] for key in ("subgraphs", "services", "deadline")}
    settings = {
        **kept,
        "variants": VARIANTS,
        "variant_header": "x-graph-variant",
        "policies": {"sunset": {"switch": "enforce"}},
        "auth": {"api_keys": {"file": "keys.json", "secret": "for the test"}},
        **changes,
    }
    config = folder / "graphgw.yaml"
    config.write_text(yaml.safe_dump(settings))
    return config


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("variants"))


@pytest.fixture(scope="module")
def variants(shop: Shop, config: Path) -> Iterator[RunningGateway]:
    options = ("--config", str(config))
    with serving(*options, environment=shop.environment()) as gateway:
        yield gateway


def ask(
    gateway: RunningGateway, query: str, path: str = "/graphql", **headers: str
) -> httpx.Response:
    body = {"query": query}
    return httpx.post(f"{gateway.url}{path}", json=body, headers=headers, timeout=30)


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["errors"][0]["extensions"]["code"]
    return found


def test_the_example_s_mobile_variant_answers_as_the_whole_graph_does(
    gateway: RunningGateway, shop: Shop
):
    query = '{ product(id: "p77") { name price { amount } } }'

    whole = gateway.ask(query)
    shop.reset_calls()
    mobile = ask(gateway, query, "/mobile/graphql").json()

    assert mobile == whole
    assert mobile["data"]["product"]["name"]
    assert sum(n for calls in shop.calls().values() for n, _ in calls.values()) <= 1


def test_what_a_variant_lacks_is_unknown_and_no_backend_is_called(
    variants: RunningGateway, shop: Shop
):
    shop.reset_calls()

    for query in ("{ users(first: 1) { totalCount } }", "{ user(id: 1) { bio } }"):
        answer = ask(variants, query, "/mobile/graphql")
        assert code(answer) == "GRAPHQL_VALIDATION_FAILED"
        assert "Cannot query field" in answer.text

    assert not any(calls for calls in shop.calls().values())


def test_introspection_shows_no_more_than_the_variant(variants: RunningGateway):
    query = "{ __schema { types { name fields { name } } } }"

    shown = ask(variants, query, "/mobile/graphql").json()["data"]["__schema"]["types"]
    names = {found["name"] for found in shown}
    user = next(found for found in shown if found["name"] == "User")

    assert {"User", "Order", "Product", "Money"} <= names
    assert names.isdisjoint({"UserConnection", "Delivery", "Mutation", "OrderEdge"})
    assert [field["name"] for field in user["fields"]] == [
        "id",
        "notifications",
        "orders",
        "name",
        "email",
    ]
    assert "errors" in ask(variants, query, "/rest/graphql").json()


def test_both_halves_of_the_graph_answer_over_the_same_services(
    variants: RunningGateway,
):
    rest = ask(variants, "{ users(first: 1) { nodes { bio } } }", "/rest/graphql")
    mobile = ask(variants, USER, "/mobile/graphql")

    assert rest.json()["data"]["users"]["nodes"]
    assert mobile.json()["data"]["user"]["name"]
    assert code(ask(variants, USER, "/rest/graphql")) == "GRAPHQL_VALIDATION_FAILED"


def test_limits_and_the_age_of_answers_are_the_variant_s_own(variants: RunningGateway):
    deep = "{ user(id: 1) { orders { nodes { items { product { name } } } } } }"
    product = '{ product(id: "p1") { name } }'

    assert "data" in ask(variants, deep).json()
    assert code(ask(variants, deep, "/mobile/graphql")) == "LIMIT_EXCEEDED"
    assert "max-age=60," in ask(variants, product).headers["cache-control"]
    short = ask(variants, product, "/mobile/graphql").headers["cache-control"]
    assert "max-age=10," in short


def test_a_header_chooses_at_the_main_path(variants: RunningGateway):
    bio = "{ user(id: 1) { bio } }"
    mobile = {"x-graph-variant": "mobile"}

    assert code(ask(variants, bio, **mobile)) == "GRAPHQL_VALIDATION_FAILED"
    whole = ask(variants, bio)
    assert "data" in whole.json()
    assert whole.headers["vary"] == "x-graph-variant"
    assert ask(variants, bio, "/rest/graphql", **mobile).status_code == 400


def test_an_api_key_opens_its_variant_alone(variants: RunningGateway, config: Path):
    command = (sys.executable, "-m", "graphgw.cli.main", "keys", "create", "phone")
    made = subprocess.run(  # noqa: S603 - our own command
        (*command, "--variant", "mobile", "--config", str(config)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    key = {"x-api-key": made.stdout.strip()}
    wait_for(lambda: ask(variants, USER, **key).status_code == 200)

    hidden = ask(variants, "{ user(id: 1) { bio } }", **key)
    other = ask(variants, "{ users { totalCount } }", "/rest/graphql", **key)
    header = ask(variants, USER, **key, **{"x-graph-variant": "rest"})

    assert code(hidden) == "GRAPHQL_VALIDATION_FAILED"
    assert "data" in ask(variants, USER, "/mobile/graphql", **key).json()
    for refused in (other, header):
        assert (refused.status_code, code(refused)) == (403, "VARIANT_FORBIDDEN")


def test_a_version_tells_its_end_and_is_gone_after_it(
    variants: RunningGateway, shop: Shop
):
    shop.reset_calls()

    old = ask(variants, USER, "/v0/graphql")
    assert not any(calls for calls in shop.calls().values())
    new = ask(variants, USER, "/v1/graphql")

    assert (old.status_code, code(old)) == (410, "VARIANT_SUNSET")
    assert old.json()["errors"][0]["message"] == 'the variant "v0" is gone; use "v1"'
    assert old.headers["sunset"] == "Fri, 31 Jan 2020 00:00:00 GMT"
    assert new.json()["data"]["user"]["name"]
    assert new.headers["deprecation"] == "@1580428800"
    assert new.headers["sunset"] == "Sat, 31 Jan 2099 00:00:00 GMT"


def test_the_log_and_the_metrics_name_the_variant(variants: RunningGateway):
    ask(variants, "query Logged " + USER, "/mobile/graphql")

    def logged() -> list[str]:
        lines = [line for line in variants.process.lines if '"Logged"' in line]
        return [json.loads(line)["variant"] for line in lines]

    wait_for(lambda: logged() == ["mobile"])
    metrics = httpx.get(f"{variants.url}/metrics").text
    assert 'graphgw_variant_operations_total{kind="query",status="200"' in metrics


def test_a_filter_that_leaves_too_little_keeps_the_gateway_from_starting(
    tmp_path: Path,
):
    config = write(tmp_path, variants={"tiny": {"include": ["nothing"]}})
    command = (sys.executable, "-m", "graphgw.cli.main", "serve", "--port", "0")

    done = subprocess.run(  # noqa: S603 - our own command
        (*command, "--config", str(config)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert 'Query: variant "tiny": nothing is left of it' in done.stdout + done.stderr
