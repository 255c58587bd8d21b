"""What holds of every store."""

from __future__ import annotations

import asyncio

import pytest

from graphgw.stores.protocol import ANY_TAG, Bucket, Draw, Withdrawal


def bucket(key="b", limit=2, window=3600.0, burst=None):
    return Bucket(key, limit, window, limit if burst is None else burst)


def one(*draws, within=None):
    return Withdrawal(tuple(draws), within)


async def test_values_come_back_in_key_order(either):
    await either.set_many({"a": b"1", "b": b"\0\xff"}, ttl=10)

    found = await either.get_many(["b", "nothing", "a"])

    assert found.values == [b"\0\xff", None, b"1"]


async def test_a_value_is_gone_when_its_time_is_over(either):
    await either.set_many({"a": b"1"}, ttl=0.03)
    assert (await either.get_many(["a"])).values == [b"1"]

    await asyncio.sleep(0.06)

    assert (await either.get_many(["a"])).values == [None]


async def test_a_value_without_time_is_not_kept(either):
    await either.set_many({"a": b"1"}, ttl=0)

    assert (await either.get_many(["a"])).values == [None]


async def test_deleted_keys_are_gone(either):
    await either.set_many({"a": b"1", "b": b"2"}, ttl=10)

    await either.delete_many(["a", "nothing"])
    await either.delete_many([])

    assert (await either.get_many(["a", "b"])).values == [None, b"2"]


async def test_an_invalidated_tag_has_another_stamp_each_time(either):
    stamps = [(await either.get_many([], ["x", "y"])).stamps]
    for _ in range(2):
        await either.invalidate(["x"])
        stamps.append((await either.get_many([], ["x", "y"])).stamps)
    await either.invalidate([])

    assert len({stamp[0] for stamp in stamps}) == 3
    assert len({stamp[1] for stamp in stamps}) == 1


async def test_one_stamp_changes_with_every_tag(either):
    stamps = [(await either.get_many([], [ANY_TAG])).stamps[0]]
    for tag in ("x", "y", "y"):
        await either.invalidate([tag])
        stamps.append((await either.get_many([], [ANY_TAG])).stamps[0])
    await either.invalidate([])
    stamps.append((await either.get_many([], [ANY_TAG])).stamps[0])

    assert len(set(stamps)) == 4


async def test_keys_and_tags_do_not_meet(either):
    await either.set_many({"x": b"1"}, ttl=10)
    await either.take([one(Draw(bucket("x")))])

    found = await either.get_many(["x"], ["x"])

    assert (found.values, found.stamps) == ([b"1"], [b""])


async def test_nothing_asked_is_nothing_answered(either):
    found = await either.get_many([])

    assert (found.values, found.stamps) == ([], [])
    assert await either.take([]) == []


async def test_a_bucket_lets_its_burst_pass(either):
    draw = Draw(bucket(limit=2))

    verdicts = [(await either.take([one(draw)]))[0] for _ in range(3)]

    assert [v.is_allowed for v in verdicts] == [True, True, False]
    assert [v.remaining for v in verdicts] == [(1,), (0,), (0,)]
    assert [v.refused for v in verdicts] == [None, None, 0]
    assert verdicts[2].retry_after == pytest.approx(1800, abs=2)
    assert verdicts[2].reset == (pytest.approx(3600, abs=2),)


async def test_a_bucket_fills_again(either):
    draw = Draw(bucket(limit=1, window=0.05))
    assert (await either.take([one(draw)]))[0].is_allowed
    assert not (await either.take([one(draw)]))[0].is_allowed

    await asyncio.sleep(0.08)

    assert (await either.take([one(draw)]))[0].is_allowed


async def test_a_withdrawal_is_made_all_or_none(either):
    wide, narrow = bucket("wide", limit=10), bucket("narrow", limit=1)
    await either.take([one(Draw(narrow))])

    [refused] = await either.take([one(Draw(wide), Draw(narrow))])

    assert (refused.is_allowed, refused.refused) == (False, 1)
    assert refused.remaining == (10, 0)


async def test_withdrawals_of_one_call_are_decided_in_order(either):
    draw, outer = Draw(bucket(limit=2)), Draw(bucket("outer", limit=1))
    await either.take([one(outer)])

    verdicts = await either.take(
        [one(draw), one(outer), one(draw, within=1), one(draw), one(draw, draw)]
    )

    assert [v.is_allowed for v in verdicts] == [True, False, False, True, False]
    assert [v.refused for v in verdicts] == [None, 0, None, None, 0]


async def test_one_withdrawal_may_draw_twice_from_one_bucket(either):
    draw = Draw(bucket(limit=3), cost=2)

    [verdict] = await either.take([one(draw, draw)])

    assert (verdict.is_allowed, verdict.refused) == (False, 1)


async def test_what_was_not_used_can_be_given_back(either):
    draw = Draw(bucket(limit=10), cost=10)
    await either.take([one(draw)])

    await either.give_back([Draw(draw.bucket, 7)])
    await either.give_back([])

    assert (await either.take([one(Draw(draw.bucket))]))[0].remaining == (6,)


async def test_giving_back_too_much_does_not_overfill_a_bucket(either):
    draw = Draw(bucket(limit=2))
    await either.take([one(draw)])

    await either.give_back([Draw(draw.bucket, 100)])

    verdicts = await either.take([one(draw), one(draw), one(draw)])
    assert [v.is_allowed for v in verdicts] == [True, True, False]


async def test_many_at_once_get_no_more_than_there_is(either):
    draw = Draw(bucket(limit=20))

    taken = await asyncio.gather(*(either.take([one(draw)]) for _ in range(60)))

    assert sum(verdict.is_allowed for [verdict] in taken) == 20
