"""Limits and caches over real gateways and one Redis: shared, killed, slow, garbage."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from conftest import RunningGateway, Shop, wait_until_ready
from integration.test_shop import mint
from support.processes import ROOT, start_process
from support.redis_server import RedisServer

from graphgw.cli.token import ensure_key_pair

CREATE = (
    'mutation { createOrder(order: {userId: "u1", items: [{productId: "p99999"}]})'
    " { id } }"
)
LIMIT, WINDOW = 10, 60.0


@contextmanager
def running(
    shop: Shop, redis_url: str, timeout: str = "50ms"
) -> Iterator[RunningGateway]:
    ensure_key_pair(ROOT / ".graphgw")
    process = start_process(
        "gateway",
        sys.executable, "-m", "graphgw.cli.main", "serve",
        "--config", "graphgw.yaml", "--port", "0",
        environment={
            **shop.environment(),
            "REDIS_URL": redis_url,
            "REDIS_TIMEOUT": timeout,
        },
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{process.wait_for_port()}"
        wait_until_ready(url, process)
        yield RunningGateway(process, url)
    finally:
        process.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


async def storm(gateways: list[RunningGateway], token: str, clients: int) -> list[int]:
    """Let that many clients ask again and again, spread over the gateways."""
    headers = {"authorization": f"Bearer {token}"}

    async def one(number: int, client: httpx.AsyncClient) -> list[int]:
        url = f"{gateways[number % len(gateways)].url}/graphql"
        answers = [
            await client.post(url, json={"query": CREATE}, headers=headers)
            for _ in range(4)
        ]
        return [answer.status_code for answer in answers]

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        found = await asyncio.gather(*(one(n, client) for n in range(clients)))
    return [status for statuses in found for status in statuses]


def test_a_limit_holds_over_two_gateways_and_many_clients(
    shop: Shop, redis: RedisServer
):
    token = mint("orders:write", "--subject", "stormy")
    # Busy cores must not look like a Redis that is down: then each would count alone.
    with (
        running(shop, redis.url, "10s") as one,
        running(shop, redis.url, "10s") as two,
    ):
        began = time.monotonic()
        statuses = asyncio.run(storm([one, two], token, 64))
        seconds = time.monotonic() - began

    passed = statuses.count(200)
    assert set(statuses) == {200, 429}
    assert LIMIT <= passed <= LIMIT + LIMIT * seconds / WINDOW + 1


def test_what_one_gateway_drops_the_other_has_no_more(shop: Shop, redis: RedisServer):
    query = '{ product(id: "p61") { name } }'
    admin = mint("cache:invalidate")
    with running(shop, redis.url) as one, running(shop, redis.url) as two:
        one.ask(query)
        shop.reset_calls()
        two.ask(query)
        assert shop.calls()["product"] == {}

        dropped = httpx.post(
            f"{two.url}/cache/invalidate",
            json={"tags": ["product-p61"]},
            headers={"authorization": f"Bearer {admin}"},
        )

        assert dropped.status_code == 200
        one.ask(query)
        assert shop.calls()["product"] == {"GET /products?ids": (1, 1)}


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_without_redis_answers_go_on_and_limits_are_counted_here(
    shop: Shop, redis: RedisServer, fault: str
):
    token = mint("orders:write", "--subject", f"without-{fault}")
    query = '{ product(id: "p62") { name } user(id: "u3") { name } }'
    with running(shop, redis.url) as gateway:
        expected = gateway.ask(query)
        getattr(redis, fault)()

        began = time.monotonic()
        answers = [gateway.ask(query) for _ in range(20)]
        seconds = time.monotonic() - began
        statuses = asyncio.run(storm([gateway], token, 8))

    assert all(answer == expected for answer in answers)
    assert "errors" not in expected
    assert seconds < 10
    assert statuses.count(200) in {LIMIT, LIMIT + 1}
    assert statuses.count(429) == len(statuses) - statuses.count(200)


def test_redis_that_comes_back_counts_again(shop: Shop, redis: RedisServer):
    token = mint("orders:write", "--subject", "returning")
    with running(shop, redis.url) as gateway:
        redis.freeze()
        gateway.post(CREATE, token=token)
        redis.thaw()
        time.sleep(1.5)

        remaining = []
        for _ in range(2):
            answer = gateway.post(CREATE, token=token)
            remaining.append(answer.headers["ratelimit"])

    assert ";r=9;" in remaining[0]
    assert ";r=8;" in remaining[1]


@contextmanager
def garbage(answer: bytes) -> Iterator[str]:
    """Listen where Redis should, and answer everything with the same bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                while connection.recv(4096):
                    connection.sendall(answer)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    finally:
        listener.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="http"),
        pytest.param(b"\x00\xff\xfe" * 100, id="binary"),
        pytest.param(b"+OK\r\n", id="ok-to-everything"),
        pytest.param(b"*2\r\n$3\r\nabc\r\n$3\r\nabc\r\n", id="wrong-shape"),
        pytest.param(b"$1000000000\r\n", id="endless"),
    ],
)
def test_garbage_in_place_of_redis_is_no_redis(shop: Shop, answer: bytes):
    token = mint("orders:write", "--subject", "garbage")
    query = '{ product(id: "p63") { name } }'
    with garbage(answer) as url, running(shop, url) as gateway:
        answers = [gateway.ask(query) for _ in range(5)]
        statuses = [gateway.post(CREATE, token=token).status_code for _ in range(12)]

    assert all("errors" not in answer for answer in answers)
    assert all(answer["data"]["product"]["name"] for answer in answers)
    assert statuses[:10] == [200] * 10
    assert 429 in statuses[10:]
