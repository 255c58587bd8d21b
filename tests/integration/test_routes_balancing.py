"""Routes to a service at two addresses: requests and WebSocket connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import yaml
from integration.test_routes_websocket import EchoServer
from support.gateways import SDL, running_gateway
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEAD = "http://127.0.0.1:1"


@pytest.fixture
def servers() -> Iterator[list[EchoServer]]:
    made = [EchoServer(), EchoServer()]
    yield made
    for server in made:
        server.stop()


def test_websocket_connections_are_spread_and_go_where_a_header_says(
    servers: list[EchoServer], tmp_path: Path
):
    (tmp_path / "slow.graphql").write_text(SDL)
    config = tmp_path / "graphgw.yaml"
    stable, canary = (f"http://127.0.0.1:{server.port}" for server in servers)
    service = {
        "urls": [stable, {"url": canary, "group": "canary"}],
        "split": {
            "group": "canary",
            "share": 0.5,
            "header": "x-canary",
            "pins": {"always": "canary"},
        },
    }
    settings = {
        "subgraphs": {"slow": {"url": DEAD, "sdl": "slow.graphql"}},
        "services": {"echo": service},
        "routes": {"echo": {"path": "/ws", "service": "echo", "websocket": {}}},
    }
    config.write_text(yaml.safe_dump(settings))
    with running_gateway(config) as (_, url):
        for headers in [{}] * 4 + [{"x-canary": "always"}] * 3:
            place = f"{url.replace('http', 'ws', 1)}/ws"
            with connect(place, additional_headers=headers) as socket:
                socket.send("hello")
                assert socket.recv() == "hello"
        metrics = httpx.get(f"{url}/metrics").text

    assert [len(server.requests) for server in servers] == [2, 5]
    assert metrics.count('source="echo",status="101"} ') == 3
