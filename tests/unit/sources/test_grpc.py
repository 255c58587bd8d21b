import asyncio
from contextlib import aclosing, suppress

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from support.faulty_grpc import FaultyGRPCBackend, faulty_path

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.grpc import grpc_source
from graphgw.sources.grpc_service import GRPCService
from graphgw.sources.guard import Guard
from graphgw.sources.settings import ServiceSettings
from graphgw.telemetry.events import SourceCalled


class FaultyStub:
    """What protoc would have generated for the faulty backend."""

    def __init__(self, channel):
        for name in ("Echo", "Hang", "Garbage", "FailThenOk", "NotFound"):
            call = channel.unary_unary(
                faulty_path(name),
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
                _registered_method=True,
            )
            setattr(self, name, call)
        for name in ("Stream", "StreamHangs", "StreamBreaks"):
            call = channel.unary_stream(
                faulty_path(name),
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
                _registered_method=True,
            )
            setattr(self, name, call)


class Services:
    """Stands for a gateway's connections: one service, whatever its name."""

    def __init__(self, service):
        self.service = service

    def grpc(self, name):
        assert name == "order"
        return self.service


@pytest.fixture
async def backend():
    async with FaultyGRPCBackend() as running:
        yield running


@pytest.fixture(params=["native", "grpcio"])
async def make_service(backend, clock, request):
    made = []

    def make(**options):
        options.setdefault("addresses", (backend.address,))
        options.setdefault("grpc_client", request.param)
        settings = ServiceSettings(name="order", kind="grpc", **options)
        guard = Guard(settings, clock=clock, sleep=clock.sleep, draw=lambda: 0.5)
        made.append(GRPCService(settings, clock=clock, guard=guard))
        return made[-1]

    yield make
    for service in made:
        await service.aclose()


async def call(service, method, context, **options):
    request = StringValue(value="hello").SerializeToString()
    path = faulty_path(method)
    return await service.unary(
        path, request, StringValue.FromString, context, **options
    )


async def test_a_call_carries_message_deadline_and_metadata(
    backend, make_service, make_context
):
    service = make_service(
        forward_headers=("Authorization",), headers=(("x-key", "k"),), timeout=60
    )
    context = make_context(
        seconds=2.0,
        request_id="r1",
        headers={"authorization": "Bearer t", "cookie": "c"},
    )

    answer = await call(service, "Echo", context)

    assert answer.value == "hello"
    assert backend.stats.with_deadline == 1
    # Servers round what is left, some of them up.
    assert 1.0 < backend.stats.time_remaining <= 2.1
    sent = backend.stats.metadata
    assert (sent["authorization"], sent["x-request-id"]) == ("Bearer t", "r1")
    assert sent["x-key"] == "k"
    assert "cookie" not in sent


@pytest.mark.parametrize(
    ("method", "error", "code"),
    [
        ("ResourceExhausted", SourceError, "RESOURCE_EXHAUSTED"),
        ("Unauthenticated", SourceError, "UNAUTHENTICATED"),
        ("PermissionDenied", SourceError, "PERMISSION_DENIED"),
        ("NotFound", SourceError, "NOT_FOUND"),
        ("InvalidArgument", SourceError, "INVALID_ARGUMENT"),
        ("Internal", SourceError, "INTERNAL"),
        ("DataLoss", SourceError, "DATA_LOSS"),
        ("Unavailable", SourceUnreachableError, "UNAVAILABLE"),
        ("DeadlineExceeded", SourceTimeoutError, "DEADLINE_EXCEEDED"),
        ("Hang", SourceTimeoutError, "DEADLINE_EXCEEDED"),
        ("Huge", SourceAnswerTooLargeError, "RESOURCE_EXHAUSTED"),
        ("Garbage", SourceBadAnswerError, None),
    ],
)
async def test_every_fault_has_its_error(
    method, error, code, make_service, make_context
):
    service = make_service(max_answer_bytes=1 << 20)

    with pytest.raises(error) as caught:
        await call(service, method, make_context(seconds=0.3))

    assert type(caught.value) is error
    assert caught.value.grpc_code == code
    assert "internal words" not in caught.value.message
    assert (await call(service, "Echo", make_context())).value == "hello"


async def test_the_services_own_words_are_there_for_resolvers(
    make_service, make_context
):
    with pytest.raises(SourceError) as caught:
        await call(make_service(), "NotFound", make_context())

    assert caught.value.detail == "internal words"
    assert caught.value.message == 'service "order" answered NOT_FOUND'


async def test_a_port_that_is_closed_is_unreachable(
    make_service, make_context, unused_tcp_port
):
    service = make_service(addresses=(f"127.0.0.1:{unused_tcp_port}",))

    with pytest.raises(SourceUnreachableError):
        await call(service, "Echo", make_context())


async def test_only_idempotent_calls_are_tried_again(
    backend, make_service, make_context
):
    service = make_service()
    backend.fail_first = 2

    with pytest.raises(SourceUnreachableError):
        await call(service, "FailThenOk", make_context())
    assert backend.stats.calls["FailThenOk"] == 1

    answer = await call(service, "FailThenOk", make_context(), is_idempotent=True)
    assert answer.value == "ok"


@pytest.mark.parametrize(("method", "wait"), [("Pushback", 0.7), ("RetryInfo", 2.5)])
async def test_the_wait_that_a_service_asks_for_is_kept(
    method, wait, clock, make_service, make_context
):
    start = clock.now

    with pytest.raises(SourceUnreachableError) as caught:
        await call(make_service(), method, make_context(), is_idempotent=True)

    assert caught.value.retry_after == wait
    assert clock.now - start == pytest.approx(2 * wait)


async def test_a_cancelled_call_is_cancelled_at_the_backend(
    backend, make_service, make_context
):
    task = asyncio.ensure_future(call(make_service(), "Hang", make_context()))
    await backend.has_waiting(1)

    task.cancel()
    await backend.is_quiet()

    assert backend.stats.cancelled == 1
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_closing_ends_the_calls_under_way(backend, make_service, make_context):
    service = make_service()
    task = asyncio.ensure_future(call(service, "Hang", make_context()))
    await backend.has_waiting(1)

    await service.aclose()

    with pytest.raises(SourceDisconnectedError):
        await task


async def test_calls_are_spread_over_all_addresses(make_service, make_context):
    async with FaultyGRPCBackend() as first, FaultyGRPCBackend() as second:
        service = make_service(addresses=(first.address, second.address))
        for _ in range(20):
            await call(service, "Echo", make_context())

        assert first.stats.calls["Echo"] > 0
        assert second.stats.calls["Echo"] > 0


async def test_the_breaker_opens_and_then_nothing_is_sent(
    backend, make_service, make_context
):
    service = make_service()
    for _ in range(10):
        with pytest.raises(SourceError):
            await call(service, "Internal", make_context())

    with pytest.raises(SourceUnreachableError, match="left alone"):
        await call(service, "Internal", make_context())

    assert backend.stats.calls["Internal"] == 10


async def test_resolvers_call_the_stubs_methods(make_service, make_context, observer):
    faulty = grpc_source("order", FaultyStub, idempotent={"FailThenOk"})
    context = make_context(sources=Services(make_service()), observer=observer)

    answer = await faulty.Echo(StringValue(value="a"), context)
    typed = await faulty.unary(lambda stub: stub.Echo)(StringValue(value="b"), context)

    assert (answer.value, typed.value) == ("a", "b")
    assert [
        (event.source, event.endpoint, event.status)
        for event in observer.events
        if isinstance(event, SourceCalled)
    ] == [("order", faulty_path("Echo"), "OK")] * 2


async def test_methods_declared_idempotent_are_tried_again(
    backend, make_service, make_context
):
    backend.fail_first = 1
    faulty = grpc_source("order", FaultyStub, idempotent={"FailThenOk"})
    context = make_context(sources=Services(make_service()))

    assert (await faulty.FailThenOk(StringValue(), context)).value == "ok"


def test_a_method_is_looked_up_once():
    faulty = grpc_source("order", FaultyStub)

    assert faulty.Echo is faulty.Echo


def test_a_method_that_the_stub_has_not_is_named_with_those_it_has():
    faulty = grpc_source("order", FaultyStub)

    with pytest.raises(AttributeError, match=r'has no method "Ecko".*Echo'):
        _ = faulty.Ecko
    with pytest.raises(AttributeError, match="Nope"):
        grpc_source("order", FaultyStub, idempotent={"Nope"})


async def test_a_stream_yields_until_the_service_ends_it(make_service, make_context):
    faulty = grpc_source("order", FaultyStub)
    context = make_context(sources=Services(make_service()))

    events = [event.value async for event in faulty.Stream(StringValue(), context)]

    assert events == ["ok"] * 3


async def test_a_stream_that_breaks_is_an_error(make_service, make_context):
    faulty = grpc_source("order", FaultyStub)
    context = make_context(sources=Services(make_service()))
    events = []

    async def watch():
        async for event in faulty.StreamBreaks(StringValue(), context):
            events.append(event.value)  # noqa: PERF401 - it raises in between

    with pytest.raises(SourceUnreachableError):
        await watch()
    assert events == ["ok"] * 3


async def test_leaving_a_stream_ends_it_at_the_backend(
    backend, make_service, make_context
):
    faulty = grpc_source("order", FaultyStub)
    context = make_context(sources=Services(make_service()), seconds=0.01)

    async with aclosing(faulty.StreamHangs(StringValue(), context)) as stream:
        async for _ in stream:
            break
    await backend.is_quiet()

    assert backend.stats.cancelled == 1


async def test_a_stream_that_waits_ends_with_its_task(
    backend, make_service, make_context
):
    faulty = grpc_source("order", FaultyStub)
    context = make_context(sources=Services(make_service()))

    async def watch():
        async for _ in faulty.StreamHangs(StringValue(), context):
            pass

    task = asyncio.ensure_future(watch())
    await backend.has_waiting(1)
    task.cancel()
    await backend.is_quiet()

    assert backend.stats.cancelled == 1
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_service_that_comes_back_is_found_again(
    clock, make_service, make_context
):
    async with FaultyGRPCBackend() as first:
        service = make_service(addresses=(first.address,))
        await call(service, "Echo", make_context())
    with pytest.raises(SourceError):
        await call(service, "Echo", make_context())

    async with FaultyGRPCBackend(port=first.port) as again, asyncio.timeout(5):
        while not again.stats.calls["Echo"]:
            clock.move(60)
            await asyncio.sleep(0.01)
            with suppress(SourceUnreachableError):
                await call(service, "Echo", make_context())


def test_a_batch_with_a_field_that_is_not_there_is_refused_at_once():
    with pytest.raises(AttributeError, match='StringValue has no field "ids"'):
        grpc_source("order", FaultyStub).batch("Echo", StringValue)
