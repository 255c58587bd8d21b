"""Gateway processes of a test's own: over one backend that misbehaves."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from support.processes import RunningProcess, start_process

__all__ = ["DEAD", "running_gateway", "write_config", "write_settings"]

DEAD = "http://127.0.0.1:1"
"""Where nothing listens."""

SDL = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
type Query { ok: Boolean }
type Mutation { change: Boolean }
"""


def write_config(folder: Path, backend: str, **server: Any) -> Path:
    """Write a configuration with one remote subgraph at ``backend``."""
    return write_settings(folder, {"server": server}, backend=backend)


def write_settings(
    folder: Path, settings: dict[str, Any], *, backend: str = DEAD
) -> Path:
    """Write a configuration: ``settings`` over one remote subgraph."""
    (folder / "slow.graphql").write_text(SDL)
    config = folder / "graphgw.yaml"
    subgraphs = {"slow": {"url": backend, "sdl": "slow.graphql"}}
    config.write_text(yaml.safe_dump({"subgraphs": subgraphs, **settings}))
    return config


@contextmanager
def running_gateway(
    config: Path, *options: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[RunningProcess, str]]:
    """Run ``graphgw serve`` until the block ends; gives the process and its URL."""
    process = start_process(
        "gateway",
        sys.executable, "-m", "graphgw.cli.main", "serve",
        "--config", str(config), "--port", "0", *options,
        environment=environment,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        yield process, url
    finally:
        process.stop()


def wait_until_ready(url: str, process: RunningProcess, seconds: float = 30) -> None:
    """Wait until a gateway has a graph to serve."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and process.process.poll() is None:
        try:
            if httpx.get(f"{url}/health").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise RuntimeError("the gateway is not ready:\n" + "\n".join(process.lines))
