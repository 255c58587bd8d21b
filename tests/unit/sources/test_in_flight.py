import asyncio

import pytest

from graphgw.errors import SourceError, SourceTimeoutError
from graphgw.sources.in_flight import InFlight
from graphgw.types import Deadline


class Gate:
    """Calls that wait for a gate, counted, then return or raise."""

    def __init__(self):
        self.calls = 0
        self.opened = asyncio.Event()
        self.called_twice = asyncio.Event()
        self.outcome = "answer"

    async def __call__(self):
        self.calls += 1
        if self.calls == 2:
            self.called_twice.set()
        await self.opened.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def start(in_flight, gate, *, count=1, key="k", seconds=5.0):
    return [
        asyncio.ensure_future(in_flight.run(key, Deadline.after(seconds), gate))
        for _ in range(count)
    ]


async def test_five_hundred_equal_reads_are_one_call():
    in_flight, gate = InFlight("user"), Gate()
    reads = start(in_flight, gate, count=500)
    await asyncio.sleep(0)

    gate.opened.set()

    assert await asyncio.gather(*reads) == ["answer"] * 500
    assert gate.calls == 1


async def test_other_keys_and_later_reads_make_calls_of_their_own():
    in_flight, gate = InFlight("user"), Gate()
    gate.opened.set()

    await asyncio.gather(*start(in_flight, gate), *start(in_flight, gate, key="l"))
    await asyncio.gather(*start(in_flight, gate))

    assert gate.calls == 3


async def test_a_failure_is_shared_and_not_remembered():
    in_flight, gate = InFlight("user"), Gate()
    gate.outcome = SourceError("down", source="user", status=500)
    reads = start(in_flight, gate, count=3)
    await asyncio.sleep(0)
    gate.opened.set()

    errors = await asyncio.gather(*reads, return_exceptions=True)

    assert [(error.message, error.status) for error in errors] == [("down", 500)] * 3
    assert len({id(error) for error in errors}) == 3
    gate.outcome = "fine"
    assert await start(in_flight, gate)[0] == "fine"


async def test_another_makes_the_call_where_the_first_is_cancelled():
    in_flight, gate = InFlight("user"), Gate()
    reads = start(in_flight, gate, count=3)
    await asyncio.sleep(0)

    reads[0].cancel()
    await gate.called_twice.wait()
    gate.opened.set()

    assert await asyncio.gather(*reads[1:]) == ["answer"] * 2
    assert gate.calls == 2


async def test_nobody_times_out_for_anothers_sake():
    in_flight, gate = InFlight("user"), Gate()
    gate.outcome = SourceTimeoutError("late")
    reads = start(in_flight, gate, count=1)
    await asyncio.sleep(0)
    other = Gate()
    other.opened.set()
    reads += start(in_flight, other)
    await asyncio.sleep(0)
    gate.opened.set()

    first, second = await asyncio.gather(*reads, return_exceptions=True)

    assert isinstance(first, SourceTimeoutError)
    assert second == "answer"


async def test_each_waits_by_its_own_deadline():
    in_flight, gate = InFlight("user"), Gate()
    first = start(in_flight, gate)[0]
    await asyncio.sleep(0)
    second = start(in_flight, gate, seconds=0.01)[0]

    with pytest.raises(SourceTimeoutError):
        await second

    gate.opened.set()
    assert await first == "answer"


async def test_reads_after_a_write_do_not_join_those_from_before():
    in_flight, gate = InFlight("user"), Gate()
    before = start(in_flight, gate)
    await asyncio.sleep(0)

    in_flight.separate()
    after = start(in_flight, gate)
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(*before, *after)

    assert gate.calls == 2
