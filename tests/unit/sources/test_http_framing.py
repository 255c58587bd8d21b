"""Answers that end where they say, and nothing else: what framing is refused.

A front that reads an answer differently from who wrote it hands one client the answer
of another. So whatever can be read in two ways is no answer, and its connection ends.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from unittest.mock import Mock

import pytest

from graphgw.errors import SourceAnswerTooLargeError, SourceBadAnswerError
from graphgw.sources.http_transport.connection import Connection
from graphgw.sources.http_transport.heads import KnownHeads
from graphgw.sources.http_transport.settings import TransportSettings
from graphgw.sources.http_transport.stream import StreamRequest, StreamTransport
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.types import Deadline

OK = b"HTTP/1.1 200 OK\r\n"
NEXT = OK + b"content-length: 4\r\n\r\nnext"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"

DOUBTFUL = {
    "length-then-chunked": OK
    + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
    + HELLO,
    "chunked-then-length": OK
    + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n"
    + HELLO,
    "two-equal-lengths": OK + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "lengths-in-a-list": OK + b"content-length: 5, 5\r\n\r\nhello",
    "length-with-a-sign": OK + b"content-length: +5\r\n\r\nhello",
    "length-in-hex": OK + b"content-length: 0x5\r\n\r\nhello",
    "length-with-a-point": OK + b"content-length: 5.0\r\n\r\nhello",
    "length-with-a-gap": OK + b"content-length: 5 0\r\n\r\nhello",
    "length-with-an-underscore": OK + b"content-length: 1_0\r\n\r\nhello12345",
    "no-length-at-all": OK + b"content-length: \r\n\r\nhello",
    "length-beyond-all-numbers": OK + b"content-length: %s\r\n\r\nhello" % (b"9" * 30),
    "folded-header": OK + b"x: a\r\n b\r\ncontent-length: 5\r\n\r\nhello",
    "folded-length": OK + b"content-length:\r\n 5\r\n\r\nhello",
    "folded-coding": OK + b"transfer-encoding:\r\n chunked\r\n\r\n" + HELLO,
    "space-before-colon": OK + b"content-length : 5\r\n\r\nhello",
    "hidden-coding": OK
    + b"content-length: 5\r\ntransfer-encoding : chunked\r\n\r\nhello",
    "coding-after-vertical-tab": OK + b"transfer-encoding: \x0bchunked\r\n\r\n" + HELLO,
    "coding-identity": OK
    + b"transfer-encoding: identity\r\ncontent-length: 5\r\n\r\nhello",
    "two-codings": OK + b"transfer-encoding: gzip, chunked\r\n\r\n" + HELLO,
    "coding-twice": OK + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n" + HELLO,
    "unknown-coding": OK + b"transfer-encoding: xchunked\r\n\r\n" + HELLO,
    "lines-end-with-lf": b"HTTP/1.1 200 OK\ncontent-length: 5\n\nhello",
    "one-line-ends-with-lf": OK + b"x: y\ncontent-length: 5\r\n\r\nhello",
    "one-line-ends-with-cr": OK + b"x: y\rcontent-length: 5\r\n\r\nhello",
    "nul-in-a-value": OK + b"x: a\0b\r\ncontent-length: 5\r\n\r\nhello",
    "nul-in-a-name": OK + b"x\0: a\r\ncontent-length: 5\r\n\r\nhello",
    "header-without-colon": OK + b"xyz\r\ncontent-length: 5\r\n\r\nhello",
    "header-without-name": OK + b": y\r\ncontent-length: 5\r\n\r\nhello",
    "chunk-size-with-plus": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "chunk-size-with-minus": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "chunk-size-with-prefix": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "chunk-size-beyond-64-bits": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "space-before-chunk-size": CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n",
    "space-after-chunk-size": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "lf-in-chunk-extension": CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "chunks-end-with-lf": CHUNKED + b"5\nhello\n0\n\n",
    "no-chunk-size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "chunk-size-too-large": CHUNKED + b"6\r\nhello\r\n0\r\n\r\n",
    "chunk-size-too-small": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "length-in-a-trailer": CHUNKED + b"5\r\nhello\r\n0\r\ncontent-length: 9\r\n\r\n",
    "no-head": b"hello",
    "unknown-version": b"HTTP/1.2 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "long-status": b"HTTP/1.1 2000 OK\r\ncontent-length: 5\r\n\r\nhello",
    "short-status": b"HTTP/1.1 20 OK\r\ncontent-length: 5\r\n\r\nhello",
    "space-before-version": b" " + OK + b"content-length: 5\r\n\r\nhello",
    "another-protocol": b"HTTP/1.1 101 Switch\r\nupgrade: x\r\n"
    b"connection: upgrade\r\n\r\n",
}
MORE = {
    "a-byte": OK + b"content-length: 5\r\n\r\nhello!",
    "an-answer": OK
    + b"content-length: 5\r\n\r\nhello"
    + NEXT.replace(b"next", b"evil"),
    "after-the-last-chunk": CHUNKED + HELLO + b"X",
    "body-of-204": b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello",
}


class Server:
    """Writes the given answers in turn, then ``NEXT``; counts connections."""

    def __init__(self, *answers: bytes, piecewise: bool = False):
        self.answers = list(answers)
        self.piecewise = piecewise
        self.connections = 0
        self.requests = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/"
        self.transport = HTTPTransport(TransportSettings(max_answer_bytes=100_000))
        return self

    async def __aexit__(self, *_):
        await self.transport.aclose()
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await self.write(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def write(self, writer):
        if not self.answers:
            writer.write(NEXT)
            return
        answer = self.answers.pop(0)
        for piece in [answer[i : i + 1] for i in range(len(answer))] * self.piecewise:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
            if writer.transport.is_closing():
                return
        if not self.piecewise:
            writer.write(answer)

    async def ask(self, method="POST"):
        deadline = Deadline.after(5)
        request = HTTPRequest(method, self.url, deadline, source="user")
        return (await self.transport.send(request)).body


@pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", DOUBTFUL)
async def test_what_can_be_read_in_two_ways_is_no_answer(name, piecewise):
    async with Server(DOUBTFUL[name], piecewise=piecewise) as server:
        with pytest.raises(SourceBadAnswerError):
            await server.ask()

        assert await server.ask() == b"next"
        assert (server.requests, server.connections) == (2, 2)


@pytest.mark.parametrize("name", DOUBTFUL)
async def test_a_connection_that_served_well_gets_no_more_trust(name):
    async with Server(NEXT, DOUBTFUL[name]) as server:
        assert await server.ask() == b"next"

        with pytest.raises(SourceBadAnswerError):
            await server.ask()

        assert await server.ask() == b"next"
        assert server.connections == 2


async def read_stream(transport, url):
    request = StreamRequest("GET", url, "/", Deadline.after(5), source="user")
    answer = await transport.send(request)
    try:
        return b"".join([chunk async for chunk in answer.chunks()])
    finally:
        await answer.aclose()


@pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", DOUBTFUL)
async def test_what_is_passed_on_is_read_as_strictly(name, piecewise):
    async with Server(DOUBTFUL[name], piecewise=piecewise) as server:
        transport = StreamTransport(TransportSettings())
        url = server.url.removesuffix("/")
        with pytest.raises(SourceBadAnswerError):
            await read_stream(transport, url)

        assert await read_stream(transport, url) == b"next"
        assert (server.requests, server.connections) == (2, 2)
        await transport.aclose()


@pytest.mark.parametrize("name", MORE)
async def test_what_follows_an_answer_answers_nobody(name):
    async with Server(MORE[name]) as server:
        assert await server.ask() in {b"hello", b""}

        assert await server.ask() == b"next"
        assert server.connections == 2


async def test_what_comes_while_nothing_is_asked_ends_the_connection():
    async with Server() as server:
        writers = []
        serve = server.write

        async def note(writer):
            writers.append(writer)
            await serve(writer)

        server.write = note
        await server.ask()
        writers[0].write(NEXT.replace(b"next", b"evil"))
        await asyncio.sleep(0.05)

        assert await server.ask() == b"next"
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(OK + b"content-length:   5  \r\n\r\nhello", id="spaces-around"),
        pytest.param(OK + b"transfer-encoding:\tchunked\r\n\r\n" + HELLO, id="tab"),
        pytest.param(CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", id="chunk-extension"),
        pytest.param(CHUNKED + b"5\r\nhello\r\n00\r\n\r\n", id="two-zeros-at-the-end"),
        pytest.param(b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello", id="no-reason"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 5\r\n\r\nhello",
            id="continue",
        ),
    ],
)
@pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "bytewise"])
async def test_what_is_unusual_and_clear_is_an_answer(answer, piecewise):
    async with Server(answer, piecewise=piecewise) as server:
        assert await server.ask() == b"hello"
        assert await server.ask() == b"next"
        assert server.connections == 1


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"HTTP/1.1 200 " + b"a" * 200_000, id="reason"),
        pytest.param(b"\r\n" * 100_000, id="empty-lines"),
        pytest.param(b"HTTP/1.1 103 Early\r\n\r\n" * 10_000, id="early-hints"),
        pytest.param(CHUNKED + b"0\r\n" + b"x: y\r\n" * 50_000, id="trailers"),
        pytest.param(CHUNKED + b"0\r\nx: " + b"a" * 300_000, id="trailer"),
        pytest.param(CHUNKED + b"0\r\n" + b"a" * 300_000, id="name-of-a-trailer"),
        pytest.param(CHUNKED + b"5;" + b"a" * 300_000, id="chunk-extension"),
        pytest.param(CHUNKED + b"0" * 300_000, id="chunk-size"),
        pytest.param(CHUNKED + b"1\r\na\r\n" * 110_000, id="small-chunks"),
    ],
)
async def test_no_part_of_an_answer_may_be_endless(endless):
    async with Server(endless) as server:
        with pytest.raises(SourceAnswerTooLargeError):
            await server.ask()


@pytest.mark.parametrize("count", [1, 63, 64, 65, 66, 50_000])
async def test_a_body_in_small_pieces_arrives_whole(count):
    pieces = [b"%02d" % (number % 100) for number in range(count)]
    chunks = b"".join(b"2\r\n%b\r\n" % piece for piece in pieces)
    async with Server(CHUNKED + chunks + b"0\r\n\r\n") as server:
        assert await server.ask() == b"".join(pieces)
        assert await server.ask() == b"next"
        assert server.connections == 1


async def test_a_body_in_small_pieces_weighs_about_what_it_holds():
    owner = Mock(heads=KnownHeads())
    settings = TransportSettings(max_answer_bytes=10_000_000)
    connection = Connection(owner, settings, asyncio.get_running_loop())
    connection.connection_made(Mock())
    answer = connection.start(b"", Deadline.after(5), "user")
    connection.data_received(CHUNKED)
    tracemalloc.start()
    try:
        for _ in range(100):
            connection.data_received(b"1\r\na\r\n" * 1000)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    connection.data_received(b"0\r\n\r\n")

    assert (await answer).body == b"a" * 100_000
    assert held < 300_000
