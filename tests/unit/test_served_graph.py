from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import strawberry

from graphgw import Subgraph
from graphgw.config.settings import ServerSettings, Settings, VariantSettings
from graphgw.errors import ConfigurationError, OverloadedError
from graphgw.served_graph import ServedGraph
from graphgw.telemetry.events import SnapshotSwapped


@strawberry.type
class Query:
    one: int = 1


class Watcher:
    """Notes what is served from at the moment of each swap."""

    def __init__(self) -> None:
        self.graph = None
        self.seen = []

    def observe(self, event) -> None:
        if isinstance(event, SnapshotSwapped):
            graph = self.graph
            self.seen.append((graph.settings, graph.resources, graph.snapshot))


def build(settings, observer=None):
    async def answer_route(*_):
        raise AssertionError("there is no route")

    observer = observer or Watcher()
    observer.graph = ServedGraph(
        settings,
        local=(Subgraph("a", query=Query),),
        services=(),
        observer=observer,
        relay=None,
        answer_route=answer_route,
    )
    return observer.graph


@asynccontextmanager
async def serving(settings, observer=None):
    graph = build(settings, observer)
    await graph.start()
    try:
        yield graph
    finally:
        await graph.aclose()


def test_before_the_start_there_is_nothing_to_serve_from():
    graph = build(Settings())

    for name in ("resources", "snapshot"):
        with pytest.raises(ConfigurationError, match="not started"):
            getattr(graph, name)
    assert not graph.is_ready


async def test_after_the_end_there_is_no_graph_any_more():
    async with serving(Settings()) as graph:
        assert graph.is_ready

    assert not graph.is_ready
    with pytest.raises(OverloadedError, match="no graph"):
        _ = graph.snapshot


async def test_a_swap_is_told_when_all_of_it_is_in_place():
    watcher = Watcher()
    first, second = Settings(), Settings(deadline=3.0)
    async with serving(first, watcher) as graph:
        began = graph.resources
        await graph.reconfigure(second)

        assert [settings for settings, _, _ in watcher.seen] == [first, second]
        assert [held for _, held, _ in watcher.seen] == [began, graph.resources]
        assert watcher.seen[1][2] is graph.snapshot is not watcher.seen[0][2]


async def test_a_reload_keeps_settings_and_resources():
    async with serving(Settings()) as graph:
        before = graph.settings, graph.resources
        snapshot = graph.snapshot
        await graph.reload()

        assert (graph.settings, graph.resources) == before
        assert graph.snapshot is not snapshot


async def test_paths_of_variants_come_with_their_settings():
    main = VariantSettings(name="main", path="/graphql")
    partner = VariantSettings(name="partner", path="/partner")
    settings = Settings(
        server=ServerSettings(path="/graphql"), variants=(main, partner)
    )
    async with serving(settings) as graph:
        assert graph.variant_paths == {"/partner": "partner"}

        await graph.reconfigure(replace(settings, variants=(main,)))

        assert graph.variant_paths == {}
