"""Exchanges that stream, with services that keep to HTTP and some that do not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from graphgw.errors import (
    BadRequestError,
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
)
from graphgw.sources.http_transport.settings import TransportSettings
from graphgw.sources.http_transport.stream import (
    StreamedAnswer,
    StreamRequest,
    StreamTransport,
    encode_lines,
)
from graphgw.types import Deadline

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Service:
    """Writes what a test says after each head; notes what came."""

    answers: list[bytes] = field(default_factory=list)
    before_close: bool = False
    url: str = ""
    received: bytes = b""
    connections: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Whatever follows the head of a request is read after it is set."""
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    """A request in chunks came to its end."""
    more: tuple[bytes, ...] = ()
    """Written after each answer, each piece in a turn of its own."""

    async def connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.received += await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answers.pop(0) if self.answers else OK)
                if self.before_close:
                    break
                for piece in self.more:
                    await asyncio.sleep(0.001)
                    writer.write(piece)
                await self.gate.wait()
                if b"chunked" in self.received:
                    self.received += await reader.readuntil(b"0\r\n\r\n")
                    self.whole.set()
        writer.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    found = Service()
    found.gate.set()
    server = await asyncio.start_server(found.connected, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield found
    found.gate.set()
    server.close()


@pytest.fixture
async def transport() -> AsyncIterator[StreamTransport]:
    made = StreamTransport(TransportSettings(max_header_bytes=2048))
    yield made
    await made.aclose()


def ask(service: Service, method: str = "GET", **options: object) -> StreamRequest:
    deadline = Deadline.after(5)
    given = {"source": "user", "is_idempotent": method == "GET", **options}
    return StreamRequest(method, service.url, "/x", deadline, **given)  # type: ignore[arg-type]


async def read(answer: StreamedAnswer) -> bytes:
    try:
        return b"".join([chunk async for chunk in answer.chunks()])
    finally:
        await answer.aclose()


async def send(transport: StreamTransport, request: StreamRequest) -> bytes:
    return await read(await transport.send(request))


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


# Answers


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(OK, b"ok", id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            b"ok",
            id="chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\nx-late: 1\r\n\r\n",
            b"ok",
            id="trailers",
        ),
        pytest.param(b"HTTP/1.1 103 Early\r\nlink: <a>\r\n\r\n" + OK, b"ok", id="1xx"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok", id="100"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="204"),
        pytest.param(
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", b"", id="304"
        ),
    ],
)
async def test_a_sound_answer_is_whole_and_keeps_its_connection(
    service: Service, transport: StreamTransport, answer: bytes, body: bytes
):
    service.answers = [answer] * 3

    found = [await send(transport, ask(service)) for _ in range(3)]

    assert found == [body] * 3
    assert service.connections == 1


async def test_informational_answers_leave_no_headers_behind(
    service: Service, transport: StreamTransport
):
    service.answers = [b"HTTP/1.1 103 Early Hints\r\nset-cookie: a=1\r\n\r\n" + OK]

    answer = await transport.send(ask(service))
    await answer.aclose()

    assert (answer.status, answer.headers) == (200, [(b"content-length", b"2")])


async def test_an_answer_may_end_with_its_connection(
    service: Service, transport: StreamTransport
):
    service.answers = [b"HTTP/1.1 200 OK\r\n\r\nto the end"]
    service.before_close = True

    assert await send(transport, ask(service)) == b"to the end"


async def test_an_answer_to_head_has_no_body(
    service: Service, transport: StreamTransport
):
    service.answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"]

    answer = await transport.send(ask(service, "HEAD"))

    assert answer.headers == [(b"content-length", b"1000")]
    assert await read(answer) == b""


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="not-http"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            id="two-lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked"
            b"\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            id="length-and-chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\n\r\n",
            id="unknown-coding",
        ),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n"
            b"connection: upgrade\r\n\r\nfree bytes",
            id="upgrade",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok", id="bad-length"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"x-a: %b\r\n\r\n" % (b"a" * 4000), id="long-head"
        ),
    ],
)
async def test_a_head_that_breaks_http_is_an_error(
    service: Service, transport: StreamTransport, answer: bytes
):
    service.answers = [answer]

    with pytest.raises(SourceError) as caught:
        await transport.send(ask(service))

    assert not isinstance(caught.value, SourceDisconnectedError)
    assert await send(transport, ask(service)) == b"ok"
    assert service.connections == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
            SourceDisconnectedError,
            id="short",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
            SourceDisconnectedError,
            id="cut-chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
            SourceDisconnectedError,
            id="no-last-chunk",
        ),
    ],
)
async def test_an_answer_that_breaks_off_is_no_whole_answer(
    service: Service,
    transport: StreamTransport,
    answer: bytes,
    error: type[SourceError],
):
    service.answers = [answer]
    service.before_close = True

    found = await transport.send(ask(service))

    with pytest.raises(error):
        await read(found)


async def test_an_answer_without_a_length_is_not_whole_where_we_end_its_connection(
    service: Service, transport: StreamTransport
):
    service.answers = [b"HTTP/1.1 200 OK\r\n\r\nhalf of"]
    service.gate.clear()
    answer = await transport.send(ask(service))
    chunks = answer.chunks()
    assert await anext(chunks) == b"half of"
    rest = asyncio.create_task(anext(chunks))
    await asyncio.sleep(0)

    await transport.aclose()

    with pytest.raises(SourceDisconnectedError):
        await rest
    await answer.aclose()


async def test_a_chunk_that_is_none_is_an_error(
    service: Service, transport: StreamTransport
):
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"
    service.answers = [head + b"zz\r\nsmuggled\r\n"]

    with pytest.raises(SourceBadAnswerError):
        await send(transport, ask(service))


_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"0\r\nx: " + b"a" * 10_000, id="trailer"),
        pytest.param(b"0\r\n" + b"a" * 10_000, id="name-of-a-trailer"),
        pytest.param(b"2;" + b"a" * 10_000, id="chunk-extension"),
        pytest.param(b"0" * 10_000, id="chunk-size"),
    ],
)
async def test_what_surrounds_a_body_is_bounded_like_a_head(
    service: Service, transport: StreamTransport, endless: bytes
):
    service.answers = [_CHUNKED]
    service.more = (endless[:100], endless[100:])

    with pytest.raises(SourceAnswerTooLargeError):
        await asyncio.wait_for(send(transport, ask(service)), 5)


async def test_a_body_may_come_in_any_number_of_small_chunks(
    service: Service, transport: StreamTransport
):
    extension = b"1;a=" + b"b" * 100 + b"\r\n"
    service.answers = [_CHUNKED]
    service.more = (*(extension, b"x\r\n") * 50, b"0\r\nx-late: 1\r\n\r\n")

    body = await asyncio.wait_for(send(transport, ask(service)), 5)

    assert body == b"ok" + b"x" * 50


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b"more", id="bytes"),
        pytest.param(OK, id="answer"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison", id="poison"
        ),
    ],
)
async def test_what_nobody_asked_for_answers_no_later_request(
    service: Service, transport: StreamTransport, more: bytes
):
    service.answers = [OK + more, OK]

    found = [await send(transport, ask(service)) for _ in range(2)]

    assert found == [b"ok", b"ok"]
    assert service.connections == 2


# Requests


async def test_a_body_of_known_length_goes_as_it_is(
    service: Service, transport: StreamTransport
):
    service.gate.clear()
    body = pieces(b"ab", b"c")

    await send(transport, ask(service, "PUT", body=body, content_length=3))

    assert service.received.startswith(b"PUT /x HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"content-length: 3\r\n" in service.received


async def test_a_body_of_unknown_length_goes_in_chunks(
    service: Service, transport: StreamTransport
):
    service.gate.clear()
    answer = await transport.send(ask(service, "POST", body=pieces(b"ab", b"c")))
    service.gate.set()
    await service.whole.wait()

    await read(answer)

    assert service.received.endswith(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "given",
    [pytest.param((b"a",), id="short"), pytest.param((b"abc", b"d"), id="long")],
)
async def test_a_body_of_another_length_than_it_said_is_given_up(
    service: Service, transport: StreamTransport, given: tuple[bytes, ...]
):
    service.answers = [b""]
    body = pieces(*given)

    with pytest.raises(SourceDisconnectedError):
        await transport.send(ask(service, "PUT", body=body, content_length=3))


async def test_an_answer_may_come_before_the_body_is_sent(
    service: Service, transport: StreamTransport
):
    never = asyncio.Event()
    is_closed = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await never.wait()
        finally:
            is_closed.set()

    service.answers = [b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno", OK]
    service.gate.clear()

    answer = await transport.send(ask(service, "POST", body=body()))

    assert not answer.finish()
    assert await read(answer) == b"no"
    assert is_closed.is_set()
    assert await send(transport, ask(service)) == b"ok"
    assert service.connections == 2


async def test_a_body_that_fails_fails_the_exchange(
    service: Service, transport: StreamTransport
):
    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        raise BadRequestError("the body came too slowly", status=408)

    service.answers = [b""]

    with pytest.raises(BadRequestError):
        await transport.send(ask(service, "POST", body=body()))


async def test_a_service_that_takes_nothing_of_a_body_is_given_up(
    service: Service, transport: StreamTransport
):
    service.answers = [b""]
    service.gate.clear()
    body = pieces(*(b"z" * 65536 for _ in range(1024)))

    with pytest.raises(SourceTimeoutError):
        await transport.send(ask(service, "POST", body=body, idle=0.2))


async def test_a_read_is_sent_again_where_its_connection_was_stale(
    service: Service, transport: StreamTransport
):
    await send(transport, ask(service))
    service.before_close = True
    service.answers = [b"", OK]

    assert await send(transport, ask(service)) == b"ok"
    assert service.connections == 2


async def test_what_may_change_something_is_not_sent_again(
    service: Service, transport: StreamTransport
):
    await send(transport, ask(service))
    service.before_close = True
    service.answers = [b"", OK]

    with pytest.raises(SourceDisconnectedError):
        await transport.send(ask(service, "DELETE"))


@pytest.mark.parametrize("target", ["/a b", "/a\r\nx: y", "/a\x00"])
async def test_a_target_that_is_none_is_not_sent(
    service: Service, transport: StreamTransport, target: str
):
    deadline = Deadline.after(5)

    with pytest.raises(SourceError):
        await transport.send(StreamRequest("GET", service.url, target, deadline))

    assert service.connections == 0


def test_a_header_that_would_become_two_is_not_sent():
    with pytest.raises(SourceError):
        encode_lines([(b"x-a", b"b\r\nx-c: d")], "user")


# Bodies that are all there


async def test_a_whole_body_goes_with_the_head(
    service: Service, transport: StreamTransport
):
    body = await send(transport, ask(service, "POST", whole=b"abc"))

    assert body == b"ok"
    assert bytes(service.received).endswith(b"content-length: 3\r\n\r\n")


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_whole_body_is_never_sent_twice(method: str):
    received: list[bytes] = []

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        received.append(await reader.readuntil(b"abc"))
        writer.write(OK)
        with contextlib.suppress(asyncio.IncompleteReadError):
            received.append(await reader.readuntil(b"abc"))
        writer.close()  # the second request gets no answer

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    transport = StreamTransport(TransportSettings())

    def request() -> StreamRequest:
        return StreamRequest(
            method, url, "/x", Deadline.after(5), is_idempotent=True, whole=b"abc"
        )

    assert await send(transport, request()) == b"ok"
    with pytest.raises(SourceDisconnectedError):
        await send(transport, request())

    assert len(received) == 2
    await transport.aclose()
    server.close()


async def test_a_service_that_is_silent_after_a_whole_body_is_given_up(
    service: Service, transport: StreamTransport
):
    service.answers.append(b"HTTP/1.1 ")
    request = StreamRequest(
        "POST", service.url, "/x", Deadline.after(0.2), whole=b"a", source="user"
    )

    with pytest.raises(SourceTimeoutError):
        await transport.send(request)
