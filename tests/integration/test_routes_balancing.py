"""Routes to a service at two addresses: requests and WebSocket connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from integration.test_routes_websocket import EchoServer
from support.gateways import running_gateway, write_settings
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def servers() -> Iterator[list[EchoServer]]:
    made = [EchoServer(), EchoServer()]
    yield made
    for server in made:
        server.stop()


def test_websocket_connections_are_spread_and_go_where_a_header_says(
    servers: list[EchoServer], tmp_path: Path
):
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
        "services": {"echo": service},
        "routes": {"echo": {"path": "/ws", "service": "echo", "websocket": {}}},
    }
    config = write_settings(tmp_path, settings)
    with running_gateway(config) as (_, url):
        for headers in [{}] * 4 + [{"x-canary": "always"}] * 3:
            place = f"{url.replace('http', 'ws', 1)}/ws"
            with connect(place, additional_headers=headers) as socket:
                socket.send("hello")
                assert socket.recv() == "hello"
        metrics = httpx.get(f"{url}/metrics").text

    assert [len(server.requests) for server in servers] == [2, 5]
    assert metrics.count('source="echo",status="101"} ') == 3
