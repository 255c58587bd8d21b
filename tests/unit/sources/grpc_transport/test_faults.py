"""What becomes of calls when a server does not keep to the protocol, or is gone."""

import asyncio
import socket
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.http2_peer import HEAD, WELL, HTTP2Peer, as_message

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.grpc_transport import frames
from graphgw.sources.grpc_transport.channel import Channel
from graphgw.sources.grpc_transport.requests import GRPCRequest
from graphgw.sources.settings import ServiceSettings
from graphgw.types import Deadline


async def serve(peer):
    await peer.greet()
    while True:
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)


def saying(*steps):
    """Return a script that says something instead of an answer, and listens on."""

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        for step in steps:
            step(peer, stream_id)
        while True:
            await peer.read_frame()

    return script


def frame(kind, flags, stream_id, payload=b""):
    """Return a step that sends a frame, on the call's stream if it is ``None``."""
    return lambda peer, stream: peer.frame(
        kind, flags, stream if stream_id is None else stream_id, payload
    )


BROKEN = [
    pytest.param(frame(frames.DATA, 0, 0, b"x"), id="data-of-no-stream"),
    pytest.param(frame(frames.DATA, 0, 99, b"x"), id="data-of-an-idle-stream"),
    pytest.param(frame(frames.DATA, 0, 2, b"x"), id="data-of-a-servers-stream"),
    pytest.param(frame(frames.DATA, frames.PADDED, None, b"\x05x"), id="padding"),
    pytest.param(frame(frames.DATA, frames.PADDED, None), id="no-padding"),
    pytest.param(frame(frames.HEADERS, 4, 0, b"\x88"), id="headers-of-no-stream"),
    pytest.param(frame(frames.HEADERS, 4, 99, b"\x88"), id="headers-of-an-idle-stream"),
    pytest.param(frame(frames.HEADERS, 4, None, b"\xff\xff"), id="damaged-headers"),
    pytest.param(frame(frames.HEADERS, 0x24, None, b"\x88"), id="short-priority"),
    pytest.param(frame(frames.CONTINUATION, 4, None, b"\x88"), id="continues-nothing"),
    pytest.param(frame(frames.PRIORITY, 0, 0, bytes(5)), id="priority-of-no-stream"),
    pytest.param(frame(frames.RST_STREAM, 0, 0, bytes(4)), id="reset-of-no-stream"),
    pytest.param(frame(frames.RST_STREAM, 0, None, bytes(3)), id="short-reset"),
    pytest.param(frame(frames.SETTINGS, 0, None), id="settings-of-a-stream"),
    pytest.param(frame(frames.SETTINGS, 0, 0, bytes(5)), id="short-settings"),
    pytest.param(frame(frames.SETTINGS, 1, 0, bytes(6)), id="settings-in-answer"),
    pytest.param(
        frame(frames.SETTINGS, 0, 0, b"\0\2\0\0\0\1"), id="push-by-the-server"
    ),
    pytest.param(
        frame(frames.SETTINGS, 0, 0, b"\0\4\x80\0\0\0"), id="window-setting-too-large"
    ),
    pytest.param(frame(frames.SETTINGS, 0, 0, b"\0\5\0\0\0\1"), id="small-frame-size"),
    pytest.param(frame(frames.PUSH_PROMISE, 4, None, bytes(5)), id="push"),
    pytest.param(frame(frames.PING, 0, None, bytes(8)), id="ping-of-a-stream"),
    pytest.param(frame(frames.PING, 0, 0, bytes(7)), id="short-ping"),
    pytest.param(frame(frames.GOAWAY, 0, None, bytes(8)), id="goodbye-of-a-stream"),
    pytest.param(frame(frames.GOAWAY, 0, 0, bytes(7)), id="short-goodbye"),
    pytest.param(frame(frames.WINDOW_UPDATE, 0, 0, bytes(4)), id="window-of-nothing"),
    pytest.param(frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)), id="short-window"),
    pytest.param(
        frame(frames.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), id="window-overflow"
    ),
    pytest.param(
        frame(frames.DATA, 0, None, bytes(16_385)), id="frame-larger-than-allowed"
    ),
    pytest.param(
        lambda peer, _: peer.send(b"\xff\xff\xff" + bytes(6)), id="endless-frame"
    ),
]


@pytest.mark.parametrize("step", BROKEN)
async def test_what_breaks_the_protocol_ends_the_connection(
    step, open_peer, open_channel, ask
):
    codes = []

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        step(peer, stream_id)
        codes.append((await peer.read(frames.GOAWAY)).payload[7])
        assert not await peer.reader.read()

    peer = await open_peer(script, serve)
    channel = open_channel(peer)

    with pytest.raises(SourceBadAnswerError) as caught:
        await ask(channel)

    assert caught.value.message == 'service "order" answered what is not gRPC'
    assert await ask(channel) == b"ok"
    assert codes[0] != frames.NO_ERROR
    assert peer.connections == 2


STRAY = [
    pytest.param(
        frame(frames.HEADERS, 5, None, b"\x40\x04Name\x01v"), id="upper-case-name"
    ),
    pytest.param(frame(frames.HEADERS, 4, None, b"\x40\x01a\x01b"), id="no-status"),
    pytest.param(frame(frames.HEADERS, 4, None, b"\x88\x88"), id="two-statuses"),
    pytest.param(frame(frames.HEADERS, 4, None, b"\x08\x02ok"), id="status-of-words"),
    pytest.param(frame(frames.HEADERS, 4, None, b"\x88\x83"), id="request-header"),
    pytest.param(frame(frames.DATA, 0, None, b"x"), id="data-before-its-head"),
    pytest.param(
        frame(frames.WINDOW_UPDATE, 0, None, bytes(4)), id="window-of-nothing"
    ),
    pytest.param(
        frame(frames.WINDOW_UPDATE, 0, None, b"\x7f\xff\xff\xff"), id="window-overflow"
    ),
]


@pytest.mark.parametrize("step", STRAY)
async def test_what_breaks_one_stream_ends_one_call(step, open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        step(peer, stream_id)
        assert (await peer.read(frames.RST_STREAM)).stream_id == stream_id
        while True:
            stream_id, _ = await peer.read_call()
            peer.answer(stream_id)

    peer = await open_peer(script)
    channel = open_channel(peer)

    with pytest.raises(SourceBadAnswerError):
        await ask(channel)
    assert await ask(channel) == b"ok"
    assert peer.connections == 1


BAD_MESSAGES = [
    pytest.param([b"\0\0\0\0\5abc"], id="shorter-than-it-says"),
    pytest.param([b"\0\0\0"], id="no-whole-prefix"),
    pytest.param([as_message(b"a"), as_message(b"b")], id="two-messages"),
    pytest.param([as_message(b"a", flag=1)], id="compressed-without-encoding"),
    pytest.param([as_message(b"a", flag=7)], id="flag-that-means-nothing"),
]


@pytest.mark.parametrize("parts", BAD_MESSAGES)
async def test_what_is_not_one_message_is_a_bad_answer(
    parts, open_peer, open_channel, ask
):
    script = saying(
        lambda peer, stream: peer.headers(stream, HEAD),
        *(frame(frames.DATA, 0, None, part) for part in parts),
        lambda peer, stream: peer.headers(stream, WELL, ends=True),
    )

    with pytest.raises(SourceBadAnswerError):
        await ask(open_channel(await open_peer(script)))


async def test_an_answer_without_a_status_is_a_bad_answer(open_peer, open_channel, ask):
    script = saying(
        lambda peer, stream: peer.headers(stream, HEAD),
        frame(frames.DATA, frames.END_STREAM, None, as_message(b"a")),
    )

    with pytest.raises(SourceBadAnswerError) as caught:
        await ask(open_channel(await open_peer(script)))

    assert caught.value.detail == "it ended without a status"


async def test_an_answer_that_is_too_large_is_not_waited_for(
    open_peer, open_channel, ask
):
    script = saying(
        lambda peer, stream: peer.headers(stream, HEAD),
        frame(frames.DATA, 0, None, b"\0" + (1 << 20).to_bytes(4, "big")),
    )
    channel = open_channel(await open_peer(script), max_answer_bytes=1000)

    with pytest.raises(SourceAnswerTooLargeError) as caught:
        await ask(channel)

    assert caught.value.grpc_code == "RESOURCE_EXHAUSTED"


async def test_a_header_list_that_is_too_large_fails_its_call_alone(
    open_peer, open_channel, ask
):
    bomb = b"\x40\x01x\x7f" + b"\x81\x1e" + b"v" * 4000 + b"\xbe" * 5000

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.frame(frames.HEADERS, frames.END_HEADERS, stream_id, bomb)
        assert (await peer.read(frames.RST_STREAM)).stream_id == stream_id
        stream_id, _ = await peer.read_call()
        peer.frame(frames.HEADERS, 4, stream_id, b"\x20\x88\x5f\x10application/grpc")
        peer.data(stream_id, as_message(b"ok"))
        peer.frame(frames.HEADERS, 5, stream_id, b"\x00\x0bgrpc-status\x010")

    channel = open_channel(await open_peer(script))

    with pytest.raises(SourceAnswerTooLargeError, match="headers"):
        await ask(channel)
    assert await ask(channel) == b"ok"


async def test_a_head_that_does_not_end_is_cut_off(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.frame(frames.HEADERS, 0, stream_id, b"\x88")
        while True:
            peer.frame(frames.CONTINUATION, 0, stream_id, bytes(1000))
            await peer.writer.drain()

    channel = open_channel(await open_peer(script, serve))

    with pytest.raises(SourceAnswerTooLargeError, match="headers"):
        await ask(channel)
    assert await ask(channel) == b"ok"


FLOODS = [
    pytest.param(frames.encode_settings({3: 5}), id="settings"),
    pytest.param(frames.encode_frame(frames.PING, 0, 0, bytes(8)), id="pings"),
    pytest.param(frames.encode_frame(frames.CONTINUATION, 0, 1), id="continuations"),
    pytest.param(frames.encode_frame(frames.DATA, 0, 1), id="empty-data"),
    pytest.param(frames.encode_window_update(1, 1), id="windows"),
    pytest.param(frames.encode_frame(frames.PRIORITY, 0, 1, bytes(5)), id="priorities"),
    pytest.param(frames.encode_frame(0xBA, 0, 0), id="unknown-frames"),
]


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_ends_the_connection(flood, open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        is_block = flood[3] == frames.CONTINUATION
        if is_block:
            peer.frame(frames.HEADERS, 0, stream_id, b"\x88")
        else:
            peer.headers(stream_id, HEAD)
        while True:
            peer.send(flood * 1000)
            await peer.writer.drain()

    channel = open_channel(await open_peer(script, serve))

    with pytest.raises(SourceBadAnswerError) as caught:
        await ask(channel)
    assert await ask(channel) == b"ok"
    assert caught.value.detail == "frames without use"


async def test_a_server_that_asks_and_does_not_read_is_left(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.greet()
        await peer.read_call()
        peer.writer.transport.pause_reading()
        while True:
            peer.send(frames.encode_frame(frames.PING, 0, 0, bytes(8)) * 1000)
            await peer.writer.drain()

    channel = open_channel(await open_peer(script, serve))

    with pytest.raises(SourceBadAnswerError):
        await ask(channel, b"m" * 10_000_000)
    assert await ask(channel) == b"ok"


async def test_data_of_calls_that_are_over_does_no_harm(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        first, _ = await peer.read_call()
        peer.answer(first)
        second, _ = await peer.read_call()
        peer.data(first, b"more" * 1000)
        peer.headers(first, WELL, ends=True)
        peer.send(frames.encode_reset(first, frames.CANCEL))
        peer.send(frames.encode_window_update(first, 10))
        peer.answer(second)

    peer = await open_peer(script)
    channel = open_channel(peer)

    assert [await ask(channel), await ask(channel)] == [b"ok", b"ok"]
    assert peer.connections == 1


async def test_a_connection_that_breaks_fails_its_calls(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        await peer.read_call()
        await peer.read_call()
        linger = struct.pack("ii", 1, 0)
        raw = peer.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.writer.transport.abort()

    channel = open_channel(await open_peer(script, serve))

    failures = await asyncio.gather(ask(channel), ask(channel), return_exceptions=True)

    assert [type(failure) for failure in failures] == [SourceDisconnectedError] * 2
    assert await ask(channel) == b"ok"


async def serve_once(peer):
    """Answer one call, and close when the next has come."""
    await peer.greet()
    stream_id, _ = await peer.read_call()
    peer.answer(stream_id)
    await peer.read_call()


async def test_an_idempotent_call_outlives_a_stale_connection(
    open_peer, open_channel, ask
):
    channel = open_channel(await open_peer(serve_once, serve))
    await ask(channel)

    assert await ask(channel, is_idempotent=True) == b"ok"


async def test_a_call_that_is_not_idempotent_is_not_made_twice(
    open_peer, open_channel, ask
):
    channel = open_channel(await open_peer(serve_once, serve))
    await ask(channel)

    with pytest.raises(SourceDisconnectedError):
        await ask(channel)


async def test_a_call_with_the_beginning_of_an_answer_is_not_made_twice(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)
        stream_id, _ = await peer.read_call()
        peer.headers(stream_id, HEAD)
        await asyncio.sleep(0.02)

    channel = open_channel(await open_peer(script, serve))
    await ask(channel)

    with pytest.raises(SourceDisconnectedError):
        await ask(channel, is_idempotent=True)


async def test_a_connection_on_which_nothing_moves_is_replaced(
    open_peer, open_channel, ask
):
    async def hangs(peer):
        await peer.greet()
        await peer.reader.read(-1)

    peer = await open_peer(hangs, serve)
    channel = open_channel(peer, connect_timeout=0.1)

    with pytest.raises(SourceTimeoutError):
        await ask(channel, seconds=0.15)
    assert await ask(channel) == b"ok"
    assert peer.connections == 2


async def test_one_slow_call_does_not_cost_the_connection(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        await peer.read_call()
        while True:
            stream_id, _ = await peer.read_call()
            peer.answer(stream_id)

    peer = await open_peer(script)
    channel = open_channel(peer, connect_timeout=0.1)
    slow = asyncio.ensure_future(ask(channel, seconds=0.2))
    await asyncio.sleep(0.15)
    await ask(channel)

    with pytest.raises(SourceTimeoutError):
        await slow
    await ask(channel)
    assert peer.connections == 1


@pytest.mark.parametrize(
    ("greeting", "detail"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks no HTTP/2"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "it speaks no HTTP/2"),
        (frames.SETTINGS_ACK, "it speaks no HTTP/2"),
        (b"", "the connection was closed at once"),
        (
            frames.encode_settings({}) + frames.encode_goaway(0),
            "it takes no calls",
        ),
        (frames.encode_settings({frames.SET_STREAMS: 0}), "it takes no calls"),
    ],
)
async def test_a_server_that_takes_no_calls_is_unreachable(
    greeting, detail, open_peer, open_channel, ask
):
    async def script(peer):
        await peer.reader.read(1000)
        peer.send(greeting)
        if greeting:
            await peer.reader.read()

    channel = open_channel(await open_peer(script))

    with pytest.raises(SourceUnreachableError) as caught:
        await ask(channel)

    assert caught.value.detail == detail


async def test_a_server_that_says_nothing_is_unreachable(open_peer, open_channel, ask):
    async def script(peer):
        await peer.reader.read(-1)

    channel = open_channel(await open_peer(script), connect_timeout=0.1)

    with pytest.raises(SourceUnreachableError) as caught:
        await ask(channel)

    assert caught.value.detail == "no connection was made in time"


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.lists(
        st.builds(
            frames.encode_frame,
            st.integers(0, 11),
            st.integers(0, 255),
            st.sampled_from([0, 1, 1, 1, 2, 3]),
            st.binary(max_size=40),
        )
        | st.binary(max_size=30),
        max_size=8,
    ).map(b"".join)
)
def test_whatever_a_server_sends_a_call_ends_in_an_answer_or_an_error(data):
    async def script(peer):
        await peer.greet()
        await peer.read_call()
        peer.send(data)

    async def run():
        async with HTTP2Peer((script, serve)) as peer:
            options = {"name": "order", "kind": "grpc", "addresses": (peer.address,)}
            channel = Channel(ServiceSettings(**options))
            request = GRPCRequest("/a.B/C", b"hello")
            try:
                await channel.unary(request, Deadline.after(0.5))
            except SourceError as error:
                assert str(error)  # noqa: PT017 - some data is an answer
            while channel._balancer.size:  # noqa: ASYNC110 - the peer hangs up
                await asyncio.sleep(0.001)
            answer = await channel.unary(request, Deadline.after(2))
            assert answer == b"ok"
            await channel.aclose()

    asyncio.run(run())
