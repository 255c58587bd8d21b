"""The life of server processes: how they begin, share work, and end."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import time
from pathlib import Path

import httpx
import pytest
from conftest import Shop
from support.faulty_backend import FaultyBackend
from support.gateways import running_gateway, write_config
from support.processes import ROOT, RunningProcess
from support.raw_http import RawConnection, post

from graphgw.cli.token import ensure_key_pair

BODY = b'{"query":"{ __typename }"}'
SLOW = b'{"query":"{ ok }"}'
NOWHERE = "http://127.0.0.1:9"


def terminate(running: RunningProcess) -> None:
    running.process.send_signal(signal.SIGTERM)


async def ended(running: RunningProcess, seconds: float = 20) -> int:
    return await asyncio.to_thread(running.process.wait, seconds)


# One process


async def test_what_runs_is_answered_before_the_process_ends(tmp_path):
    async with FaultyBackend() as backend:
        config = write_config(tmp_path, backend.url("/gate"), shutdown_delay=0)
        with running_gateway(config) as (running, url), RawConnection(url) as client:
            client.send(post(SLOW))
            await backend.has_waiting(1)
            terminate(running)
            await asyncio.sleep(0.5)
            still_runs = running.process.poll() is None
            backend.release.set()

            answer = await asyncio.to_thread(client.read)

            assert still_runs
            assert answer.body == b'{"data":{"ok":true}}'
            assert answer.headers["connection"] == "close"
            assert await ended(running) == 0


async def test_what_runs_longer_than_the_grace_is_told_so(tmp_path):
    async with FaultyBackend() as backend:
        config = write_config(
            tmp_path, backend.url("/hang"), shutdown_delay=0, shutdown_grace=1
        )
        with running_gateway(config) as (running, url), RawConnection(url) as client:
            client.send(post(SLOW))
            await backend.has_waiting(1)
            terminate(running)

            answer = await asyncio.to_thread(client.read)

            assert answer.status == 503
            assert await ended(running) == 0


def test_an_idle_connection_gets_its_last_answer_while_the_process_stops(tmp_path):
    config = write_config(tmp_path, NOWHERE, shutdown_delay=5)
    with running_gateway(config) as (running, url):
        idle = [RawConnection(url) for _ in range(20)]
        for connection in idle:
            connection.send(post(BODY))
            connection.read()
        terminate(running)
        wait_for_status(url, 503)

        for connection in idle:
            connection.send(post(BODY))
        answers = [connection.read() for connection in idle]

        assert {answer.status for answer in answers} == {200}
        assert {answer.headers["connection"] for answer in answers} == {"close"}
        assert all(connection.is_closed() for connection in idle)
        assert running.process.wait(10) == 0
        for connection in idle:
            connection.socket.close()


def wait_for_status(url: str, status: int, seconds: float = 10) -> httpx.Response:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        answer = httpx.get(f"{url}/health")
        if answer.status_code == status:
            return answer
        time.sleep(0.02)
    raise TimeoutError(f"/health does not say {status}")


def test_a_process_that_stops_is_not_ready(tmp_path):
    config = write_config(tmp_path, NOWHERE, shutdown_delay=5)
    with running_gateway(config) as (running, url), RawConnection(url) as idle:
        idle.send(post(BODY))
        idle.read()
        terminate(running)

        answer = wait_for_status(url, 503)

        assert answer.json() == {"status": "stopping"}
        assert answer.headers["connection"] == "close"


def test_an_idle_process_ends_soon(tmp_path):
    with running_gateway(write_config(tmp_path, NOWHERE)) as (running, _):
        terminate(running)

        assert running.process.wait(5) == 0


async def test_requests_under_load_are_all_answered_while_the_process_stops(tmp_path):
    """The clients leave as a load balancer lets them: when the gateway is not ready."""
    counts = {"answered": 0, "other": 0, "while_stopping": 0}
    is_stopping = asyncio.Event()

    async def ask_until_told(url: str) -> None:
        async with httpx.AsyncClient() as client:
            while not is_stopping.is_set():
                answer = await client.post(
                    f"{url}/graphql", json={"query": "{ __typename }"}
                )
                is_good = answer.json() == {"data": {"__typename": "Query"}}
                counts["answered" if is_good else "other"] += 1
                if answer.headers.get("connection") == "close":
                    counts["while_stopping"] += 1

    async def watch_readiness(url: str) -> None:
        async with httpx.AsyncClient() as client:
            is_ready = True
            while is_ready:
                await asyncio.sleep(0.1)
                is_ready = (await client.get(f"{url}/health")).status_code == 200
        await asyncio.sleep(0.3)
        is_stopping.set()

    config = write_config(tmp_path, NOWHERE, shutdown_delay=5)
    with running_gateway(config) as (running, url):
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(ask_until_told(url))
            group.create_task(watch_readiness(url))
            await asyncio.sleep(0.3)
            terminate(running)

        assert await ended(running) == 0

    assert counts["answered"] > 20
    assert counts["while_stopping"] > 0
    assert counts["other"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_process_at_once(tmp_path, number):
    async with FaultyBackend() as backend:
        config = write_config(tmp_path, backend.url("/hang"), shutdown_grace=30)
        with running_gateway(config) as (running, url), RawConnection(url) as client:
            client.send(post(SLOW))
            await backend.has_waiting(1)
            running.process.send_signal(number)
            await asyncio.sleep(0.3)
            running.process.send_signal(number)

            assert await ended(running, 5) == 128 + number


def test_a_gateway_that_cannot_start_says_why(tmp_path):
    config = write_config(tmp_path, NOWHERE)
    (tmp_path / "slow.graphql").write_text("type Query { a: Missing }")
    command = ("--workers", "2")

    for options in ((), command):
        with (
            pytest.raises(RuntimeError) as raised,
            running_gateway(config, *options),
        ):
            pass

        assert "Missing" in str(raised.value)
        assert "Traceback" not in str(raised.value)


# Several workers


def children(pid: int) -> set[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return {int(child) for child in text.split()}


def count_answers(url: str) -> float:
    text = httpx.get(f"{url}/metrics").text
    found = re.findall(
        r'^graphgw_operations_total\{kind="query",status="200"\} (\S+)$',
        text,
        re.MULTILINE,
    )
    return sum(float(value) for value in found)


def ask(url: str, times: int) -> None:
    for _ in range(times):  # a connection for each: any worker may have it
        answer = httpx.post(f"{url}/graphql", json={"query": "{ __typename }"})
        assert answer.status_code == 200


@pytest.fixture
def two_workers(tmp_path):
    config = write_config(tmp_path, NOWHERE)
    with running_gateway(config, "--workers", "2") as (running, url):
        yield running, url


def test_metrics_are_summed_over_workers(two_workers):
    running, url = two_workers

    ask(url, 40)

    assert len(children(running.process.pid)) == 2
    assert {count_answers(url) for _ in range(10)} == {40.0}


def test_the_memory_of_each_worker_is_told(two_workers):
    running, url = two_workers

    def told() -> dict[int, float]:
        text = httpx.get(f"{url}/metrics").text
        found = re.findall(
            r'^graphgw_worker_resident_bytes{pid="(\d+)"} (.+)$', text, re.MULTILINE
        )
        return {int(pid): float(size) for pid, size in found}

    ends = time.monotonic() + 10
    while set(told()) != children(running.process.pid):
        assert time.monotonic() < ends, told()
        time.sleep(0.1)

    for pid, size in told().items():
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        assert size == pytest.approx(pages * resource.getpagesize(), rel=0.2)


def test_a_killed_worker_is_replaced_and_its_counts_stay(two_workers):
    running, url = two_workers
    ask(url, 20)
    before = children(running.process.pid)
    victim = min(before)

    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    while len(children(running.process.pid) - {victim}) < 2:
        assert time.monotonic() - began < 20  # 2 s are promised
        time.sleep(0.01)
    ask(url, 20)

    assert children(running.process.pid) & before == before - {victim}
    assert count_answers(url) == 40.0


def test_a_worker_that_dies_again_and_again_comes_back_ever_later(two_workers):
    running, url = two_workers
    seen = set(children(running.process.pid))

    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        for pid in children(running.process.pid) - {max(seen)}:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
        seen |= children(running.process.pid)

    assert len(seen) < 20
    assert httpx.get(f"{url}/health", timeout=20).status_code == 200


def test_all_workers_end_with_their_supervisor(two_workers):
    running, _ = two_workers
    pids = children(running.process.pid)

    terminate(running)

    assert running.process.wait(10) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_workers_do_not_outlive_a_killed_supervisor(two_workers):
    running, _ = two_workers
    pids = children(running.process.pid)

    running.process.kill()
    running.process.wait()

    ends = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_that_limits_count_for_each_worker_is_said(two_workers):
    running, _ = two_workers

    assert any("2 workers: each counts rate limits" in line for line in running.lines)


def test_forked_workers_reach_every_kind_of_backend(shop: Shop):
    ensure_key_pair(ROOT / ".graphgw")
    query = """{ products(first: 1) { nodes { id } } users(first: 2) { nodes {
        orders(first: 1) { nodes { id } }
        notifications(first: 1) { unreadCount } } } }"""
    config = ROOT / "graphgw.yaml"

    with running_gateway(config, "--workers", "2", environment=shop.environment()) as (
        _,
        url,
    ):
        answers = [
            httpx.post(f"{url}/graphql", json={"query": query}, timeout=30).json()
            for _ in range(12)
        ]

    assert all("errors" not in answer for answer in answers)
    assert len(answers[0]["data"]["users"]["nodes"]) == 2


async def test_ctrl_c_lets_workers_finish_what_they_do(tmp_path):
    async with FaultyBackend() as backend:
        config = write_config(tmp_path, backend.url("/gate"))
        with (
            running_gateway(config, "--workers", "2") as (running, url),
            RawConnection(url) as client,
        ):
            client.send(post(SLOW))
            await backend.has_waiting(1)
            for pid in {running.process.pid, *own_group(running.process.pid)}:
                os.kill(pid, signal.SIGINT)  # as a terminal does
            await asyncio.sleep(0.5)
            backend.release.set()

            answer = await asyncio.to_thread(client.read)

            assert answer.body == b'{"data":{"ok":true}}'
            assert await ended(running) == 0


def own_group(pid: int) -> set[int]:
    group = os.getpgid(pid)
    return {child for child in children(pid) if os.getpgid(child) == group}
