"""gRPC calls to the records of a name: with TLS, and as records come and go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from support.certificates import Certificate, make_certificate

from graphgw.errors import SourceError
from graphgw.sources.balancing.balancer import Balancer
from graphgw.sources.balancing.channel import BalancedChannel
from graphgw.sources.balancing.settings import AddressSettings, BalanceSettings
from graphgw.sources.grpc_transport.requests import GRPCRequest
from graphgw.sources.settings import ServiceSettings, TLSSettings
from graphgw.telemetry.events import AddressCalled
from graphgw.types import Deadline

NAME = "orders.internal"


@dataclass
class Names:
    """Knows the records that it is told, and when it was asked for them."""

    records: Sequence[str]
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def resolve(self, host: str) -> Sequence[str]:
        assert host == NAME
        self.asked.set()
        return self.records

    def close(self) -> None:
        pass


@dataclass
class Told:
    calls: Counter[str] = field(default_factory=Counter)

    def observe(self, event: object) -> None:
        if isinstance(event, AddressCalled):
            self.calls[event.address] += 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), NAME)


@asynccontextmanager
async def serve(certificate: Certificate | None = None) -> AsyncIterator[int]:
    """Run a server that echoes, at the port that is returned."""

    async def get(request: bytes, context: Any) -> bytes:
        del context
        return request

    async def listed(request: bytes, context: Any) -> AsyncIterator[bytes]:
        del context
        yield request

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers = {
        "Get": grpc.unary_unary_rpc_method_handler(get),
        "List": grpc.unary_stream_rpc_method_handler(listed),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("shop.Orders", handlers),)
    )
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
        server.add_insecure_port(f"127.0.0.2:{port}")
    else:
        pair = (certificate.key_file.read_bytes(), certificate.file.read_bytes())
        credentials = grpc.ssl_server_credentials([pair])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield port
    await server.stop(None)


def open_channel(
    url: str, names: Names, told: Told, tls: TLSSettings | None = None
) -> BalancedChannel:
    settings = ServiceSettings(
        name="order",
        kind="grpc",
        urls=(AddressSettings(url=url),),
        balance=BalanceSettings(each_record=True, record_interval=0.02),
        tls=tls,
    )
    return BalancedChannel(Balancer(settings, observer=told), resolver=names)


async def ask(channel: BalancedChannel) -> bytes:
    request = GRPCRequest("/shop.Orders/Get", b"x", is_idempotent=True)
    return await channel.unary(request, Deadline.after(5))


async def listen(channel: BalancedChannel) -> list[bytes]:
    request = GRPCRequest("/shop.Orders/List", b"x")
    return [item async for item in channel.stream(request, 5.0)]


async def test_a_record_shows_the_certificate_of_its_name(certificate: Certificate):
    told, tls = Told(), TLSSettings(ca_file=certificate.file)

    async with serve(certificate) as port:
        names = Names(["127.0.0.1"])
        channel = open_channel(f"grpcs://{NAME}:{port}", names, told, tls)

        assert await ask(channel) == b"x"
        assert await listen(channel) == [b"x"]
        await channel.aclose()

    assert told.calls == {f"{NAME}:{port} (127.0.0.1)": 2}


async def test_a_certificate_of_another_name_is_refused(certificate: Certificate):
    tls = TLSSettings(ca_file=certificate.file, server_name="users.internal")

    async with serve(certificate) as port:
        names = Names(["127.0.0.1"])
        channel = open_channel(f"grpcs://{NAME}:{port}", names, Told(), tls)

        with pytest.raises(SourceError, match="could not be reached"):
            await ask(channel)
        await channel.aclose()


async def test_records_that_come_and_go_are_followed():
    told = Told()

    async with serve() as port:
        names = Names(["127.0.0.1"])
        channel = open_channel(f"grpc://{NAME}:{port}", names, told)
        await ask(channel)
        await listen(channel)
        first, second = (f"{NAME}:{port} ({ip})" for ip in ("127.0.0.1", "127.0.0.2"))
        assert told.calls == {first: 2}

        names.records = ["127.0.0.2"]
        for _ in range(2):
            # The answer to the first of these may have been on its way before.
            names.asked.clear()
            async with asyncio.timeout(5):
                await names.asked.wait()
        await ask(channel)
        await listen(channel)
        assert told.calls == {first: 2, second: 2}
        await channel.aclose()
