"""Connections that a client, or what stands before it, gets wrong."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from conftest import RunningGateway
from support.faulty_backend import FaultyBackend
from support.gateways import running_gateway, write_config
from support.raw_http import RawConnection, exchange, post

BODY = b'{"query":"{ __typename }"}'
CHUNKED = b"transfer-encoding: chunked"


def without_length(request: bytes) -> bytes:
    return request.replace(b"content-length: 0\r\n", b"")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(post(BODY, b"host: other"), id="two-hosts"),
        pytest.param(post(BODY).replace(b"host: gateway\r\n", b""), id="no-host"),
        pytest.param(post(BODY, CHUNKED), id="length-and-chunked"),
        pytest.param(
            post(b"", b"content-length: 5").replace(b"content-length: 0", CHUNKED),
            id="chunked-and-length",
        ),
        pytest.param(post(BODY, length=-1), id="negative-length"),
        pytest.param(post(BODY, b"content-length: 5"), id="two-lengths"),
        pytest.param(
            post(BODY).replace(b"content-length: ", b"content-length: +"), id="plus"
        ),
        pytest.param(
            without_length(post(b"", CHUNKED)) + b"5\r\nabcdeXX0\r\n\r\n",
            id="chunk-without-end",
        ),
        pytest.param(
            without_length(post(b"", CHUNKED)) + b"0x5\r\nabcde\r\n0\r\n\r\n",
            id="chunk-size-with-prefix",
        ),
        pytest.param(
            without_length(post(b"", b"transfer-encoding: chunked, gzip")),
            id="chunked-is-not-last",
        ),
        pytest.param(
            post(BODY).replace(b"host: gateway", b"host : gateway"), id="space-in-name"
        ),
        pytest.param(post(BODY, b"x: a\x00b"), id="null-byte"),
        pytest.param(post(BODY, b"x: a", b" folded"), id="folded-line"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", id="tls"),
        pytest.param(b"GET /graphql HTTP/9.9\r\nhost: a\r\n\r\n", id="version"),
        pytest.param(b"GET\r\n\r\n", id="no-path"),
    ],
)
def test_a_request_that_can_be_read_in_two_ways_closes_its_connection(
    gateway: RunningGateway, request_
):
    smuggled = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"

    answer = exchange(gateway.url, request_ + smuggled)

    assert (answer.status, answer.is_closed) == (400, True)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(post(BODY, b"x: " + b"a" * 33_000), id="one-header"),
        pytest.param(post(BODY, *[b"x-%d: a" % i for i in range(5000)]), id="many"),
        pytest.param(
            b"GET /graphql?" + b"a" * 33_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", id="url"
        ),
        pytest.param(post(b"", b"x: " + b"a" * 1_000_000)[:-4], id="without-end"),
    ],
)
def test_headers_have_a_size(gateway: RunningGateway, head):
    answer = exchange(gateway.url, head)

    assert (answer.status, answer.is_closed) == (431, True)


def test_a_request_after_a_good_one_does_not_spoil_its_answer(
    gateway: RunningGateway,
):
    answer = exchange(gateway.url, post(BODY) + b"GET / HTTP/1.1\r\n\r\n")

    assert (answer.status, answer.is_closed) == (200, True)


def test_requests_that_are_sent_together_are_answered_in_order(
    gateway: RunningGateway,
):
    other = b'{"query":"{ b: __typename }"}'
    with RawConnection(gateway.url) as connection:
        connection.send(post(BODY) + post(other) + post(BODY))

        bodies = [connection.read().body for _ in range(3)]

    assert [b'"b"' in body for body in bodies] == [False, True, False]


def test_a_request_may_come_byte_by_byte(gateway: RunningGateway):
    with RawConnection(gateway.url) as connection:
        for byte in post(BODY):
            connection.send(bytes([byte]))

        assert connection.read().status == 200


# Time


@pytest.fixture(scope="module")
def hasty_gateway(tmp_path_factory):
    """Run a gateway that gives its clients one second."""
    config = write_config(
        tmp_path_factory.mktemp("hasty"),
        "http://127.0.0.1:9",
        header_timeout=1,
        body_timeout=1,
        keep_alive=2,
    )
    with running_gateway(config) as (_, url):
        yield url


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(post(BODY)[:40], id="headers"),
        pytest.param(post(BODY)[:-5], id="body"),
        pytest.param(
            without_length(post(b"", CHUNKED)) + b"5\r\nab", id="chunked-body"
        ),
    ],
)
def test_a_request_must_be_sent_in_time(hasty_gateway, start):
    began = time.monotonic()
    with RawConnection(hasty_gateway) as connection:
        connection.send(start)

        answer = connection.read()

        assert answer.status == 408
        assert answer.headers["connection"] == "close"
        assert 0.5 < time.monotonic() - began < 10
        assert connection.is_closed()


@pytest.mark.parametrize("part", [post(BODY)[:40], post(b" " * 1000)[:-990]])
def test_dripping_bytes_win_no_time(hasty_gateway, part):
    began = time.monotonic()
    with RawConnection(hasty_gateway) as connection:
        connection.socket.settimeout(0.1)
        connection.send(part)
        while time.monotonic() - began < 10:
            connection.send(b"a")
            try:
                answer = connection.read()
            except TimeoutError:
                continue
            break
        else:
            pytest.fail("dripping bytes kept the connection open")

    assert answer.status == 408


def test_a_connection_that_says_nothing_is_closed(hasty_gateway):
    with RawConnection(hasty_gateway) as silent:
        assert silent.is_closed(10)


def test_a_connection_that_has_nothing_more_to_say_is_closed(hasty_gateway):
    with RawConnection(hasty_gateway) as idle:
        idle.send(post(BODY))
        assert idle.read().status == 200

        assert idle.is_closed(10)


def test_slow_clients_leave_others_alone(hasty_gateway):
    slow = [RawConnection(hasty_gateway) for _ in range(50)]
    try:
        for connection in slow:
            connection.send(post(BODY)[:50])
        began = time.monotonic()

        answer = httpx.post(
            f"{hasty_gateway}/graphql", json={"query": "{ __typename }"}
        )

        assert answer.status_code == 200
        assert time.monotonic() - began < 10
        assert all(connection.read().status == 408 for connection in slow)
    finally:
        for connection in slow:
            connection.socket.close()


# Clients that leave


async def ask_and_leave(url: str, query: bytes) -> asyncio.StreamWriter:
    place = httpx.URL(url)
    _, writer = await asyncio.open_connection(place.host, place.port)
    writer.write(post(b'{"query":"%s"}' % query))
    await writer.drain()
    return writer


async def test_a_client_that_leaves_takes_its_backend_calls_along(tmp_path):
    async with FaultyBackend() as backend:
        config = write_config(tmp_path, backend.url("/hang"))
        with running_gateway(config) as (_, url):
            writers = [await ask_and_leave(url, b"{ ok }") for _ in range(20)]
            await backend.has_waiting(1)
            waiting = backend.stats.in_flight
            for writer in writers:
                writer.transport.abort()

            async with asyncio.timeout(1):  # 100 ms are promised
                await backend.is_quiet()

            assert waiting >= 1
            assert backend.stats.in_flight == 0


async def test_a_mutation_runs_on_when_its_client_leaves(tmp_path):
    async with FaultyBackend() as backend:
        config = write_config(tmp_path, backend.url("/gate"))
        with running_gateway(config) as (_, url):
            writer = await ask_and_leave(url, b"mutation { change }")
            await backend.has_waiting(1)
            writer.transport.abort()
            await asyncio.sleep(0.3)
            waiting = backend.stats.in_flight
            backend.release.set()
            await backend.is_quiet()

    assert waiting == 1
    assert backend.stats.cancelled == 0
