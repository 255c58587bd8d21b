"""Requests that come at once share their backend calls: slow backends count them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import yaml
from conftest import BACKENDS, Shop
from support.gateways import running_gateway
from support.processes import ROOT, start_backend

from graphgw import Gateway, Principal
from graphgw.config.load import load_settings

EVERYTHING = """
query Everything($id: ID!) {
  user(id: $id) {
    name
    orders(first: 2) { nodes { id items { product { name } } } }
    notifications(first: 2) { nodes { title } }
  }
}
"""
USER = "query User($id: ID!) { user(id: $id) { name } }"
ORDERS = "query Orders($id: ID!) { user(id: $id) { orders { nodes { id } } } }"

EVERY_ENDPOINT = (
    "GET /users?ids",
    "OrderService/ListByUsers",
    "GET /products?ids",
    "NotificationService/ListByUsers",
)


@pytest.fixture(scope="module")
def slow_shop() -> Iterator[Shop]:
    """Run backends of which every call takes a second."""
    shop = Shop({name: start_backend(name, "--delay-ms", "1000") for name in BACKENDS})
    try:
        for running in shop.processes.values():
            running.wait_for_port()
        yield shop
    finally:
        for running in shop.processes.values():
            running.stop()


@pytest.fixture
def config(slow_shop: Shop, tmp_path: Path) -> Path:
    """Write a configuration without cache and rate limits: sharing is on its own."""
    data = yaml.safe_load((ROOT / "graphgw.yaml").read_text().split("routes:")[0])
    found = slow_shop.environment()
    data["services"] = {name: found[f"{name.upper()}_URL"] for name in BACKENDS}
    data["policies"] = {
        "cache": {"is_enabled": False},
        "rate_limit": {"switch": "off"},
    }
    path = tmp_path / "graphgw.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@asynccontextmanager
async def opened(config: Path, **changes: Any) -> AsyncIterator[Gateway]:
    """Run a gateway in this process, so that requests come in one turn of its loop."""
    gateway = Gateway(settings=load_settings(change(config, **changes), os.environ))
    async with gateway:
        yield gateway


def change(config: Path, **changes: Any) -> Path:
    """Write other settings in the place of some."""
    data = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**data, **changes}))
    return config


def forward_tokens(config: Path, *names: str) -> dict[str, Any]:
    """Return the services' settings, with tokens going on to some."""
    services: dict[str, Any] = yaml.safe_load(config.read_text())["services"]
    headers = {"forward_headers": ["authorization"]}
    return {
        name: {"url": url, **headers} if name in names else url
        for name, url in services.items()
    }


async def made(shop: Shop) -> dict[str, int]:
    """Return how often each endpoint was called."""
    counted = await asyncio.to_thread(shop.calls)
    return {
        endpoint: calls
        for found in counted.values()
        for endpoint, (calls, _) in found.items()
    }


async def reset(shop: Shop) -> None:
    """Forget what was called."""
    await asyncio.to_thread(shop.reset_calls)


async def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send one request on a connection of its own."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    data = orjson.dumps(body)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (len(data), data)
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    found: dict[str, Any] = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    return found


async def test_five_hundred_equal_queries_are_one_call_at_each_level(
    slow_shop: Shop, config: Path
):
    with running_gateway(config) as (_, url):
        body = {"query": EVERYTHING, "variables": {"id": "u1"}}
        alone = await post(url, body)
        await reset(slow_shop)

        answers = await asyncio.gather(*(post(url, body) for _ in range(500)))

    assert "errors" not in alone
    assert alone["data"]["user"]["orders"]["nodes"]
    assert answers == [alone] * 500
    assert await made(slow_shop) == dict.fromkeys(EVERY_ENDPOINT, 1)


async def test_keys_of_many_requests_share_calls_up_to_the_largest_batch(
    slow_shop: Shop, config: Path
):
    async with opened(config) as gateway:
        await gateway.execute(USER, {"id": "u1"})
        await reset(slow_shop)

        answers = await asyncio.gather(
            *(gateway.execute(USER, {"id": f"u{n}"}) for n in range(1, 501))
        )

    assert not any(answer.errors for answer in answers)
    assert len({answer.data["user"]["name"] for answer in answers}) > 100
    # Five hundred keys, two hundred at most in a call.
    assert await made(slow_shop) == {"GET /users?ids": 3}


async def test_without_sharing_every_request_makes_its_own_calls(
    slow_shop: Shop, config: Path
):
    async with opened(config, sharing=False) as gateway:
        await reset(slow_shop)

        await asyncio.gather(
            *(gateway.execute(EVERYTHING, {"id": "u1"}) for _ in range(5))
        )

    assert await made(slow_shop) == dict.fromkeys(EVERY_ENDPOINT, 5)


async def test_principals_whose_tokens_go_on_never_share(slow_shop: Shop, config: Path):
    services = forward_tokens(config, "user", "order")
    async with opened(config, services=services) as gateway:
        await reset(slow_shop)

        answers = await asyncio.gather(
            *(
                gateway.execute(
                    EVERYTHING,
                    {"id": "u1"},
                    headers={"authorization": f"Bearer {subject}"},
                    principal=Principal(subject=subject),
                )
                for subject in ("ada", "bob", "ada")
            )
        )

    assert not any(answer.errors for answer in answers)
    # The other two services are sent no token: what they are asked is the same.
    assert await made(slow_shop) == {
        "GET /users?ids": 2,
        "OrderService/ListByUsers": 2,
        "GET /products?ids": 1,
        "NotificationService/ListByUsers": 1,
    }


async def test_requests_that_are_gone_leave_the_call_to_the_others(
    slow_shop: Shop, config: Path
):
    async with opened(config) as gateway:
        await reset(slow_shop)
        requests = [
            asyncio.ensure_future(gateway.execute(EVERYTHING, {"id": "u1"}))
            for _ in range(50)
        ]
        while not await made(slow_shop):  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.05)

        for request in requests[:49]:
            request.cancel()
        answer = await requests[49]

    assert not answer.errors
    assert answer.data["user"]["orders"]["nodes"]
    assert await made(slow_shop) == dict.fromkeys(EVERY_ENDPOINT, 1)


async def test_what_a_mutation_reads_is_read_for_it_alone(
    slow_shop: Shop, config: Path
):
    mutation = """
    mutation Change($id: ID!) {
      updateProfile(id: $id, profile: {bio: "New."}) { orders { nodes { id } } }
    }
    """
    ada = Principal(subject="u1")
    async with opened(config) as gateway:
        await reset(slow_shop)

        changed, *answers = await asyncio.gather(
            gateway.execute(mutation, {"id": "u1"}, principal=ada),
            gateway.execute(ORDERS, {"id": "u1"}, principal=ada),
            gateway.execute(ORDERS, {"id": "u1"}, principal=ada),
        )

    assert changed.data["updateProfile"] == answers[0].data["user"]
    assert await made(slow_shop) == {
        "PATCH /users/{id}": 1,
        "GET /users?ids": 1,
        "OrderService/ListByUsers": 2,
    }
