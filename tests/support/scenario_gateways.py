"""One gateway process for each scenario, two at a time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import httpx
from support.processes import RunningProcess, start_process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

__all__ = ["PLACEHOLDER", "ScenarioGateways"]

PLACEHOLDER = "http://fixture.invalid"
"""Where the committed supergraphs say that their subgraphs are."""


class ScenarioGateways:
    """Starts ``graphgw serve`` for the scenario asked of, and for the one after it.

    Args:
        root: The scenarios' folder.
        names: Scenarios in the order in which they will be asked.
        subgraphs: Where the subgraphs are.
        folder: Where the supergraphs with their URLs are written.
    """

    def __init__(
        self, root: Path, names: Sequence[str], subgraphs: str, folder: Path
    ) -> None:
        self._root = root
        self._names = list(names)
        self._subgraphs = subgraphs
        self._folder = folder
        self._running: dict[str, RunningProcess] = {}
        self._client = httpx.Client(timeout=30)

    def ask(self, scenario: str, query: str, variables: Any) -> Any:
        """Send one operation by POST and return the answer."""
        after = self._names.index(scenario) + 1
        wanted = [scenario, *self._names[after : after + 1]]
        for name in [name for name in self._running if name not in wanted]:
            self._running.pop(name).stop()
        for name in wanted:
            if name not in self._running:
                self._running[name] = self._start(name)
        port = self._running[scenario].wait_for_port()
        response = self._client.post(
            f"http://127.0.0.1:{port}/graphql",
            json={"query": query, "variables": variables},
        )
        return response.json()

    def _start(self, name: str) -> RunningProcess:
        sdl = (self._root / name / "supergraph.graphql").read_text()
        path = self._folder / f"{name}.graphql"
        path.write_text(sdl.replace(PLACEHOLDER, self._subgraphs))
        return start_process(
            name,
            sys.executable, "-m", "graphgw.cli.main", "serve",
            "--supergraph", str(path), "--port", "0",
        )  # fmt: skip

    def __enter__(self) -> ScenarioGateways:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
        for running in self._running.values():
            running.stop()
