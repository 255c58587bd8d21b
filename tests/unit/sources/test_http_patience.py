"""One deadline for connecting, handshake, waiting and reading; addresses; bombs."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from dataclasses import replace

import brotli
import pytest
import zstandard
from support.clock import ManualClock

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceDisconnectedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.http_transport.resolver import SystemResolver
from graphgw.sources.http_transport.settings import TransportSettings
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.types import Deadline

MIB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


def request(url, method="GET", *, seconds=5.0):
    deadline = Deadline.after(seconds)
    is_idempotent = method == "GET"
    return HTTPRequest(
        method, url, deadline, source="user", is_idempotent=is_idempotent
    )


class Server:
    """Answers each request by ``answer``; notes which connections were closed."""

    def __init__(self, answer=OK + b"ok", host="127.0.0.1", port=0):
        self.answer, self.host, self.port = answer, host, port
        self.requests = self.connections = 0
        self.connected, self.closed = asyncio.Event(), asyncio.Event()
        self.tasks = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.accept, self.host, self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://{self.host}:{self.port}/"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await asyncio.wait_for(asyncio.gather(*self.tasks), 5)
        await self.server.wait_closed()

    async def accept(self, reader, writer):
        self.connections += 1
        self.connected.set()
        self.tasks.add(asyncio.current_task())
        await self.serve(reader, writer)
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def serve(self, reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await self.respond(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
            writer.close()

    async def respond(self, writer):
        writer.write(self.answer)


class Silent(Server):
    """Takes connections, says nothing, and sees whether they are closed."""

    async def serve(self, reader, writer):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        self.closed.set()
        writer.close()


class Names:
    """A name service whose answer may change."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.asked = 0

    def __call__(self, _host):
        self.asked += 1
        return self.addresses


class Hanging:
    """A name service that does not answer."""

    async def resolve(self, _host):
        await asyncio.Event().wait()

    def close(self):
        pass


# The deadline


async def test_the_deadline_holds_while_a_name_is_looked_up():
    settings = TransportSettings(connect_timeout=30)
    transport = HTTPTransport(settings, resolver=Hanging())
    began = time.monotonic()

    with pytest.raises(SourceTimeoutError):
        await transport.send(request("http://users/", seconds=0.1))

    assert time.monotonic() - began < 2
    await transport.aclose()


async def test_the_deadline_holds_while_a_connection_is_secured():
    async with Silent() as server:
        transport = HTTPTransport(TransportSettings(connect_timeout=30))
        url = server.url.replace("http:", "https:")
        began = time.monotonic()

        with pytest.raises(SourceTimeoutError):
            await transport.send(request(url, seconds=0.2))

        assert time.monotonic() - began < 2
        await asyncio.wait_for(server.closed.wait(), 2)
        await transport.aclose()


async def test_securing_a_connection_belongs_to_the_time_to_connect():
    async with Silent() as server:
        transport = HTTPTransport(TransportSettings(connect_timeout=0.1))
        url = server.url.replace("http:", "https:")

        with pytest.raises(SourceUnreachableError):
            await transport.send(request(url))

        await asyncio.wait_for(server.closed.wait(), 2)
        await transport.aclose()


async def test_a_call_that_is_cancelled_while_it_connects_gives_its_place_back():
    async with Silent() as silent, Server() as server:
        settings = TransportSettings(connect_timeout=30, max_connections=1)
        transport = HTTPTransport(settings)
        url = silent.url.replace("http:", "https:")
        call = asyncio.ensure_future(transport.send(request(url)))
        await silent.connected.wait()

        call.cancel()
        await asyncio.wait([call])

        assert call.cancelled()
        assert transport.find_pool(url, "user").size == 0
        await asyncio.wait_for(silent.closed.wait(), 2)
        assert (await transport.send(request(server.url))).body == b"ok"
        await transport.aclose()


async def test_waiting_and_reading_share_one_deadline():
    """What was spent on waiting for a place is not there for the answer."""

    class Slow(Server):
        async def respond(self, writer):
            await asyncio.sleep(0.5)
            writer.write(self.answer)

    async with Slow() as server:
        transport = HTTPTransport(TransportSettings(max_connections=1))
        began = time.monotonic()

        answers = await asyncio.gather(
            *(transport.send(request(server.url, seconds=0.75)) for _ in range(2)),
            return_exceptions=True,
        )

        assert time.monotonic() - began < 1.2
        assert answers[0].body == b"ok"
        assert isinstance(answers[1], SourceTimeoutError)
        await transport.aclose()


# Sent again


class Breaking(Server):
    """Answers the first request, and breaks off the second after ``piece``."""

    def __init__(self, piece):
        super().__init__()
        self.piece = piece

    async def respond(self, writer):
        writer.write(self.piece if self.requests == 2 else self.answer)
        if self.requests == 2:
            writer.close()


@pytest.mark.parametrize(
    ("piece", "method", "requests"),
    [
        pytest.param(b"", "GET", 3, id="nothing-came"),
        pytest.param(b"H", "GET", 2, id="a-byte-came"),
        pytest.param(OK + b"o", "GET", 2, id="half-an-answer-came"),
        pytest.param(b"HTTP/1.1 103 Early\r\n\r\n", "GET", 2, id="a-hint-came"),
        pytest.param(b"", "POST", 2, id="it-may-have-changed-something"),
    ],
)
async def test_only_what_got_no_byte_and_changes_nothing_is_sent_again(
    piece, method, requests
):
    async with Breaking(piece) as server:
        transport = HTTPTransport()
        await transport.send(request(server.url))

        if requests == 3:
            assert (await transport.send(request(server.url, method))).body == b"ok"
        else:
            with pytest.raises(SourceDisconnectedError):
                await transport.send(request(server.url, method))

        assert server.requests == requests
        await transport.aclose()


async def test_a_call_is_sent_again_once_and_not_more_often():
    class Closing(Server):
        async def respond(self, writer):
            if self.requests <= 2:
                writer.write(self.answer)
            else:
                writer.close()

    async with Closing() as server:
        transport = HTTPTransport()
        both = [transport.send(request(server.url)) for _ in range(2)]
        await asyncio.gather(*both)  # two kept connections, both of them stale

        with pytest.raises(SourceDisconnectedError):
            await transport.send(request(server.url))

        assert server.requests == 4
        await transport.aclose()


async def test_a_connection_with_half_a_request_in_it_is_not_used_again():
    """The rest of a body would be taken for the head of the next request."""

    class Hasty(Server):
        async def serve(self, reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            writer.write(self.answer)
            await asyncio.sleep(0.1)
            writer.close()

    async with Hasty() as server:
        transport = HTTPTransport()
        large = replace(request(server.url, "POST"), body=bytes(32 * MIB))

        assert (await transport.send(large)).body == b"ok"
        assert transport.find_pool(server.url, "user").idle == 0
        assert (await transport.send(request(server.url))).body == b"ok"

        assert server.connections == 2
        await transport.aclose()


# Addresses


async def test_connections_are_spread_over_the_addresses_of_a_name():
    async with Server() as first, Server(host="127.0.0.2", port=first.port) as second:
        resolver = SystemResolver(Names("127.0.0.1", "127.0.0.2"))
        transport = HTTPTransport(resolver=resolver)
        url = f"http://users:{first.port}/"

        await asyncio.gather(*(transport.send(request(url)) for _ in range(6)))

        assert (first.connections, second.connections) == (3, 3)
        await transport.aclose()


async def test_a_name_is_asked_for_again_and_new_connections_follow_it():
    clock = ManualClock()
    names = Names("127.0.0.1")
    async with Server() as first, Server(host="127.0.0.2", port=first.port) as second:
        resolver = SystemResolver(names, clock=clock)
        settings = TransportSettings(max_connection_age=0.0)
        transport = HTTPTransport(settings, resolver=resolver)
        url = f"http://users:{first.port}/"
        for _ in range(3):
            await transport.send(request(url))
        assert names.asked == 1

        names.addresses = ("127.0.0.2",)
        await transport.send(request(url))
        assert (first.requests, second.requests) == (4, 0)
        clock.advance(31)
        await transport.send(request(url))

        assert (first.requests, second.requests, names.asked) == (4, 1, 2)
        await transport.aclose()


async def test_addresses_that_refuse_do_not_keep_the_one_that_answers_away():
    class OneAnswers:
        async def resolve(self, _host):
            return ("127.0.0.2", "127.0.0.3", "127.0.0.1")

        def close(self):
            pass

    async with Server() as server:
        transport = HTTPTransport(resolver=OneAnswers())
        url = f"http://users:{server.port}/"

        answers = [(await transport.send(request(url))).body for _ in range(3)]

        assert answers == [b"ok"] * 3
        await transport.aclose()


# Bombs


def brotli_bomb(size):
    compressor = brotli.Compressor(quality=1)
    parts = [compressor.process(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join(parts) + compressor.finish()


def zstandard_bomb(size):
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    parts = [compressor.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join(parts) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [("br", brotli_bomb), ("zstd", zstandard_bomb)],
)
async def test_a_bomb_costs_no_more_memory_than_the_limit(encoding, bomb):
    body = bomb(256 * MIB)
    assert len(body) < MIB
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\n"
    answer = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    async with Server(answer) as server:
        transport = HTTPTransport(TransportSettings(max_answer_bytes=4 * MIB))
        with pytest.raises(SourceAnswerTooLargeError):
            await transport.send(request(server.url))  # what it needs once
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        with pytest.raises(SourceAnswerTooLargeError):
            await transport.send(request(server.url))

        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 30 * 1024
        await transport.aclose()
