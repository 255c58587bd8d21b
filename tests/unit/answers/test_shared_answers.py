"""Whole answers in Redis: two gateways, one of which made them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from support.clock import ManualClock
from support.graphs import new_context
from support.redis_server import RedisServer
from unit.answers.test_kept_answers import ANN, BOOK, Shop, ask, runs

from graphgw.answers.answer_cache import Outcome
from graphgw.answers.place import AnswerKey, AnswerPlace, GraphName
from graphgw.answers.shared_answers import SharedAnswerCache
from graphgw.config.settings import Settings
from graphgw.gateway import Gateway
from graphgw.policies.settings import CacheSettings, PolicySettings
from graphgw.policies.variant_settings import VariantSettings
from graphgw.stores.redis import RedisStore

SHELF = "{ shelf { id name } }"
RENAME = 'mutation { rename(id: "b1") }'


def settings(url, **cache):
    return Settings(
        redis_url=url,
        redis_timeout=2.0,
        policies=PolicySettings(cache=CacheSettings(**cache)),
    )


async def saved(*gateways) -> None:
    """Wait until what is on its way to the store is there."""
    for gateway in gateways:
        await asyncio.gather(*gateway._served.resources.answers._savings)


@contextlib.asynccontextmanager
async def opened(url, **cache):
    """Run two gateways over shops of their own, as two processes have."""
    shops = [Shop(), Shop()]
    async with contextlib.AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(
                Gateway(subgraphs=[shop.subgraph], settings=settings(url, **cache))
            )
            for shop in shops
        ]
        yield made, shops


@pytest.fixture
async def pair(redis_server):
    async with Redis.from_url(redis_server.url) as raw:
        await raw.flushall()
    async with opened(redis_server.url) as found:
        yield found


async def test_what_one_made_the_other_has(pair):
    (one, two), (_, shop) = pair
    first = await one.execute(BOOK, {"id": "b1"})
    await saved(one)

    assert await runs(two, shop, BOOK, {"id": "b1"}) == 0
    second = await two.execute(BOOK, {"id": "b1"})

    assert second.data == first.data
    assert dict(second.headers)["cache-control"].startswith("max-age=")


async def test_another_answer_is_another_one(pair):
    (one, two), (_, shop) = pair
    await ask(one, BOOK, {"id": "b1"})
    await saved(one)

    assert await runs(two, shop, BOOK, {"id": "b2"}) > 0


@pytest.mark.parametrize("asks", [0, 1], ids=["maker", "other"])
async def test_what_one_drops_no_one_has_any_more(pair, asks):
    (one, two), shops = pair
    await ask(one, BOOK, {"id": "b1"})
    await saved(one)
    await ask(two, BOOK, {"id": "b1"})

    await ask(two, RENAME)

    assert await runs((one, two)[asks], shops[asks], BOOK, {"id": "b1"}) > 0


async def test_an_answer_of_kept_rows_outlives_other_tags(pair, redis_server):
    (one, two), shops = pair
    await ask(one, SHELF)
    await saved(one)

    await ask(two, RENAME)
    async with Redis.from_url(redis_server.url) as raw:
        await raw.delete(*await raw.keys("graphgw:v:row:*"))

    for _ in range(2):
        assert await runs(one, shops[0], SHELF) == 0
        assert await runs(two, shops[1], SHELF) == 0


async def test_an_answer_without_all_tags_goes_with_any(pair):
    (one, two), (shop, other) = pair
    query = "{ loose { name } }"
    await ask(one, query)
    await saved(one)
    assert await runs(two, other, query) == 0

    await ask(two, RENAME)

    assert await runs(two, other, query) == 1
    assert await runs(one, shop, query) in {0, 1}


async def test_who_is_known_gets_shared_rows_alone(pair):
    (one, two), (_, shop) = pair
    await ask(one, SHELF)
    await saved(one)

    assert await runs(two, shop, "{ mine { name } }", principal=ANN) == 1
    assert await runs(two, shop, "{ mine { name } }", principal=ANN) <= 1


async def test_what_was_invalidated_meanwhile_is_not_kept(pair):
    (one, two), (shop, other) = pair
    shop.gate.clear()
    waiting = asyncio.create_task(ask(one, BOOK, {"id": "b1"}))
    async with asyncio.timeout(10):
        while "books" not in shop.calls:  # noqa: ASYNC110 - calls are noted in a list
            await asyncio.sleep(0.001)
    await ask(two, RENAME)
    shop.gate.set()
    await waiting
    with contextlib.suppress(Exception):
        await saved(one)

    assert await runs(two, other, BOOK, {"id": "b1"}) > 0


async def test_equal_queries_at_one_time_are_one_run(pair):
    (one, _), (shop, _) = pair

    found = await asyncio.gather(*[ask(one, SHELF) for _ in range(20)])

    assert shop.calls == ["shelf"]
    assert all(data == found[0] for data in found)


async def test_a_large_answer_is_not_kept(redis_server):
    async with Redis.from_url(redis_server.url) as raw:
        await raw.flushall()
    async with opened(redis_server.url, max_answer_bytes=200) as ((one, two), shops):
        query = "query($n: Int!) { shelf(first: $n) { id name } }"
        for count in (1, 50):
            await ask(one, query, {"n": count})
        await saved(one)
        async with Redis.from_url(redis_server.url) as raw:
            kept = await raw.keys("graphgw:v:answer:*")

        assert len(kept) == 1
        assert await runs(two, shops[1], query, {"n": 1}) == 0


async def test_switched_off_no_answer_is_kept(redis_server):
    async with Redis.from_url(redis_server.url) as raw:
        await raw.flushall()
        async with opened(redis_server.url, answers=False) as ((one, _), _):
            await ask(one, SHELF)

        assert await raw.keys("graphgw:v:answer:*") == []
        assert await raw.keys("graphgw:v:row:*") != []


@pytest.mark.parametrize("fault", ["kill", "freeze"])
async def test_a_redis_that_fails_is_a_miss_in_time(tmp_path, fault):
    server = RedisServer(tmp_path)
    server.start()
    quick = settings(server.url)
    quick = Settings(redis_url=server.url, redis_timeout=0.05, policies=quick.policies)
    shop = Shop()
    try:
        async with Gateway(subgraphs=[shop.subgraph], settings=quick) as gateway:
            await ask(gateway, SHELF)
            await asyncio.sleep(0.1)
            getattr(server, fault)()

            for _ in range(8):
                began = time.monotonic()
                found = await asyncio.gather(*[ask(gateway, SHELF) for _ in range(5)])
                # The answer, the row of the field, and keeping it: 50 ms each.
                assert time.monotonic() - began < 1.0
                assert all(data["shelf"] for data in found)
    finally:
        server.kill()


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"x" * 10, id="short"),
        pytest.param(b"\xff" * 300, id="noise"),
        pytest.param(b"\0" * 300, id="zeros"),
    ],
)
async def test_junk_under_our_keys_is_a_miss(redis_server, junk):
    async with Redis.from_url(redis_server.url) as raw:
        await raw.flushall()
        async with opened(redis_server.url) as ((one, two), shops):
            await ask(one, SHELF)
            await saved(one)
            [name] = await raw.keys("graphgw:v:answer:*")
            await raw.set(name, junk)
            rows = await raw.keys("graphgw:v:row:*")
            await raw.delete(*rows)

            assert await runs(two, shops[1], SHELF) == 1


async def test_a_variant_has_answers_of_its_own_in_every_process(redis_server):
    def build(**narrowed):
        given = replace(
            settings(redis_server.url),
            variants=(VariantSettings(name="mobile", **narrowed),),
        )
        return Gateway(subgraphs=[Shop().subgraph], settings=given)

    async with build() as one, build() as two, build(exclude=("internal",)) as three:
        versions = [g.snapshot.at("mobile")._name.version for g in (one, two, three)]

        assert versions[0] == versions[1]
        assert one.snapshot._name.version not in versions
        # It hides a field, and is another graph for its clients.
        assert versions[2] != versions[0]


# One cache, with a clock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def caches(redis_server, clock, request):
    opened = []
    for _ in range(2):
        store = RedisStore(
            redis_server.url, prefix=f"{request.node.nodeid}:", timeout=2.0, clock=clock
        )
        opened.append(SharedAnswerCache(store, clock=clock))
    yield opened
    for cache in opened:
        await cache.aclose()
        await cache.store.aclose()


def place(version="v1", variables=b"{}") -> AnswerPlace:
    graph = GraphName(lambda: version)
    return AnswerPlace(
        AnswerKey(
            graph,
            ("plan", frozenset("ab")),
            for_known=False,
            variables=variables,
            headers=(),
        ),
        60.0,
        "Query",
    )


async def make(cache, at, *, tags=("t",), max_age=60.0, is_known=True):
    context = new_context()
    assert await cache.find(at, context) is None
    with cache.fill(at, context) as filling:
        context.parts.tags.update(dict.fromkeys(tags))
        context.parts.cap(max_age)
        context.parts.is_known = is_known
        if filling.may_keep():
            filling.keep(b"1")
    flight = cache.flights.get(at.key)
    if flight is not None:
        await asyncio.wait([flight])
        return flight.result()
    return None


async def left(cache, at):
    found = await cache.find(at, new_context())
    return None if found is None else found.max_age


async def test_an_answer_counts_as_long_everywhere(caches, clock):
    await make(caches[0], place(), max_age=30.0)
    clock.advance(10.0)

    assert await left(caches[0], place()) == pytest.approx(20.0)
    assert await left(caches[1], place()) == pytest.approx(20.0)

    clock.advance(20.0)
    assert await left(caches[0], place()) is None
    assert await left(caches[1], place()) is None


async def test_another_version_of_the_graph_has_answers_of_its_own(caches):
    await make(caches[0], place("v1"))

    assert await left(caches[1], place("v2")) is None
    assert await left(caches[1], place("v1")) is not None


async def test_an_answer_that_is_at_hand_is_not_sent_again(caches):
    await make(caches[0], place())
    await caches[0].store.delete_many([place().key.name()])

    assert await left(caches[0], place()) is not None
    assert await left(caches[1], place()) is None


async def test_what_was_dropped_while_it_was_made_is_kept_by_nobody(caches):
    context, at = new_context(), place()
    assert await caches[0].find(at, context) is None
    with caches[0].fill(at, context) as filling:
        context.parts.tags["t"] = None
        await caches[1].store.invalidate(["other"])
        assert filling.may_keep()
        filling.keep(b"1")
    flight = caches[0].flights[at.key]
    await asyncio.wait([flight])

    assert flight.result() is Outcome.UNKEPT
    assert await left(caches[0], place()) is None


@pytest.mark.parametrize("is_later", [False, True])
async def test_what_was_dropped_stays_so_when_the_store_forgets_it(
    caches, redis_server, is_later
):
    await make(caches[0], place())
    await caches[1].store.invalidate(["t"])
    async with Redis.from_url(redis_server.url) as raw:
        await raw.flushall()
    if is_later:
        await caches[1].store.invalidate(["other"])

    assert await left(caches[0], place()) is None
    assert await make(caches[0], place()) is Outcome.KEPT


async def test_a_new_answer_takes_the_place_of_a_dropped_one(caches):
    await make(caches[0], place())
    assert await left(caches[1], place()) is not None
    await caches[0].store.invalidate(["t"])
    assert await left(caches[1], place()) is None

    assert await make(caches[1], place()) is Outcome.KEPT

    assert await left(caches[0], place()) is not None


async def test_who_leaves_while_it_is_made_lets_the_next_make_it(caches):
    context, at = new_context(), place()
    await caches[0].find(at, context)
    with pytest.raises(asyncio.CancelledError), caches[0].fill(at, context):
        raise asyncio.CancelledError

    assert caches[0].flights == {}
    assert await make(caches[0], place()) is Outcome.KEPT
