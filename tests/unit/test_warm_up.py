"""What was asked most is compiled before a new schema serves its first request."""

from contextlib import asynccontextmanager

import pytest
from support.graphs import supergraph_header
from support.remote_server import RemoteServer

from graphgw.config.settings import Settings, SubgraphReference
from graphgw.gateway import Gateway
from graphgw.operations.settings import WarmUpSettings
from graphgw.policies.variant_settings import VariantSettings
from graphgw.sources.sdl_source import SupergraphSettings
from graphgw.telemetry.events import OperationFinished, SnapshotSwapped
from graphgw.warm_up import read_documents, remember_documents

SDL = supergraph_header("A") + (
    "type Query @join__type(graph: A) { one: Int two: Int three: Int }"
)
NARROWER = SDL.replace(" three: Int", "")


class Recorder:
    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)

    def last(self, kind):
        return [event for event in self.events if isinstance(event, kind)][-1]


@pytest.fixture(scope="module")
def remote():
    sdl = "type Query { one: Int two: Int three: Int }"
    with RemoteServer(sdl, {"one": 1, "two": 2, "three": 3}) as server:
        yield server


@asynccontextmanager
async def running(remote, folder, variants=(), **warm_up):
    path = folder / "supergraph.graphql"
    path.write_text(SDL)
    settings = Settings(
        supergraph=SupergraphSettings(location=str(path), poll_interval=60),
        subgraphs=(SubgraphReference(name="a", url=remote.url),),
        warm_up=WarmUpSettings(**warm_up),
        variants=variants,
    )
    recorder = Recorder()
    async with Gateway(settings=settings, observers=[recorder]) as gateway:
        yield gateway, recorder


async def had_plan(gateway, recorder, query, variables=None):
    response = await gateway.execute(query, variables)
    assert response.errors == []
    return recorder.last(OperationFinished).had_plan


async def test_a_reload_prepares_what_was_asked_before(remote, tmp_path):
    async with running(remote, tmp_path) as (gateway, recorder):
        assert not await had_plan(gateway, recorder, "{ one }")
        await gateway.execute("{ three }")

        await gateway.reload(NARROWER)

        swapped = recorder.last(SnapshotSwapped)
        assert (swapped.warmed_up, swapped.unfit) == (1, 1)
        assert await had_plan(gateway, recorder, "{ one }")
        assert not await had_plan(gateway, recorder, "{ two }")


async def test_every_asked_value_of_conditions_is_prepared(remote, tmp_path):
    query = "query ($if: Boolean!) { one two @include(if: $if) }"
    async with running(remote, tmp_path) as (gateway, recorder):
        for value in (True, False):
            await gateway.execute(query, {"if": value})

        await gateway.reload(SDL)

        for value in (True, False):
            assert await had_plan(gateway, recorder, query, {"if": value})


async def test_only_the_documents_that_were_asked_most_are_prepared(remote, tmp_path):
    async with running(remote, tmp_path, documents=1) as (gateway, recorder):
        for query in ("{ one }", "{ two }", "{ two }"):
            await gateway.execute(query)

        await gateway.reload(SDL)

        assert await had_plan(gateway, recorder, "{ two }")
        assert not await had_plan(gateway, recorder, "{ one }")


async def test_nothing_is_prepared_where_that_is_switched_off(remote, tmp_path):
    async with running(remote, tmp_path, documents=0) as (gateway, recorder):
        await gateway.execute("{ one }")

        await gateway.reload(SDL)

        assert not await had_plan(gateway, recorder, "{ one }")


async def test_a_variant_prepares_what_its_own_clients_asked(remote, tmp_path):
    variants = (VariantSettings(name="mobile"),)
    async with running(remote, tmp_path, variants) as (gateway, _):
        view = gateway.snapshot.variants["mobile"]
        await view.prepare_document("{ two }", None)

        await gateway.reload(SDL)

        assert gateway.snapshot.find_document("{ two }", None) is None
        view = gateway.snapshot.variants["mobile"]
        assert view.find_document("{ two }", None) is not None


async def test_a_start_prepares_the_documents_of_files(remote, tmp_path):
    (tmp_path / "one.graphql").write_text("{ one }")
    (tmp_path / "wrong.graphql").write_text("{ nine }")
    (tmp_path / "binary.graphql").write_bytes(b"\xff\xfe")
    files = (str(tmp_path / "[owb]*.graphql"),)

    async with running(remote, tmp_path, files=files) as (gateway, recorder):
        swapped = recorder.last(SnapshotSwapped)
        assert (swapped.warmed_up, swapped.unfit) == (1, 1)
        assert await had_plan(gateway, recorder, "{ one }")


async def test_a_process_begins_with_what_the_last_one_was_asked(remote, tmp_path):
    remember = tmp_path / "state" / "documents.jsonl"
    async with running(remote, tmp_path, remember=remember) as (gateway, recorder):
        assert not await had_plan(gateway, recorder, "{ one two }")

    async with running(remote, tmp_path, remember=remember) as (gateway, recorder):
        assert await had_plan(gateway, recorder, "{ one two }")

    assert [path.name for path in remember.parent.iterdir()] == [remember.name]


async def test_what_cannot_be_kept_is_told_and_stops_nothing(remote, tmp_path):
    (tmp_path / "file").write_text("")
    remember = tmp_path / "file" / "documents.jsonl"

    async with running(remote, tmp_path, remember=remember) as (gateway, recorder):
        await gateway.execute("{ one }")

    assert recorder.events[-1].where == "warm_up.remember"


def test_a_damaged_line_spoils_no_other(tmp_path):
    path = tmp_path / "documents.jsonl"
    path.write_bytes(
        b'{"query": "{ a }"}\n[]\n{"query":\n\xff\n'
        b'{"query": "{ b }", "operationName": null, "conditions": [[true]]}\n'
    )

    found = read_documents(WarmUpSettings(remember=path))

    assert [document.text for document in found] == ["{ b }"]
    remember_documents(path, found, 10)
    assert read_documents(WarmUpSettings(remember=path)) == found
