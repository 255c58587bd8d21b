import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphgw.errors import (
    GraphGWError,
    InternalError,
    ResolverError,
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceOverloadedError,
    SourceRateLimitedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.subgraphs.coalesce import Coalescer, is_about_content
from graphgw.types import Deadline


class Call:
    """A call that waits for a gate, and fails where it holds a bad item."""

    name = "users"

    def __init__(self, max_items=200, *, is_open=True):
        self.max_items = max_items
        self.calls = []
        self.narrowed = []
        self.deadlines = []
        self.cancelled = 0
        self.bad = {}
        self.opened = asyncio.Event()
        if is_open:
            self.opened.set()

    def identify_all(self, items):
        return items

    async def run(self, items, deadline):
        self.calls.append(list(items))
        self.deadlines.append(deadline)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        for item in items:
            if item in self.bad:
                raise self.bad[item]
        return [f"row {item}" for item in items]

    async def narrow(self, items, error, _deadline):
        self.narrowed.append(list(items))
        raise error

    def divide(self, result, parts):
        return [[result[index] for index in part] for part in parts]


def start(coalescer, call, *requests, key="k", seconds=5.0):
    return [
        asyncio.ensure_future(
            coalescer.run(key, call, list(items), Deadline.after(seconds))
        )
        for items in requests
    ]


async def turn(times=4):
    for _ in range(times):
        await asyncio.sleep(0)


def rows(*items):
    return [f"row {item}" for item in items]


async def test_requests_of_one_turn_share_a_call():
    coalescer, call = Coalescer(), Call()

    found = await asyncio.gather(*start(coalescer, call, "ab", "c", "da"))

    assert found == [rows(*"ab"), rows("c"), rows(*"da")]
    assert call.calls == [["a", "b", "c", "d"]]


async def test_a_later_turn_and_another_key_have_calls_of_their_own():
    coalescer, call = Coalescer(), Call(is_open=False)
    first = start(coalescer, call, "a")
    await turn()

    others = start(coalescer, call, "a") + start(coalescer, call, "a", key="l")
    await turn()
    call.opened.set()

    assert await asyncio.gather(*first, *others) == [rows("a")] * 3
    assert call.calls == [["a"]] * 3


async def test_no_call_holds_more_than_is_allowed():
    coalescer, call = Coalescer(), Call(max_items=3)

    found = await asyncio.gather(*start(coalescer, call, "ab", "cd", "e", "a", "abc"))

    assert [len(own) for own in found] == [2, 2, 1, 1, 3]
    assert call.calls == [["a", "b"], ["c", "d", "e"], ["a", "b", "c"]]


async def test_equal_items_of_many_requests_count_once():
    coalescer, call = Coalescer(), Call(max_items=2)

    found = await asyncio.gather(*start(coalescer, call, *["ab"] * 500))

    assert found == [rows(*"ab")] * 500
    assert call.calls == [["a", "b"]]


async def test_the_call_has_until_the_latest_deadline():
    coalescer, call = Coalescer(), Call(is_open=False)
    short = start(coalescer, call, "a", seconds=0.02)[0]
    long = start(coalescer, call, "b", seconds=5.0)[0]

    with pytest.raises(SourceTimeoutError):
        await short

    assert call.deadlines[0].remaining() > 4
    call.opened.set()
    assert await long == rows("b")
    assert call.cancelled == 0


async def test_the_call_goes_on_while_anybody_waits():
    coalescer, call = Coalescer(), Call(is_open=False)
    requests = start(coalescer, call, "a", "b", "c")
    await turn()

    requests[0].cancel()
    requests[2].cancel()
    await turn()
    assert call.cancelled == 0
    call.opened.set()

    assert await requests[1] == rows("b")
    assert call.calls == [["a", "b", "c"]]


async def test_the_call_is_cancelled_with_the_last():
    coalescer, call = Coalescer(), Call(is_open=False)
    requests = start(coalescer, call, "a", "b")
    await turn()

    for request in requests:
        request.cancel()
    await asyncio.wait(requests)

    assert call.cancelled == 1


async def test_who_leaves_before_departure_is_not_asked_for():
    coalescer, call = Coalescer(), Call()
    first, second = start(coalescer, call, "a", "b")

    async def leave():
        first.cancel()

    leaving = asyncio.ensure_future(leave())

    assert await second == rows("b")
    await leaving
    assert call.calls == [["b"]]


async def test_one_bad_item_fails_its_own_requests_alone():
    coalescer, call = Coalescer(), Call()
    call.bad["x"] = SourceBadAnswerError("bad", source="users")
    requests = [f"{number:03}" for number in range(100)]

    tasks = [
        *start(coalescer, call, *([item] for item in requests)),
        *start(coalescer, call, ["x"]),
    ]
    *good, bad = await asyncio.gather(*tasks, return_exceptions=True)

    assert good == [rows(item) for item in requests]
    assert isinstance(bad, SourceBadAnswerError)
    assert len(call.calls) <= 1 + 2 * 7


async def test_a_call_after_a_split_ends_with_those_that_it_was_for():
    coalescer, call = Coalescer(), Call()
    call.bad["x"] = SourceBadAnswerError("bad", source="users")
    good, bad = start(coalescer, call, "a", "x")
    while len(call.calls) < 1:
        await turn(1)
    call.opened.clear()
    while len(call.calls) < 3:
        await turn(1)

    good.cancel()
    await turn()
    assert call.cancelled == 1
    call.opened.set()

    assert isinstance(
        (await asyncio.wait_for(asyncio.gather(bad, return_exceptions=True), 5))[0],
        SourceBadAnswerError,
    )
    assert call.cancelled == 1


async def test_the_request_with_the_bad_item_may_save_the_rest():
    coalescer, call = Coalescer(), Call()
    call.bad["x"] = ResolverError("bad")

    found = await asyncio.gather(
        *start(coalescer, call, "ab", "xy"), return_exceptions=True
    )

    assert found[0] == rows(*"ab")
    assert isinstance(found[1], ResolverError)
    assert call.narrowed == [["x", "y"]]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(SourceTimeoutError("late"), id="timeout"),
        pytest.param(SourceUnreachableError("gone"), id="unreachable"),
        pytest.param(SourceOverloadedError("full"), id="overloaded"),
        pytest.param(SourceError("broken", status=503), id="503"),
        pytest.param(SourceError("refused", status=403), id="403"),
    ],
)
async def test_a_failure_of_the_service_is_everyones_and_not_repeated(error):
    coalescer, call = Coalescer(), Call()
    call.bad["a"] = error

    found = await asyncio.gather(
        *start(coalescer, call, "a", "b", "c"), return_exceptions=True
    )

    assert [type(own) for own in found] == [type(error)] * 3
    assert [vars(own) for own in found] == [vars(error)] * 3
    assert len({id(own) for own in found}) == 3
    assert call.calls == [["a", "b", "c"]]
    assert call.narrowed == []


def caused(cause):
    error = ResolverError("x")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(SourceBadAnswerError("x"), True, id="bad-answer"),
        pytest.param(SourceAnswerTooLargeError("x"), True, id="too-large"),
        pytest.param(SourceError("x", status=400), True, id="400"),
        pytest.param(SourceError("x", status=404), True, id="404"),
        pytest.param(SourceError("x", status=422), True, id="422"),
        pytest.param(SourceError("x", status="INVALID_ARGUMENT"), True, id="grpc"),
        pytest.param(ValueError("x"), True, id="value-error"),
        pytest.param(ResolverError("x"), True, id="resolver"),
        pytest.param(
            caused(SourceError("y", status=404)), True, id="resolver-for-not-found"
        ),
        pytest.param(
            caused(SourceError("y", status=403)), False, id="resolver-for-refusal"
        ),
        pytest.param(SourceError("x", status=401), False, id="401"),
        pytest.param(SourceError("x", status=403), False, id="403"),
        pytest.param(SourceError("x", status=408), False, id="408"),
        pytest.param(SourceRateLimitedError("x", status=429), False, id="429"),
        pytest.param(SourceError("x", status=500), False, id="500"),
        pytest.param(SourceError("x", status=504), False, id="504"),
        pytest.param(SourceError("x", status="PERMISSION_DENIED"), False, id="denied"),
        pytest.param(SourceError("x", status="UNAVAILABLE"), False, id="unavailable"),
        pytest.param(SourceError("x"), False, id="unknown"),
        pytest.param(SourceTimeoutError("x"), False, id="timeout"),
        pytest.param(SourceDisconnectedError("x"), False, id="disconnected"),
        pytest.param(SourceOverloadedError("x"), False, id="overloaded"),
        pytest.param(InternalError("x"), False, id="internal"),
        pytest.param(GraphGWError("x"), False, id="ours"),
        pytest.param(TimeoutError("x"), False, id="builtin-timeout"),
        pytest.param(ConnectionResetError("x"), False, id="reset"),
    ],
)
def test_only_failures_about_content_are_narrowed_down(error, expected):
    assert is_about_content(error) is expected


class Backend(Call):
    """Calls that a test answers one by one, in any order."""

    def __init__(self):
        super().__init__(max_items=6)
        self.under_way = []
        self.bad_items = set()

    async def run(self, items, _deadline):
        gate = asyncio.get_running_loop().create_future()
        assert len(items) == len(set(items))
        assert len(items) <= self.max_items
        self.under_way.append((items, gate))
        try:
            outcome = await gate
        finally:
            self.under_way = [one for one in self.under_way if one[1] is not gate]
        if outcome == "down":
            raise SourceError("down", status=503)
        if self.bad_items.intersection(items):
            raise SourceBadAnswerError("bad")
        return rows(*items)

    def answer(self, draw):
        open_calls = [gate for _, gate in self.under_way if not gate.done()]
        if open_calls:
            gate = draw.choice(open_calls)
            gate.set_result("down" if draw.random() < 0.1 else "up")


@settings(deadline=None)
@given(seed=st.integers(min_value=0), steps=st.integers(min_value=5, max_value=60))
def test_requests_in_any_order_get_their_own_rows_or_a_failure_of_their_own(
    seed, steps
):
    async def play():
        draw = random.Random(seed)  # noqa: S311 - no secret
        coalescer, backend = Coalescer(), Backend()
        backend.bad_items = set(draw.sample("abcdefgh", draw.randint(0, 2)))
        requests, cancelled = [], set()
        for _ in range(steps):
            action = draw.choice(["ask", "ask", "ask", "cancel", "answer", "turn"])
            live = [task for _, task in requests if not task.done()]
            if action == "ask":
                items = "".join(draw.sample("abcdefgh", draw.randint(1, 4)))
                task = start(coalescer, backend, items, key=draw.choice("kl"))[0]
                requests.append((items, task))
            elif action == "cancel" and live:
                task = draw.choice(live)
                cancelled.add(task)
                task.cancel()
            elif action == "answer":
                backend.answer(draw)
            else:
                await turn(draw.randint(1, 3))
        for _ in range(1000):
            await turn()
            if all(task.done() for _, task in requests):
                break
            backend.answer(draw)
        for items, task in requests:
            assert task.done()
            if task.cancelled():
                assert task in cancelled
                continue
            error = task.exception()
            if error is None:
                assert task.result() == rows(*items)
                assert not backend.bad_items.intersection(items)
            elif isinstance(error, SourceBadAnswerError):
                # Nobody fails for what another asked.
                assert backend.bad_items.intersection(items)
            else:
                assert error.message == "down"
        await turn()
        assert backend.under_way == []
        assert coalescer.boarding == {}

    asyncio.run(play())
