"""gRPC calls to several real servers: what each gets, by its own count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from support.told import Told

from graphgw.context import RequestContext
from graphgw.errors import SourceError
from graphgw.sources.balancing.balancer import Balancer
from graphgw.sources.balancing.channel import (
    BalancedChannel,
    build_health_request,
    is_serving,
)
from graphgw.sources.balancing.settings import (
    AddressSettings,
    BalanceSettings,
    EjectionSettings,
    HealthCheckSettings,
    SplitSettings,
)
from graphgw.sources.connections import Connections
from graphgw.sources.grpc_service import GRPCService
from graphgw.sources.grpc_transport.requests import GRPCRequest
from graphgw.sources.settings import RetrySettings, ServiceSettings
from graphgw.telemetry.events import AddressCalled, AddressChanged
from graphgw.types import Deadline

AT_ONCE = RetrySettings(backoff=0.0, budget_per_second=1000.0)
NO_EJECTION = EjectionSettings(is_enabled=False)


@dataclass
class Backend:
    """A server that counts its calls, and fails or waits while it is told so."""

    port: int = 0
    code: grpc.StatusCode | None = None
    calls: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    health: health_aio.HealthServicer | None = None

    async def start(self) -> None:
        self.gate.set()
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handlers = {
            "Get": grpc.unary_unary_rpc_method_handler(self._get),
            "List": grpc.unary_stream_rpc_method_handler(self._list),
        }
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("shop.Orders", handlers),)
        )
        if self.health is not None:
            health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop(None)

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    async def _enter(self, context: Any) -> None:
        self.calls += 1
        self.asked.set()
        await self.gate.wait()
        if self.code is not None:
            await context.abort(self.code, "as told")

    async def _get(self, request: bytes, context: Any) -> bytes:
        await self._enter(context)
        return request

    async def _list(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        await self._enter(context)
        for _ in range(3):
            yield request


@pytest.fixture
async def backends() -> AsyncIterator[list[Backend]]:
    started = [Backend() for _ in range(3)]
    for item in started:
        await item.start()
    yield started
    for item in started:
        await item.stop()


@pytest.fixture
async def told() -> Told:
    return Told()


Open = Callable[..., GRPCService]


@pytest.fixture
async def open_service(told: Told) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        def make(urls: Sequence[AddressSettings], **options: Any) -> GRPCService:
            options.setdefault("retries", AT_ONCE)
            settings = ServiceSettings(
                name="order", kind="grpc", urls=tuple(urls), **options
            )
            connections = Connections([settings], observer=told)
            stack.push_async_callback(connections.aclose)
            return connections.grpc("order")

        yield make


def at(*backends: Backend, **options: Any) -> list[AddressSettings]:
    return [AddressSettings(url=item.url, **options) for item in backends]


def make_context(headers: Mapping[str, str] | None = None) -> RequestContext:
    return RequestContext(deadline=Deadline.after(5), headers=headers or {})


async def ask(
    service: GRPCService,
    times: int = 1,
    *,
    is_idempotent: bool = True,
    timeout: float | None = None,  # noqa: ASYNC109 - what is tested
    **headers: str,
) -> None:
    """Make calls one after the other, each with what the client's headers say."""
    for number in range(times):
        context = make_context(
            {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = await service.unary(
            "/shop.Orders/Get",
            b"%d" % number,
            bytes,
            context,
            is_idempotent=is_idempotent,
            timeout=timeout,
        )
        assert answer == b"%d" % number


def counts(backends: Sequence[Backend]) -> list[int]:
    return [item.calls for item in backends]


async def test_calls_take_turns(backends: list[Backend], open_service: Open):
    await ask(open_service(at(*backends)), 9)

    assert counts(backends) == [3, 3, 3]


async def test_weights_are_kept_exactly(backends: list[Backend], open_service: Open):
    urls = [*at(backends[0], weight=5), *at(*backends[1:])]

    await ask(open_service(urls, balance=BalanceSettings(method="weighted")), 14)

    assert counts(backends) == [10, 2, 2]


async def test_a_value_of_forwarded_metadata_stays_at_its_address(
    backends: list[Backend], open_service: Open
):
    service = open_service(
        at(*backends),
        balance=BalanceSettings(method="consistent_hash", header="X-Customer"),
        forward_headers=("x-customer",),
    )

    await ask(service, 5, x_customer="anna")
    assert sorted(counts(backends)) == [0, 0, 5]
    for number in range(30):
        await ask(service, x_customer=f"c{number}")
    assert all(counts(backends))


async def test_the_idle_one_is_asked_while_another_is_busy(
    backends: list[Backend], open_service: Open
):
    slow, quick = backends[:2]
    slow.gate.clear()
    service = open_service(
        at(slow, quick), balance=BalanceSettings(method="least_outstanding")
    )

    async with asyncio.TaskGroup() as group:
        group.create_task(ask(service, is_idempotent=False))
        await slow.asked.wait()
        await ask(service, 4)
        slow.gate.set()

    assert (slow.calls, quick.calls) == (1, 4)


async def test_a_canary_gets_its_share_and_who_asks_for_it(
    backends: list[Backend], open_service: Open
):
    stable, canary = backends[:2]
    split = SplitSettings(
        group="canary",
        share=0.1,
        header="x-canary",
        pins=(("always", "canary"), ("never", "stable")),
    )
    service = open_service(
        [*at(stable), *at(canary, group="canary")],
        split=split,
        forward_headers=("x-canary",),
    )

    await ask(service, 40)
    assert (stable.calls, canary.calls) == (36, 4)
    await ask(service, 3, x_canary="always")
    await ask(service, 20, x_canary="never")
    assert (stable.calls, canary.calls) == (56, 7)


async def test_a_retry_goes_to_an_address_that_was_not_tried(
    backends: list[Backend], open_service: Open
):
    backends[0].code = backends[1].code = grpc.StatusCode.UNAVAILABLE
    service = open_service(at(*backends), ejection=NO_EJECTION)

    await ask(service, 3)

    assert backends[2].calls == 3
    assert max(counts(backends)) <= 3


async def test_a_write_is_made_once_where_it_was_begun(
    backends: list[Backend], open_service: Open
):
    for item in backends:
        item.code = grpc.StatusCode.UNAVAILABLE

    with pytest.raises(SourceError) as raised:
        await ask(open_service(at(*backends)), is_idempotent=False)

    assert raised.value.grpc_code == "UNAVAILABLE"
    assert sum(counts(backends)) == 1


async def test_a_write_goes_elsewhere_where_it_cannot_be_sent(
    backends: list[Backend], open_service: Open, told: Told
):
    await backends[0].stop()

    await ask(open_service(at(*backends)), 6, is_idempotent=False)

    assert backends[0].calls == 0
    assert sum(counts(backends)) == 6
    assert set(told.outcomes()) == {"OK", "SOURCE_UNREACHABLE"}


async def test_a_call_fails_once_no_address_is_there(
    backends: list[Backend], open_service: Open, told: Told
):
    for item in backends:
        await item.stop()

    with pytest.raises(SourceError, match="could not be reached"):
        await ask(open_service(at(*backends)), is_idempotent=False)

    assert told.outcomes() == ["SOURCE_UNREACHABLE"] * 3


async def test_failures_in_a_row_eject_an_address_and_time_brings_it_back(
    backends: list[Backend], open_service: Open, told: Told
):
    bad, good = backends[:2]
    bad.code = grpc.StatusCode.UNAVAILABLE
    service = open_service(
        at(bad, good),
        ejection=EjectionSettings(consecutive_failures=2, base_time=0.2),
    )

    await ask(service, 10)
    assert bad.calls == 2
    assert told.changes() == ["ejected"]
    bad.code = None
    await asyncio.sleep(0.25)
    await ask(service, 6)
    assert bad.calls == 5
    assert told.changes() == ["ejected", "returned"]


async def test_a_server_that_stopped_is_ejected_and_is_used_once_it_is_back(
    backends: list[Backend], open_service: Open, told: Told
):
    service = open_service(
        at(*backends[:2]),
        ejection=EjectionSettings(consecutive_failures=1, base_time=0.2),
    )
    await ask(service, 4)
    await backends[0].stop()

    await ask(service, 6)
    assert told.changes() == ["ejected"]
    await backends[0].start()
    await asyncio.sleep(0.25)
    before = backends[0].calls
    await ask(service, 4)
    assert backends[0].calls == before + 2


async def test_calls_that_are_late_count_against_an_address(
    backends: list[Backend], open_service: Open, told: Told
):
    slow, quick = backends[:2]
    slow.gate.clear()
    service = open_service(
        at(slow, quick),
        ejection=EjectionSettings(consecutive_failures=1),
        timeout=1.0,
    )

    with pytest.raises(SourceError):
        await ask(service, timeout=0.05)
    # That was too short to say anything of the address.
    assert told.changes() == []
    await ask(service)
    slow.calls = quick.calls = 0
    with pytest.raises(SourceError) as raised:
        await ask(service, timeout=0.15)

    assert raised.value.grpc_code == "DEADLINE_EXCEEDED"
    await ask(service, 5)
    assert told.changes() == ["ejected"]
    assert (slow.calls, quick.calls) == (1, 5)
    slow.gate.set()


async def test_an_answer_that_is_no_failure_ejects_nobody(
    backends: list[Backend], open_service: Open, told: Told
):
    backends[0].code = grpc.StatusCode.NOT_FOUND
    service = open_service(
        at(*backends[:2]), ejection=EjectionSettings(consecutive_failures=1)
    )

    for _ in range(3):
        with pytest.raises(SourceError):
            await ask(service, 2)

    assert told.changes() == []


async def test_an_address_that_is_not_well_is_left_out_until_it_is(
    open_service: Open, told: Told
):
    sick, well = (Backend(health=health_aio.HealthServicer()) for _ in range(2))
    statuses = health_pb2.HealthCheckResponse
    for item in (sick, well):
        assert item.health is not None
        await item.health.set("shop.Orders", statuses.SERVING)
        await item.start()
    assert sick.health is not None
    check = HealthCheckSettings(
        service="shop.Orders", interval=0.02, healthy=1, unhealthy=2
    )
    service = open_service(at(sick, well), health_check=check)

    await ask(service, 2)
    await sick.health.set("shop.Orders", statuses.NOT_SERVING)
    await told.changes_are("unhealthy")
    await ask(service, 4)
    assert (sick.calls, well.calls) == (1, 5)
    await sick.health.set("shop.Orders", statuses.SERVING)
    await told.changes_are("unhealthy", "healthy")
    await ask(service, 4)
    assert (sick.calls, well.calls) == (3, 7)
    for item in (sick, well):
        await item.stop()


async def test_a_server_without_the_health_service_is_taken_to_be_well(
    backends: list[Backend], open_service: Open, told: Told
):
    check = HealthCheckSettings(interval=0.01, unhealthy=1)
    service = open_service(at(*backends[:2]), health_check=check)
    await ask(service)

    await backends[1].stop()
    await told.changes_are("unhealthy")

    changed = [e.address for e in told.events if isinstance(e, AddressChanged)]
    assert changed == [f"127.0.0.1:{backends[1].port}"]


async def test_each_stream_stays_at_the_address_that_it_began_at(
    backends: list[Backend], open_service: Open, told: Told
):
    service = open_service(at(*backends[:2]))

    for _ in range(4):
        got = [
            item
            async for item in service.stream(
                "/shop.Orders/List", b"x", bytes, make_context()
            )
        ]
        assert got == [b"x"] * 3

    assert counts(backends) == [2, 2, 0]
    assert told.outcomes() == ["OK"] * 4


async def test_streams_that_fail_eject_an_address_too(
    backends: list[Backend], open_service: Open, told: Told
):
    backends[0].code = grpc.StatusCode.UNAVAILABLE
    service = open_service(
        at(*backends[:2]), ejection=EjectionSettings(consecutive_failures=1)
    )

    failed = 0
    for _ in range(4):
        messages = service.stream("/shop.Orders/List", b"x", bytes, make_context())
        try:
            assert [item async for item in messages] == [b"x"] * 3
        except SourceError:
            failed += 1

    assert failed == 1
    assert told.changes() == ["ejected"]


async def test_each_record_of_a_name_is_an_address(told: Told):
    class Names:
        async def resolve(self, host: str) -> Sequence[str]:
            assert host == "orders.internal"
            return ("127.0.0.1", "127.0.0.2")

        def close(self) -> None:
            pass

    backend = Backend()
    await backend.start()
    balancer = Balancer(
        ServiceSettings(
            name="order",
            kind="grpc",
            urls=(AddressSettings(url=f"grpc://orders.internal:{backend.port}"),),
            balance=BalanceSettings(each_record=True),
        ),
        observer=told,
    )
    channel = BalancedChannel(balancer, resolver=Names())
    deadline = Deadline.after(5)

    for _ in range(4):
        # Nothing listens at the second: calls are sent to the first instead.
        await channel.unary(GRPCRequest("/shop.Orders/Get", b"x"), deadline)
    streamed = [
        item
        async for item in channel.stream(GRPCRequest("/shop.Orders/List", b"x"), 5.0)
    ]

    labels = {e.address for e in told.events if isinstance(e, AddressCalled)}
    name = f"orders.internal:{backend.port}"
    assert labels == {f"{name} (127.0.0.1)", f"{name} (127.0.0.2)"}
    assert backend.calls == 5
    assert streamed == [b"x"] * 3
    await channel.aclose()
    await backend.stop()


async def test_a_closed_channel_makes_no_calls(
    backends: list[Backend], open_service: Open
):
    service = open_service(at(*backends))
    await ask(service)
    await service.aclose()
    await service.aclose()

    with pytest.raises(SourceError):
        await ask(service)

    assert sum(counts(backends)) == 1


@pytest.mark.parametrize("name", ["", "a", "shop.Orders", "a" * 127])
def test_the_health_messages_are_those_of_the_protocol(name: str):
    request = health_pb2.HealthCheckRequest(service=name).SerializeToString()
    assert build_health_request(name) == request
    for status in health_pb2.HealthCheckResponse.ServingStatus.values():
        answer = health_pb2.HealthCheckResponse(status=status).SerializeToString()
        assert is_serving(answer) is (status == 1)
