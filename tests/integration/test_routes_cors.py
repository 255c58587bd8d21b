"""Pages of other sites at routes, as a browser and a backend see it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.gateways import running_gateway, write_settings
from support.streaming_backend import StreamingBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOP = "https://shop.test"
ROUTES: dict[str, Any] = {
    "open": {"path": "/open/*", "service": "backend"},
    "known": {"path": "/known/*", "service": "backend", "authenticated": True},
    "read": {"path": "/read", "service": "backend", "methods": ["GET"]},
}
SAID_BY_SERVICE = (
    "access-control-allow-origin: *|access-control-allow-credentials: true"
    "|access-control-expose-headers: x-total"
)


@pytest.fixture(scope="module")
def backend() -> Iterator[StreamingBackend]:
    with StreamingBackend() as running:
        yield running


@contextlib.contextmanager
def serving(
    folder: Path, backend: StreamingBackend, origins: list[str]
) -> Iterator[httpx.Client]:
    settings = {
        "services": {"backend": backend.url},
        "routes": ROUTES,
        "server": {"allowed_origins": origins},
    }
    config = write_settings(folder, settings)
    with running_gateway(config) as (_, url), httpx.Client(base_url=url) as made:
        yield made


@pytest.fixture(scope="module")
def client(
    backend: StreamingBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("pages"), backend, [SHOP]) as made:
        yield made


def preflight(client: httpx.Client, path: str, origin: str, method: str) -> Any:
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": "x-tenant",
    }
    return client.options(path, headers=headers)


@pytest.mark.parametrize("path", ["/open/x", "/known/x"])
def test_a_page_of_an_allowed_origin_may_send_what_a_route_takes(
    client: httpx.Client, backend: StreamingBackend, path: str
):
    seen = len(backend.requests)

    answer = preflight(client, path, SHOP, "PUT")

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-headers"] == "x-tenant"
    assert answer.headers["vary"] == "Origin"
    assert len(backend.requests) == seen


def test_a_page_of_another_origin_may_not(client: httpx.Client):
    answer = preflight(client, "/open/x", "https://other.test", "PUT")

    assert answer.status_code == 204
    assert answer.headers["vary"] == "Origin"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_what_no_route_takes_is_not_allowed(client: httpx.Client):
    assert preflight(client, "/read", SHOP, "PUT").status_code == 405
    assert preflight(client, "/nowhere", SHOP, "PUT").status_code == 404


def test_a_service_has_no_say_in_who_may_read(client: httpx.Client):
    asked = {"params": {"header": SAID_BY_SERVICE}}
    for _ in range(3):
        ours = client.get("/open/x", headers={"origin": SHOP}, **asked)
        other = client.get("/open/x", headers={"origin": "https://x"}, **asked)

    assert ours.headers.get_list("access-control-allow-origin") == [SHOP]
    assert ours.headers["access-control-expose-headers"] == "x-total"
    assert "access-control-allow-credentials" not in ours.headers
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"


def test_a_page_may_read_why_it_was_refused(client: httpx.Client):
    refused = client.get("/known/x", headers={"origin": SHOP})
    wrong = client.delete("/read", headers={"origin": SHOP})

    assert (refused.status_code, wrong.status_code) == (401, 405)
    assert refused.headers["access-control-allow-origin"] == SHOP
    assert wrong.headers["access-control-allow-origin"] == SHOP


def test_without_allowed_origins_the_service_answers_pages(
    tmp_path: Path, backend: StreamingBackend
):
    with serving(tmp_path, backend, []) as client:
        preflight(client, "/open/x", SHOP, "PUT")
        asked = backend.last
        answer = client.get("/open/x", params={"header": SAID_BY_SERVICE})

    assert (asked.method, asked.values("origin")) == ("OPTIONS", [SHOP])
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-credentials"] == "true"
