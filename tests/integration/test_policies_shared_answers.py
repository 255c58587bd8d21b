"""Whole answers over two gateway processes of the example and one Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis as redis_client
from conftest import RunningGateway, Shop
from integration.test_policies_redis import running
from integration.test_shop import mint
from support.redis_server import RedisServer

QUERY = '{ product(id: "p71") { name } }'


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def kept(server: RedisServer) -> list[bytes]:
    with redis_client.Redis(unix_socket_path=str(server.path)) as client:
        return sorted(client.keys("graphgw:v:answer:*"))


def whole(gateway: RunningGateway) -> float:
    """Return how many whole answers were found."""
    text = httpx.get(f"{gateway.url}/metrics").text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("graphgw_cache_keys_total")
        and 'coordinate="Query"' in line
        and 'result="hit"' in line
    )


def wait_for_answers(server: RedisServer, count: int) -> None:
    ends = time.monotonic() + 5
    while len(kept(server)) < count:
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_two_processes_have_one_answer_and_drop_it_together(
    shop: Shop, redis: RedisServer
):
    with running(shop, redis.url, "2s") as one, running(shop, redis.url, "2s") as two:
        first = one.ask(QUERY)
        wait_for_answers(redis, 1)
        second = two.ask(QUERY)

        assert second["data"] == first["data"]
        assert (whole(one), whole(two)) == (0, 1)
        assert len(kept(redis)) == 1

        admin = mint("cache:invalidate")
        dropped = httpx.post(
            f"{two.url}/cache/invalidate",
            json={"tags": ["product-p71"]},
            headers={"authorization": f"Bearer {admin}"},
        )
        shop.reset_calls()
        one.ask(QUERY)

        assert dropped.status_code == 200
        assert whole(one) == 0
        assert shop.calls()["product"] == {"GET /products?ids": (1, 1)}


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_without_redis_queries_are_answered_as_ever(
    shop: Shop, redis: RedisServer, fault: str
):
    with running(shop, redis.url, "50ms") as gateway:
        expected = gateway.ask(QUERY)
        wait_for_answers(redis, 1)
        getattr(redis, fault)()

        for _ in range(10):
            began = time.monotonic()
            found = gateway.ask(QUERY)

            assert time.monotonic() - began < 2.0
            assert found == expected
