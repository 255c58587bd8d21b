"""A gateway process whose supergraph and configuration change while it serves."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from support.integration_gateways import serving, swaps, wait_for
from support.remote_server import RemoteServer

JOIN = """
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)
{ query: Query }
enum join__Graph { SHOP @join__graph(name: "shop", url: "%s") }
type Query @join__type(graph: SHOP) {
  stable: Int
  %s: Int
}
"""
FILLING = "\n".join(
    f"type Filling{n} @join__type(graph: SHOP) {{ field: Int other: Filling{n} }}"
    for n in range(300)
)
CONFIG = """
supergraph: supergraph.graphql
telemetry: {log_level: warning}
includes_subgraph_in_errors: %s
exposes_plans: %s
"""
SHOP = "type Query { stable: Int even: Int odd: Int }"


@pytest.fixture(scope="module")
def shop():
    with RemoteServer(SHOP, {"stable": 1, "even": 2, "odd": 3}) as server:
        yield server


def logged(gateway, text):
    return [line for line in gateway.process.lines if text in line]


@dataclass
class Load:
    """Twenty connections that ask without a pause."""

    url: str
    answered: int = 0
    wrong: list[object] = field(default_factory=list)
    slowest: float = 0.0
    ended: bool = False

    async def run(self, count: int = 20) -> None:
        limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
        async with (
            httpx.AsyncClient(limits=limits, timeout=30) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(count):
                tasks.create_task(self._ask(client, number))

    async def _ask(self, client: httpx.AsyncClient, number: int) -> None:
        turn = 0
        while not self.ended:
            turn += 1
            # Now and then a document that was not asked before.
            name = f"Asked{number}x{turn}" if turn % 10 == 0 else "Asked"
            began = time.perf_counter()
            try:
                response = await client.post(
                    f"{self.url}/graphql", json={"query": f"query {name} {{ stable }}"}
                )
            except httpx.HTTPError as error:
                self.wrong.append(repr(error))
                continue
            self.slowest = max(self.slowest, time.perf_counter() - began)
            if response.status_code != 200 or response.json() != {
                "data": {"stable": 1}
            }:
                self.wrong.append((response.status_code, response.text))
            self.answered += 1


@asynccontextmanager
async def under_load(url):
    load = Load(url)
    running = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        load.ended = True
        await running


def replace_file(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.rename(path)


def write_slowly(path: Path, text: str) -> None:
    """Write in place, in parts, so that there is half a file for a while."""
    with path.open("w") as file:
        for start in range(0, len(text), 8000):
            file.write(text[start : start + 8000])
            file.flush()
            time.sleep(0.01)


async def test_twenty_connections_see_ten_swaps_without_a_lost_request(shop, tmp_path):
    path = tmp_path / "supergraph.graphql"
    versions = [JOIN % (shop.url, name) + FILLING for name in ("even", "odd")]
    path.write_text(versions[0])

    with serving("--supergraph", str(path)) as gateway:
        async with under_load(gateway.url) as load:
            for number in range(1, 11):
                change = (replace_file, write_slowly)[number % 2]
                await asyncio.to_thread(change, path, versions[number % 2])
                await asyncio.to_thread(
                    wait_for, lambda count=number: swaps(gateway, "ok") > count
                )
                now, before = ("odd", "even") if number % 2 else ("even", "odd")
                answer = await asyncio.to_thread(gateway.ask, f"{{ {now} }}")
                assert answer["data"] == {now: {"even": 2, "odd": 3}[now]}
                refused = await asyncio.to_thread(gateway.ask, f"{{ {before} }}")
                assert "errors" in refused

        assert load.wrong == []
        assert load.answered > 200
        assert swaps(gateway, "failed") == 0


async def test_what_cannot_be_served_is_never_served(shop, tmp_path):
    path = tmp_path / "supergraph.graphql"
    good = JOIN % (shop.url, "even")
    path.write_text(good)
    bad = {
        "half a file": good[:-20],
        "nothing": "",
        "no supergraph": "type Query { stable: Int }",
        "no URL": JOIN % ("", "even"),
        "unknown": good.replace(
            "{ query: Query }",
            '@link(url: "https://example.com/magic/v1.0", for: SECURITY)'
            " { query: Query }",
        ),
    }

    config = tmp_path / "graphgw.yaml"
    config.write_text(CONFIG % ("false", "false"))

    with serving("--config", str(config)) as gateway:
        async with under_load(gateway.url) as load:
            for number, text in enumerate(bad.values(), start=1):
                await asyncio.to_thread(replace_file, path, text)
                await asyncio.to_thread(
                    wait_for, lambda count=number: swaps(gateway, "failed") >= count
                )
            path.unlink()
            await asyncio.to_thread(
                wait_for, lambda: swaps(gateway, "failed") == len(bad) + 1
            )
        assert load.wrong == []
        assert swaps(gateway, "ok") == 1
        reasons = logged(gateway, "reload failed")
        assert len(reasons) == len(bad) + 1
        assert any("Syntax Error" in reason for reason in reasons)
        assert any("magic" in reason for reason in reasons)
        assert any("No such file" in reason for reason in reasons)

        path.write_text(JOIN % (shop.url, "odd"))
        wait_for(lambda: swaps(gateway, "ok") == 2)
        assert gateway.ask("{ odd }")["data"] == {"odd": 3}


def plan_of(gateway):
    headers = {"apollo-expose-query-plan": "true"}
    return "extensions" in gateway.ask("{ stable }", headers=headers)


@pytest.mark.parametrize("workers", [1, 2])
async def test_sighup_takes_the_configuration_over(shop, tmp_path, workers):
    (tmp_path / "supergraph.graphql").write_text(JOIN % (shop.url, "even"))
    config = tmp_path / "graphgw.yaml"
    config.write_text(CONFIG % ("false", "false"))
    options = ("--config", str(config), "--workers", str(workers))

    with serving(*options) as gateway:
        wait_for(lambda: swaps(gateway, "ok") == workers)
        assert not plan_of(gateway)
        async with under_load(gateway.url) as load:
            config.write_text(CONFIG % ("false", "true"))
            gateway.process.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(
                wait_for, lambda: swaps(gateway, "ok") == 2 * workers
            )
            assert await asyncio.to_thread(plan_of, gateway)

            config.write_text("exposes_plans: perhaps\nnonsense: 1\n")
            gateway.process.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(
                wait_for, lambda: len(logged(gateway, "reload failed")) == workers
            )
            assert await asyncio.to_thread(plan_of, gateway)

        assert load.wrong == []
        (reason, *_) = logged(gateway, "reload failed")
        assert "graphgw.yaml:1" in reason
        assert "graphgw.yaml:2" in reason


def test_sighup_says_what_only_a_new_process_takes_over(shop, tmp_path):
    (tmp_path / "supergraph.graphql").write_text(JOIN % (shop.url, "even"))
    config = tmp_path / "graphgw.yaml"
    config.write_text("supergraph: supergraph.graphql\n")

    with serving("--config", str(config)) as gateway:
        config.write_text(
            "supergraph: supergraph.graphql\nserver: {keep_alive: 3}\ndeadline: 3\n"
        )
        gateway.process.process.send_signal(signal.SIGHUP)
        wait_for(lambda: logged(gateway, "only a new process"))

        assert logged(gateway, "server: only a new process takes changes over")
        assert gateway.ask("{ stable }")["data"] == {"stable": 1}
