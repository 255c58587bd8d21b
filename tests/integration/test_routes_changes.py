"""Changes of requests and answers at routes, as a backend and a client see them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from support.gateways import running_gateway, write_settings
from support.processes import ROOT
from support.streaming_backend import StreamingBackend
from support.tokens import claims_at

from graphgw.config.load import load_settings_text
from graphgw.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "a secret that is long enough for HMAC 256"  # noqa: S105 - a test's own


def route(path: str, **settings: Any) -> dict[str, Any]:
    return {"path": path, "service": "backend", **settings}


ROUTES: dict[str, Any] = {
    "headers": route(
        "/headers/*",
        request={
            "headers": {
                "remove": ["X-Gone"],
                "rename": {"X-Old": "x-new"},
                "set": {"X-Set": "gateway", "authorization": "Service token"},
                "add": {"X-Many": "more"},
            },
            "claims": {"x-user-id": "sub", "x-roles": "roles", "x-none": "none"},
            "query": {"a": "1 &"},
        },
        response={
            "headers": {"remove": ["x-inner"], "set": {"cache-control": "no-store"}},
            "status": {"404": 410, "5xx": 502},
        },
    ),
    "body": route(
        "/body/*",
        max_body_bytes="4KiB",
        request={
            "body": {
                "drop": ["secret", "user.password"],
                "rename": {"city": "address.city", "name.first": "first"},
                "defaults": {"country": "DE", "tags": []},
            }
        },
        response={"body": {"drop": ["headers"], "rename": {"body": "echo.body"}}},
    ),
    "signed": route(
        "/signed/*", request={"hook": "support.route_hooks:sign"}, max_body_bytes="1KiB"
    ),
    "tea": route("/tea/*", request={"hook": "support.route_hooks:teapot"}),
    "stamped": route("/stamped/*", response={"hook": "support.route_hooks:stamp"}),
    "layered": {
        "path": "/layered/*",
        "service": "shared",
        "request": {
            "headers": {"rename": {"x-channel": "x-way"}, "add": {"x-many": "route"}},
            "body": {"rename": {"filled": "moved"}},
        },
        "response": {"headers": {"set": {"x-by": "route"}}, "status": {"404": 410}},
    },
    "plain": {"path": "/plain/*", "service": "shared"},
    "failing": route("/failing/*", request={"hook": "support.route_hooks:fail"}),
}


SHARED: dict[str, Any] = {
    "request": {
        "headers": {"set": {"x-channel": "web"}, "add": {"x-many": "service"}},
        "claims": {"x-subject": "sub"},
        "query": {"from": "gateway"},
        "body": {"defaults": {"filled": 1}},
    },
    "response": {
        "headers": {"rename": {"x-by": "x-answered-by"}, "remove": ["x-inner"]},
        "status": {"410": 451},
    },
}


@pytest.fixture(scope="module")
def backend() -> Iterator[StreamingBackend]:
    with StreamingBackend() as running:
        yield running


@pytest.fixture(scope="module")
def client(
    backend: StreamingBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("changes")
    settings = {
        "services": {
            "backend": backend.url,
            "shared": {"url": backend.url, **SHARED},
        },
        "auth": {
            "issuers": [{"issuer": "me", "algorithms": ["HS256"], "secret": SECRET}]
        },
        "routes": ROUTES,
    }
    config = write_settings(folder, settings)
    environment = {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}
    with (
        running_gateway(config, environment=environment) as (_, url),
        httpx.Client(base_url=url) as made,
    ):
        yield made


def token() -> str:
    claims = claims_at(time.time(), iss="me", roles=["admin"])
    return jwt.encode(claims, SECRET, "HS256")


def test_headers_and_query_are_changed_on_the_way(
    client: httpx.Client, backend: StreamingBackend
):
    client.get(
        "/headers/x?b=2&a=client",
        headers=[("x-gone", "1"), ("x-old", "2"), ("x-set", "client"), ("x-many", "a")],
    )

    last = backend.last
    assert last.target == "/headers/x?b=2&a=1%20%26"
    assert not last.values("x-gone")
    assert last.values("x-new") == ["2"]
    assert last.values("x-set") == ["gateway"]
    assert last.values("x-many") == ["a", "more"]
    assert last.values("authorization") == ["Service token"]


def test_claims_become_headers_that_no_client_can_send(
    client: httpx.Client, backend: StreamingBackend
):
    forged = {"x-user-id": "admin", "x-roles": "root", "x-none": "1"}

    client.get("/headers/x", headers=forged)
    anonymous = backend.last
    client.get("/headers/x", headers={**forged, "authorization": f"Bearer {token()}"})
    known = backend.last

    assert not anonymous.values("x-user-id")
    assert not anonymous.values("x-none")
    assert known.values("x-user-id") == ["u1"]
    assert known.values("x-roles") == ['["admin"]']
    assert known.values("authorization") == ["Service token"]


@pytest.mark.parametrize(("status", "seen"), [(404, 410), (503, 502), (201, 201)])
def test_statuses_and_headers_of_answers_are_changed(
    client: httpx.Client, status: int, seen: int
):
    answer = client.get(f"/headers/x?status={status}&header=x-inner: 1|x-kept: 2")

    assert answer.status_code == seen
    assert "x-inner" not in answer.headers
    assert answer.headers["x-kept"] == "2"
    assert answer.headers["cache-control"] == "no-store"


def test_fields_of_json_bodies_are_changed(client: httpx.Client):
    answer = client.post(
        '/body/x?header=etag: "a"',
        json={
            "secret": 1,
            "user": {"password": 2, "id": 3},
            "city": "Bonn",
            "name": {"first": "Ada", "last": "L"},
            "tags": ["x"],
        },
    )

    assert json.loads(answer.json()["echo"]["body"]) == {
        "user": {"id": 3},
        "name": {"last": "L"},
        "tags": ["x"],
        "address": {"city": "Bonn"},
        "first": "Ada",
        "country": "DE",
    }
    assert "headers" not in answer.json()
    assert answer.headers["etag"] == 'W/"a"'


def test_each_item_of_a_list_is_changed(client: httpx.Client):
    answer = client.post("/body/x", json=[{"secret": 1}, {"country": "FR"}, 3])

    assert json.loads(answer.json()["echo"]["body"]) == [
        {"country": "DE", "tags": []},
        {"country": "FR", "tags": []},
        3,
    ]


def test_what_is_not_json_passes_as_it_is(client: httpx.Client):
    answer = client.post(
        "/body/x", content=b'{"secret": 1}', headers={"content-type": "text/plain"}
    )

    assert answer.json()["echo"]["body"] == '{"secret": 1}'


def test_a_body_to_be_changed_has_the_limit_of_the_route(client: httpx.Client):
    assert client.post("/body/x", json={"a": "b" * 5000}).status_code == 413


def test_an_answer_beyond_the_limit_passes_unchanged(client: httpx.Client):
    answer = client.get("/body/chunked?mb=1")

    assert len(answer.content) == 1024 * 1024


def test_a_hook_changes_a_request_and_what_it_sets_goes_on(
    client: httpx.Client, backend: StreamingBackend
):
    client.post("/signed/x", content=b"abc", headers={"x-kept": "1"})

    assert backend.last.body == b"ABC"
    assert backend.last.target == "/signed/x?signed=1"
    assert backend.last.values("authorization") == ["Signature abc"]
    assert backend.last.values("x-kept") == ["1"]


def test_a_hook_answers_itself(client: httpx.Client, backend: StreamingBackend):
    seen = len(backend.requests)

    answer = client.get("/tea/tea")

    assert (answer.status_code, answer.text) == (418, "short")
    assert answer.headers["x-pot"] == "yes"
    assert len(backend.requests) == seen
    assert client.get("/tea/water").status_code == 200


def test_a_hook_changes_an_answer(client: httpx.Client):
    answer = client.get("/stamped/x")

    assert answer.headers["x-asked"] == "GET /stamped/x"
    assert answer.text == '[{"method"]'


def test_an_answer_too_long_for_its_hook_is_an_error(client: httpx.Client):
    assert client.get("/stamped/big?mb=2").status_code == 502


def test_a_hook_that_fails_is_masked(client: httpx.Client):
    answer = client.get("/failing/x")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["code"] == "INTERNAL_SERVER_ERROR"


def test_requests_pass_the_changes_of_a_service_before_those_of_a_route(
    client: httpx.Client, backend: StreamingBackend
):
    asked = {"authorization": f"Bearer {token()}", "x-subject": "admin"}
    client.post("/layered/x", json={"a": 2}, headers=asked)

    last = backend.last
    assert last.target == "/layered/x?from=gateway"
    assert last.values("x-way") == ["web"]
    assert not last.values("x-channel")
    assert last.values("x-many") == ["service", "route"]
    assert last.values("x-subject") == ["u1"]
    assert json.loads(last.body) == {"a": 2, "moved": 1}


def test_answers_pass_the_changes_of_a_service_after_those_of_a_route(
    client: httpx.Client,
):
    answer = client.get("/layered/x?status=404&header=x-inner: 1")

    assert answer.status_code == 451
    assert answer.headers["x-answered-by"] == "route"
    assert "x-inner" not in answer.headers


def test_a_route_without_changes_has_those_of_its_service(
    client: httpx.Client, backend: StreamingBackend
):
    answer = client.get("/plain/x?status=410&header=x-by: 1")

    assert answer.status_code == 451
    assert answer.headers["x-answered-by"] == "1"
    assert backend.last.values("x-channel") == ["web"]


def test_a_hook_of_a_service_is_named_where_it_stands(tmp_path: Path):
    text = """
services: {backend: {url: http://127.0.0.1:1, request: {hooks: a}}}
"""
    with pytest.raises(ConfigurationError, match=r"services\.backend\.request"):
        load_settings_text(text, tmp_path / "graphgw.yaml", {})


def test_settings_of_routes_are_checked_with_their_lines(tmp_path: Path):
    text = """
services: {backend: http://127.0.0.1:1, order: grpc://127.0.0.1:2}
routes:
  none: {path: /none}
  two: {path: /two, service: backend, grpc: order}
  bad: {path: users, service: backend}
  lost: {path: /lost, service: nowhere}
  grpc: {path: /grpc, service: order}
  same: {path: "/same/{id}", service: backend}
  again: {path: "/same/{name}", service: backend}
  wrong: {path: "/a/{id}", service: backend, rewrite: "/b/{name}"}
  method: {path: /m, service: backend, methods: [get]}
  strip: {path: /s/x, service: backend, strip_prefix: /other}
  window: {path: /w, service: backend, rate_limit: {limit: 1, window: soon}}
  address: {path: /i, service: backend, deny_ips: [here]}
  host: {path: /h, service: backend, host: "a.*"}
"""
    with pytest.raises(ConfigurationError) as caught:
        load_settings_text(text, tmp_path / "graphgw.yaml", {})

    found = str(caught.value)
    for number, words in [
        (4, "exactly one target"),
        (5, "exactly one target"),
        (6, 'must start with "/"'),
        (7, 'no service "nowhere"'),
        (8, "does not speak HTTP"),
        (10, 'the same requests as "same"'),
        (11, 'no parameter "name"'),
        (12, '"get" is no method'),
        (13, "not the beginning of the path"),
        (14, "not a duration"),
        (15, "not an address or network"),
        (16, "is no host"),
    ]:
        assert any(
            f"graphgw.yaml:{number} " in line and words in line
            for line in found.splitlines()
        ), (number, words, found)
