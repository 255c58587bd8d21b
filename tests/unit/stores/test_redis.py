"""The shared store: shared indeed, and never in the way while Redis fails."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis
from support.clock import ManualClock
from support.redis_server import RedisServer

from graphgw.stores.protocol import Bucket, Draw, StoreError, Withdrawal
from graphgw.stores.redis import RedisStore

HOURLY = Draw(Bucket("b", 3, 3600.0, 3))


@pytest.fixture
def own_server(tmp_path):
    """Start a Redis that a test may harm."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def raw(redis_server):
    client = Redis.from_url(redis_server.url)
    yield client
    await client.aclose()


def withdraw(store):
    return store.take([Withdrawal((HOURLY,))])


async def test_two_processes_share_values_tags_and_buckets(open_redis):
    first, second = open_redis(), open_redis()

    await first.set_many({"a": b"1"}, ttl=10)
    await first.invalidate(["t"])
    await withdraw(first)

    found = await second.get_many(["a"], ["t"])
    assert found.values == [b"1"]
    assert found.stamps == (await first.get_many([], ["t"])).stamps != [b""]
    assert (await withdraw(second))[0].remaining == (1,)


async def test_every_key_has_its_prefix_and_a_time(open_redis, raw):
    store = open_redis(prefix="mine:")

    await store.set_many({"a": b"1"}, ttl=10)
    await store.invalidate(["t"])
    await withdraw(store)

    keys = await raw.keys("mine:*")
    assert sorted(keys) == [b"mine:b:b", b"mine:t:", b"mine:t:t", b"mine:v:a"]
    assert all([await raw.pttl(key) > 0 for key in keys])


async def test_a_full_bucket_leaves_no_key(open_redis, raw):
    store = open_redis(prefix="full:")
    await store.take([Withdrawal((Draw(Bucket("b", 1, 0.03, 1)),))])
    assert await raw.exists("full:b:b")

    await asyncio.sleep(0.06)

    assert not await raw.exists("full:b:b")


@pytest.mark.parametrize("junk", [b"junk", b"nan", b"", b"-1e999", b"inf", b"\xff\0"])
async def test_junk_in_a_bucket_is_a_full_bucket_or_an_error(open_redis, raw, junk):
    store = open_redis(prefix="junk:")
    await raw.set("junk:b:b", junk)

    try:
        [verdict] = await withdraw(store)
    except StoreError:
        return
    assert verdict.is_allowed
    await raw.delete("junk:b:b")


async def test_a_key_of_another_kind_is_an_error_and_not_a_crash(open_redis, raw):
    store = open_redis(prefix="kind:")
    await raw.rpush("kind:b:b", "x")
    await raw.rpush("kind:v:a", "x")

    assert (await store.get_many(["a"])).values == [None]
    [verdict] = await withdraw(store)

    assert verdict.is_allowed
    await raw.delete("kind:b:b", "kind:v:a")


async def test_no_redis_is_an_error_at_once(tmp_path):
    store = RedisStore(f"unix://{tmp_path}/nothing.sock")

    with pytest.raises(StoreError):
        await store.get_many(["a"])

    await store.aclose()


async def test_each_call_of_a_redis_that_hangs_ends_in_time(own_server):
    store = RedisStore(own_server.url, timeout=0.05)
    await store.set_many({"a": b"1"}, ttl=10)
    own_server.freeze()
    began = time.monotonic()

    for call in (
        lambda: store.get_many(["a"]),
        lambda: store.set_many({"a": b"1"}, ttl=10),
        lambda: store.invalidate(["a"]),
        lambda: withdraw(store),
    ):
        with pytest.raises(StoreError):
            await call()

    assert time.monotonic() - began < 10
    own_server.thaw()
    await store.aclose()


async def test_a_redis_that_fails_is_left_alone_and_found_again(own_server):
    clock = ManualClock()
    store = RedisStore(own_server.url, timeout=0.5, clock=clock)
    await store.get_many(["a"])
    own_server.kill()
    for _ in range(5):
        with pytest.raises(StoreError, match="Redis failed"):
            await store.get_many(["a"])

    with pytest.raises(StoreError, match="left alone"):
        await store.get_many(["a"])
    own_server.start()
    clock.advance(1.1)

    assert (await store.get_many(["a"])).values == [None]
    assert (await withdraw(store))[0].is_allowed
    await store.aclose()


async def test_while_it_is_found_out_the_others_fail_at_once(own_server):
    clock = ManualClock()
    store = RedisStore(own_server.url, timeout=0.2, clock=clock)
    own_server.freeze()
    for _ in range(5):
        with pytest.raises(StoreError):
            await store.get_many(["a"])
    clock.advance(1.1)

    results = await asyncio.gather(
        *(store.get_many(["a"]) for _ in range(20)), return_exceptions=True
    )

    messages = [str(result) for result in results]
    assert sum("left alone" in message for message in messages) == 19
    own_server.thaw()
    await store.aclose()


async def test_answers_are_not_mixed_up_after_a_call_that_was_late(own_server):
    store = RedisStore(own_server.url, timeout=0.05)
    await store.set_many({"a": b"1", "b": b"2"}, ttl=60)
    own_server.freeze()
    with pytest.raises(StoreError):
        await store.get_many(["a"])
    own_server.thaw()

    for _ in range(3):
        await asyncio.sleep(0.02)
        found = await store.get_many(["b"])
        assert found.values == [b"2"]
    await store.aclose()
