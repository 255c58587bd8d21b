import httpx
import pytest
from support.faulty_backend import FaultyBackend

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.httpx_transport import HTTPXTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.types import Deadline

OK = b'{"data":{"ok":true}}'


@pytest.fixture
async def backend():
    async with FaultyBackend() as running:
        yield running


@pytest.fixture
async def transport():
    made = HTTPXTransport(httpx.AsyncClient(trust_env=False))
    yield made
    await made.aclose()


def request(url, *, seconds=5.0):
    return HTTPRequest("GET", url, Deadline.after(seconds), source="user")


@pytest.mark.parametrize("path", ["/ok", "/chunked", "/gzip", "/until-close"])
async def test_sound_answers_arrive_whole(path, backend, transport):
    response = await transport.send(request(backend.url(path)))

    assert (response.status, response.body) == (200, OK)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/reset", SourceDisconnectedError),
        ("/close-mid-body", SourceDisconnectedError),
        ("/close-mid-chunk", SourceDisconnectedError),
        ("/bad-gzip", SourceBadAnswerError),
        ("/huge?mb=20", SourceAnswerTooLargeError),
        ("/gzip-bomb?mb=20", SourceAnswerTooLargeError),
        ("/trickle?ms=20", SourceTimeoutError),
        ("/hang", SourceTimeoutError),
    ],
)
async def test_every_fault_has_its_error(path, error, backend, transport):
    with pytest.raises(error):
        await transport.send(request(backend.url(path), seconds=0.3))


async def test_a_closed_port_is_unreachable(transport, unused_tcp_port):
    with pytest.raises(SourceUnreachableError):
        await transport.send(request(f"http://127.0.0.1:{unused_tcp_port}/"))


async def test_redirects_are_not_followed_and_cookies_not_kept(backend, transport):
    redirected = await transport.send(request(backend.url("/redirect")))
    await transport.send(request(backend.url("/set-cookie")))
    await transport.send(request(backend.url("/echo")))

    assert redirected.status == 302
    assert backend.stats.by_path["/redirect-target"] == 0
    assert "cookie" not in backend.stats.hits[-1].headers
