import asyncio

import pytest
from support.graphs import new_context

from graphgw.errors import InternalError, SourceBadAnswerError, SourceError
from graphgw.subgraphs.call_loader import LoaderSharing
from graphgw.subgraphs.loaders import RequestLoaders, loader
from graphgw.telemetry.events import BatchLoaded
from graphgw.types import Deadline, Principal


class Gateway:
    """Contexts of many requests to one gateway."""

    def __init__(self, forward=()):
        self.sharing = LoaderSharing(forward)
        self.events = []

    def observe(self, event):
        self.events.append(event)

    def open(self, subject="ada", *, may_share=True, **options):
        context = new_context(
            principal=Principal(subject=subject), observer=self, **options
        )
        context.may_share = may_share
        return RequestLoaders.attach(context, None, self.sharing)


def recording(**options):
    calls = []

    @loader(name="users", **options)
    async def users(ids, context, *, first=10):
        calls.append((list(ids), context))
        return [f"{key}/{first}" for key in ids]

    return users, calls


def keys_of(calls):
    return [keys for keys, _ in calls]


async def test_requests_share_the_calls_of_a_shared_loader():
    gateway = Gateway()
    users, calls = recording(shared=True)

    found = await asyncio.gather(
        gateway.open("ada").load_many(users, ["u1", "u2"]),
        gateway.open("bob").load_many(users, ["u2", "u3"]),
    )

    assert found == [["u1/10", "u2/10"], ["u2/10", "u3/10"]]
    assert keys_of(calls) == [["u1", "u2", "u3"]]
    assert [event for event in gateway.events if isinstance(event, BatchLoaded)] == [
        BatchLoaded("users", 3, gateway.events[0].seconds, None)
    ]


@pytest.mark.parametrize("is_shared", [False, True], ids=["private", "shared"])
async def test_requests_share_nothing_where_one_may_not(is_shared):
    gateway = Gateway()
    users, calls = recording(shared=is_shared)

    await asyncio.gather(
        gateway.open(may_share=not is_shared).load(users, "u1"),
        gateway.open().load(users, "u1"),
        gateway.open(may_share=not is_shared).load(users, "u1"),
    )

    assert keys_of(calls) == [["u1"], ["u1"], ["u1"]]


async def test_other_arguments_have_calls_of_their_own():
    gateway = Gateway()
    users, calls = recording(shared=True)

    found = await asyncio.gather(
        gateway.open().load(users, "u1", first=1),
        gateway.open().load(users, "u1", first=10),
        gateway.open().load(users, "u1"),
    )

    assert found == ["u1/1", "u1/10", "u1/10"]
    assert len(calls) == 2


async def test_keys_of_other_types_are_other_keys():
    gateway = Gateway()
    users, calls = recording(shared=True)

    found = await asyncio.gather(
        *(gateway.open().load(users, key) for key in (1, "1", True, 1.0))
    )

    assert found == ["1/10", "1/10", "True/10", "1.0/10"]
    assert [list(map(repr, keys)) for keys in keys_of(calls)] == [
        ["1", "'1'", "True", "1.0"]
    ]


async def test_requests_with_other_forwarded_headers_never_share():
    gateway = Gateway(forward=["authorization", "x-tenant"])
    users, calls = recording(shared=True)
    tokens = ["a", "b", "a", None]

    await asyncio.gather(
        *(
            gateway.open(
                headers={"authorization": token, "cookie": str(number)}
                if token
                else {"cookie": str(number)}
            ).load(users, "u1")
            for number, token in enumerate(tokens)
        )
    )

    sent = [context.headers.get("authorization", "") for _, context in calls]
    assert sorted(sent) == ["", "a", "b"]
    assert all("cookie" not in context.headers for _, context in calls)


@pytest.mark.parametrize("may_share", [True, False], ids=["shared", "alone"])
async def test_a_shared_loader_cannot_tell_who_asks(may_share):
    gateway = Gateway(forward=["x-tenant"])
    users, calls = recording(shared=True)
    context = gateway.open(
        may_share=may_share,
        headers={"authorization": "secret", "x-tenant": "t"},
        request_id="r1",
    )

    await context.load(users, "u1")

    (_, seen), *_ = calls
    assert seen.headers == {"x-tenant": "t"}
    assert seen.client == new_context().client
    with pytest.raises(InternalError, match="shared loader has no principal"):
        _ = seen.principal


async def test_what_a_shared_loader_loads_cannot_tell_who_asks_either():
    gateway = Gateway()

    @loader
    async def private(ids, context):
        return [f"{key} of {context.principal.subject}" for key in ids]

    @loader(shared=True)
    async def users(ids, context):
        return await context.load_many(private, ids)

    context = gateway.open("ada")
    assert await context.load(private, "u1") == "u1 of ada"

    with pytest.raises(InternalError, match="shared loader has no principal"):
        await context.load(users, "u1")


async def test_the_context_has_until_the_latest_deadline():
    gateway = Gateway()
    users, calls = recording(shared=True)

    await asyncio.gather(
        *(
            gateway.open(deadline=Deadline.after(seconds)).load(users, str(seconds))
            for seconds in (1, 60, 5)
        )
    )

    (_, seen), *_ = calls
    assert seen.deadline.remaining() > 50


async def test_one_bad_key_in_a_hundred_fails_alone():
    gateway = Gateway()
    calls = []

    @loader(shared=True)
    async def users(ids, _context):
        calls.append(list(ids))
        if "u42" in ids:
            raise SourceError("bad id", source="users", status=400)
        return [f"row {key}" for key in ids]

    keys = [f"u{number}" for number in range(100)]
    rows = await gateway.open().load_many(users, keys)

    failed = [key for key, row in zip(keys, rows, strict=True) if row != f"row {key}"]
    assert failed == ["u42"]
    assert isinstance(rows[42], SourceError)
    assert len(calls) <= 1 + 2 * 7


async def test_a_batch_that_fails_as_a_whole_is_halved_once():
    gateway = Gateway()
    calls = []

    @loader(shared=True)
    async def users(ids, _context):
        calls.append(len(ids))
        raise SourceBadAnswerError("nonsense", source="users")

    rows = await gateway.open().load_many(users, list(range(100)))

    assert {type(row) for row in rows} == {SourceBadAnswerError}
    assert calls == [100, 50, 50]


async def test_a_service_that_is_down_is_asked_once():
    gateway = Gateway()
    calls = []

    @loader(shared=True)
    async def users(ids, _context):
        calls.append(list(ids))
        raise SourceError("down", source="users", status=503)

    found = await asyncio.gather(
        *(gateway.open().load(users, key) for key in "abc"), return_exceptions=True
    )

    assert [error.status for error in found] == [503] * 3
    assert len({id(error) for error in found}) == 3
    assert calls == [["a", "b", "c"]]


async def test_failures_of_single_keys_reach_those_who_asked():
    gateway = Gateway()

    @loader(shared=True)
    async def users(ids, _context):
        return [ValueError(key) if key == "b" else key for key in ids]

    found = await asyncio.gather(
        *(gateway.open().load_many(users, keys) for keys in ("ab", "ca"))
    )

    assert found[1] == ["c", "a"]
    assert found[0][0] == "a"
    assert isinstance(found[0][1], ValueError)


async def test_a_request_that_is_gone_does_not_stop_the_others():
    gateway = Gateway()
    began, gate = asyncio.Event(), asyncio.Event()
    cancelled = []

    @loader(shared=True)
    async def users(ids, _context):
        began.set()
        try:
            await gate.wait()
        except asyncio.CancelledError:
            cancelled.append(list(ids))
            raise
        return ids

    first, second = (
        asyncio.ensure_future(gateway.open().load(users, key)) for key in "ab"
    )
    await began.wait()
    first.cancel()
    await asyncio.wait([first])
    assert cancelled == []
    gate.set()
    assert await second == "b"

    gate.clear()
    began.clear()
    last = asyncio.ensure_future(gateway.open().load(users, "c"))
    await began.wait()
    last.cancel()
    await asyncio.wait([last])
    assert cancelled == [["c"]]
