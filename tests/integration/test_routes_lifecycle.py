"""Routes through reloads and the end of a gateway process: nobody is let down."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.gateways import running_gateway, write_settings
from support.integration_gateways import wait_for
from support.streaming_backend import MIB, StreamingBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def backend() -> Iterator[StreamingBackend]:
    with StreamingBackend() as running:
        yield running


def write(folder: Path, backend: StreamingBackend, routes: dict[str, Any]) -> Path:
    settings = {
        "services": {"backend": backend.url},
        "routes": routes,
        "server": {"shutdown_delay": "100ms"},
    }
    return write_settings(folder, settings)


def route(path: str, **settings: Any) -> dict[str, Any]:
    return {"path": path, "service": "backend", **settings}


def test_a_stream_is_answered_to_its_end_after_sigterm(
    tmp_path: Path, backend: StreamingBackend
):
    config = write(tmp_path, backend, {"all": route("/a/*")})
    with running_gateway(config) as (process, url):
        received = 0
        with httpx.stream("GET", f"{url}/a/chunked?mb=64", timeout=20) as answer:
            for number, chunk in enumerate(answer.iter_raw(1 << 20)):
                if number == 2:
                    process.process.send_signal(signal.SIGTERM)
                received += len(chunk)

        assert received == 64 * MIB
        assert process.process.wait(20) == 0


def test_a_reload_brings_routes_and_takes_them(
    tmp_path: Path, backend: StreamingBackend
):
    config = write(tmp_path, backend, {"old": route("/old/*"), "both": route("/b/*")})
    with (
        running_gateway(config) as (process, url),
        httpx.Client(base_url=url) as client,
    ):
        for path in ("/old/x", "/b/x") * 3:  # the same bytes are remembered
            assert client.get(path).status_code == 200
        both = route("/b/*", response={"headers": {"set": {"x-reloaded": "yes"}}})
        write(tmp_path, backend, {"new": route("/new/*"), "both": both})
        process.process.send_signal(signal.SIGHUP)

        wait_for(lambda: client.get("/new/x").status_code == 200)
        assert client.get("/old/x").status_code == 404
        assert client.get("/b/x").headers["x-reloaded"] == "yes"


def test_a_route_for_all_paths_takes_none_of_the_graphs(
    tmp_path: Path, backend: StreamingBackend
):
    config = write(tmp_path, backend, {"all": route("/*")})
    page = {"accept": "text/html"}
    with running_gateway(config) as (_, url), httpx.Client(base_url=url) as client:
        for _ in range(3):
            assert client.get("/x", headers=page).json()["target"] == "/x"
            assert "GraphiQL" in client.get("/graphql", headers=page).text
            assert client.get("/health", headers=page).json()["status"] == "ready"
            assert client.get("/graphql?query={__typename}").json() == {
                "data": {"__typename": "Query"}
            }

    assert {request.target for request in backend.requests} == {"/x"}


def test_a_wrong_reload_changes_no_route(tmp_path: Path, backend: StreamingBackend):
    config = write(tmp_path, backend, {"one": route("/one/*")})
    with running_gateway(config) as (process, url):
        wrong = {"one": route("/one/{x}"), "two": route("/one/{y}")}
        write(tmp_path, backend, wrong)
        process.process.send_signal(signal.SIGHUP)

        wait_for(lambda: any("same requests" in line for line in process.lines))
        assert httpx.get(f"{url}/one/x/y").status_code == 200


def test_requests_under_way_count_through_a_reload(
    tmp_path: Path, backend: StreamingBackend
):
    narrow = route("/narrow/*", concurrency=1)
    config = write(tmp_path, backend, {"narrow": narrow})
    with running_gateway(config) as (process, url):
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as held:
            held.sendall(b"GET /narrow/held HTTP/1.1\r\nhost: a\r\n\r\n")
            wait_for(lambda: backend.in_flight == 1)
            write(tmp_path, backend, {"narrow": narrow, "new": route("/new/*")})
            process.process.send_signal(signal.SIGHUP)
            wait_for(lambda: httpx.get(f"{url}/new/x").status_code == 200)

            assert httpx.get(f"{url}/narrow/x").status_code == 503
            backend.hold.set()
            assert held.recv(100).startswith(b"HTTP/1.1 200 ")
