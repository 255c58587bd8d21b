"""The memory store: bounded, timed, and fair with its buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import ManualClock

from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import Bucket, Draw, Withdrawal


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock) -> MemoryStore:
    return MemoryStore(clock=clock)


def bucket(key="b", limit=2, window=60.0, burst=None):
    return Bucket(key, limit, window, limit if burst is None else burst)


def one(*draws, within=None):
    return Withdrawal(tuple(draws), within)


async def test_values_come_back_in_key_order(store):
    await store.set_many({"a": b"1", "b": b"2"}, ttl=10)

    found = await store.get_many(["b", "nothing", "a"])

    assert found.values == [b"2", None, b"1"]


async def test_a_value_is_gone_when_its_time_is_over(store, clock):
    await store.set_many({"a": b"1"}, ttl=10)

    clock.advance(9.9)
    assert (await store.get_many(["a"])).values == [b"1"]
    clock.advance(0.2)
    assert (await store.get_many(["a"])).values == [None]
    assert store.size == 0


async def test_the_least_recently_used_value_makes_room(clock):
    store = MemoryStore(max_bytes=3 * 400, clock=clock)
    for key in "abc":
        await store.set_many({key: b"x" * 90}, ttl=10)
    await store.get_many(["a"])

    await store.set_many({"d": b"x" * 90}, ttl=10)

    found = await store.get_many(["a", "b", "c", "d"])
    assert [value is not None for value in found.values] == [True, False, True, True]
    assert store.size <= 3 * 400


async def test_a_value_larger_than_the_store_is_not_kept(clock):
    store = MemoryStore(max_bytes=1000, clock=clock)
    await store.set_many({"small": b"x"}, ttl=10)

    await store.set_many({"large": b"x" * 2000}, ttl=10)

    assert (await store.get_many(["small", "large"])).values == [b"x", None]


async def test_deleted_keys_are_gone(store):
    await store.set_many({"a": b"1", "b": b"2"}, ttl=10)

    await store.delete_many(["a", "nothing"])

    assert (await store.get_many(["a", "b"])).values == [None, b"2"]


async def test_an_invalidated_tag_has_another_stamp(store):
    before = (await store.get_many([], ["x", "y"])).stamps

    await store.invalidate(["x"])

    after = (await store.get_many([], ["x", "y"])).stamps
    assert after[0] != before[0]
    assert after[1] == before[1]


async def test_too_many_tags_forget_every_value_rather_than_an_invalidation(clock):
    store = MemoryStore(max_tags=10, clock=clock)
    await store.set_many({"a": b"1"}, ttl=10)

    await store.invalidate([f"t{n}" for n in range(11)])

    assert (await store.get_many(["a"])).values == [None]


async def test_a_bucket_lets_its_burst_pass_and_then_one_each_interval(store, clock):
    draw = Draw(bucket(limit=2, window=60))

    verdicts = [(await store.take([one(draw)]))[0] for _ in range(3)]

    assert [v.is_allowed for v in verdicts] == [True, True, False]
    assert [v.remaining for v in verdicts] == [(1,), (0,), (0,)]
    assert verdicts[2].refused == 0
    assert verdicts[2].retry_after == pytest.approx(30)
    clock.advance(30)
    assert (await store.take([one(draw)]))[0].is_allowed
    assert not (await store.take([one(draw)]))[0].is_allowed


async def test_a_withdrawal_is_made_all_or_none(store):
    wide, narrow = bucket("wide", limit=10), bucket("narrow", limit=1)
    await store.take([one(Draw(narrow))])

    [refused] = await store.take([one(Draw(wide), Draw(narrow))])

    assert (refused.is_allowed, refused.refused) == (False, 1)
    assert refused.remaining == (10, 0)


async def test_one_withdrawal_may_draw_twice_from_one_bucket(store):
    draw = Draw(bucket(limit=3), cost=2)

    [verdict] = await store.take([one(draw, draw)])

    assert (verdict.is_allowed, verdict.refused) == (False, 1)


async def test_what_stands_within_a_refused_withdrawal_is_not_made(store):
    outer, inner = bucket("outer", limit=1), bucket("inner", limit=5)
    await store.take([one(Draw(outer))])

    verdicts = await store.take(
        [one(Draw(outer)), one(Draw(inner), within=0), one(Draw(inner), within=1)]
    )

    assert [v.is_allowed for v in verdicts] == [False, False, False]
    assert [v.refused for v in verdicts] == [0, None, None]
    assert verdicts[1].remaining == (5,)


async def test_withdrawals_of_one_call_are_decided_in_order(store):
    draw = Draw(bucket(limit=2))

    verdicts = await store.take([one(draw), one(draw), one(draw)])

    assert [v.is_allowed for v in verdicts] == [True, True, False]


async def test_more_than_the_burst_never_passes(store):
    [verdict] = await store.take([one(Draw(bucket(limit=2), cost=3))])

    assert not verdict.is_allowed
    assert verdict.retry_after > 0


async def test_what_was_not_used_can_be_given_back(store):
    draw = Draw(bucket(limit=10), cost=10)
    await store.take([one(draw)])

    await store.give_back([Draw(draw.bucket, 7)])

    assert (await store.take([one(Draw(draw.bucket))]))[0].remaining == (6,)


async def test_giving_back_too_much_does_not_overfill_a_bucket(store):
    draw = Draw(bucket(limit=2))
    await store.take([one(draw)])

    await store.give_back([Draw(draw.bucket, 100)])

    verdicts = await store.take([one(draw), one(draw), one(draw)])
    assert [v.is_allowed for v in verdicts] == [True, True, False]


async def test_buckets_that_are_full_again_vanish(store, clock):
    for n in range(100):
        await store.take([one(Draw(bucket(f"b{n}")))])
    assert store.bucket_count == 100

    clock.advance(61)
    await store.take([])

    assert store.bucket_count == 0


async def test_buckets_in_use_outlive_the_first_time_they_were_to_be_full(store, clock):
    draw = Draw(bucket(limit=1, window=10))
    await store.take([one(draw)])
    clock.advance(10)
    await store.take([one(draw)])
    clock.advance(5)

    [verdict] = await store.take([one(draw)])

    assert not verdict.is_allowed


async def test_the_number_of_buckets_is_bounded(clock):
    store = MemoryStore(max_buckets=50, clock=clock)

    for n in range(500):
        await store.take([one(Draw(bucket(f"b{n}")))])

    assert store.bucket_count <= 51


@given(
    limit=st.integers(1, 20),
    burst=st.integers(1, 20),
    steps=st.lists(
        st.tuples(st.floats(0, 30), st.integers(1, 4)), min_size=1, max_size=60
    ),
)
async def test_no_span_of_time_lets_more_than_promised_pass(limit, burst, steps):
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    limited = Bucket("b", limit, 60.0, burst)
    passed: list[tuple[float, int]] = []

    for wait, cost in steps:
        clock.advance(wait)
        [verdict] = await store.take([one(Draw(limited, cost))])
        if verdict.is_allowed:
            passed.append((clock.monotonic(), cost))

    for first in range(len(passed)):
        total = 0
        for at, cost in passed[first:]:
            total += cost
            span = at - passed[first][0]
            assert total <= burst + limit * span / 60.0 + 1e-6
