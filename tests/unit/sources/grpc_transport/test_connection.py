"""What goes over a connection when both sides keep to the protocol."""

import asyncio
import gzip

import pytest
from support.http2_peer import HEAD, WELL, as_message

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.grpc_transport import frames


async def serve(peer):
    await peer.greet()
    while True:
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)


def answering(*steps):
    """Return a script that answers each call with these steps."""

    async def script(peer):
        await peer.greet()
        while True:
            stream_id, _ = await peer.read_call()
            for step in steps:
                step(peer, stream_id)

    return script


async def test_a_call_has_the_head_that_grpc_asks_for(open_peer, open_channel, ask):
    heads = []

    async def script(peer):
        await peer.greet()
        stream_id, head = await peer.read_call()
        heads.append(head)
        peer.answer(stream_id)

    peer = await open_peer(script)
    metadata = (("x-key", "k" * 300), ("blob-bin", "ab"))

    await ask(open_channel(peer), metadata=metadata, own=(("x-request-id", "r1"),))

    (head,) = heads
    timeout = head.pop("grpc-timeout")
    assert timeout.endswith("m")
    assert 1000 < int(timeout[:-1]) <= 2000
    assert head == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/a.B/C",
        ":authority": peer.address,
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-accept-encoding": "identity,deflate,gzip",
        "user-agent": "grpc-python-graphgw/1",
        "x-key": "k" * 300,
        "blob-bin": "YWI",
        "x-request-id": "r1",
    }
    assert list(head)[:4] == [":method", ":scheme", ":path", ":authority"]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(("x-key", "a\r\nb"), id="line-break"),
        pytest.param(("x-key", "ä"), id="not-ascii"),
        pytest.param(("X Key", "a"), id="no-name"),
        pytest.param((":path", "/"), id="pseudo-header"),
        pytest.param(("te", "gzip"), id="header-of-the-connection"),
        pytest.param(("grpc-timeout", "1H"), id="name-of-the-protocol"),
    ],
)
async def test_metadata_that_would_be_another_message_is_not_sent(
    metadata, open_peer, open_channel, ask
):
    channel = open_channel(await open_peer(serve))

    with pytest.raises(SourceError, match="cannot be sent"):
        await ask(channel, metadata=(metadata,))
    assert await ask(channel) == b"ok"


async def test_a_long_deadline_is_sent_in_seconds(open_peer, open_channel, ask):
    heads = []

    async def script(peer):
        await peer.greet()
        stream_id, head = await peer.read_call()
        heads.append(head)
        peer.answer(stream_id)

    await ask(open_channel(await open_peer(script)), seconds=200_000)

    assert heads[0]["grpc-timeout"] == "200000S"


async def test_many_calls_share_a_connection(open_peer, open_channel, ask):
    peer = await open_peer(serve)
    channel = open_channel(peer)
    await ask(channel)

    answers = await asyncio.gather(*(ask(channel) for _ in range(100)))

    assert answers == [b"ok"] * 100
    assert peer.connections == 1


async def test_calls_that_begin_together_are_written_together(
    open_peer, open_channel, ask
):
    sizes = []

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)
        await peer.read(frames.DATA)
        sizes.append(len(await peer.reader.read(1 << 16)))
        await peer.reader.read()

    channel = open_channel(await open_peer(script))
    await ask(channel)

    calls = [ask(channel, seconds=0.1) for _ in range(10)]
    await asyncio.gather(*calls, return_exceptions=True)

    assert sizes[0] > 10 * 100


@pytest.mark.parametrize("size", [0, 16_379, 16_380, 65_530, 65_531, 1 << 20])
async def test_a_message_is_sent_as_windows_and_frames_allow(
    size, open_peer, open_channel, ask
):
    received = asyncio.get_running_loop().create_future()

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        body = b""
        while True:
            frame = await peer.read(frames.DATA)
            assert len(frame.payload) <= 16_384
            body += frame.payload
            if frame.payload:
                length = len(frame.payload)
                peer.send(frames.encode_window_update(0, length))
                peer.send(frames.encode_window_update(stream_id, length))
            if frame.flags & frames.END_STREAM:
                break
        received.set_result(body)
        peer.answer(stream_id)

    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    channel = open_channel(await open_peer(script))

    assert await ask(channel, message) == b"ok"
    assert await received == as_message(message)


async def test_a_smaller_window_binds_the_calls_under_way(open_peer, open_channel, ask):
    received = []

    async def read_some(peer, count):
        body = b""
        while len(body) < count:
            body += (await peer.read(frames.DATA)).payload
        received.append(body)

    async def script(peer):
        await peer.greet({frames.SET_WINDOW: 100})
        stream_id, _ = await peer.read_call()
        await read_some(peer, 100)
        # Now it is 60 below zero: 60 more do not open it.
        peer.send(frames.encode_settings({frames.SET_WINDOW: 40}))
        peer.send(frames.encode_window_update(stream_id, 60))
        peer.frame(frames.PING, 0, 0, b"12345678")
        await peer.read(frames.PING)
        peer.send(frames.encode_window_update(stream_id, 5))
        await read_some(peer, 5)
        peer.send(frames.encode_settings({frames.SET_WINDOW: 1000}))
        await read_some(peer, 100)
        peer.answer(stream_id)

    channel = open_channel(await open_peer(script))

    assert await ask(channel, b"m" * 200) == b"ok"
    assert [len(part) for part in received] == [100, 5, 100]


async def test_a_window_of_nothing_holds_a_call_until_its_deadline(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.greet({frames.SET_WINDOW: 0})
        while True:
            await peer.read_frame()

    with pytest.raises(SourceTimeoutError):
        await ask(open_channel(await open_peer(script)), seconds=0.1)


async def test_large_frames_are_sent_where_they_are_taken(open_peer, open_channel, ask):
    sizes = []

    async def script(peer):
        window = (1 << 31) - 1
        await peer.greet({frames.SET_FRAME_SIZE: 1 << 20, frames.SET_WINDOW: window})
        peer.send(frames.encode_window_update(0, window - frames.DEFAULT_WINDOW))
        while True:
            stream_id, _ = await peer.read_call()
            sizes.append(len((await peer.read(frames.DATA)).payload))
            peer.answer(stream_id)

    channel = open_channel(await open_peer(script))
    await ask(channel)
    await ask(channel, b"m" * 100_000)

    assert sizes[1] == 100_005


async def test_an_answer_before_the_request_is_all_sent_ends_the_call(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.headers(stream_id, (*HEAD, ("grpc-status", "8")), ends=True)
        frame = await peer.read(frames.RST_STREAM)
        assert frame.payload == bytes(4)
        stream_id, _ = await peer.read_call()
        peer.send(frames.encode_window_update(0, 1 << 20))
        peer.answer(stream_id)

    channel = open_channel(await open_peer(script))

    with pytest.raises(SourceError, match="RESOURCE_EXHAUSTED"):
        await ask(channel, b"m" * (1 << 20))
    assert await ask(channel) == b"ok"


async def test_large_answers_come_whole(open_peer, open_channel, ask):
    data = bytes(range(256)) * (5 << 12)

    async def script(peer):
        await peer.greet()
        while True:
            stream_id, _ = await peer.read_call()
            peer.headers(stream_id, HEAD)
            message = as_message(data)
            for at in range(0, len(message), 16_384):
                peer.data(stream_id, message[at : at + 16_384])
            peer.headers(stream_id, WELL, ends=True)

    channel = open_channel(await open_peer(script))

    answers = await asyncio.gather(*(ask(channel) for _ in range(5)))

    assert all(answer == data for answer in answers)


async def test_the_connections_window_is_opened_again(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        frame = await peer.read(frames.WINDOW_UPDATE)
        window = frames.DEFAULT_WINDOW + int.from_bytes(frame.payload, "big")
        stream_id, _ = await peer.read_call()
        peer.headers(stream_id, HEAD)
        size = window // 2 + 20_000
        peer.data(stream_id, b"\0" + size.to_bytes(4, "big"))
        for _ in range(size // 10_000):
            peer.data(stream_id, bytes(10_000))
        peer.data(stream_id, bytes(size % 10_000))
        frame = await peer.read(frames.WINDOW_UPDATE)
        assert frame.stream_id == 0
        assert int.from_bytes(frame.payload, "big") >= window // 2
        peer.headers(stream_id, WELL, ends=True)

    answer = await ask(open_channel(await open_peer(script)))

    assert len(answer) > 8 << 20


async def test_padding_priorities_and_continued_heads_are_read(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        block = peer.encoder.encode(list(HEAD))
        flags = frames.PADDED | frames.PRIORITY_FLAG
        payload = b"\x03" + bytes(5) + block[:4] + bytes(3)
        peer.frame(frames.HEADERS, flags, stream_id, payload)
        peer.frame(frames.CONTINUATION, 0, stream_id, block[4:6])
        peer.frame(frames.CONTINUATION, frames.END_HEADERS, stream_id, block[6:])
        message = as_message(b"padded")
        peer.frame(frames.DATA, frames.PADDED, stream_id, b"\x02" + message + bytes(2))
        peer.frame(frames.PRIORITY, 0, stream_id, bytes(5))
        peer.frame(0xBA, 0, 0, b"what nobody knows")
        peer.headers(stream_id, WELL, ends=True)

    assert await ask(open_channel(await open_peer(script))) == b"padded"


async def test_padding_takes_no_room_from_messages(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.headers(stream_id, HEAD)
        peer.frame(frames.DATA, frames.PADDED, stream_id, b"\x64" + bytes(100))
        opened = 0
        while opened < 101:
            frame = await peer.read(frames.WINDOW_UPDATE)
            if frame.stream_id == stream_id:
                opened += int.from_bytes(frame.payload, "big")
        assert opened == 101
        peer.data(stream_id, as_message(b"ok"))
        peer.headers(stream_id, WELL, ends=True)

    assert await ask(open_channel(await open_peer(script))) == b"ok"


async def test_a_block_that_means_something_new_is_read_anew(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.greet()
        # The newest entry of the table is the status; it is another one at last.
        head_block = b"\x88\x0f\x10\x10application/grpc"
        for inserted in (b"\x40\x0bgrpc-status\x010", b"", b"large", b""):
            stream_id, _ = await peer.read_call()
            if inserted == b"large":
                block = b"\x88\x00\x01x\x7f\x81\x1f" + b"v" * 4096
                block += b"\x40\x0bgrpc-status\x015"
                peer.frame(frames.HEADERS, frames.END_HEADERS, stream_id, block)
                continue
            peer.frame(frames.HEADERS, frames.END_HEADERS, stream_id, head_block)
            peer.data(stream_id, as_message(b"ok"))
            flags = frames.END_HEADERS | frames.END_STREAM
            peer.frame(frames.HEADERS, flags, stream_id, inserted or b"\xbe")

    channel = open_channel(await open_peer(script), max_header_bytes=4096)

    assert [await ask(channel), await ask(channel)] == [b"ok", b"ok"]
    with pytest.raises(SourceAnswerTooLargeError):
        await ask(channel)
    with pytest.raises(SourceError, match="NOT_FOUND"):
        await ask(channel)


@pytest.mark.parametrize(
    ("kind", "is_grpc"),
    [
        ("application/grpc", True),
        ("application/grpc+proto", True),
        ("application/grpc; charset=utf-8", True),
        ("Application/GRPC", True),
        ("application/grpc-web", False),
        ("application/json", False),
    ],
)
async def test_only_grpc_is_an_answer(kind, is_grpc, open_peer, open_channel, ask):
    script = answering(
        lambda peer, stream: peer.headers(
            stream, ((":status", "200"), ("content-type", kind))
        ),
        lambda peer, stream: peer.data(stream, as_message(b"ok")),
        lambda peer, stream: peer.headers(stream, WELL, ends=True),
    )
    channel = open_channel(await open_peer(script))

    if is_grpc:
        assert await ask(channel) == b"ok"
    else:
        with pytest.raises(SourceBadAnswerError):
            await ask(channel)


async def test_an_answer_that_comes_byte_by_byte_is_read(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        written = []
        peer.send = lambda *data: written.extend(data)
        peer.answer(stream_id)
        for byte in b"".join(written):
            peer.writer.write(bytes((byte,)))
            await asyncio.sleep(0)

    assert await ask(open_channel(await open_peer(script))) == b"ok"


async def test_what_comes_before_the_head_is_passed_over(open_peer, open_channel, ask):
    early = ((":status", "103"), ("link", "</a>"))
    script = answering(
        lambda peer, stream: peer.headers(stream, early),
        lambda peer, stream: peer.answer(stream),
    )

    assert await ask(open_channel(await open_peer(script))) == b"ok"


async def test_pings_and_settings_are_answered(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        peer.frame(frames.PING, 0, 0, b"12345678")
        frame = await peer.read(frames.SETTINGS)
        while not frame.flags & frames.ACK:
            frame = await peer.read(frames.SETTINGS)
        frame = await peer.read(frames.PING)
        assert (frame.flags, frame.payload) == (frames.ACK, b"12345678")
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)

    assert await ask(open_channel(await open_peer(script))) == b"ok"


async def test_a_compressed_answer_is_inflated(open_peer, open_channel, ask):
    packed = as_message(gzip.compress(b"inflated"), flag=1)
    script = answering(
        lambda peer, stream: peer.headers(stream, (*HEAD, ("grpc-encoding", "gzip"))),
        lambda peer, stream: peer.data(stream, packed),
        lambda peer, stream: peer.headers(stream, WELL, ends=True),
    )

    assert await ask(open_channel(await open_peer(script))) == b"inflated"


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(gzip.compress(b"inflated")[:-3], id="cut-off"),
        pytest.param(gzip.compress(b"inflated") + b"more", id="more-than-one"),
        pytest.param(b"inflated", id="not-packed"),
    ],
)
async def test_a_damaged_compressed_answer_is_a_bad_one(
    packed, open_peer, open_channel, ask
):
    script = answering(
        lambda peer, stream: peer.headers(stream, (*HEAD, ("grpc-encoding", "gzip"))),
        lambda peer, stream: peer.data(stream, as_message(packed, flag=1)),
        lambda peer, stream: peer.headers(stream, WELL, ends=True),
    )

    with pytest.raises(SourceBadAnswerError):
        await ask(open_channel(await open_peer(script)))


async def test_an_answer_is_no_larger_inflated_either(open_peer, open_channel, ask):
    packed = as_message(gzip.compress(bytes(1 << 20)), flag=1)
    script = answering(
        lambda peer, stream: peer.headers(stream, (*HEAD, ("grpc-encoding", "gzip"))),
        lambda peer, stream: peer.data(stream, packed),
        lambda peer, stream: peer.headers(stream, WELL, ends=True),
    )
    channel = open_channel(await open_peer(script), max_answer_bytes=1 << 16)

    with pytest.raises(SourceAnswerTooLargeError):
        await ask(channel)


@pytest.mark.parametrize(
    ("fields", "kind", "code", "detail"),
    [
        pytest.param(
            (*HEAD, ("grpc-status", "5"), ("grpc-message", "n%C3%A4h%zz%FF")),
            SourceError,
            "NOT_FOUND",
            "näh%zz\ufffd",
            id="status-and-message",
        ),
        pytest.param(
            (*HEAD, ("grpc-status", "14")),
            SourceUnreachableError,
            "UNAVAILABLE",
            "",
            id="unavailable",
        ),
        pytest.param(
            (*HEAD, ("grpc-status", "4")),
            SourceTimeoutError,
            "DEADLINE_EXCEEDED",
            "",
            id="deadline",
        ),
        pytest.param(
            (*HEAD, ("grpc-status", "99")),
            SourceError,
            "UNKNOWN",
            "",
            id="number-that-is-no-status",
        ),
        pytest.param(
            (*HEAD, ("grpc-status", "x")),
            SourceError,
            "UNKNOWN",
            "",
            id="no-number",
        ),
        pytest.param(
            (*HEAD, ("grpc-status", "0")),
            SourceBadAnswerError,
            None,
            "it has no message",
            id="well-but-no-message",
        ),
        pytest.param(
            ((":status", "503"), ("content-type", "text/html")),
            SourceUnreachableError,
            "UNAVAILABLE",
            "HTTP status 503",
            id="http-503",
        ),
        pytest.param(
            ((":status", "404"),), SourceError, "UNIMPLEMENTED", None, id="http-404"
        ),
        pytest.param(
            ((":status", "500"),), SourceError, "UNKNOWN", None, id="http-500"
        ),
        pytest.param(
            ((":status", "200"), ("content-type", "text/html")),
            SourceBadAnswerError,
            None,
            "it ended without a status",
            id="html",
        ),
    ],
)
async def test_an_answer_that_is_trailers_only_has_its_error(
    fields, kind, code, detail, open_peer, open_channel, ask
):
    script = answering(lambda peer, stream: peer.headers(stream, fields, ends=True))
    channel = open_channel(await open_peer(script))

    for _ in range(2):  # the second is read from what the first was
        with pytest.raises(SourceError) as caught:
            await ask(channel)

        assert type(caught.value) is kind
        assert caught.value.grpc_code == code
        assert detail is None or caught.value.detail == detail


async def test_a_service_that_refuses_a_stream_is_asked_again(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.send(frames.encode_reset(stream_id, frames.REFUSED_STREAM))
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)

    assert await ask(open_channel(await open_peer(script))) == b"ok"


async def test_a_service_that_refuses_all_streams_is_unreachable(
    open_peer, open_channel, ask
):
    script = answering(
        lambda peer, stream: peer.send(
            frames.encode_reset(stream, frames.REFUSED_STREAM)
        )
    )

    with pytest.raises(SourceUnreachableError) as caught:
        await ask(open_channel(await open_peer(script)))

    assert type(caught.value) is SourceUnreachableError


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (frames.CANCEL, "CANCELLED"),
        (frames.ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED"),
        (frames.INADEQUATE_SECURITY, "PERMISSION_DENIED"),
        (frames.PROTOCOL_ERROR, "INTERNAL"),
        (12345, "INTERNAL"),
    ],
)
async def test_a_stream_that_is_broken_off_has_its_status(
    code, status, open_peer, open_channel, ask
):
    script = answering(
        lambda peer, stream: peer.send(frames.encode_reset(stream, code))
    )

    with pytest.raises(SourceError) as caught:
        await ask(open_channel(await open_peer(script)))

    assert caught.value.grpc_code == status


async def test_calls_that_a_goodbye_leaves_out_are_made_again(
    open_peer, open_channel, ask
):
    async def leaves(peer):
        await peer.greet()
        first, _ = await peer.read_call()
        await peer.read_call()
        peer.frame(frames.GOAWAY, 0, 0, first.to_bytes(4, "big") + bytes(4))
        peer.answer(first, b"old")
        # All is said, and the client closes.
        await peer.read(frames.GOAWAY)

    peer = await open_peer(leaves, serve)
    channel = open_channel(peer)

    answers = await asyncio.gather(ask(channel), ask(channel))

    assert sorted(answers) == [b"ok", b"old"]
    assert peer.connections == 2


async def test_a_goodbye_lets_all_calls_end_and_takes_no_more(
    open_peer, open_channel, ask
):
    async def leaves(peer):
        await peer.greet()
        first, _ = await peer.read_call()
        peer.frame(frames.GOAWAY, 0, 0, b"\x7f\xff\xff\xff" + bytes(4))
        await asyncio.sleep(0.05)
        peer.answer(first, b"old")

    peer = await open_peer(leaves, serve)
    channel = open_channel(peer)
    old = asyncio.ensure_future(ask(channel))
    await asyncio.sleep(0.03)

    assert await ask(channel) == b"ok"
    assert await old == b"old"


async def test_a_deadline_ends_the_call_at_the_service(open_peer, open_channel, ask):
    codes = []

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        frame = await peer.read(frames.RST_STREAM)
        codes.append((frame.stream_id == stream_id, frame.payload[3]))
        # The answer crosses the wire with the end.
        peer.answer(stream_id)
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)

    channel = open_channel(await open_peer(script))

    with pytest.raises(SourceTimeoutError) as caught:
        await ask(channel, seconds=0.05)
    assert await ask(channel) == b"ok"
    assert caught.value.grpc_code == "DEADLINE_EXCEEDED"
    assert codes == [(True, frames.CANCEL)]


async def test_each_call_has_its_own_deadline(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet()
        while True:
            await peer.read_call()

    channel = open_channel(await open_peer(script))
    loop = asyncio.get_running_loop()

    async def wait(seconds):
        start = loop.time()
        with pytest.raises(SourceTimeoutError):
            await ask(channel, seconds=seconds)
        return loop.time() - start

    took = await asyncio.gather(wait(0.3), wait(0.1), wait(0.2))

    assert took[1] < took[2] < took[0]
    assert 0.09 < took[1] < 0.19
    assert 0.29 < took[0] < 0.5


async def test_a_cancelled_call_is_cancelled_at_once(open_peer, open_channel, ask):
    codes = asyncio.Queue()

    async def script(peer):
        await peer.greet()
        while True:
            await peer.read_call()
            codes.put_nowait((await peer.read(frames.RST_STREAM)).payload[3])

    channel = open_channel(await open_peer(script))
    task = asyncio.ensure_future(ask(channel))
    await asyncio.sleep(0.05)

    task.cancel()

    async with asyncio.timeout(0.1):
        assert await codes.get() == frames.CANCEL
    with pytest.raises(asyncio.CancelledError):
        await task
