import asyncio
import resource
import socket
import time

import pytest
from support.faulty_backend import FaultyBackend

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.http_transport.settings import TransportSettings
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.types import Deadline

OK = b'{"data":{"ok":true}}'


@pytest.fixture
async def backend():
    async with FaultyBackend() as running:
        yield running


@pytest.fixture
async def transport():
    made = HTTPTransport()
    yield made
    await made.aclose()


def request(url, method="GET", *, seconds=5.0, **options):
    options.setdefault("is_idempotent", method == "GET")
    return HTTPRequest(method, url, Deadline.after(seconds), source="user", **options)


@pytest.mark.parametrize(
    "path",
    [
        "/ok",
        "/chunked",
        "/trailers",
        "/gzip",
        "/until-close",
        "/old",
        "/informational",
        "/stale",
        "/set-cookie",
        "/two-answers",
        "/trickle?ms=1",
    ],
)
async def test_sound_answers_arrive_whole(path, backend, transport):
    for _ in range(3):
        response = await transport.send(request(backend.url(path)))

        assert (response.status, response.body) == (200, OK)
        assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        pytest.param("/reset", SourceDisconnectedError, id="reset"),
        pytest.param("/reset-mid-body", SourceDisconnectedError, id="reset-mid-body"),
        pytest.param("/close", SourceDisconnectedError, id="close"),
        pytest.param("/close-mid-head", SourceDisconnectedError, id="close-mid-head"),
        pytest.param("/close-mid-body", SourceDisconnectedError, id="close-mid-body"),
        pytest.param("/close-mid-chunk", SourceDisconnectedError, id="close-mid-chunk"),
        pytest.param(
            "/close-before-last-chunk", SourceDisconnectedError, id="no-last-chunk"
        ),
        pytest.param("/bad-status-line", SourceBadAnswerError, id="bad-status-line"),
        pytest.param("/bad-gzip", SourceBadAnswerError, id="bad-gzip"),
        pytest.param("/cut-gzip", SourceBadAnswerError, id="cut-gzip"),
        pytest.param("/unknown-encoding", SourceBadAnswerError, id="unknown-encoding"),
        pytest.param("/bad-chunk", SourceBadAnswerError, id="bad-chunk"),
        pytest.param("/bad-chunk-size", SourceBadAnswerError, id="bad-chunk-size"),
        pytest.param("/negative-length", SourceBadAnswerError, id="negative-length"),
        pytest.param("/two-lengths", SourceBadAnswerError, id="two-lengths"),
        pytest.param("/length-and-chunked", SourceBadAnswerError, id="both-framings"),
        pytest.param("/unknown-coding", SourceBadAnswerError, id="unknown-coding"),
        pytest.param("/switch", SourceBadAnswerError, id="switch"),
        pytest.param("/huge?mb=64", SourceAnswerTooLargeError, id="huge"),
        pytest.param("/huge-length?mb=64", SourceAnswerTooLargeError, id="huge-length"),
        pytest.param("/gzip-bomb?mb=50", SourceAnswerTooLargeError, id="gzip-bomb"),
        pytest.param("/headers?n=5000", SourceAnswerTooLargeError, id="headers"),
        pytest.param("/endless-header", SourceAnswerTooLargeError, id="endless-header"),
        pytest.param("/hang", SourceTimeoutError, id="hang"),
        pytest.param("/trickle?ms=50", SourceTimeoutError, id="trickle"),
        pytest.param("/slow?ms=20000", SourceTimeoutError, id="slow"),
    ],
)
async def test_every_fault_has_its_error(path, error, backend, transport):
    started = time.monotonic()
    seconds = 0.3 if error is SourceTimeoutError else 5.0

    with pytest.raises(error) as caught:
        await transport.send(request(backend.url(path), seconds=seconds))

    assert type(caught.value) is error
    assert caught.value.source == "user"
    assert time.monotonic() - started < 10
    response = await transport.send(request(backend.url("/ok")))
    assert response.body == OK


async def test_the_deadline_bounds_the_whole_call(backend, transport):
    started = time.monotonic()

    with pytest.raises(SourceTimeoutError):
        await transport.send(request(backend.url("/trickle?ms=20"), seconds=0.2))

    assert 0.2 <= time.monotonic() - started < 2
    await backend.is_quiet()
    assert backend.stats.cancelled == 1


async def test_a_call_without_time_left_is_not_sent(backend, transport):
    with pytest.raises(SourceTimeoutError):
        await transport.send(request(backend.url("/ok"), seconds=0.0))

    assert backend.stats.requests == 0


async def test_a_huge_answer_costs_no_more_memory_than_the_limit(backend, transport):
    await transport.send(request(backend.url("/ok")))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(SourceAnswerTooLargeError):
        await transport.send(request(backend.url("/gzip-bomb?mb=200")))

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 30 * 1024


async def test_connections_are_kept_and_used_again(backend, transport):
    for _ in range(10):
        await transport.send(request(backend.url("/ok")))

    assert backend.stats.connections == 1


async def test_a_connection_with_too_much_in_it_is_not_used_again(backend, transport):
    await transport.send(request(backend.url("/two-answers")))
    response = await transport.send(request(backend.url("/ok")))

    assert response.body == OK
    assert backend.stats.connections == 2


async def test_head_answers_have_no_body(backend, transport):
    response = await transport.send(request(backend.url("/no-body"), "HEAD"))

    assert (response.status, response.body) == (200, b"")
    assert (await transport.send(request(backend.url("/no-body")))).status == 204


async def test_what_is_sent_is_what_was_asked_for(backend, transport):
    await transport.send(
        request(
            backend.url("/echo?a=1"),
            "POST",
            headers=(("x-a", "b"), ("content-type", "text/x")),
            body=b"hello",
        )
    )

    hit = backend.stats.hits[0]
    assert (hit.method, hit.path, hit.query) == ("POST", "/echo", {"a": "1"})
    assert hit.body == b"hello"
    assert hit.headers == {
        "host": f"127.0.0.1:{backend.port}",
        "x-a": "b",
        "content-type": "text/x",
        "accept-encoding": "gzip, br, zstd",
        "content-length": "5",
    }


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/ok", (("x", "a\r\nb: c"),), id="line-break-in-value"),
        pytest.param("/ok", (("x", "a\nb"),), id="newline-in-value"),
        pytest.param("/ok", (("x\r\ny", "a"),), id="line-break-in-name"),
        pytest.param("/ok", (("x", "\0"),), id="nul"),
        pytest.param("/ok", (("x", "\u20ac"),), id="not-latin"),
        pytest.param("/ok HTTP/1.1\r\nx: y", (), id="line-break-in-url"),
        pytest.param("/a b", (), id="space-in-url"),
        pytest.param("/a#b", (), id="fragment"),
        pytest.param("/\u00e4", (), id="not-ascii-in-url"),
    ],
)
async def test_no_value_becomes_a_second_request(path, headers, backend, transport):
    with pytest.raises(SourceError):
        await transport.send(request(backend.url(path), headers=headers))

    assert backend.stats.requests == 0


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "http://", "http://a@127.0.0.1/", "127.0.0.1", "http://x:y/"],
)
async def test_what_is_no_http_url_is_refused(url, transport):
    with pytest.raises(SourceError, match="a URL"):
        await transport.send(request(url))


async def test_redirects_are_not_followed(backend, transport):
    response = await transport.send(request(backend.url("/redirect")))

    assert response.status == 302
    assert backend.stats.by_path["/redirect-target"] == 0


async def test_cookies_are_not_sent_back(backend, transport):
    await transport.send(request(backend.url("/set-cookie")))
    await transport.send(request(backend.url("/echo")))

    assert "cookie" not in backend.stats.hits[1].headers


async def test_a_closed_port_is_unreachable(transport, unused_tcp_port):
    with pytest.raises(SourceUnreachableError):
        await transport.send(request(f"http://127.0.0.1:{unused_tcp_port}/"))


async def test_a_black_hole_is_given_up_after_the_connect_timeout():
    transport = HTTPTransport(
        TransportSettings(connect_timeout=0.1), resolver=FixedResolver("127.0.0.1")
    )
    with full_backlog() as port:
        started = time.monotonic()

        with pytest.raises(SourceUnreachableError):
            await transport.send(request(f"http://black.hole:{port}/"))

        assert time.monotonic() - started < 5
    await transport.aclose()


async def test_a_cancelled_call_is_cancelled_at_the_backend(backend, transport):
    calls = [
        asyncio.ensure_future(transport.send(request(backend.url("/hang"))))
        for _ in range(50)
    ]
    await backend.has_waiting(50)

    for call in calls:
        call.cancel()
    await backend.is_quiet()

    assert backend.stats.cancelled == 50
    await asyncio.gather(*calls, return_exceptions=True)


async def test_more_calls_than_connections_wait_for_their_turn(backend):
    transport = HTTPTransport(TransportSettings(max_connections=2))

    answers = await asyncio.gather(
        *(transport.send(request(backend.url("/ok"))) for _ in range(20))
    )

    assert [answer.body for answer in answers] == [OK] * 20
    assert backend.stats.connections == 2
    await transport.aclose()


async def test_a_call_that_waits_for_a_connection_times_out(backend):
    transport = HTTPTransport(TransportSettings(max_connections=1))
    first = asyncio.ensure_future(transport.send(request(backend.url("/gate"))))
    await backend.has_waiting(1)

    with pytest.raises(SourceTimeoutError):
        await transport.send(request(backend.url("/ok"), seconds=0.05))

    backend.release.set()
    assert (await first).body == OK
    await transport.aclose()


async def test_a_cancelled_waiter_passes_its_turn_on(backend):
    transport = HTTPTransport(TransportSettings(max_connections=1))
    first = asyncio.ensure_future(transport.send(request(backend.url("/gate"))))
    await backend.has_waiting(1)
    second = asyncio.ensure_future(transport.send(request(backend.url("/ok"))))
    third = asyncio.ensure_future(transport.send(request(backend.url("/ok"))))
    await asyncio.sleep(0)

    second.cancel()
    backend.release.set()

    assert (await third).body == OK
    await asyncio.gather(first, second, return_exceptions=True)
    assert backend.stats.connections == 1
    await transport.aclose()


async def test_a_place_is_free_again_after_a_failed_connect(unused_tcp_port):
    transport = HTTPTransport(TransportSettings(max_connections=1))
    for _ in range(5):
        with pytest.raises(SourceUnreachableError):
            await transport.send(request(f"http://127.0.0.1:{unused_tcp_port}/"))
    await transport.aclose()


async def test_closing_ends_the_calls_under_way(backend):
    transport = HTTPTransport()
    call = asyncio.ensure_future(transport.send(request(backend.url("/hang"))))
    await backend.has_waiting(1)

    await transport.aclose()

    with pytest.raises(SourceDisconnectedError):
        await call


class FixedResolver:
    def __init__(self, *addresses):
        self.addresses = addresses

    async def resolve(self, host):
        del host
        return self.addresses

    def close(self):
        pass


class full_backlog:  # noqa: N801 - reads as a context manager
    """A listening socket that accepts nothing, its queue filled."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)
        return self.port

    def __exit__(self, *_):
        for filler in self.fillers:
            filler.close()
        self.listener.close()


async def test_stale_connections_are_replaced_unseen_for_reads():
    async with StaleServer() as stale:
        transport = HTTPTransport()
        await transport.send(request(stale.url))

        response = await transport.send(request(stale.url))

        assert response.body == OK
        assert stale.connections == 2
        await transport.aclose()


async def test_a_mutation_on_a_stale_connection_is_not_sent_again():
    async with StaleServer() as stale:
        transport = HTTPTransport()
        await transport.send(request(stale.url))

        with pytest.raises(SourceDisconnectedError):
            await transport.send(request(stale.url, "POST"))

        assert stale.connections == 1
        await transport.aclose()


async def test_a_read_that_fails_on_a_fresh_connection_is_not_repeated(
    backend, transport
):
    with pytest.raises(SourceDisconnectedError):
        await transport.send(request(backend.url("/close")))

    assert backend.stats.requests == 1


async def test_every_address_of_a_name_is_tried(backend):
    transport = HTTPTransport(resolver=FixedResolver("127.0.0.2", "127.0.0.1"))

    response = await transport.send(request(f"http://users:{backend.port}/ok"))

    assert response.body == OK
    await transport.aclose()


async def test_old_connections_are_replaced(backend):
    transport = HTTPTransport(TransportSettings(max_connection_age=0.001))
    for _ in range(3):
        await transport.send(request(backend.url("/slow?ms=5")))

    assert backend.stats.connections == 3
    await transport.aclose()


async def test_connections_that_were_idle_too_long_are_replaced(backend):
    transport = HTTPTransport(TransportSettings(keep_alive=0.0))
    for _ in range(3):
        await transport.send(request(backend.url("/ok")))

    assert backend.stats.connections == 3
    await transport.aclose()


class StaleServer:
    """Closes a connection on its second request, as one that had timed out."""

    def __init__(self):
        self.connections = 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader, writer):
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            b"content-length: 20\r\n\r\n" + OK
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_a_name_that_nobody_knows_is_unreachable():
    class NoSuchName(FixedResolver):
        async def resolve(self, host):
            raise OSError(f"no such host: {host}")

    transport = HTTPTransport(resolver=NoSuchName())

    with pytest.raises(SourceUnreachableError) as caught:
        await transport.send(request("http://no-such-host.invalid/"))

    assert caught.value.detail == "no such host: no-such-host.invalid"
    assert "no-such-host" not in caught.value.message
    await transport.aclose()


async def test_a_name_service_that_hangs_is_given_up_after_the_connect_timeout():
    class Hanging(FixedResolver):
        async def resolve(self, host):
            del host
            await asyncio.Event().wait()

    transport = HTTPTransport(
        TransportSettings(connect_timeout=0.05), resolver=Hanging()
    )

    with pytest.raises(SourceUnreachableError):
        await transport.send(request("http://users/"))
    await transport.aclose()


async def test_a_server_that_restarts_is_found_again(transport):
    async with FaultyBackend() as first:
        await transport.send(request(first.url("/ok")))

    async with FaultyBackend(port=first.port) as again:
        response = await transport.send(request(again.url("/ok")))

        assert response.body == OK
