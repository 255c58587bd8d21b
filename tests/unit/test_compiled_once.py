"""A document is prepared and compiled once, however many ask, and whoever leaves."""

from __future__ import annotations

import asyncio

import pytest
from support.growing_local import PEOPLE, SHELF

import graphgw.snapshot
from graphgw import Gateway

QUERY = "{ books(count: 2) { id title editor { name } } }"
DATA = [
    {"id": f"{n}", "title": f"title {n}", "editor": {"name": f"name {n}"}}
    for n in range(2)
]


@pytest.fixture
def work(monkeypatch):
    """Count what is done for each document."""
    done = {"prepare_document": 0, "normalize": 0, "compile_plan": 0}

    def count(name):
        original = getattr(graphgw.snapshot, name)

        def counted(*given, **options):
            done[name] += 1
            return original(*given, **options)

        monkeypatch.setattr(graphgw.snapshot, name, counted)

    for name in done:
        count(name)
    return done


@pytest.fixture
async def gateway():
    async with Gateway(subgraphs=[SHELF, PEOPLE]) as made:
        yield made


async def finish(asked):
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_a_hundred_who_ask_at_once(gateway, work):
    asked = [asyncio.ensure_future(gateway.execute(QUERY)) for _ in range(100)]

    answers = await finish(asked)

    assert [answer.data for answer in answers] == [{"books": DATA}] * 100
    assert set(work.values()) == {1}


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8])
async def test_those_who_leave_stop_nobody(gateway, work, turns):
    asked = [asyncio.ensure_future(gateway.execute(QUERY)) for _ in range(100)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for call in asked[:99]:
        call.cancel()

    *left, last = await finish(asked)

    assert last.data == {"books": DATA}
    assert all(isinstance(one, asyncio.CancelledError) for one in left)
    assert set(work.values()) == {1}


@pytest.mark.parametrize("seconds", [0, 0.001, 0.002, 0.004])
async def test_what_everybody_left_is_there_for_the_next(gateway, work, seconds):
    asked = [asyncio.ensure_future(gateway.execute(QUERY)) for _ in range(100)]
    await asyncio.sleep(seconds)
    for call in asked:
        call.cancel()
    await finish(asked)

    answer = await gateway.execute(QUERY)

    assert answer.data == {"books": DATA}
    assert set(work.values()) == {1}


async def test_those_who_come_one_after_the_other(gateway, work):
    asked = []
    for _ in range(500):
        asked.append(asyncio.ensure_future(gateway.execute(QUERY)))
        await asyncio.sleep(0)

    await finish(asked)

    assert set(work.values()) == {1}
