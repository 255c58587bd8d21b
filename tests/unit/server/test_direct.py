"""Requests that are answered without ASGI, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import strawberry
import uvicorn
from support.raw_http import post
from uvicorn.server import ServerState

from graphgw import Gateway, Subgraph, create_app
from graphgw.config.settings import ServerSettings, Settings
from graphgw.server.direct import DirectProtocol, direct_protocol
from graphgw.telemetry.events import OperationFinished

NAME = b'{"query":"{ name }"}'


@dataclass
class Service:
    """A server in this process, and what its application and observers saw."""

    state: ServerState = field(default_factory=ServerState)
    port: int = 0
    protocol: type[DirectProtocol] = DirectProtocol
    began: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    asgi_paths: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def observe(self, event: object) -> None:
        if isinstance(event, OperationFinished):
            self.statuses.append(event.status)
            self.answered.set()


class Client:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, *chunks: bytes) -> tuple[int, dict[str, str], bytes]:
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()
            await asyncio.sleep(0.01)
        return await self.read()

    async def read(self) -> tuple[int, dict[str, str], bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(status.split()[1]), headers, body


def make_gateway(service: Service) -> Gateway:
    @strawberry.type
    class Query:
        @strawberry.field
        async def name(self) -> str:
            return "gateway"

        @strawberry.field
        async def slow(self) -> str:
            service.began.set()
            try:
                await service.gate.wait()
            except asyncio.CancelledError:
                service.given_up.set()
                raise
            return "late"

        @strawberry.field
        async def header(self, info: strawberry.Info) -> str:
            return str(info.context.headers.get("x-name"))

    settings = replace(Settings(), server=ServerSettings(max_body_bytes=5000))
    return Gateway(
        subgraphs=[Subgraph("all", query=Query)],
        settings=settings,
        observers=[service],
    )


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    found = Service()
    async with make_gateway(found) as gateway:
        front = create_app(gateway)

        async def application(scope: Any, receive: Any, send: Any) -> None:
            found.asgi_paths.append(scope["path"])
            await front(scope, receive, send)

        found.protocol = direct_protocol(gateway.settings.server, front)
        config = uvicorn.Config(application, lifespan="off", log_level="error")
        server = await asyncio.get_running_loop().create_server(
            lambda: found.protocol(config, found.state, {}), "127.0.0.1", 0
        )
        found.port = server.sockets[0].getsockname()[1]
        try:
            yield found
        finally:
            found.gate.set()
            server.close()
            for connection in list(found.state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def connect(service: Service) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_a_whole_request_is_answered_without_asgi(service):
    async with connect(service) as client:
        status, headers, body = await client.ask(post(NAME))

    assert (status, body) == (200, b'{"data":{"name":"gateway"}}')
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert service.asgi_paths == []


@pytest.mark.parametrize("cut", [20, 110, -3], ids=["head", "late-head", "body"])
async def test_a_request_in_two_pieces_is_answered_without_asgi(service, cut):
    async with connect(service) as client:
        status, _, body = await client.ask(post(NAME)[:cut], post(NAME)[cut:])

    assert (status, body) == (200, b'{"data":{"name":"gateway"}}')
    assert service.asgi_paths == []


async def test_heads_are_remembered_and_bodies_are_not(service):
    async with connect(service) as client:
        await client.ask(post(NAME))
        again = await client.ask(post(NAME))
        changed = await client.ask(post(b'{"query":"{name}"}  '))
        longer = await client.ask(post(NAME + b" "))

    assert again[2] == changed[2] == longer[2] == b'{"data":{"name":"gateway"}}'
    assert len(service.protocol.heads) == 2
    assert service.asgi_paths == []


async def test_a_head_that_differs_in_a_byte_is_another_head(service):
    ask = b'{"query":"{ header }"}'
    async with connect(service) as client:
        answers = [
            (await client.ask(post(ask, b"x-name: " + name)))[2]
            for name in (b"ann", b"bob", b"ann")
        ]

    assert answers == [
        b'{"data":{"header":"%s"}}' % n for n in (b"ann", b"bob", b"ann")
    ]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(post(NAME, b"expect: 100-continue"), id="expect"),
        pytest.param(post(NAME, b"connection: close"), id="close"),
        pytest.param(post(NAME).replace(b"HTTP/1.1", b"HTTP/1.0"), id="old"),
        pytest.param(post(NAME).replace(b"/graphql", b"/graph%71l"), id="encoded"),
        pytest.param(
            post(b"", b"transfer-encoding: chunked").replace(
                b"content-length: 0\r\n", b""
            )
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(NAME), NAME),
            id="chunked",
        ),
    ],
)
async def test_what_is_out_of_the_ordinary_goes_through_asgi(service, request_):
    async with connect(service) as client:
        client.writer.write(request_)
        first = await client.read()
        status, _, body = await client.read() if first[0] == 100 else first

    assert (status, body) == (200, b'{"data":{"name":"gateway"}}')
    assert len(service.asgi_paths) == 1
    assert len(service.protocol.heads) == 0


async def test_bodies_that_are_too_large_are_refused_unread(service):
    async with connect(service) as client:
        status, _, body = await client.ask(post(b" " * 6000))

    assert status == 413
    assert b"LIMIT_EXCEEDED" in body


async def test_other_paths_are_the_applications(service):
    async with connect(service) as client:
        status, _, body = await client.ask(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")

    assert (status, body) == (200, b'{"status":"ready"}')
    assert service.asgi_paths == ["/health"]


async def test_a_get_is_answered_with_its_tag(service):
    line = b"GET /graphql?query=%7Bname%7D HTTP/1.1\r\nhost: a\r\n"
    async with connect(service) as client:
        status, headers, body = await client.ask(line + b"\r\n")
        again = await client.ask(
            line + b"if-none-match: " + headers["etag"].encode() + b"\r\n\r\n"
        )

    assert (status, body) == (200, b'{"data":{"name":"gateway"}}')
    assert again[0] == 304
    assert service.asgi_paths == []


async def test_requests_that_come_early_wait_their_turn(service):
    slow, name = b'{"query":"{ slow }"}', post(NAME)
    async with connect(service) as client:
        client.writer.write(name)
        await client.read()
        client.writer.write(post(slow))
        await service.began.wait()
        client.writer.write(name + name)
        await asyncio.sleep(0.05)
        service.gate.set()
        bodies = [(await client.read())[2] for _ in range(3)]

    assert bodies == [
        b'{"data":{"slow":"late"}}',
        b'{"data":{"name":"gateway"}}',
        b'{"data":{"name":"gateway"}}',
    ]


async def test_a_client_that_leaves_takes_its_operation_along(service):
    async with connect(service) as client:
        client.writer.write(post(b'{"query":"{ slow }"}'))
        await service.began.wait()
        client.writer.transport.abort()
        async with asyncio.timeout(5):
            await service.given_up.wait()

    assert service.statuses == []


async def test_what_may_be_a_mutation_runs_on_when_its_client_leaves(service):
    async with connect(service) as client:
        client.writer.write(post(b'{"query":"query mutation { slow }"}'))
        await service.began.wait()
        client.writer.transport.abort()
        await asyncio.sleep(0.1)
        service.gate.set()
        async with asyncio.timeout(5):
            await service.answered.wait()

    assert not service.given_up.is_set()
    assert service.statuses == [200]


async def test_the_last_answer_of_a_draining_server_closes_its_connection(service):
    async with connect(service) as client:
        await client.ask(post(NAME))
        service.protocol.is_draining = True
        status, headers, _ = await client.ask(post(NAME))

        assert (status, headers["connection"]) == (200, "close")
        assert await client.reader.read() == b""


async def test_a_request_that_runs_when_draining_begins_closes_its_connection(service):
    async with connect(service) as client:
        client.writer.write(post(b'{"query":"{ slow }"}'))
        await service.began.wait()
        for connection in service.state.connections:
            connection.drain()
        service.gate.set()
        _, headers, _ = await client.read()

    assert headers["connection"] == "close"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        pytest.param(b"application/json", 200, id="json"),
        pytest.param(b"application/graphql-response+json", 400, id="graphql"),
    ],
)
async def test_what_is_observed_is_the_status_that_was_sent(service, accept, status):
    async with connect(service) as client:
        sent, _, _ = await client.ask(
            post(b'{"query":"{ nothing }"}', b"accept: " + accept)
        )

    assert sent == status
    assert service.statuses == [status]


async def test_a_refused_head_is_refused_again_and_again(service):
    wrong = post(NAME).replace(b"application/json", b"text/plain")
    async with connect(service) as client:
        answers = [await client.ask(wrong) for _ in range(3)]

    assert [status for status, _, _ in answers] == [415, 415, 415]
    assert service.asgi_paths == []
