"""Calls over connections that are open already, which go a shorter way."""

import asyncio
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.faulty_backend import FaultyBackend

from graphgw.context import RequestContext
from graphgw.errors import (
    InternalError,
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceOverloadedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.connections import open_http_transport
from graphgw.sources.http_service import HTTPService
from graphgw.sources.protocol import HTTPRequest
from graphgw.sources.settings import BreakerSettings, RetrySettings, ServiceSettings
from graphgw.telemetry.events import SourceCalled
from graphgw.types import Deadline

ANSWER = {"data": {"ok": True}}
ANSWER_BYTES = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
AT_ONCE = RetrySettings(backoff=0.0)


@pytest.fixture
async def backend():
    async with FaultyBackend() as running:
        yield running


@pytest.fixture
async def open_service(backend):
    opened = []

    async def make(*, connections=1, url="", **options):
        options.setdefault("retries", AT_ONCE)
        service = open_service_at(url or backend.url(""), **options)
        opened.append(service)
        await warm_up(service, backend, connections)
        return service

    yield make
    for service in opened:
        await service.aclose()


def open_service_at(url, **options):
    made = ServiceSettings(name="user", url=url, **options)
    return HTTPService(made, open_http_transport(made))


async def warm_up(service, backend, connections):
    """Open so many connections, and forget how."""
    deadline = Deadline.after(5)
    requests = [
        HTTPRequest("GET", backend.url(f"/gate?{n}"), deadline, is_idempotent=True)
        for n in range(connections)
    ]
    calls = [asyncio.ensure_future(service.send(request)) for request in requests]
    await backend.has_waiting(connections)
    backend.release.set()
    await asyncio.gather(*calls)
    await backend.is_quiet()
    backend.release.clear()
    assert backend.stats.connections == connections
    backend.stats.hits.clear()
    backend.stats.by_path.clear()


def statuses(observer):
    return [
        (event.status, event.attempt)
        for event in observer.events
        if isinstance(event, SourceCalled)
    ]


async def test_a_read_sends_what_it_has_to(backend, open_service, make_context):
    service = await open_service(
        headers=(("X-Key", "k"),), forward_headers=("authorization",)
    )
    context = make_context(
        seconds=2.0, request_id="r1", headers={"authorization": "Bearer t"}
    )

    answer = await service.get(
        "/echo?a={a}",
        context,
        values={"a": "b c&d"},
        params={"ids": ["1", 2], "none": None, "x": True},
        headers={"X-Call": "c"},
    )

    hit = backend.stats.hits[0]
    left = int(hit.headers.pop("x-request-timeout-ms"))
    assert answer is not None
    assert (hit.method, hit.path) == ("GET", "/echo")
    assert hit.query == {"a": "b c&d", "ids": "2", "x": "true"}
    assert 1000 < left <= 2000
    assert hit.headers == {
        "host": f"127.0.0.1:{backend.port}",
        "accept-encoding": "gzip, br, zstd",
        "accept": "application/json",
        "x-key": "k",
        "authorization": "Bearer t",
        "x-call": "c",
        "x-request-id": "r1",
    }
    assert backend.stats.connections == 1


async def test_a_query_with_a_body_is_sent_whole(backend, open_service):
    service = await open_service()
    request = HTTPRequest(
        "POST",
        backend.url("/echo"),
        Deadline.after(2),
        (("x-request-timeout-ms", "99999"), ("x-request-id", "r1"), ("x-a", "b")),
        b"hello",
        is_idempotent=True,
    )

    await service.send(request)

    hit = backend.stats.hits[0]
    assert (hit.method, hit.body) == ("POST", b"hello")
    assert (hit.headers["x-a"], hit.headers["x-request-id"]) == ("b", "r1")
    assert 1000 < int(hit.headers["x-request-timeout-ms"]) <= 2000
    assert backend.stats.connections == 1


@pytest.mark.parametrize("path", ["/ok", "/chunked", "/gzip", "/until-close"])
async def test_sound_answers_are_decoded(path, open_service, make_context, observer):
    service = await open_service()

    answers = [
        await service.get(path, make_context(observer=observer)) for _ in range(3)
    ]

    assert answers == [ANSWER] * 3
    assert statuses(observer) == [("200", 1)] * 3
    assert service.guard.places.in_flight == 0


@pytest.mark.parametrize(
    ("path", "error", "attempts"),
    [
        pytest.param("/status?code=500", SourceError, 1, id="500"),
        pytest.param("/status?code=503", SourceError, 3, id="503"),
        pytest.param("/status?code=404", SourceError, 1, id="404"),
        pytest.param("/reset-mid-body", SourceDisconnectedError, 2, id="reset"),
        pytest.param("/garbage", SourceBadAnswerError, 1, id="garbage"),
        pytest.param("/wrong-type", SourceBadAnswerError, 1, id="wrong-type"),
        pytest.param("/nan", SourceBadAnswerError, 1, id="nan"),
        pytest.param("/bad-gzip", SourceBadAnswerError, 1, id="bad-gzip"),
        pytest.param("/bad-status-line", SourceBadAnswerError, 1, id="status-line"),
        pytest.param("/huge-length", SourceAnswerTooLargeError, 1, id="huge-length"),
        pytest.param("/hang", SourceTimeoutError, 1, id="hang"),
        pytest.param("/trickle?ms=50", SourceTimeoutError, 1, id="trickle"),
    ],
)
@pytest.mark.parametrize("may_share", [False, True])
async def test_every_fault_has_its_error(
    path, error, attempts, may_share, backend, open_service, make_context, observer
):
    service = await open_service()
    seconds = 0.3 if error is SourceTimeoutError else 5.0
    context = make_context(seconds=seconds, observer=observer)
    context.may_share = may_share

    with pytest.raises(error) as caught:
        await service.get(path, context)

    assert type(caught.value) is error
    assert caught.value.source == "user"
    assert len(statuses(observer)) == attempts
    assert backend.stats.requests == attempts
    assert service.guard.places.in_flight == 0
    assert await service.get("/ok", make_context()) == ANSWER


async def test_a_read_is_tried_again_after_a_gateway_error(
    open_service, make_context, observer
):
    service = await open_service()

    answer = await service.get("/fail-then-ok?n=2", make_context(observer=observer))

    assert answer == ANSWER
    assert statuses(observer) == [("503", 1), ("503", 2), ("200", 3)]


async def test_a_refusal_is_handed_back_to_who_sends(backend, open_service):
    service = await open_service()
    url = backend.url("/status?code=503")
    request = HTTPRequest("GET", url, Deadline.after(5), is_idempotent=True)

    response = await service.send(request)

    assert (response.status, response.body) == (503, b'{"error":"as asked"}')
    assert backend.stats.requests == 3


async def test_a_stale_connection_is_replaced_unseen(
    backend, open_service, make_context, observer
):
    service = await open_service()
    await service.get("/stale", make_context())

    assert await service.get("/ok", make_context(observer=observer)) == ANSWER
    assert statuses(observer) == [("200", 1)]
    assert backend.stats.connections == 2


async def test_not_found_is_the_value_asked_for(open_service, make_context):
    service = await open_service()

    assert await service.get("/nowhere", make_context(), missing=7) == 7


async def test_a_missing_value_is_an_error_at_once(open_service, make_context):
    service = await open_service()

    with pytest.raises(InternalError):
        await service.get("/users/{id}", make_context(), values={"di": 1})


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"request_id": "a\r\nb: c"}, id="line-break-in-id"),
        pytest.param({"request_id": "\u20ac"}, id="not-latin-id"),
        pytest.param({"headers": {"x-a": "a\r\nb: c"}}, id="line-break-in-header"),
        pytest.param({"path": "/ok x"}, id="space-in-path"),
        pytest.param({"path": "/ok HTTP/1.1\r\nx: y"}, id="line-break-in-path"),
    ],
)
async def test_no_value_becomes_a_second_request(
    options, backend, open_service, make_context
):
    service = await open_service()
    context = make_context(request_id=options.get("request_id", ""))

    with pytest.raises(SourceError):
        await service.get(
            options.get("path", "/ok"), context, headers=options.get("headers")
        )

    assert backend.stats.requests == 0
    assert service.guard.places.in_flight == 0


async def test_a_read_without_time_left_is_not_sent(
    backend, open_service, make_context
):
    service = await open_service()

    with pytest.raises(SourceTimeoutError):
        await service.get("/ok", make_context(seconds=0.0))

    assert backend.stats.requests == 0


async def test_more_reads_than_places_are_refused(open_service, make_context):
    service = await open_service(max_in_flight=1)
    assert service.guard.places.enter()

    with pytest.raises(SourceOverloadedError):
        await service.get("/ok", make_context())

    service.guard.places.leave()
    assert await service.get("/ok", make_context()) == ANSWER


async def test_a_service_that_keeps_failing_is_left_alone(
    backend, open_service, make_context
):
    service = await open_service(breaker=BreakerSettings(min_requests=5))
    # One call went well, when the connection was opened.
    for _ in range(4):
        with pytest.raises(SourceError):
            await service.get("/status?code=500", make_context())

    with pytest.raises(SourceUnreachableError, match="left alone"):
        await service.get("/ok", make_context())

    assert backend.stats.requests == 4


@pytest.mark.parametrize("may_share", [False, True])
async def test_cancelled_reads_are_cancelled_at_the_backend(
    may_share, backend, open_service, make_context, observer
):
    service = await open_service(connections=20)
    context = make_context(observer=observer)
    context.may_share = may_share
    reads = [
        asyncio.ensure_future(service.get(f"/hang?{n}", context)) for n in range(20)
    ]
    await backend.has_waiting(20)

    for read in reads:
        read.cancel()
    await asyncio.wait(reads)
    await backend.is_quiet()

    assert backend.stats.cancelled == 20
    assert all(read.cancelled() for read in reads)
    assert statuses(observer) == [("CANCELLED", 1)] * 20
    assert service.guard.places.in_flight == 0


async def test_a_read_cancelled_when_its_answer_is_there_harms_no_other(
    backend, open_service, make_context
):
    service = await open_service()
    context = make_context()
    context.may_share = False
    first = asyncio.ensure_future(service.get("/gate", context))
    await backend.has_waiting(1)
    pool = service._caller._pool
    connection = next(iter(pool._connections))

    # The answer comes, the connection serves the next, and only then the first wakes.
    connection.data_received(ANSWER_BYTES)
    second = pool.take().start(b"GET / HTTP/1.1\r\n\r\n", Deadline.after(5), "user")
    first.cancel()
    await asyncio.wait([first])
    connection.data_received(ANSWER_BYTES)

    assert (await second).status == 200
    assert first.cancelled()


def read_gate(service, make_context, *, count=1, seconds=5.0, **options):
    return [
        asyncio.ensure_future(
            service.get("/gate", make_context(seconds=seconds, **options))
        )
        for _ in range(count)
    ]


async def test_equal_reads_are_one_call_and_each_has_rows_of_its_own(
    backend, open_service, make_context, observer
):
    service = await open_service(connections=3)
    reads = read_gate(service, make_context, count=50, observer=observer)
    await backend.has_waiting(1)
    backend.release.set()

    answers = await asyncio.gather(*reads)

    assert answers == [ANSWER] * 50
    assert len({id(answer) for answer in answers}) == 50
    assert backend.stats.requests == 1
    assert statuses(observer) == [("200", 1)]
    assert service.guard.places.in_flight == 0


async def test_a_read_that_nobody_joins_makes_no_task(open_service, make_context):
    service = await open_service()
    loop, made = asyncio.get_running_loop(), []

    def make_task(loop, coroutine, **options):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(make_task)
    answer = await service.get("/ok", make_context())
    loop.set_task_factory(None)

    assert answer == ANSWER
    assert not [task for task in made if "Flight" in task.__qualname__]


async def test_the_call_goes_on_without_the_one_that_began_it(
    backend, open_service, make_context, observer
):
    service = await open_service()
    reads = read_gate(service, make_context, count=3, observer=observer)
    await backend.has_waiting(1)

    reads[0].cancel()
    await asyncio.wait(reads[:1])
    backend.release.set()

    assert await asyncio.gather(*reads[1:]) == [ANSWER] * 2
    assert reads[0].cancelled()
    assert (backend.stats.requests, backend.stats.cancelled) == (1, 0)
    assert statuses(observer) == [("200", 1)]


async def test_the_call_is_cancelled_with_the_last_who_wait(
    backend, open_service, make_context, observer
):
    service = await open_service()
    reads = read_gate(service, make_context, count=3, observer=observer)
    await backend.has_waiting(1)

    for read in reads:
        assert backend.stats.cancelled == 0
        read.cancel()
        await asyncio.wait([read])
    await backend.is_quiet()

    assert (backend.stats.requests, backend.stats.cancelled) == (1, 1)
    assert statuses(observer) == [("CANCELLED", 1)]
    assert service.guard.places.in_flight == 0


async def test_who_joins_and_leaves_at_once_leaves_nothing_behind(
    backend, open_service, make_context
):
    service = await open_service()
    first = read_gate(service, make_context)[0]
    await backend.has_waiting(1)
    second = read_gate(service, make_context)[0]
    await asyncio.sleep(0)

    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    await backend.is_quiet()

    assert service.guard.places.in_flight == 0
    assert await service.get("/ok", make_context()) == ANSWER


async def test_each_waits_by_its_own_deadline(backend, open_service, make_context):
    service = await open_service()
    first = read_gate(service, make_context)[0]
    await backend.has_waiting(1)
    second = read_gate(service, make_context, seconds=0.05)[0]

    with pytest.raises(SourceTimeoutError):
        await second

    backend.release.set()
    assert await first == ANSWER
    assert backend.stats.requests == 1


async def test_the_call_has_until_the_latest_deadline_of_those_who_wait(
    backend, open_service, make_context
):
    service = await open_service()
    first = read_gate(service, make_context, seconds=0.5)[0]
    await backend.has_waiting(1)
    second = read_gate(service, make_context)[0]

    with pytest.raises(SourceTimeoutError):
        await first

    backend.release.set()
    assert await second == ANSWER
    assert backend.stats.requests == 1


async def test_the_call_ends_when_the_last_deadline_has_passed(
    backend, open_service, make_context, observer
):
    service = await open_service()
    started = time.monotonic()
    reads = read_gate(service, make_context, seconds=0.5, observer=observer)
    await backend.has_waiting(1)
    reads += read_gate(service, make_context, seconds=0.6)

    errors = await asyncio.gather(*reads, return_exceptions=True)
    await backend.is_quiet()

    assert [type(error) for error in errors] == [SourceTimeoutError] * 2
    assert 0.6 <= time.monotonic() - started < 5
    assert (backend.stats.requests, backend.stats.cancelled) == (1, 1)
    assert statuses(observer) == [("SOURCE_TIMEOUT", 1)]


async def test_a_failure_is_shared_and_each_has_its_own_error(
    backend, open_service, make_context
):
    service = await open_service()
    reads = [
        asyncio.ensure_future(service.get("/status?code=500", make_context()))
        for _ in range(3)
    ]

    errors = await asyncio.gather(*reads, return_exceptions=True)

    assert [error.status for error in errors] == [500] * 3
    assert len({id(error) for error in errors}) == 3
    assert backend.stats.requests == 1
    assert service.guard.places.in_flight == 0


async def test_reads_join_while_another_is_tried_again(
    backend, open_service, make_context
):
    retries = RetrySettings(backoff=0.2, max_backoff=0.2)
    service = await open_service(retries=retries)
    first = asyncio.ensure_future(service.get("/fail-then-ok?n=1", make_context()))
    await backend.has_waiting(1)
    await backend.is_quiet()
    second = asyncio.ensure_future(service.get("/fail-then-ok?n=1", make_context()))

    assert await asyncio.gather(first, second) == [ANSWER] * 2
    assert backend.stats.requests == 2


async def test_reads_after_a_write_do_not_join_those_from_before(
    backend, open_service, make_context
):
    service = await open_service(connections=3)
    before = read_gate(service, make_context)
    await backend.has_waiting(1)

    await service.request("POST", "/ok", make_context(), json={})
    after = read_gate(service, make_context)
    await backend.has_waiting(2)
    backend.release.set()

    assert await asyncio.gather(*before, *after) == [ANSWER] * 2
    assert backend.stats.by_path["/gate"] == 2


async def test_reads_that_differ_in_a_forwarded_header_are_sent_apart(
    backend, open_service, make_context
):
    service = await open_service(connections=3, forward_headers=("authorization",))
    reads = [
        *read_gate(service, make_context, count=2, headers={"authorization": "a"}),
        *read_gate(service, make_context, headers={"authorization": "b"}),
    ]
    await backend.has_waiting(2)
    backend.release.set()

    await asyncio.gather(*reads)

    assert backend.stats.requests == 2


async def test_closing_ends_the_calls_under_way(backend, open_service, make_context):
    service = await open_service()
    reads = read_gate(service, make_context, count=2)
    await backend.has_waiting(1)

    await service.aclose()

    errors = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(error) for error in errors} == {SourceDisconnectedError}


class Desk(asyncio.Protocol):
    """Keeps requests by their path, to be answered when the test says so."""

    def __init__(self, desks):
        self.desks = desks
        self.path = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.path = data.split(b" ")[1].decode()
        # The promise itself: no two calls of one path at a time.
        assert self.path not in self.desks
        self.desks[self.path] = self

    def answer(self, body):
        self.forget()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        length = b"content-length: %d\r\n\r\n" % len(body)
        self.transport.write(head + length + body)

    def forget(self):
        if self.path is not None and self.desks.get(self.path) is self:
            del self.desks[self.path]
        self.path = None

    def connection_lost(self, exc):
        del exc
        self.forget()


async def settle():
    """Let everything happen that is under way, on both sides of the sockets."""
    for _ in range(3):
        await asyncio.sleep(0.001)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(min_value=0), steps=st.integers(min_value=5, max_value=40))
def test_reads_that_come_and_go_in_any_order_get_what_they_asked_for(seed, steps):
    async def play():
        draw, desks = random.Random(seed), {}  # noqa: S311 - no secret
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Desk(desks), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        service = open_service_at(f"http://127.0.0.1:{port}")
        reads, cancelled = [], set()

        def read(path):
            context = RequestContext(deadline=Deadline.after(60))
            task = asyncio.ensure_future(service.get(path, context))
            reads.append((path, task))

        for _ in range(steps):
            live = [task for _, task in reads if not task.done()]
            action = draw.choice(["read", "read", "cancel", "answer", "settle"])
            if action == "read":
                read(draw.choice(["/a", "/b", "/c"]))
            elif action == "cancel" and live:
                task = draw.choice(live)
                cancelled.add(task)
                task.cancel()
            elif action == "answer" and desks:
                path = draw.choice(sorted(desks))
                is_bad = draw.random() < 0.3
                desks[path].answer(b"{" if is_bad else b'{"path":"%b"}' % path.encode())
            elif action == "settle":
                await settle()
            else:
                await asyncio.sleep(0)
        await settle()
        waiting = {path for path, task in reads if not task.done()}
        assert set(desks) == waiting
        for path in waiting:
            desks[path].answer(b'{"path":"%b"}' % path.encode())
        await asyncio.wait_for(
            asyncio.gather(*(task for _, task in reads), return_exceptions=True), 5
        )
        for path, task in reads:
            if task.cancelled():
                assert task in cancelled
            elif task.exception() is not None:
                assert isinstance(task.exception(), SourceBadAnswerError)
            else:
                assert task.result() == {"path": path}
        assert service.guard.places.in_flight == 0
        assert service._caller._flights.under_way == {}
        await service.aclose()
        server.close()
        await server.wait_closed()

    asyncio.run(play())
