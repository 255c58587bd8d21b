import asyncio
from types import MappingProxyType

import pytest

from graphgw.errors import (
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceTimeoutError,
)
from graphgw.sources.http_transport.heads import KnownHeads
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest, HTTPResponse
from graphgw.types import Deadline

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/x\r\ncontent-length: 5\r\n\r\n"


class ScriptedServer:
    """Answers each request with the next of its scripts: the pieces of an answer."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.connections = 0
        self.tasks = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/"
        self.transport = HTTPTransport()
        return self

    async def __aexit__(self, *_):
        await self.transport.aclose()
        self.server.close()
        await self.server.wait_closed()
        await asyncio.gather(*self.tasks)

    async def serve(self, reader, writer):
        self.connections += 1
        self.tasks.append(asyncio.current_task())
        while self.scripts:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            first, *rest = self.scripts.pop(0)
            writer.write(first)
            for piece in rest:
                await asyncio.sleep(0.01)
                if piece is None:
                    writer.close()
                    return
                writer.write(piece)
        writer.close()

    async def ask(self, method="GET", *, seconds=5.0):
        deadline = Deadline.after(seconds)
        request = HTTPRequest(method, self.url, deadline, source="user")
        return await self.transport.send(request)


async def test_answers_with_a_head_seen_before_are_read_like_the_first():
    bodies = [b"first", b"other", b"third"]
    async with ScriptedServer(*([HEAD + body] for body in bodies)) as server:
        answers = [await server.ask() for _ in bodies]

    assert [answer.body for answer in answers] == bodies
    assert {answer.status for answer in answers} == {200}
    assert [dict(answer.headers) for answer in answers] == [
        {"content-type": "text/x", "content-length": "5"}
    ] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([HEAD, b"whole"], id="body-later"),
        pytest.param([HEAD + b"wh", b"ole"], id="body-in-two"),
        pytest.param([HEAD[:20], HEAD[20:] + b"whole"], id="head-in-two"),
        pytest.param([b"HTTP/1.1 103 Early\r\n\r\n" + HEAD + b"whole"], id="hints"),
    ],
)
async def test_a_known_head_may_come_in_pieces(pieces):
    async with ScriptedServer([HEAD + b"first"], pieces, [HEAD + b"again"]) as server:
        answers = [(await server.ask()).body for _ in range(3)]

    assert answers == [b"first", b"whole", b"again"]
    assert server.connections == 1


async def test_bytes_after_a_known_answer_end_the_connection():
    first, more = [HEAD + b"first"], [HEAD + b"wholeHTTP/1.1 200 OK\r\n"]
    async with ScriptedServer(first, more, first) as server:
        answers = [(await server.ask()).body for _ in range(3)]

    assert answers == [b"first", b"whole", b"first"]
    assert server.connections == 2


async def test_a_known_head_without_its_body_is_no_answer():
    async with ScriptedServer([HEAD + b"first"], [HEAD + b"wh", None]) as server:
        await server.ask()

        with pytest.raises(SourceDisconnectedError):
            await server.ask()


async def test_a_known_head_whose_body_never_comes_times_out():
    async with ScriptedServer([HEAD + b"first"], [HEAD], [HEAD]) as server:
        await server.ask()

        with pytest.raises(SourceTimeoutError):
            await server.ask(seconds=0.1)


async def test_an_answer_to_head_has_no_body_whatever_is_known():
    async with ScriptedServer([HEAD + b"first"], [HEAD]) as server:
        await server.ask()

        answer = await server.ask("HEAD")

    assert (answer.body, answer.headers["content-length"]) == (b"", "5")


@pytest.mark.parametrize(
    ("head", "error"),
    [
        pytest.param(
            HEAD[:-2] + b"transfer-encoding: chunked\r\n\r\n",
            SourceBadAnswerError,
            id="two-framings",
        ),
        pytest.param(
            HEAD[:-2] + b"content-length: 5\r\n\r\n", SourceBadAnswerError, id="twice"
        ),
        pytest.param(
            HEAD.replace(b"HTTP/1.1", b"HTCPCP/1"), SourceBadAnswerError, id="not-http"
        ),
    ],
)
async def test_what_is_refused_once_is_refused_again(head, error):
    async with ScriptedServer(*[[head + b"first"]] * 3) as server:
        for _ in range(3):
            with pytest.raises(error):
                await server.ask()


async def test_a_connection_that_the_server_closes_is_not_kept_the_second_time():
    head = HEAD[:-2] + b"connection: close\r\n\r\n"
    async with ScriptedServer(*[[head + b"first", None]] * 3) as server:
        for _ in range(3):
            assert (await server.ask()).body == b"first"

    assert server.connections == 3


async def test_nothing_is_learned_from_chunked_answers():
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    script = [head + b"5\r\nfirst\r\n0\r\n\r\n"]
    async with ScriptedServer(script, script) as server:
        assert [(await server.ask()).body for _ in range(2)] == [b"first"] * 2


def test_headers_of_a_known_head_cannot_be_changed():
    heads = KnownHeads()
    heads.learn(HEAD + b"first", HTTPResponse(200, {"content-length": "5"}, b"first"))

    head = heads.find(HEAD[:-4])

    assert isinstance(head.headers, MappingProxyType)
    assert (head.status, head.length) == (200, 5)


def test_no_more_heads_are_kept_than_some_hundreds():
    heads = KnownHeads()
    for number in range(1000):
        head = b"HTTP/1.1 200 OK\r\nx: %d\r\ncontent-length: 0\r\n\r\n" % number
        heads.learn(head, HTTPResponse(200, {"content-length": "0"}, b""))

    known = [
        number
        for number in range(1000)
        if heads.find(b"HTTP/1.1 200 OK\r\nx: %d\r\ncontent-length: 0" % number)
    ]

    assert known == list(range(744, 1000))


def test_long_heads_are_not_kept():
    heads = KnownHeads()
    head = b"HTTP/1.1 200 OK\r\nx: %b\r\ncontent-length: 0" % (b"y" * 2000)
    heads.learn(head + b"\r\n\r\n", HTTPResponse(200, {"content-length": "0"}, b""))

    assert heads.find(head) is None
