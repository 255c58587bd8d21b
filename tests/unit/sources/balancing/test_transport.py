"""Calls to several real backends: what each gets, by its own count."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Self

import pytest
from support.told import Told

from graphgw.context import RequestContext
from graphgw.errors import SourceError
from graphgw.sources.balancing.balancer import Balancer
from graphgw.sources.balancing.settings import (
    AddressSettings,
    BalanceSettings,
    EjectionSettings,
    HealthCheckSettings,
    SplitSettings,
)
from graphgw.sources.balancing.transport import BalancedTransport
from graphgw.sources.connections import Connections
from graphgw.sources.http_service import HTTPService
from graphgw.sources.http_transport.stream import StreamRequest
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.sources.settings import RetrySettings, ServiceSettings
from graphgw.telemetry.events import AddressCalled
from graphgw.types import Deadline


@dataclass
class Backend:
    """Answers with its status, counts requests, and closes for a while if told."""

    host: str = "127.0.0.1"
    port: int = 0
    status: int = 200
    requests: int = 0
    checks: int = 0
    hosts: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self.gate.set()
        self.server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.close()
        await self.server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.writers.add(writer)
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                if head.startswith("GET /health"):
                    self.checks += 1
                else:
                    self.requests += 1
                self.hosts.append(head.partition("host: ")[2].partition("\r\n")[0])
                self.asked.set()
                await self.gate.wait()
                writer.write(
                    f"HTTP/1.1 {self.status} X\r\ncontent-type: application/json\r\n"
                    "content-length: 2\r\n\r\n{}".encode()
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()


@pytest.fixture
async def backends() -> AsyncIterator[list[Backend]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Backend()) for _ in range(3)]


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as held:
        yield held


def open_service(
    stack: AsyncExitStack,
    told: Told,
    urls: Sequence[AddressSettings],
    **options: object,
) -> HTTPService:
    settings = ServiceSettings(name="product", urls=tuple(urls), **options)  # type: ignore[arg-type]
    connections = Connections([settings], observer=told)
    stack.push_async_callback(connections.aclose)
    return connections.http("product")


def plain(backends: Sequence[Backend]) -> list[AddressSettings]:
    return [AddressSettings(url=item.url) for item in backends]


async def get(service: HTTPService, count: int, **headers: str) -> None:
    for _ in range(count):
        context = RequestContext(deadline=Deadline.after(5))
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        await service.get("/x", context, headers=sent)


def counts(backends: Sequence[Backend]) -> list[int]:
    return [item.requests for item in backends]


async def test_calls_are_spread_evenly_and_each_is_counted(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    service = open_service(stack, told, plain(backends))

    await get(service, 30)

    assert counts(backends) == [10, 10, 10]
    called = [item for item in told.events if isinstance(item, AddressCalled)]
    assert Counter(item.address for item in called) == {
        item.url.removeprefix("http://"): 10 for item in backends
    }


async def test_calls_are_spread_by_weight(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    weights = (1, 2, 3)
    urls = [
        AddressSettings(url=item.url, weight=weight)
        for item, weight in zip(backends, weights, strict=True)
    ]
    service = open_service(
        stack, told, urls, balance=BalanceSettings(method="weighted")
    )

    await get(service, 24)

    assert counts(backends) == [4, 8, 12]


async def test_calls_go_where_the_fewest_are_under_way(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    balance = BalanceSettings(method="least_outstanding")
    service = open_service(stack, told, plain(backends), balance=balance)
    backends[0].gate.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(get(service, 1, x_number="0"))
        await backends[0].asked.wait()
        for number in range(6):
            await get(service, 1, x_number=str(number + 1))
        assert counts(backends) == [1, 3, 3]
        backends[0].gate.set()
        await first


async def test_a_header_keeps_to_its_address(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    balance = BalanceSettings(method="consistent_hash", header="X-Session")
    service = open_service(stack, told, plain(backends), balance=balance)

    for number in range(12):
        before = counts(backends)
        await get(service, 3, x_session=f"s{number}")
        assert sorted(
            now - then for now, then in zip(counts(backends), before, strict=True)
        ) == [0, 0, 3]

    assert all(counts(backends))


async def test_a_canary_gets_its_share_and_who_asks_for_it(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    urls = plain(backends)
    urls[2] = AddressSettings(url=backends[2].url, group="canary")
    split = SplitSettings(
        group="canary", share=0.1, header="x-canary", pins=(("always", "canary"),)
    )
    service = open_service(stack, told, urls, split=split)

    await get(service, 40)
    assert counts(backends) == [18, 18, 4]
    await get(service, 5, x_canary="always")
    assert counts(backends) == [18, 18, 9]


async def test_a_read_that_fails_is_answered_by_another_address(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    service = open_service(stack, told, plain(backends))
    backends[0].status = 503

    await get(service, 9)

    assert backends[0].requests == 3
    assert sum(counts(backends)) == 12


async def test_an_address_that_fails_is_ejected_and_comes_back(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    ejection = EjectionSettings(consecutive_failures=2, base_time=0.3)
    service = open_service(stack, told, plain(backends), ejection=ejection)
    backends[0].status = 503

    await get(service, 30)
    assert backends[0].requests == 2
    backends[0].status = 200
    await asyncio.sleep(0.3)
    await get(service, 30)

    assert 2 + 9 <= backends[0].requests <= 2 + 11
    assert told.changes() == ["ejected", "returned"]


async def test_an_address_where_nothing_listens_is_ejected_without_an_error(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    async with Backend() as gone:
        pass
    ejection = EjectionSettings(consecutive_failures=2)
    service = open_service(stack, told, plain([gone, *backends]), ejection=ejection)

    await get(service, 40)

    assert told.changes() == ["ejected"]
    assert sum(counts(backends)) == 40


async def test_without_retries_the_failure_is_the_callers(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    retries = RetrySettings(max_retries=0)
    service = open_service(stack, told, plain(backends[:2]), retries=retries)
    backends[0].status = 500

    with pytest.raises(SourceError):
        await get(service, 2)


async def test_checks_leave_out_what_is_not_well_before_a_call_fails(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    check = HealthCheckSettings(path="/health", interval=0.02, healthy=1, unhealthy=2)
    service = open_service(stack, told, plain(backends), health_check=check)
    await get(service, 3)
    backends[1].status = 500
    await told.changes_are("unhealthy")
    await get(service, 8)
    assert counts(backends) == [5, 1, 5]
    backends[1].status = 200
    await told.changes_are("unhealthy", "healthy")

    await get(service, 9)

    assert counts(backends)[1] == 4
    assert all(item.checks for item in backends)


async def test_requests_for_the_services_own_url_are_spread_and_no_others(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    service = open_service(stack, told, plain(backends[:2]))

    async def send(origin: str) -> None:
        request = HTTPRequest(
            "GET", f"{origin}/graphql", Deadline.after(5), may_share=False
        )
        assert (await service.send(request)).status == 200

    for _ in range(4):
        await send(backends[0].url)
        await send(backends[2].url)

    assert counts(backends) == [2, 2, 4]


async def test_what_streams_is_spread_too_and_ejects(
    backends: list[Backend], told: Told, stack: AsyncExitStack
):
    ejection = EjectionSettings(consecutive_failures=2)
    service = open_service(stack, told, plain(backends), ejection=ejection)
    backends[2].status = 500
    for _ in range(18):
        request = StreamRequest(
            "GET", "http://any", "/x", Deadline.after(5), source="product"
        )
        answer = await service.streams.send(request)
        await answer.aclose()

    assert counts(backends) == [8, 8, 2]
    assert told.changes() == ["ejected"]


@dataclass
class Records:
    """A resolver whose records the test writes."""

    addresses: list[str]
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """They were asked for once more after they were told."""

    async def resolve(self, host: str) -> Sequence[str]:
        assert host == "product.test"
        asyncio.get_running_loop().call_soon(self.told.set)
        return self.addresses

    def close(self) -> None:
        """Nothing is held."""


async def test_each_record_is_an_address_and_new_ones_are_found(
    told: Told, stack: AsyncExitStack
):
    first = await stack.enter_async_context(Backend("127.0.0.1"))
    second = await stack.enter_async_context(Backend("127.0.0.2", first.port))
    third = await stack.enter_async_context(Backend("127.0.0.3", first.port))
    all_of_them = [first, second, third]
    balance = BalanceSettings(each_record=True, record_interval=0.05)
    settings = ServiceSettings(
        name="product", url=f"http://product.test:{first.port}", balance=balance
    )
    records = Records(["127.0.0.1", "127.0.0.2"])
    balancer = Balancer(settings, observer=told)
    transport = BalancedTransport(balancer, HTTPTransport(), resolver=records)
    service = HTTPService(settings, transport)
    stack.push_async_callback(service.aclose)

    await get(service, 10)
    assert counts(all_of_them) == [5, 5, 0]
    records.addresses = ["127.0.0.2", "127.0.0.3"]
    records.told.clear()
    async with asyncio.timeout(5):
        await records.told.wait()
    await get(service, 10)

    assert counts(all_of_them) == [5, 10, 5]
    assert set(third.hosts) == {f"product.test:{first.port}"}
