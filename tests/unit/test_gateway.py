import asyncio
import gc
import weakref
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import strawberry
from support.graphs import supergraph_header
from support.remote_server import RemoteServer

from graphgw import Subgraph
from graphgw.config.settings import (
    ServerSettings,
    Settings,
    SubgraphReference,
    TelemetrySettings,
)
from graphgw.errors import ConfigurationError
from graphgw.gateway import Gateway
from graphgw.policies.settings import (
    AuthSettings,
    CacheSettings,
    IssuerSettings,
    PolicySettings,
)
from graphgw.sources.sdl_source import SupergraphSettings
from graphgw.sources.settings import ServiceSettings
from graphgw.telemetry.events import SnapshotSwapped

SDL = supergraph_header("A") + "type Query @join__type(graph: A) { %s: Int }"


class Recorder:
    def __init__(self) -> None:
        self.events = []

    def observe(self, event) -> None:
        self.events.append(event)

    @property
    def swaps(self):
        return [e.error for e in self.events if isinstance(e, SnapshotSwapped)]


@pytest.fixture(scope="module")
def remote():
    sdl = "type Query { one: Int two: Int }"
    with RemoteServer(sdl, {"one": 1, "two": 2}) as server:
        yield server


@pytest.fixture
def write(tmp_path):
    path = tmp_path / "supergraph.graphql"

    def write(text):
        path.write_text(text)
        return path

    return write


@asynccontextmanager
async def running(settings):
    recorder = Recorder()
    async with Gateway(settings=settings, observers=[recorder]) as gateway:
        yield gateway, recorder


def settings_of(remote, path, **changes):
    return Settings(
        supergraph=SupergraphSettings(location=str(path), poll_interval=0.02),
        subgraphs=(SubgraphReference(name="a", url=remote.url),),
        **changes,
    )


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what happens has no event
            await asyncio.sleep(0.01)


async def field(gateway, name):
    response = await gateway.execute(f"{{ {name} }}")
    return response.data and response.data[name]


async def test_a_supergraph_file_is_served_with_the_urls_of_the_configuration(
    remote, write
):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, _):
        assert gateway.is_ready
        assert await field(gateway, "one") == 1


async def test_a_missing_url_is_told_with_the_subgraph(write):
    location = str(write(SDL % "one"))
    settings = Settings(supergraph=SupergraphSettings(location=location))
    gateway = Gateway(settings=settings)

    with pytest.raises(ConfigurationError, match=r"subgraphs\.a: .*no URL"):
        await gateway.start()


async def test_a_changed_file_is_swapped_in(remote, write):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, seen):
        write(SDL % "two")
        await until(lambda: len(seen.swaps) == 2)

        assert await field(gateway, "two") == 2
        assert await field(gateway, "one") is None
        assert seen.swaps == [None, None]


async def test_a_bad_file_changes_nothing_and_says_why(remote, write):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, seen):
        write((SDL % "one")[:-10])
        await until(lambda: len(seen.swaps) == 2)

        assert "Syntax Error" in seen.swaps[1]
        assert await field(gateway, "one") == 1

        write(SDL % "two")
        await until(lambda: len(seen.swaps) == 3)
        assert await field(gateway, "two") == 2


async def test_a_request_ends_in_the_snapshot_that_it_began_in(remote, write):
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()
    began = asyncio.Event()

    def wait_for_the_gate(*_):
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(5)
        return 1

    sdl = "type Query { one: Int }"
    with RemoteServer(sdl, {"one": wait_for_the_gate}) as slow:
        async with running(settings_of(slow, write(SDL % "one"))) as (gateway, _):
            request = asyncio.ensure_future(field(gateway, "one"))
            await began.wait()
            moved = SubgraphReference(name="a", url=remote.url)
            await gateway.reconfigure(replace(gateway.settings, subgraphs=(moved,)))
            assert await field(gateway, "one") == 1
            assert len(slow.calls) == 1
            gate.set()

            assert await request == 1


async def test_a_url_that_is_down_at_first_is_asked_again(remote):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = (SDL % "one").encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n"
        writer.write(head.encode() + b"connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    settings = settings_of(remote, f"http://127.0.0.1:{port}/supergraph")

    async with running(settings) as (gateway, seen):
        assert not gateway.is_ready
        response = await gateway.execute("{ one }")
        assert response.status == 503
        assert "cannot read the supergraph" in seen.swaps[0]

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        async with server:
            await until(lambda: gateway.is_ready)
            assert await field(gateway, "one") == 1


# Reconfiguration


async def test_settings_are_taken_over(remote, write):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, seen):
        late = await gateway.reconfigure(replace(gateway.settings, deadline=3.0))

        assert late == ()
        assert gateway.settings.deadline == 3.0
        assert seen.swaps == [None, None]


async def test_what_belongs_to_the_process_needs_a_new_one(remote, write):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, _):
        late = await gateway.reconfigure(
            replace(
                gateway.settings,
                deadline=3.0,
                server=ServerSettings(port=1),
                telemetry=TelemetrySettings(log_level="debug"),
            )
        )

        assert late == ("server", "telemetry")
        assert gateway.settings.server == ServerSettings()
        assert gateway.settings.deadline == 3.0


async def test_unchanged_services_keep_their_connections(remote, write):
    kept = ServiceSettings(name="kept", url="http://127.0.0.1:1")
    changed = ServiceSettings(name="changed", url="http://127.0.0.1:1")
    settings = settings_of(
        remote, write(SDL % "one"), services=(kept, changed), deadline=0.01
    )
    async with running(settings) as (gateway, _):
        before = gateway.connections
        services = (kept, replace(changed, timeout=1.0))
        await gateway.reconfigure(replace(gateway.settings, services=services))

        assert gateway.connections is not before
        assert gateway.connections.http("kept").settings == kept
        assert gateway.connections.http("changed").settings.timeout == 1.0


async def test_the_store_and_the_rows_kept_go_on(remote, write):
    cache = PolicySettings(cache=CacheSettings(is_enabled=True))
    settings = settings_of(remote, write(SDL % "one"), policies=cache)
    async with running(settings) as (gateway, _):
        before = gateway._served.resources
        await gateway.reconfigure(replace(gateway.settings, deadline=3.0))
        after = gateway._served.resources

        assert after is not before
        assert after.store is before.store
        assert after.cache is before.cache is not None
        assert after.authenticator is before.authenticator
        assert after.connections is before.connections
        assert after.sharing is before.sharing


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            {"services": (ServiceSettings(name="x", url="nonsense"),)}, id="service"
        ),
        pytest.param(
            {"subgraphs": (SubgraphReference(name="a", url="ftp://x"),)}, id="subgraph"
        ),
        pytest.param({"subgraphs": ()}, id="no-url"),
        pytest.param(
            {"subgraphs": (SubgraphReference(name="b", python="nowhere:x"),)},
            id="import",
        ),
        pytest.param(
            {"supergraph": SupergraphSettings(location="/nowhere")}, id="supergraph"
        ),
        pytest.param(
            {"supergraph": SupergraphSettings(location="http://127.0.0.1:1/")},
            id="supergraph-down",
        ),
        pytest.param({"redis_url": "nonsense"}, id="redis"),
        pytest.param(
            {
                "auth": AuthSettings(
                    issuers=(
                        IssuerSettings(issuer="x", jwks_url="http://127.0.0.1:1/"),
                    )
                )
            },
            id="keys",
        ),
    ],
)
async def test_wrong_settings_change_nothing_and_say_why(remote, write, change):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, seen):
        before = gateway.settings, gateway._served.resources, gateway.snapshot

        with pytest.raises(ConfigurationError) as raised:
            await gateway.reconfigure(replace(gateway.settings, **change))

        assert (gateway.settings, gateway._served.resources, gateway.snapshot) == before
        assert seen.swaps == [None, str(raised.value)]
        assert gateway.is_ready
        assert await field(gateway, "one") == 1


async def test_another_supergraph_is_followed_instead(remote, write, tmp_path):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, seen):
        other = tmp_path / "other.graphql"
        other.write_text(SDL % "two")
        supergraph = SupergraphSettings(location=str(other))
        await gateway.reconfigure(replace(gateway.settings, supergraph=supergraph))
        assert await field(gateway, "two") == 2

        write(SDL % "ignored")
        other.write_text(SDL % "one")
        await until(lambda: len(seen.swaps) == 3)

        assert await field(gateway, "one") == 1
        assert gateway.snapshot.supergraph.sdl == SDL % "one"


async def test_the_process_ends_while_old_connections_wait_to_be_closed(remote, write):
    async with running(settings_of(remote, write(SDL % "one"))) as (gateway, _):
        for seconds in (1.0, 2.0, 3.0):
            await gateway.reconfigure(replace(gateway.settings, deadline=seconds))
        assert gateway._served._retiring

    assert not gateway._served._retiring
    assert (await gateway.execute("{ one }")).status == 503


async def test_a_gateway_that_was_not_started_says_so(remote, write):
    gateway = Gateway(settings=settings_of(remote, write(SDL % "one")))

    with pytest.raises(ConfigurationError, match="not started"):
        await gateway.execute("{ one }")


async def test_a_request_leaves_nothing_for_the_garbage_collector():
    @strawberry.type
    class Query:
        @strawberry.field
        async def one(self) -> int:
            return 1

    class Headers(dict[str, str]):
        """What the request's context holds, and a weak reference can name."""

    async with Gateway(subgraphs=[Subgraph("one", query=Query)]) as gateway:
        await gateway.execute("{ one }")
        headers = Headers()
        seen = weakref.ref(headers)
        gc.disable()
        try:
            await gateway.execute("{ one }", headers=headers)
            del headers

            assert seen() is None
        finally:
            gc.enable()
