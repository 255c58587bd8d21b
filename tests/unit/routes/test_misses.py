"""Requests that wait for the answer to an equal one."""

from __future__ import annotations

import asyncio

import pytest

from graphgw.routes.misses import Misses, Outcome


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_all_who_wait_are_told_what_became_of_it(outcome: Outcome):
    misses = Misses()
    lead = misses.lead("a")
    assert lead is not None
    waiting = [asyncio.create_task(lead.wait(5)) for _ in range(3)]
    await asyncio.sleep(0)

    lead.settle(outcome)

    assert await asyncio.gather(*waiting) == [outcome] * 3
    assert not misses.under_way


async def test_what_became_of_it_is_said_once():
    lead = Misses().lead("a")
    assert lead is not None

    lead.settle(Outcome.KEPT)
    lead.settle(Outcome.UNKEPT)

    assert await lead.wait(0) is Outcome.KEPT


async def test_who_waited_too_long_asks_alone():
    misses = Misses()
    lead = misses.lead("a")
    assert lead is not None

    assert await lead.wait(0.01) is Outcome.UNKEPT
    assert misses.under_way == {"a": lead}


async def test_who_stops_waiting_takes_nobody_along():
    lead = Misses().lead("a")
    assert lead is not None
    first, second = (asyncio.create_task(lead.wait(5)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(0)
    lead.settle(Outcome.KEPT)

    assert await second is Outcome.KEPT


async def test_nobody_leads_where_answers_are_not_kept():
    misses = Misses()

    misses.note_unkept("a")

    assert misses.lead("a") is None
    assert misses.lead("b") is not None


async def test_an_older_lead_does_not_take_a_newer_one_away():
    misses = Misses()
    older = misses.lead("a")
    newer = misses.lead("a")
    assert older is not None

    older.settle(Outcome.LOST)

    assert misses.under_way == {"a": newer}
