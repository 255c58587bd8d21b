"""A remote subgraph that misbehaves on the wire, seen through the whole engine."""

import pytest
from support.faulty_backend import FaultyBackend
from support.graphs import FakeGraph, new_context, supergraph_header

from graphgw.sources.connections import Connections
from graphgw.sources.settings import RetrySettings, ServiceSettings
from graphgw.subgraphs.remote.subgraph import RemoteSettings, RemoteSubgraph
from graphgw.types import Deadline

SUPERGRAPH = (
    supergraph_header("A", "B")
    + """
type Query @join__type(graph: A) @join__type(graph: B) {
  ok: Boolean @join__field(graph: A)
  fine: Boolean @join__field(graph: B)
}
"""
)


@pytest.fixture
async def backend():
    async with FaultyBackend() as found:
        yield found


async def ask(backend, path, **options):
    services = [
        ServiceSettings(
            name=name,
            url=backend.url("/"),
            retries=RetrySettings(max_retries=0),
            max_answer_bytes=500_000,
        )
        for name in ("a", "b")
    ]
    connections = Connections(services)
    subgraphs = {
        "A": RemoteSubgraph(
            "a",
            backend.url(path),
            connections.http("a"),
            settings=RemoteSettings(**options),
        ),
        "B": RemoteSubgraph("b", backend.url("/ok"), connections.http("b")),
    }
    try:
        context = new_context(deadline=Deadline.after(5))
        query = "{ ok __typename }"
        return await FakeGraph.read(SUPERGRAPH, subgraphs).run(query, context=context)
    finally:
        await connections.aclose()


@pytest.mark.parametrize(
    "path", ["/ok", "/chunked", "/gzip", "/proto-keys", "/extra-fields", "/trailers"]
)
async def test_a_sound_answer_is_taken_and_nothing_unasked_with_it(backend, path):
    result = await ask(backend, path)

    assert result.errors == []
    assert result.data == {"ok": True, "__typename": "Query"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        *(
            (path, "SOURCE_BAD_ANSWER")
            for path in (
                "/garbage",
                "/empty",
                "/scalar",
                "/null",
                "/array",
                "/wrong-type",
                "/no-type",
                "/invalid-utf8",
                "/lone-surrogate",
                "/nan",
                "/infinity",
                "/big-int",
                "/dup-keys",
                "/no-data-no-errors",
                "/data-not-object",
                "/errors-not-list",
                "/bad-gzip",
                "/bad-status-line",
                "/deep?n=20000",
            )
        ),
        ("/html", "SOURCE_ERROR"),
        ("/status?code=500", "SOURCE_ERROR"),
        ("/status?code=503", "SOURCE_ERROR"),
        ("/status?code=429", "RATE_LIMITED"),
        ("/redirect", "SOURCE_ERROR"),
        ("/close-mid-body", "SOURCE_ERROR"),
        ("/reset-mid-body", "SOURCE_ERROR"),
        ("/huge?mb=1", "SOURCE_ANSWER_TOO_LARGE"),
    ],
)
async def test_a_faulty_answer_is_one_error_with_code_and_path(backend, path, code):
    result = await ask(backend, path)

    assert result.data == {"ok": None, "__typename": "Query"}
    assert [(e["path"], e["extensions"]) for e in result.errors] == [
        (["ok"], {"code": code})
    ]
    assert "Oops" not in result.errors[0]["message"]
    assert backend.stats.by_path["/redirect-target"] == 0


@pytest.mark.parametrize("path", ["/hang", "/trickle?ms=1000", "/slow?ms=20000"])
async def test_a_late_answer_is_a_timeout_and_the_backend_sees_it(backend, path):
    result = await ask(backend, path, timeout=0.5)

    assert result.data == {"ok": None, "__typename": "Query"}
    assert [e["extensions"]["code"] for e in result.errors] == ["SOURCE_TIMEOUT"]
    await backend.is_quiet()
    assert backend.stats.cancelled == 1


async def test_the_backend_is_told_how_long_it_may_take(backend):
    await ask(backend, "/ok", timeout=2)

    (hit,) = backend.stats.hits
    assert 0 < int(hit.headers["x-request-timeout-ms"]) <= 2000
