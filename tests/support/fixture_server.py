"""A strict subgraph server for fixtures: every subgraph at ``/SCENARIO/NAME``."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from support.fixture_graph import FixtureGraph, ScenarioState
from support.fixture_schema import read_subgraph_schema

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["FixtureServer", "Scenario", "read_scenario"]


@dataclass
class Scenario:
    """The subgraphs of one fixture folder, and what they were asked."""

    name: str
    graphs: dict[str, FixtureGraph]
    state: ScenarioState


def read_scenario(folder: Path) -> Scenario:
    """Read ``subgraphs/*.graphql`` and ``data.json``."""
    data = json.loads((folder / "data.json").read_text())
    described = {
        path.stem: read_subgraph_schema(path.read_text())
        for path in sorted((folder / "subgraphs").glob("*.graphql"))
    }
    state = ScenarioState()
    graphs = {}
    for name, schema in described.items():
        taken = {
            (type_name, field_name)
            for other in described.values()
            for loser, type_name, field_name in other.overrides
            if loser == name
        }
        graphs[name] = FixtureGraph(name, schema, data.get(name, {}), taken, state)
    return Scenario(folder.name, graphs, state)


@dataclass
class FixtureServer:
    """Serves scenarios over HTTP from a thread of its own.

    Use it as a context manager; scenarios are read when they are first asked for.
    """

    root: Path
    url: str = ""
    _scenarios: dict[str, Scenario] = field(default_factory=dict)

    def scenario(self, name: str) -> Scenario:
        """Return a scenario with its state."""
        if name not in self._scenarios:
            self._scenarios[name] = read_scenario(self.root / name)
        return self._scenarios[name]

    def __enter__(self) -> FixtureServer:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_level="warning",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])),
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        _, scenario, name = scope["path"].split("/")
        answer = self.scenario(scenario).graphs[name].answer(json.loads(body))
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        sent = json.dumps(answer).encode()
        await send({"type": "http.response.body", "body": sent})
