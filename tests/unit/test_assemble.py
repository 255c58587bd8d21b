import pytest
import strawberry
from support.remote_server import RemoteServer

from graphgw.assemble import RemoteSubgraphs, compose_settings, find_subgraphs
from graphgw.config.settings import Settings, SubgraphReference
from graphgw.errors import ConfigurationError
from graphgw.gateway import Gateway
from graphgw.sources.settings import BreakerSettings, ServiceSettings
from graphgw.subgraphs.loaders import loader
from graphgw.subgraphs.local.fields import batched, resolved
from graphgw.subgraphs.local.subgraph import Subgraph
from graphgw.subgraphs.remote.headers import HeaderRules
from graphgw.subgraphs.remote.subgraph import RemoteSettings

REMOTE = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
type Query { me: User }
type User @key(fields: "id") { id: ID! name: String }
"""


@loader
async def scores_by_user(ids: list[str], _context) -> list[int]:
    return [int(i) * 10 for i in ids]


async def find_top(_context) -> dict[str, str]:
    return {"id": "2"}


@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    score: int | None = batched(scores_by_user, key="id")


@strawberry.type
class Query:
    top: User | None = resolved(find_top)


LOCAL = Subgraph("scores", query=Query, types=[User])
NOT_A_SUBGRAPH = 1


@pytest.fixture
def users():
    data = {"me": {"__typename": "User", "id": "1", "name": "Ada"}}
    find = {"User": lambda found: {"name": f"name {found['id']}"}}
    with RemoteServer(REMOTE, data, find) as server:
        yield server


def remote(**options):
    return SubgraphReference(name="users", **options)


async def test_local_and_remote_subgraphs_make_one_graph(users):
    settings = Settings(subgraphs=(remote(url=users.url),))

    async with Gateway(subgraphs=[LOCAL], settings=settings) as gateway:
        response = await gateway.execute("{ me { name score } top { name score } }")

    assert not response.errors
    assert response.data == {
        "me": {"name": "Ada", "score": 10},
        "top": {"name": "name 2", "score": 20},
    }
    assert len(users.calls) == 3  # its schema, "me", and the name of "top"


async def test_a_schema_in_a_file_is_not_asked_of_the_subgraph(users, tmp_path):
    sdl = tmp_path / "users.graphql"
    sdl.write_text(REMOTE)

    composed = await compose_settings(
        Settings(subgraphs=(remote(url=users.url, sdl=sdl),))
    )

    assert users.calls == []
    (graph,) = composed.supergraph.graphs.values()
    assert (graph.name, graph.url) == ("users", users.url)


async def test_a_subgraph_is_asked_for_its_schema_with_the_gateways_own_headers(users):
    headers = HeaderRules(insert=(("X-Key", "k"),), forward=("authorization",))

    await compose_settings(
        Settings(subgraphs=(remote(url=users.url, headers=headers),))
    )

    assert users.last.headers["x-key"] == "k"
    assert "_service" in users.last.body["query"]


async def test_every_schema_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        await compose_settings(
            Settings(
                subgraphs=(
                    remote(url="http://127.0.0.1:1/"),
                    SubgraphReference(
                        name="b", url="http://x/", sdl=tmp_path / "none.graphql"
                    ),
                )
            )
        )

    assert [problem.where for problem in raised.value.problems] == [
        "subgraphs.users",
        "subgraphs.b",
    ]


async def test_wrong_urls_are_told_as_subgraphs():
    opened = RemoteSubgraphs()

    with pytest.raises(ConfigurationError) as raised:
        opened.open([remote(url="ftp://x"), SubgraphReference(name="b", url="")])

    assert [problem.where for problem in raised.value.problems] == [
        "subgraphs.users.url",
        "subgraphs.b.url",
    ]


async def test_a_service_of_the_same_name_says_how_a_subgraph_is_called():
    breaker = BreakerSettings(is_enabled=False)
    service = ServiceSettings(name="users", url="http://other/", breaker=breaker)
    opened = RemoteSubgraphs()

    opened.open(
        [remote(url="http://here/", remote=RemoteSettings(timeout=2.0))], [service]
    )

    found = opened.connections.http("users").settings
    assert (found.url, found.timeout, found.breaker) == ("http://here/", 2.0, breaker)
    await opened.aclose()


async def test_unchanged_subgraphs_keep_their_connections():
    first = RemoteSubgraphs()
    first.open([remote(url="http://a/"), SubgraphReference(name="b", url="http://b/")])
    second = first.next()
    second.open([remote(url="http://a/"), SubgraphReference(name="b", url="http://c/")])

    kept = [
        first.connections.http(name) is second.connections.http(name)
        for name in ("users", "b")
    ]

    assert kept == [True, False]
    await first.aclose()
    await second.aclose()


async def test_nothing_to_serve_is_told():
    with pytest.raises(ConfigurationError, match="there is no subgraph"):
        await Gateway(settings=Settings()).start()


def test_every_import_path_that_is_wrong_is_named():
    paths = {
        "a": "nowhere:x",
        "b": "graphgw.errors:nothing",
        "c": f"{__name__}:NOT_A_SUBGRAPH",
    }
    references = tuple(SubgraphReference(name=n, python=p) for n, p in paths.items())

    with pytest.raises(ConfigurationError) as raised:
        find_subgraphs(Settings(subgraphs=references))

    assert [problem.where for problem in raised.value.problems] == [
        "subgraphs.a",
        "subgraphs.b",
        "subgraphs.c",
    ]


def test_a_subgraph_that_is_given_and_named_is_there_once():
    reference = SubgraphReference(name="scores", python=f"{__name__}:LOCAL")

    assert find_subgraphs(Settings(subgraphs=(reference,)), [LOCAL]) == [LOCAL]
