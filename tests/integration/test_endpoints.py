"""Operations as REST endpoints, over the example's own services."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from conftest import RunningGateway, Shop
from integration.test_shop import mint
from support.command import graphgw
from support.faulty_backend import FaultyBackend
from support.gateways import running_gateway
from support.integration_gateways import serving
from support.processes import ROOT

USER = """
query ($id: ID!, $orders: Int = 1) {
  user(id: $id) { name orders(first: $orders) { nodes { id } } email }
}
"""
DASHBOARD = (ROOT / "operations" / "user_dashboard.graphql").read_text()
NAME = "query ($id: ID!) { user(id: $id) { name } }"


@cache
def token(subject: str) -> dict[str, str]:
    """Return the header of a token that the example's gateway takes."""
    return {"authorization": f"Bearer {mint('', '--subject', subject)}"}


# The example's own endpoints


def test_the_dashboard_equals_the_operation_of_its_file(gateway: RunningGateway):
    text = (ROOT / "operations" / "user_dashboard.graphql").read_text()

    answer = httpx.get(f"{gateway.url}/api/users/u8/dashboard")

    data = gateway.ask(text, {"id": "u8"})["data"]
    assert answer.json() == data["user"]
    assert list(answer.json()) == list(data["user"])


def test_what_is_not_there_is_404(gateway: RunningGateway):
    answer = httpx.get(f"{gateway.url}/api/users/nobody/dashboard")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["code"] == "NOT_FOUND"


def test_every_wrong_parameter_is_told(gateway: RunningGateway):
    answer = httpx.get(f"{gateway.url}/api/users/u1/dashboard?orders=many")

    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {"message": "query.orders: it is no whole number", "code": "BAD_USER_INPUT"}
    ]


def test_an_answer_that_the_client_has_is_not_sent_again(gateway: RunningGateway):
    url = f"{gateway.url}/api/users/u9/dashboard"
    tag = httpx.get(url).headers["etag"]

    again = httpx.get(url, headers={"if-none-match": tag})

    assert (again.status_code, again.content) == (304, b"")


def test_head_has_the_head_alone(gateway: RunningGateway):
    answer = httpx.head(f"{gateway.url}/api/users/u9/dashboard")

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0
    assert answer.content == b""


def test_a_mutation_takes_the_caller_from_the_token(gateway: RunningGateway):
    url = f"{gateway.url}/api/me/profile"

    answer = httpx.patch(url, json={"bio": "By REST"}, headers=token("u901"))

    assert answer.status_code == 200
    assert answer.json()["id"] == "u901"
    assert answer.json()["bio"] == "By REST"
    assert gateway.ask('{ user(id: "u901") { bio } }')["data"]["user"] == {
        "bio": "By REST"
    }


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        pytest.param({"json": {"bio": "x"}}, 401, "UNAUTHENTICATED", id="nobody"),
        pytest.param({"json": {"bio": 7}}, 400, "BAD_USER_INPUT", id="wrong-type"),
        pytest.param({"json": {"age": 7}}, 400, "BAD_USER_INPUT", id="unknown-field"),
        pytest.param({"json": [1]}, 400, "BAD_REQUEST", id="no-object"),
        pytest.param({"content": b"{"}, 415, "BAD_REQUEST", id="no-type"),
        pytest.param({}, 400, "BAD_USER_INPUT", id="no-body"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    gateway: RunningGateway, options: dict[str, Any], status: int, code: str
):
    headers = {} if status == 401 else token("u901")
    answer = httpx.patch(f"{gateway.url}/api/me/profile", headers=headers, **options)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("www-authenticate" in answer.headers) == (status == 401)


# Endpoints of a configuration of one's own


def write(folder: Path, **routes: dict[str, Any]) -> Path:
    """Write a configuration of the shop with these endpoints; ``text`` is of a file."""
    base = yaml.safe_load((ROOT / "graphgw.yaml").read_text())
    kept = {key: base[key] for key in ("subgraphs", "services", "deadline", "auth")}
    kept["auth"]["issuers"][0]["key_file"] = str(ROOT / ".graphgw" / "dev-public.pem")
    kept["variants"] = {"mobile": {"include": ["mobile"]}}
    kept["policies"] = {"cache": {"is_enabled": False}}  # every answer is made anew
    for name, route in routes.items():
        text = route["operation"].pop("text")
        (folder / f"{name}.graphql").write_text(text)
        route["operation"]["file"] = f"{name}.graphql"
        route.setdefault("methods", ["GET"])
    config = folder / "graphgw.yaml"
    config.write_text(yaml.safe_dump({**kept, "routes": routes}))
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endpoints")


@pytest.fixture(scope="module")
def served(shop: Shop, gateway: RunningGateway, folder: Path) -> Iterator[str]:
    del gateway  # it has made the keys
    user = {"text": USER, "select": "user"}
    config = write(
        folder,
        dashboard={
            "path": "/dashboard/{id}",
            "operation": {"text": DASHBOARD, "select": "user"},
        },
        strict={"path": "/strict/{id}", "operation": dict(user)},
        lax={"path": "/lax/{id}", "operation": {**user, "partial": "allow"}},
        limited={
            "path": "/limited",
            "operation": {"text": "{ __typename }"},
            "rate_limit": {"limit": 1, "window": "1m"},
        },
        mobile={
            "path": "/mobile/{id}",
            "operation": {"text": NAME, "variant": "mobile"},
        },
    )
    options = ("--config", str(config))
    with serving(*options, environment=shop.environment()) as running:
        yield running.url


def test_the_dashboard_is_one_answer_from_four_services(served: str, shop: Shop):
    shop.reset_calls()

    answer = httpx.get(f"{served}/dashboard/u7?orders=2")

    assert answer.status_code == 200
    found = answer.json()
    assert list(found) == ["id", "name", "orders", "notifications"]
    assert found["id"] == "u7"
    assert len(found["orders"]["nodes"]) == 2
    assert {name: len(calls) for name, calls in shop.calls().items()} == {
        "user": 1,
        "product": 1,
        "order": 1,
        "notification": 1,
    }


def test_a_refused_field_refuses_the_request(served: str):
    refused = httpx.get(f"{served}/strict/u1")
    known = httpx.get(f"{served}/strict/u1", headers=token("u2"))
    owner = httpx.get(f"{served}/strict/u1", headers=token("u1"))

    assert (refused.status_code, known.status_code) == (401, 403)
    assert refused.json()["errors"][0]["path"] == ["user", "email"]
    assert owner.status_code == 200
    assert owner.json()["email"]


def test_a_refused_field_is_a_warning_where_that_is_allowed(served: str):
    partial = httpx.get(f"{served}/lax/u1")

    assert partial.status_code == 200
    assert partial.json()["email"] is None
    assert partial.json()["name"]
    assert [w["path"] for w in partial.json()["warnings"]] == [["user", "email"]]
    assert "etag" not in partial.headers


def test_the_limits_of_a_route_hold_at_an_endpoint(served: str):
    answers = [httpx.get(f"{served}/limited") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].json() == {"__typename": "Query"}
    assert int(answers[1].headers["retry-after"]) >= 1


def test_a_request_draws_the_quota_of_its_key_once(served: str, folder: Path):
    made = graphgw("keys", "create", "metered", "--quota", "2/1h", folder=folder)
    headers = {"x-api-key": made.stdout.strip()}
    time.sleep(1.1)  # the gateway looks at the file again within a second

    answers = [httpx.get(f"{served}/strict/u1", headers=headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [403, 403, 429]


def test_an_endpoint_of_a_variant_sees_what_the_variant_has(served: str):
    assert httpx.get(f"{served}/mobile/u1").json()["user"]["name"]


def test_a_start_says_everything_that_is_wrong(shop: Shop, tmp_path: Path):
    config = write(
        tmp_path,
        one={
            "path": "/one/{id}",
            "operation": {"text": "query ($id: ID!) {\n  usr(id: $id) { name }\n}"},
        },
        two={"path": "/two/{key}", "operation": {"text": NAME}},
    )

    with (
        pytest.raises(RuntimeError) as raised,
        running_gateway(config, environment=shop.environment()),
    ):
        pass

    said = str(raised.value)
    assert "routes.one.operation" in said
    assert "one.graphql:2" in said
    assert "Cannot query field 'usr'" in said
    assert "no variable takes the path's parameter {key}" in said
    assert "Traceback" not in said


# Failures of services

FAULTS = {
    "/hang": (504, "SOURCE_TIMEOUT"),
    "/garbage": (502, "SOURCE_BAD_ANSWER"),
    "/html": (502, "SOURCE_ERROR"),
    "/close": (502, "SOURCE_ERROR"),
    "/headers": (502, "SOURCE_ANSWER_TOO_LARGE"),
}


async def test_a_failure_of_a_service_has_its_status(tmp_path: Path):
    async with FaultyBackend() as backend:
        with failing(tmp_path, backend.url("")) as url:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                answers = {path: await client.get(path) for path in FAULTS}
                other = await client.get("/other")

    found = {
        path: (answer.status_code, answer.json()["code"])
        for path, answer in answers.items()
    }
    assert found == FAULTS
    for path, answer in answers.items():
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["path"] == [path[1:]]
    assert other.status_code == 500


@contextmanager
def failing(folder: Path, backend: str) -> Iterator[str]:
    """Run a gateway with a subgraph and an endpoint for each fault; gives its URL."""
    subgraphs, services, routes = {}, {}, {}
    for name in (path[1:] for path in FAULTS):
        url = f"{backend.rstrip('/')}/{name}"
        (folder / f"{name}.sdl").write_text(f"type Query {{ {name}: Boolean }}")
        (folder / f"{name}.graphql").write_text(f"{{ {name} }}")
        remote = {"url": url, "sdl": f"{name}.sdl", "remote": {"timeout": 1}}
        subgraphs[name] = remote
        services[name] = {"url": url, "max_header_bytes": 1000}
        target = {"file": f"{name}.graphql", "select": name}
        routes[name] = {"path": f"/{name}", "operation": target}
    target = {"file": "html.graphql", "statuses": {"SOURCE_ERROR": 500}}
    routes["other"] = {"path": "/other", "operation": target}
    settings = {"subgraphs": subgraphs, "services": services, "routes": routes}
    config = folder / "graphgw.yaml"
    config.write_text(json.dumps(settings))
    with running_gateway(config) as (_, url):
        yield url
