"""Which connections a channel opens, keeps and gives up, and who gets them."""

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from support.certificates import make_certificate

from graphgw.errors import (
    SourceDisconnectedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.grpc_transport import frames
from graphgw.sources.settings import TLSSettings


async def serve(peer):
    await peer.greet()
    while True:
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)


class Gate:
    """A server that takes so many streams at a time, and answers when it is told."""

    def __init__(self, streams):
        self.streams = streams
        self.waiting = asyncio.Queue()
        self.most = 0

    async def __call__(self, peer):
        await peer.greet({frames.SET_STREAMS: self.streams})
        under_way = set()
        while True:
            stream_id, head = await peer.read_call()
            under_way.add(stream_id)
            self.most = max(self.most, len(under_way))

            def answer(stream_id=stream_id, head=head):
                under_way.discard(stream_id)
                peer.answer(stream_id, head["x-request-id"].encode())

            self.waiting.put_nowait(answer)


class Names:
    """A resolver whose answers the test changes."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.asked = 0

    async def resolve(self, host):
        assert host == "order.test"
        self.asked += 1
        if not self.addresses:
            raise OSError("no such host")
        return self.addresses

    def close(self):
        pass


async def until(is_so):
    """Wait for what the test has no event for."""
    async with asyncio.timeout(2):
        while not is_so():  # noqa: ASYNC110 - the channel tells nobody
            await asyncio.sleep(0.005)


def own(number):
    return (("x-request-id", str(number)),)


async def test_calls_beyond_the_streams_of_a_server_wait_in_line(
    open_peer, open_channel, ask
):
    gate = Gate(2)
    peer = await open_peer(gate)
    channel = open_channel(peer, max_connections=1)
    tasks = [asyncio.ensure_future(ask(channel, own=own(n))) for n in range(6)]
    order = []
    for task, name in zip(tasks, "012345", strict=True):
        task.add_done_callback(lambda _, name=name: order.append(name))

    for _ in range(6):
        (await gate.waiting.get())()

    assert await asyncio.gather(*tasks) == [b"%d" % n for n in range(6)]
    assert gate.most == 2
    assert order == list("012345")
    assert peer.connections == 1


async def test_one_who_leaves_the_line_keeps_nobody_from_their_turn(
    open_peer, open_channel, ask
):
    gate = Gate(1)
    channel = open_channel(await open_peer(gate), max_connections=1)
    tasks = [asyncio.ensure_future(ask(channel, own=own(n))) for n in range(4)]
    first = await gate.waiting.get()

    tasks[1].cancel()
    first()
    await tasks[0]
    tasks[2].cancel()
    (await gate.waiting.get())()
    results = await asyncio.gather(*tasks[1:3], return_exceptions=True)

    while not tasks[3].done():
        if not gate.waiting.empty():
            gate.waiting.get_nowait()()
        await asyncio.sleep(0)
    assert await tasks[3] == b"3"
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


async def test_a_call_in_line_ends_with_its_deadline(open_peer, open_channel, ask):
    gate = Gate(1)
    channel = open_channel(await open_peer(gate), max_connections=1)
    first = asyncio.ensure_future(ask(channel, own=own(1)))
    answer = await gate.waiting.get()

    with pytest.raises(SourceTimeoutError):
        await ask(channel, own=own(2), seconds=0.05)

    answer()
    assert await first == b"1"


async def test_another_connection_is_opened_when_streams_run_out(
    open_peer, open_channel, ask
):
    gate = Gate(2)
    peer = await open_peer(gate)
    channel = open_channel(peer)
    tasks = [asyncio.ensure_future(ask(channel, own=own(n))) for n in range(6)]

    answers = [await gate.waiting.get() for _ in range(6)]

    assert peer.connections == 3
    for answer in answers:
        answer()
    await asyncio.gather(*tasks)


async def test_more_streams_let_those_in_line_go(open_peer, open_channel, ask):
    async def script(peer):
        await peer.greet({frames.SET_STREAMS: 1})
        stream_id, _ = await peer.read_call()
        peer.send(frames.encode_settings({frames.SET_STREAMS: 3}))
        others = [(await peer.read_call())[0] for _ in range(2)]
        for other in (stream_id, *others):
            peer.answer(other)

    channel = open_channel(await open_peer(script), max_connections=1)

    assert await asyncio.gather(*(ask(channel) for _ in range(3))) == [b"ok"] * 3


async def test_calls_go_to_all_addresses_in_turn(open_peer, open_channel, ask):
    peers = [await open_peer(serve) for _ in range(3)]
    channel = open_channel(*peers)
    await ask(channel)
    await until(lambda: channel._balancer.size == 3)

    await asyncio.gather(*(ask(channel) for _ in range(30)))

    loads = [connection.answered for connection in channel._balancer._ready]
    assert sum(loads) == 31
    assert max(loads) - min(loads) <= 2


async def test_an_address_that_is_gone_costs_no_call(
    open_peer, open_channel, ask, unused_tcp_port
):
    peer = await open_peer(serve)
    addresses = (f"127.0.0.1:{unused_tcp_port}", peer.address)
    channel = open_channel(addresses=addresses)

    assert [await ask(channel) for _ in range(10)] == [b"ok"] * 10


async def test_addresses_that_cannot_be_reached_are_left_alone_for_a_while(
    open_channel, ask, unused_tcp_port
):
    channel = open_channel(addresses=(f"127.0.0.1:{unused_tcp_port}",))
    failures = []

    async def fail():
        with pytest.raises(SourceUnreachableError):
            await ask(channel)
        failures.append(channel._balancer._endpoints[0].failures)

    for _ in range(20):
        await fail()

    # The second attempt is made at once, the third not before its time.
    assert failures == [1] + [2] * 19


async def test_a_name_is_found_again_when_its_connection_is_lost(
    open_peer, open_channel, ask
):
    async def once(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)

    peer = await open_peer(once, serve)
    names = Names("127.0.0.1")
    channel = open_channel(addresses=(f"order.test:{peer.port}",), resolver=names)

    await ask(channel)
    await asyncio.sleep(0.05)
    assert await ask(channel) == b"ok"


async def test_new_addresses_of_a_name_are_used_and_old_ones_left(
    open_peer, open_channel, ask
):
    first = await open_peer(serve)
    names = Names("127.0.0.1")
    channel = open_channel(addresses=(f"order.test:{first.port}",), resolver=names)
    await ask(channel)
    balancer = channel._balancer

    async def move(*addresses):
        names.addresses = addresses
        balancer._known_until = 0.0
        balancer._watch()
        await until(lambda: not balancer._tasks)

    await move()
    assert await ask(channel) == b"ok"
    await move("127.0.0.1", "127.0.0.1")
    assert await ask(channel) == b"ok"
    await move("127.0.0.2")
    with pytest.raises(SourceUnreachableError):
        await ask(channel)
    await move("127.0.0.1")
    assert await ask(channel) == b"ok"
    assert first.connections == 2


async def test_a_service_that_moved_while_nobody_called_is_found(
    open_peer, open_channel, ask
):
    old = await open_peer(serve, host="127.0.0.2")
    new = await open_peer(serve, host="127.0.0.3", port=old.port)
    names = Names("127.0.0.2")
    channel = open_channel(addresses=(f"order.test:{old.port}",), resolver=names)
    await ask(channel)
    balancer = channel._balancer
    names.addresses = ("127.0.0.3",)
    balancer._known_until = 0.0
    for connection in tuple(balancer._ready):
        connection.retire()
    await until(lambda: not balancer.size)
    old.server.close()

    assert await ask(channel) == b"ok"
    assert new.connections == 1


async def test_a_name_is_asked_for_again_when_no_address_answers(
    open_peer, open_channel, ask
):
    peer = await open_peer(serve)
    names = Names("127.0.0.9")
    channel = open_channel(addresses=(f"order.test:{peer.port}",), resolver=names)
    with pytest.raises(SourceUnreachableError):
        await ask(channel)
    names.addresses = ("127.0.0.1",)

    assert await ask(channel) == b"ok"


async def test_addresses_serve_on_while_their_name_is_not_known(
    open_peer, open_channel, ask
):
    peer = await open_peer(serve)
    names = Names("127.0.0.1")
    channel = open_channel(addresses=(f"order.test:{peer.port}",), resolver=names)
    await ask(channel)
    names.addresses = ()
    channel._balancer._known_until = 0.0
    for connection in tuple(channel._balancer._ready):
        connection.retire()

    assert await ask(channel) == b"ok"


async def test_a_name_that_nobody_knows_is_unreachable(open_channel, ask):
    channel = open_channel(addresses=("order.test:1",), resolver=Names())

    with pytest.raises(SourceUnreachableError) as caught:
        await ask(channel)

    assert caught.value.detail == "no such host"


async def test_a_name_that_takes_too_long_is_unreachable(open_channel, ask):
    class Slow(Names):
        async def resolve(self, _):
            await asyncio.Event().wait()

    channel = open_channel(
        addresses=("order.test:1",), resolver=Slow(), connect_timeout=0.05
    )

    with pytest.raises(SourceUnreachableError) as caught:
        await ask(channel)

    assert caught.value.detail == "its name was not found in time"


async def test_an_idle_connection_is_closed(open_peer, open_channel, ask):
    codes = []

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)
        codes.append((await peer.read(frames.GOAWAY)).payload[7])

    channel = open_channel(await open_peer(script, serve), keep_alive=0.01)
    await ask(channel)
    await asyncio.sleep(0.02)
    channel._balancer._watch()

    await until(lambda: not channel._balancer.size)
    assert codes == [frames.NO_ERROR]
    assert await ask(channel) == b"ok"


async def test_an_old_connection_is_replaced_before_it_goes(
    open_peer, open_channel, ask
):
    gate = Gate(100)
    peer = await open_peer(gate)
    channel = open_channel(peer, max_connection_age=0.05)
    under_way = asyncio.ensure_future(ask(channel, own=own(1)))
    answer = await gate.waiting.get()
    await asyncio.sleep(0.06)

    channel._balancer._watch()
    await until(lambda: not channel._balancer._tasks)
    channel._balancer._watch()
    fresh = asyncio.ensure_future(ask(channel, own=own(2)))
    (await gate.waiting.get())()
    answer()

    assert [await under_way, await fresh] == [b"1", b"2"]
    assert peer.connections >= 2


async def test_a_connection_with_calls_is_pinged_and_lost_without_an_answer(
    open_peer, open_channel, ask
):
    pings = asyncio.Queue()

    async def script(peer):
        await peer.greet()
        await peer.read_call()
        while True:
            pings.put_nowait(await peer.read(frames.PING))

    channel = open_channel(await open_peer(script), ping_interval=0.01)
    task = asyncio.ensure_future(ask(channel))
    await until(lambda: any(item.calls for item in channel._balancer._ready))
    (connection,) = channel._balancer._ready
    now = asyncio.get_running_loop().time()

    connection.watch(now + 1)
    connection.watch(now + 2)
    await pings.get()
    connection.watch(now + 22)

    with pytest.raises(SourceDisconnectedError):
        await task
    assert pings.empty()


async def test_an_idle_connection_is_not_pinged(open_peer, open_channel, ask):
    seen = []

    async def script(peer):
        await peer.greet()
        stream_id, _ = await peer.read_call()
        peer.answer(stream_id)
        while True:
            seen.append((await peer.read_frame()).kind)

    channel = open_channel(await open_peer(script), ping_interval=0.01)
    await ask(channel)
    (connection,) = channel._balancer._ready

    connection.watch(asyncio.get_running_loop().time() + 1)
    await asyncio.sleep(0.02)

    assert frames.PING not in seen


async def test_closing_fails_the_calls_under_way_and_in_line(
    open_peer, open_channel, ask
):
    gate = Gate(1)
    channel = open_channel(await open_peer(gate), max_connections=1)
    tasks = [asyncio.ensure_future(ask(channel, own=own(n))) for n in range(3)]
    await gate.waiting.get()

    await channel.aclose()

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [SourceDisconnectedError] * 3
    with pytest.raises(SourceDisconnectedError):
        await ask(channel)


async def test_closing_ends_what_is_being_opened(open_peer, open_channel, ask):
    async def script(peer):
        await peer.reader.read(-1)

    channel = open_channel(await open_peer(script))
    task = asyncio.ensure_future(ask(channel))
    await asyncio.sleep(0.02)

    await channel.aclose()

    with pytest.raises(SourceDisconnectedError):
        await task


async def test_a_deadline_holds_while_a_connection_is_made(
    open_peer, open_channel, ask
):
    async def script(peer):
        await peer.reader.read(-1)

    channel = open_channel(await open_peer(script), connect_timeout=5)

    with pytest.raises(SourceTimeoutError):
        await ask(channel, seconds=0.05)


async def test_ipv6_addresses_are_reached(open_peer, open_channel, ask):
    peer = await open_peer(serve, host="::1")

    assert await ask(open_channel(addresses=(f"[::1]:{peer.port}",))) == b"ok"


async def test_a_server_with_threads_answers(open_channel, ask):
    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            del details
            return grpc.unary_unary_rpc_method_handler(lambda request, _: request)

    server = grpc.server(ThreadPoolExecutor(4), handlers=(Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = open_channel(addresses=(f"127.0.0.1:{port}",))
    messages = [bytes([n]) * (n * 2000) for n in range(100)]
    try:
        answers = await asyncio.gather(*(ask(channel, item) for item in messages))
    finally:
        await channel.aclose()
        server.stop(0).wait()

    assert answers == messages


async def test_a_server_that_stops_with_grace_loses_no_call(
    open_peer, open_channel, ask
):
    async def stop_after_some(peer):
        await peer.greet()
        for _ in range(20):
            stream_id, _ = await peer.read_call()
            peer.answer(stream_id)
        # First that no more is wanted; what crosses the wire meanwhile is answered.
        peer.frame(frames.GOAWAY, 0, 0, b"\x7f\xff\xff\xff" + bytes(4))
        peer.frame(frames.PING, 0, 0, bytes(8))
        while True:
            frame = await peer.read(frames.HEADERS, frames.PING)
            if frame.kind == frames.PING:
                break
            stream_id = frame.stream_id
            peer.answer(stream_id)
        peer.frame(frames.GOAWAY, 0, 0, stream_id.to_bytes(4, "big") + bytes(4))

    peer = await open_peer(stop_after_some)
    channel = open_channel(peer)

    async def call_on():
        return [await ask(channel) for _ in range(20)]

    answers = await asyncio.gather(*(call_on() for _ in range(10)))

    assert answers == [[b"ok"] * 20] * 10
    assert peer.connections > 5


@pytest.mark.parametrize("compression", list(grpc.Compression))
async def test_a_server_that_compresses_is_understood(compression, open_channel, ask):
    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            del details

            async def echo(request, _):
                return request

            return grpc.unary_unary_rpc_method_handler(echo)

    server = grpc.aio.server(compression=compression)
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = open_channel(addresses=(f"127.0.0.1:{port}",))
    try:
        assert await ask(channel, b"m" * 10_000) == b"m" * 10_000
    finally:
        await channel.aclose()
        await server.stop(0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "order.test", "127.0.0.1")


def make_server_context(certificate, *protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


@pytest.mark.parametrize("server_name", [None, "order.test"])
async def test_calls_go_over_tls(
    server_name, certificate, open_peer, open_channel, ask
):
    heads = []

    async def script(peer):
        await peer.greet()
        stream_id, head = await peer.read_call()
        heads.append(head)
        peer.answer(stream_id)

    peer = await open_peer(script, tls=make_server_context(certificate, "h2"))
    tls = TLSSettings(ca_file=certificate.file, server_name=server_name)

    assert await ask(open_channel(peer, tls=tls)) == b"ok"
    assert heads[0][":scheme"] == "https"
    assert heads[0][":authority"] == (server_name or peer.address)


@pytest.mark.parametrize(
    ("protocols", "tls", "detail"),
    [
        pytest.param((), {}, "it speaks no HTTP/2", id="no-http2"),
        pytest.param(("h2",), {"server_name": "user.test"}, "mismatch", id="name"),
        pytest.param(("h2",), {"ca_file": None}, "self-signed", id="authority"),
    ],
)
async def test_a_server_that_is_not_the_one_meant_is_unreachable(
    protocols, tls, detail, certificate, open_peer, open_channel, ask
):
    peer = await open_peer(serve, tls=make_server_context(certificate, *protocols))
    tls = {"ca_file": certificate.file, **tls}

    with pytest.raises(SourceUnreachableError) as caught:
        await ask(open_channel(peer, tls=TLSSettings(**tls)))

    assert detail in caught.value.detail
