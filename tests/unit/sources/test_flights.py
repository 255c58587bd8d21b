import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphgw.errors import SourceError, SourceTimeoutError
from graphgw.sources.flights import Flights
from graphgw.types import Deadline


class Gate:
    """Calls that wait for a gate, counted, then return or raise."""

    def __init__(self):
        self.calls = 0
        self.cancelled = 0
        self.deadlines = []
        self.opened = asyncio.Event()
        self.outcome = "answer"

    async def __call__(self, deadline):
        self.calls += 1
        self.deadlines.append(deadline)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def start(flights, gate, *, count=1, key="k", seconds=5.0):
    return [
        asyncio.ensure_future(flights.run(key, Deadline.after(seconds), gate))
        for _ in range(count)
    ]


async def turn(times=3):
    for _ in range(times):
        await asyncio.sleep(0)


async def test_five_hundred_equal_reads_are_one_call():
    flights, gate = Flights("user"), Gate()
    reads = start(flights, gate, count=500)
    await turn()

    gate.opened.set()

    assert await asyncio.gather(*reads) == ["answer"] * 500
    assert gate.calls == 1


async def test_other_keys_and_later_reads_make_calls_of_their_own():
    flights, gate = Flights("user"), Gate()
    gate.opened.set()

    await asyncio.gather(*start(flights, gate), *start(flights, gate, key="l"))
    await asyncio.gather(*start(flights, gate))

    assert gate.calls == 3


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(SourceError("down", source="user", status=500), id="source"),
        pytest.param(ValueError("bug"), id="bug"),
    ],
)
async def test_a_failure_is_shared_and_not_remembered(error):
    flights, gate = Flights("user"), Gate()
    gate.outcome = error
    reads = start(flights, gate, count=3)
    await turn()
    gate.opened.set()

    errors = await asyncio.gather(*reads, return_exceptions=True)

    assert [(type(found), str(found)) for found in errors] == [
        (type(error), str(error))
    ] * 3
    assert [vars(found) for found in errors] == [vars(error)] * 3
    assert len({id(found) for found in errors}) == 3
    assert gate.calls == 1
    gate.outcome = "fine"
    assert await start(flights, gate)[0] == "fine"


async def test_the_call_goes_on_without_the_one_that_began_it():
    flights, gate = Flights("user"), Gate()
    reads = start(flights, gate, count=3)
    await turn()

    reads[0].cancel()
    await turn()
    gate.opened.set()

    assert await asyncio.gather(*reads[1:]) == ["answer"] * 2
    assert reads[0].cancelled()
    assert (gate.calls, gate.cancelled) == (1, 0)


async def test_the_call_is_cancelled_with_the_last_who_wait():
    flights, gate = Flights("user"), Gate()
    reads = start(flights, gate, count=3)
    await turn()

    for read in reads:
        assert gate.cancelled == 0
        read.cancel()
        await turn(5)

    assert (gate.calls, gate.cancelled) == (1, 1)
    later = start(flights, gate)[0]
    await turn()
    gate.opened.set()
    assert await later == "answer"
    assert gate.calls == 2


async def test_a_read_that_is_cancelled_at_once_leaves_no_call_behind():
    flights, gate = Flights("user"), Gate()
    read = start(flights, gate)[0]
    await asyncio.sleep(0)

    read.cancel()
    await asyncio.wait([read])

    assert gate.calls == gate.cancelled
    gate.opened.set()
    assert await start(flights, gate)[0] == "answer"


async def test_each_waits_by_its_own_deadline():
    flights, gate = Flights("user"), Gate()
    first = start(flights, gate)[0]
    await turn()
    second = start(flights, gate, seconds=0.01)[0]

    with pytest.raises(SourceTimeoutError):
        await second

    gate.opened.set()
    assert await first == "answer"
    assert gate.calls == 1


async def test_the_call_has_until_the_latest_deadline_of_those_who_wait():
    flights, gate = Flights("user"), Gate()
    first = start(flights, gate, seconds=0.02)[0]
    await turn()
    second = start(flights, gate, seconds=5.0)[0]
    await turn()

    assert gate.deadlines[0].remaining() > 4
    with pytest.raises(SourceTimeoutError):
        await first
    gate.opened.set()
    assert await second == "answer"
    assert (gate.calls, gate.cancelled) == (1, 0)


async def test_the_call_ends_when_the_last_deadline_has_passed():
    flights, gate = Flights("user"), Gate()
    reads = start(flights, gate, seconds=0.02)
    await turn()
    reads += start(flights, gate, seconds=0.01)

    # The call itself minds the latest deadline; this one does not.
    with pytest.raises(SourceTimeoutError):
        await reads[1]
    assert gate.cancelled == 0
    reads[0].cancel()
    await asyncio.wait(reads)

    assert gate.cancelled == 1


async def test_nobody_times_out_for_anothers_sake():
    flights = Flights("user")
    began = asyncio.Event()
    calls = 0

    async def call_with_timer(deadline):
        nonlocal calls
        calls += 1
        began.set()
        if calls == 1:
            await asyncio.sleep(deadline.remaining())
            raise SourceTimeoutError("late")
        return "answer"

    first = start(flights, call_with_timer, seconds=0.02)[0]
    await began.wait()
    second = start(flights, call_with_timer)[0]

    outcomes = await asyncio.gather(first, second, return_exceptions=True)

    assert isinstance(outcomes[0], SourceTimeoutError)
    assert outcomes[1] == "answer"
    assert calls == 2


async def test_a_timeout_is_not_repeated_where_nobody_has_more_time():
    flights, gate = Flights("user"), Gate()
    gate.outcome = SourceTimeoutError("late")
    gate.opened.set()

    reads = start(flights, gate, count=2)
    outcomes = await asyncio.gather(*reads, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {SourceTimeoutError}
    assert gate.calls == 1


async def test_reads_after_a_write_do_not_join_those_from_before():
    flights, gate = Flights("user"), Gate()
    before = start(flights, gate)
    await turn()

    flights.separate()
    after = start(flights, gate)
    await turn()
    gate.opened.set()
    await asyncio.gather(*before, *after)

    assert gate.calls == 2


class World:
    """Reads that come, leave and are answered in any order, and what must hold."""

    def __init__(self):
        self.flights = Flights("user")
        self.gates = {}
        self.reads = []
        self.under_way = set()

    async def call(self, key):
        # The promise itself: no two calls of one key at a time.
        assert key not in self.under_way
        self.under_way.add(key)
        gate = self.gates[key] = asyncio.get_running_loop().create_future()
        try:
            outcome = await gate
        finally:
            self.under_way.remove(key)
            if self.gates.get(key) is gate:
                del self.gates[key]
        if outcome == "fail":
            raise SourceError(key)
        return outcome

    def read(self, key):
        async def read():
            return await self.flights.run(
                key, Deadline.after(60), lambda _: self.call(key)
            )

        self.reads.append((key, asyncio.ensure_future(read())))

    def live(self):
        return [(key, task) for key, task in self.reads if not task.done()]


@settings(deadline=None)
@given(seed=st.integers(min_value=0), steps=st.integers(min_value=5, max_value=60))
def test_reads_that_come_and_go_in_any_order_get_what_they_asked_for(seed, steps):
    async def play():
        world, draw = World(), random.Random(seed)  # noqa: S311 - no secret
        cancelled = set()
        for number in range(steps):
            action = draw.choice(["read", "read", "cancel", "answer", "turn"])
            live = world.live()
            if action == "read":
                world.read(draw.choice("abc"))
            elif action == "cancel" and live:
                task = draw.choice(live)[1]
                cancelled.add(task)
                task.cancel()
            elif action == "answer" and world.gates:
                key = draw.choice(sorted(world.gates))
                if not world.gates[key].done():
                    is_bad = draw.random() < 0.3
                    world.gates[key].set_result("fail" if is_bad else f"{key}{number}")
            else:
                await turn(draw.randint(1, 4))
        await turn(6)
        waiting = {key for key, _ in world.live()}
        assert world.under_way == waiting
        for key in waiting:
            world.gates[key].set_result(f"{key}end")
        await turn(6)
        for key, task in world.reads:
            assert task.done()
            if task.cancelled():
                assert task in cancelled
            elif task.exception() is not None:
                assert task.exception().message == key
            else:
                assert task.result().startswith(key)
        assert world.under_way == set()
        assert world.flights.under_way == {}

    asyncio.run(play())


async def test_those_out_of_time_leave_one_after_the_other():
    flights, gate = Flights("user"), Gate()
    first = start(flights, gate)[0]
    await turn()
    seconds = [0.3, 0.05, 0.15]
    others = [start(flights, gate, seconds=each)[0] for each in seconds]
    order = []
    for each, read in zip(seconds, others, strict=True):
        read.add_done_callback(lambda _, each=each: order.append(each))

    errors = await asyncio.gather(*others, return_exceptions=True)

    assert {type(error) for error in errors} == {SourceTimeoutError}
    assert order == sorted(seconds)
    gate.opened.set()
    assert await first == "answer"
    assert (gate.calls, gate.cancelled) == (1, 0)


async def test_a_shared_call_leaves_no_timer_behind():
    flights, gate = Flights("user"), Gate()
    reads = [*start(flights, gate), *start(flights, gate, seconds=60.0)]
    await turn()
    flight = flights.find("k")
    assert flight is not None

    gate.opened.set()
    await asyncio.gather(*reads)

    assert flight._alarm is None
