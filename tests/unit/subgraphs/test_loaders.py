import asyncio
from dataclasses import dataclass

import pytest

from graphgw.context import RequestContext
from graphgw.errors import InternalError, SourceBadAnswerError, SourceTimeoutError
from graphgw.subgraphs.batches import BatchLoader
from graphgw.subgraphs.loaders import RequestLoaders, loader
from graphgw.telemetry.events import BatchLoaded
from graphgw.types import Deadline


class Recorder:
    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)


def open_context(observer=None, cache=None):
    context = RequestContext(
        deadline=Deadline.after(10), **({"observer": observer} if observer else {})
    )
    return RequestLoaders.attach(context, cache)


def recording_loader(**options):
    calls = []

    @loader(name="users", **options)
    async def users(ids, _context, *, first=10):
        calls.append(list(ids))
        return [f"{key}/{first}" for key in ids]

    return users, calls


async def test_loads_of_one_turn_become_one_call():
    users, calls = recording_loader()
    context = open_context()

    rows = await asyncio.gather(context.load(users, "u1"), context.load(users, "u2"))

    assert rows == ["u1/10", "u2/10"]
    assert calls == [["u1", "u2"]]


async def test_equal_keys_are_asked_for_once_and_order_is_kept():
    users, calls = recording_loader()

    rows = await open_context().load_many(users, ["u2", "u1", "u2"])

    assert rows == ["u2/10", "u1/10", "u2/10"]
    assert calls == [["u2", "u1"]]


async def test_single_and_bulk_loads_of_one_turn_share_a_call():
    users, calls = recording_loader()
    context = open_context()

    rows = await asyncio.gather(
        context.load_many(users, ["u1", "u2"]),
        context.load(users, "u3"),
        context.load_many(users, ["u2", "u4"]),
    )

    assert rows == [["u1/10", "u2/10"], "u3/10", ["u2/10", "u4/10"]]
    assert calls == [["u1", "u2", "u3", "u4"]]


async def test_known_rows_are_not_asked_for_again():
    users, calls = recording_loader()
    context = open_context()

    await context.load_many(users, ["u1"])
    await context.load_many(users, ["u1", "u2"])
    row = await context.load(users, "u2")

    assert row == "u2/10"
    assert calls == [["u1"], ["u2"]]


async def test_arguments_have_loaders_of_their_own_and_defaults_count_as_given():
    users, calls = recording_loader()
    context = open_context()

    rows = await asyncio.gather(
        context.load(users, "u1"),
        context.load(users, "u1", first=10),
        context.load(users, "u1", first=3),
    )

    assert rows == ["u1/10", "u1/10", "u1/3"]
    assert calls == [["u1"], ["u1"]]


async def test_arguments_that_cannot_be_hashed_are_compared_by_value():
    calls = []

    @dataclass
    class Filter:
        tags: list[str]

    @loader
    async def search(keys, _context, *, by):
        calls.append(keys)
        return [(key, by) for key in keys]

    context = open_context()

    await asyncio.gather(
        context.load(search, 1, by=Filter(["a"])),
        context.load(search, 2, by=Filter(["a"])),
        context.load(search, 3, by=Filter(["b"])),
    )

    assert calls == [[1, 2], [3]]


async def test_more_keys_than_max_batch_are_split_and_sent_at_once():
    running = 0
    most = 0
    calls = []

    @loader(max_batch=2)
    async def users(ids, _context):
        nonlocal running, most
        running += 1
        most = max(most, running)
        calls.append(ids)
        await asyncio.sleep(0)
        running -= 1
        return ids

    rows = await open_context().load_many(users, ["1", "2", "3", "4", "5"])

    assert rows == ["1", "2", "3", "4", "5"]
    assert calls == [["1", "2"], ["3", "4"], ["5"]]
    assert most == 3


async def test_an_exception_as_value_is_that_keys_error_alone():
    refusal = SourceTimeoutError("late")

    async def users(ids, _context):
        return [refusal if key == "bad" else key for key in ids]

    context = open_context()

    rows = await context.load_many(users, ["u1", "bad"])

    assert rows == ["u1", refusal]
    assert await context.load(users, "u1") == "u1"
    with pytest.raises(SourceTimeoutError):
        await context.load(users, "bad")


async def test_a_failing_call_fails_its_own_chunk_only():
    @loader(max_batch=1)
    async def users(ids, _context):
        if ids == ["bad"]:
            raise SourceTimeoutError("late")
        return ids

    rows = await open_context().load_many(users, ["u1", "bad"])

    assert rows[0] == "u1"
    assert isinstance(rows[1], SourceTimeoutError)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(["one"], 'loader "users" returned 1 rows for 2 keys', id="short"),
        pytest.param(None, 'loader "users" returned no list', id="none"),
        pytest.param("ab", 'loader "users" returned no list', id="text"),
    ],
)
async def test_an_answer_of_the_wrong_length_names_the_loader(answer, message):
    @loader(name="users")
    async def broken(_ids, _context):
        return answer

    rows = await open_context().load_many(broken, ["u1", "u2"])

    assert [str(row) for row in rows] == [message, message]
    assert isinstance(rows[0], SourceBadAnswerError)


async def test_each_call_is_told_to_the_observer():
    recorder = Recorder()
    users, _ = recording_loader(max_batch=2)

    await open_context(recorder).load_many(users, ["1", "2", "3"])

    assert [(e.loader, e.keys, e.error_code) for e in recorder.events] == [
        ("users", 2, None),
        ("users", 1, None),
    ]


async def test_a_failed_call_is_told_with_its_code():
    recorder = Recorder()

    async def users(_ids, _context):
        raise SourceTimeoutError("late")

    await open_context(recorder).load_many(users, ["1"])

    event = recorder.events[0]
    assert isinstance(event, BatchLoaded)
    assert event.error_code == "SOURCE_TIMEOUT"


async def test_cancelling_the_only_waiter_cancels_the_batch():
    started, ended = asyncio.Event(), []

    async def users(ids, _context):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(ids)
            raise

    waiter = asyncio.create_task(open_context().load_many(users, ["u1"]))
    await started.wait()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    assert ended == [["u1"]]


async def test_cancelling_a_wait_for_several_batches_cancels_them_all():
    began, ended = {"u1": asyncio.Event(), "u2": asyncio.Event()}, []

    async def users(ids, _context):
        began[ids[0]].set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(ids)

    context = open_context()
    first = asyncio.create_task(context.load_many(users, ["u1"]))
    await began["u1"].wait()
    second = asyncio.create_task(context.load_many(users, ["u1", "u2"]))
    await began["u2"].wait()
    first.cancel()
    second.cancel()
    outcomes = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
    assert sorted(ended) == [["u1"], ["u2"]]


async def test_a_batch_goes_on_while_somebody_waits():
    started, gate = asyncio.Event(), asyncio.Event()

    async def users(ids, _context):
        started.set()
        await gate.wait()
        return ids

    context = open_context()
    first = asyncio.create_task(context.load_many(users, ["u1"]))
    second = asyncio.create_task(context.load(users, "u1"))
    await started.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.set()

    assert await second == "u1"


async def test_the_call_is_made_again_when_who_made_it_left_others_behind():
    calls, started, gate = [], asyncio.Event(), asyncio.Event()

    async def users(ids, _context):
        calls.append(list(ids))
        started.set()
        await gate.wait()
        return ids

    context = open_context()
    first = asyncio.create_task(context.load_many(users, ["u1", "u2"]))
    second = asyncio.create_task(context.load_many(users, ["u2", "u3"]))
    await started.wait()
    late = asyncio.create_task(context.load(users, "u1"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait((first,))
    gate.set()

    assert await second == ["u2", "u3"]
    assert await late == "u1"
    assert calls == [["u1", "u2", "u3"]] * 2


async def test_nobody_is_called_for_those_who_left_together():
    calls, started = [], asyncio.Event()

    async def users(ids, _context):
        calls.append(list(ids))
        started.set()
        await asyncio.Event().wait()

    context = open_context()
    waiters = [
        asyncio.create_task(context.load_many(users, ["u1", key])) for key in "ab"
    ]
    await started.wait()
    for waiter in waiters:
        waiter.cancel()
    await asyncio.wait(waiters)

    assert calls == [["u1", "a", "b"]]


async def test_a_key_can_be_loaded_again_after_its_batch_was_cancelled_before_it_left():
    users, calls = recording_loader()
    context = open_context()
    waiter = asyncio.create_task(context.load_many(users, ["u1"]))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter

    assert await context.load_many(users, ["u1"]) == ["u1/10"]
    assert calls == [["u1"]]


async def test_reset_asks_for_every_key_again():
    users, calls = recording_loader()
    context = open_context()

    await context.load(users, "u1")
    context.loaders.reset()
    await context.load(users, "u1")

    assert calls == [["u1"], ["u1"]]


async def test_a_shared_loader_gets_no_principal():
    seen = []

    @loader(shared=True)
    async def users(ids, context):
        seen.append(context)
        return ids

    await open_context().load(users, "u1")

    with pytest.raises(InternalError):
        _ = seen[0].principal


async def test_rows_pass_through_the_cache_until_a_mutation_runs():
    class Cache:
        def __init__(self):
            self.rules = []

        def peek(self, *_, **__):
            return None

        async def load(self, rule, keys, fetch, *, context, loader, arguments):
            self.rules.append((rule, loader.name, arguments, context.request_id))
            return ["kept", *(await fetch(keys[1:]))]

    cache = Cache()
    users, calls = recording_loader()
    context = open_context(cache=cache)

    kept = await context.loaders.load_many(users, ["u1", "u2"], {}, "rule")
    context.loaders.reset()
    asked = await context.loaders.load_many(users, ["u1"], {}, "rule")

    assert kept == ["kept", "u2/10"]
    assert asked == ["u1/10"]
    assert calls == [["u2"], ["u1"]]
    assert cache.rules == [("rule", "users", {"first": 10}, "")]


async def test_rows_at_hand_need_no_batch_and_are_looked_up_once():
    class Cache:
        def __init__(self):
            self.asked = []

        def peek(self, _rule, keys, **_):
            self.asked.append(keys)
            return [key.upper() for key in keys] if "x" not in keys else None

        async def load(self, _rule, keys, fetch, **_):
            return await fetch(keys)

    cache = Cache()
    users, calls = recording_loader()
    context = open_context(cache=cache)

    many = await context.loaders.load_many(users, ["u1", "u2", "u1"], {}, "rule")
    again = await context.loaders.load_many(users, ["u2"], {}, "rule")
    rest = await context.loaders.load_many(users, ["u1", "x"], {}, "rule")

    assert (many, again, rest) == (["U1", "U2", "U1"], ["U2"], ["U1", "x/10"])
    assert calls == [["x"]]
    assert cache.asked == [["u1", "u2"], ["x"]]


async def test_one_row_at_hand_needs_no_batch():
    class Cache:
        def peek(self, _rule, keys, **_):
            return [key.upper() for key in keys]

    users, calls = recording_loader()
    rules = {users.function: "rule"}
    context = RequestLoaders.attach(
        RequestContext(deadline=Deadline.after(10)), Cache(), None, rules
    )

    assert await context.load(users, "u1") == "U1"
    assert await context.load(users, "u1") == "U1"
    assert calls == []


async def test_calling_a_loader_calls_its_function():
    users, _ = recording_loader()

    assert await users(["u1"], None, first=2) == ["u1/2"]


async def test_a_batch_loader_is_a_data_loader():
    calls = []

    async def double(keys):
        calls.append(keys)
        return [key * 2 for key in keys]

    batch = BatchLoader(double)

    first, again = batch.load(1), batch.load(1)
    many = batch.load_many([1, 2])

    assert await asyncio.gather(first, again, many) == [2, 2, [2, 4]]
    assert calls == [[1, 2]]
    assert await batch.prime(5, 6).load(5) == 6
    assert await batch.clear(1).load(1) == 2
    assert calls == [[1, 2], [1]]
