"""gRPC calls over connections that are open already, which go a shorter way."""

import asyncio
import random

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given, settings
from hypothesis import strategies as st
from support.http2_peer import HEAD, HTTP2Peer

from graphgw.context import RequestContext
from graphgw.errors import (
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceOverloadedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.grpc_service import GRPCService
from graphgw.sources.grpc_transport import frames
from graphgw.sources.settings import BreakerSettings, RetrySettings, ServiceSettings
from graphgw.telemetry.events import SourceCalled
from graphgw.types import Deadline

AT_ONCE = RetrySettings(backoff=0.0)


class Desk:
    """Keeps calls in the order in which they came, to be answered by the test."""

    def __init__(self):
        self.waiting = []
        self.heads = []
        self.calls = 0
        self.cancelled = 0
        self.changed = asyncio.Event()

    async def __call__(self, peer):
        await peer.greet()
        while True:
            frame = await peer.read(frames.HEADERS, frames.RST_STREAM)
            if frame.kind == frames.RST_STREAM:
                self.cancelled += 1
                self.waiting = [
                    item for item in self.waiting if item[1] != frame.stream_id
                ]
            else:
                head = dict(peer.decoder.decode(frame.payload))
                body = (await peer.read(frames.DATA)).payload
                self.heads.append(head)
                self.calls += 1
                value = StringValue.FromString(body[5:]).value
                self.waiting.append((peer, frame.stream_id, value))
            self.changed.set()

    async def until(self, count, *, cancelled=0):
        async with asyncio.timeout(2):
            while len(self.waiting) != count or self.cancelled < cancelled:
                self.changed.clear()
                await self.changed.wait()

    def answer(self, *, data=None, status=None):
        peer, stream_id, value = self.waiting.pop(0)
        if status is not None:
            fields = (*HEAD, ("grpc-status", str(status)))
            peer.headers(stream_id, fields, ends=True)
            return
        message = StringValue(value=value).SerializeToString()
        peer.answer(stream_id, message if data is None else data)


class Backend:
    """A desk, a server that brings it calls, and a service that makes them."""

    def __init__(self, desk, peer, service):
        self.desk = desk
        self.peer = peer
        self.service = service

    def ask(self, context, value="a", *, is_idempotent=True, **options):
        return asyncio.ensure_future(self.call(context, value, is_idempotent, options))

    async def call(self, context, value, is_idempotent, options):
        message = StringValue(value=value).SerializeToString()
        return await self.service.unary(
            "/a.B/C",
            message,
            StringValue.FromString,
            context,
            is_idempotent=is_idempotent,
            **options,
        )


@pytest.fixture
async def open_backend(make_context):
    opened = []

    async def make(**options):
        options.setdefault("retries", AT_ONCE)
        desk = Desk()
        peer = await HTTP2Peer((desk,)).__aenter__()
        made = ServiceSettings(
            name="order", kind="grpc", addresses=(peer.address,), **options
        )
        backend = Backend(desk, peer, GRPCService(made))
        opened.append(backend)
        first = backend.ask(make_context())
        await desk.until(1)
        desk.answer()
        await first
        desk.calls = 0
        desk.heads.clear()
        return backend

    yield make
    for backend in opened:
        await backend.service.aclose()
        await backend.peer.__aexit__()


def statuses(observer):
    return [
        (event.status, event.attempt)
        for event in observer.events
        if isinstance(event, SourceCalled)
    ]


async def test_a_read_sends_what_it_has_to(open_backend, make_context, observer):
    backend = await open_backend(
        headers=(("X-Key", "k"),),
        forward_headers=("Authorization",),
        request_id_header="X-Call",
    )
    context = make_context(
        seconds=2.0,
        observer=observer,
        request_id="r1",
        headers={"authorization": "Bearer t", "cookie": "c"},
    )

    task = backend.ask(context)
    await backend.desk.until(1)
    backend.desk.answer()

    assert (await task).value == "a"
    (head,) = backend.desk.heads
    assert (head["x-key"], head["authorization"]) == ("k", "Bearer t")
    assert head["x-call"] == "r1"
    assert "cookie" not in head
    assert 1000 < int(head["grpc-timeout"][:-1]) <= 2000
    assert statuses(observer) == [("OK", 1)]
    assert backend.peer.connections == 1


async def test_a_call_may_have_less_time_than_others(open_backend, make_context):
    backend = await open_backend()

    with pytest.raises(SourceTimeoutError):
        await backend.ask(make_context(), timeout=0.05)

    assert int(backend.desk.heads[0]["grpc-timeout"][:-1]) <= 50


async def test_a_call_without_time_left_is_not_sent(
    open_backend, make_context, observer
):
    backend = await open_backend()

    with pytest.raises(SourceTimeoutError):
        await backend.ask(make_context(seconds=-1, observer=observer))

    assert backend.desk.calls == 0


async def test_metadata_that_cannot_be_sent_is_an_error(open_backend, make_context):
    backend = await open_backend()

    with pytest.raises(SourceError, match="cannot be sent"):
        await backend.ask(make_context(request_id="a\nb"))

    assert backend.desk.calls == 0
    assert backend.service.guard.places.in_flight == 0


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        ({"status": 5}, SourceError, "NOT_FOUND"),
        ({"status": 13}, SourceError, "INTERNAL"),
        ({"data": b"\xff\xff\xff"}, SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
    ],
)
@pytest.mark.parametrize("may_share", [True, False])
async def test_a_call_that_fails_has_its_error(
    answer, kind, status, may_share, open_backend, make_context, observer
):
    backend = await open_backend()
    context = make_context(observer=observer)
    context.may_share = may_share
    task = backend.ask(context)
    await backend.desk.until(1)

    backend.desk.answer(**answer)

    with pytest.raises(SourceError) as caught:
        await task
    assert type(caught.value) is kind
    assert statuses(observer) == [(status, 1)]
    assert backend.service.guard.places.in_flight == 0


@pytest.mark.parametrize("may_share", [True, False])
async def test_a_read_is_tried_again_when_the_service_is_not_there(
    may_share, open_backend, make_context, observer
):
    backend = await open_backend()
    context = make_context(observer=observer)
    context.may_share = may_share
    task = backend.ask(context)
    await backend.desk.until(1)
    backend.desk.answer(status=14)
    await backend.desk.until(1)
    backend.desk.answer()

    assert (await task).value == "a"
    assert statuses(observer) == [("UNAVAILABLE", 1), ("OK", 2)]
    assert backend.service.guard.places.in_flight == 0


async def test_a_write_is_not_tried_again(open_backend, make_context):
    backend = await open_backend()
    task = backend.ask(make_context(), is_idempotent=False)
    await backend.desk.until(1)
    backend.desk.answer(status=14)

    with pytest.raises(SourceUnreachableError):
        await task
    assert backend.desk.calls == 1


async def test_more_reads_than_places_are_refused(open_backend, make_context):
    backend = await open_backend(max_in_flight=2)
    tasks = [backend.ask(make_context(), value) for value in "abc"]
    await backend.desk.until(2)

    with pytest.raises(SourceOverloadedError):
        await tasks[2]

    backend.desk.answer()
    backend.desk.answer()
    await asyncio.gather(*tasks[:2])


async def test_a_service_that_keeps_failing_is_left_alone(open_backend, make_context):
    backend = await open_backend(breaker=BreakerSettings(min_requests=3))
    for _ in range(2):
        task = backend.ask(make_context())
        await backend.desk.until(1)
        backend.desk.answer(status=13)
        with pytest.raises(SourceError, match="INTERNAL"):
            await task

    with pytest.raises(SourceUnreachableError, match="left alone"):
        await backend.ask(make_context())
    assert backend.desk.calls == 2


@pytest.mark.parametrize("may_share", [True, False])
async def test_cancelled_reads_are_cancelled_at_the_service(
    may_share, open_backend, make_context, observer
):
    backend = await open_backend()
    context = make_context(observer=observer)
    context.may_share = may_share
    tasks = [backend.ask(context, str(number)) for number in range(20)]
    await backend.desk.until(20)

    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await backend.desk.until(0, cancelled=20)

    assert all(task.cancelled() for task in tasks)
    assert statuses(observer) == [("CANCELLED", 1)] * 20
    assert backend.service.guard.places.in_flight == 0


async def test_equal_reads_are_one_call_and_each_has_a_message_of_its_own(
    open_backend, make_context, observer
):
    backend = await open_backend()
    context = make_context(observer=observer)
    tasks = [backend.ask(context) for _ in range(50)]
    await backend.desk.until(1)
    backend.desk.answer()

    answers = await asyncio.gather(*tasks)

    assert [answer.value for answer in answers] == ["a"] * 50
    assert len({id(answer) for answer in answers}) == 50
    assert backend.desk.calls == 1
    assert statuses(observer) == [("OK", 1)]
    assert backend.service.guard.places.in_flight == 0


async def test_the_call_goes_on_without_the_one_that_began_it(
    open_backend, make_context
):
    backend = await open_backend()
    tasks = [backend.ask(make_context()) for _ in range(3)]
    await backend.desk.until(1)

    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    backend.desk.answer()

    answers = await asyncio.gather(*tasks[1:])
    assert [answer.value for answer in answers] == ["a", "a"]
    assert (backend.desk.calls, backend.desk.cancelled) == (1, 0)


async def test_the_call_is_cancelled_with_the_last_who_wait(
    open_backend, make_context, observer
):
    backend = await open_backend()
    context = make_context(observer=observer)
    tasks = [backend.ask(context) for _ in range(3)]
    await backend.desk.until(1)

    for task in tasks:
        assert backend.desk.cancelled == 0
        task.cancel()
        await asyncio.wait([task])
    await backend.desk.until(0, cancelled=1)

    assert statuses(observer) == [("CANCELLED", 1)]
    assert backend.service.guard.places.in_flight == 0


async def test_each_waits_by_its_own_deadline(open_backend, make_context):
    backend = await open_backend()
    first = backend.ask(make_context())
    await backend.desk.until(1)
    second = backend.ask(make_context(seconds=0.05))

    with pytest.raises(SourceTimeoutError):
        await second

    backend.desk.answer()
    assert (await first).value == "a"
    assert backend.desk.calls == 1


async def test_the_call_has_until_the_latest_deadline_of_those_who_wait(
    open_backend, make_context
):
    backend = await open_backend()
    first = backend.ask(make_context(seconds=0.5))
    await backend.desk.until(1)
    second = backend.ask(make_context())

    with pytest.raises(SourceTimeoutError):
        await first

    backend.desk.answer()
    assert (await second).value == "a"
    assert backend.desk.calls == 1


async def test_reads_after_a_write_do_not_join_those_from_before(
    open_backend, make_context
):
    backend = await open_backend()
    before = backend.ask(make_context())
    await backend.desk.until(1)
    write = backend.ask(make_context(), is_idempotent=False)
    await backend.desk.until(2)
    after = backend.ask(make_context())
    await backend.desk.until(3)

    for _ in range(3):
        backend.desk.answer()

    await asyncio.gather(before, write, after)
    assert backend.desk.calls == 3


async def test_closing_ends_the_calls_under_way_and_those_to_come(
    open_backend, make_context
):
    backend = await open_backend()
    tasks = [backend.ask(make_context()) for _ in range(2)]
    await backend.desk.until(1)

    await backend.service.aclose()

    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in errors} == {SourceDisconnectedError}
    with pytest.raises(SourceDisconnectedError):
        await backend.ask(make_context())
    assert backend.peer.connections == 1


async def test_a_service_that_was_closed_before_its_first_call_opens_nothing(
    make_context,
):
    for client in ("native", "grpcio"):
        made = ServiceSettings(
            name="order", kind="grpc", addresses=("127.0.0.1:1",), grpc_client=client
        )
        service = GRPCService(made)
        await service.aclose()

        with pytest.raises(SourceDisconnectedError):
            await Backend(None, None, service).ask(make_context())


async def settle():
    """Let everything happen that is under way, on both sides of the sockets."""
    for _ in range(3):
        await asyncio.sleep(0.001)


async def take_step(backend, draw, reads):
    """Begin, cancel or answer a read, or let time pass; return who was cancelled."""
    live = [task for _, task in reads if not task.done()]
    action = draw.choice(["read", "read", "cancel", "answer", "settle", "turn"])
    if action == "read":
        value = draw.choice("abc")
        context = RequestContext(deadline=Deadline.after(60))
        reads.append((value, backend.ask(context, value)))
    elif action == "cancel" and live:
        task = draw.choice(live)
        task.cancel()
        return {task}
    elif action == "answer" and backend.desk.waiting:
        backend.desk.answer(data=b"\xff" if draw.random() < 0.3 else None)
    elif action == "settle":
        await settle()
    else:
        await asyncio.sleep(0)
    return set()


def check(value, task, cancelled):
    if task.cancelled():
        assert task in cancelled
    elif task.exception() is None:
        assert task.result().value == value
    else:
        assert isinstance(task.exception(), SourceBadAnswerError)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(min_value=0), steps=st.integers(min_value=5, max_value=40))
def test_reads_that_come_and_go_in_any_order_get_what_they_asked_for(seed, steps):
    async def play():
        draw, desk = random.Random(seed), Desk()  # noqa: S311 - no secret
        reads, cancelled = [], set()
        async with HTTP2Peer((desk,)) as peer:
            made = ServiceSettings(name="order", kind="grpc", addresses=(peer.address,))
            backend = Backend(desk, peer, GRPCService(made))
            for _ in range(steps):
                cancelled |= await take_step(backend, draw, reads)
                values = [value for _, _, value in desk.waiting]
                assert len(values) == len(set(values))
            await settle()
            while any(not task.done() for _, task in reads):
                while desk.waiting:
                    desk.answer()
                await settle()
            for value, task in reads:
                check(value, task, cancelled)
            assert not desk.waiting
            assert backend.service.guard.places.in_flight == 0
            await backend.service.aclose()

    asyncio.run(play())
