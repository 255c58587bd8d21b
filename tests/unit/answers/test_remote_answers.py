"""Kept answers of remote subgraphs: as their own headers allow, for equal headers."""

from dataclasses import replace

import pytest
from support.policies import HEADER
from support.remote_server import RemoteServer

from graphgw.config.settings import Settings, SubgraphReference
from graphgw.gateway import Gateway
from graphgw.policies.settings import CacheSettings, PolicySettings
from graphgw.subgraphs.remote.headers import HeaderRules

SDL = """
type Query {
  page: Page
  fixed: Page @cacheControl(maxAge: 60, scope: PUBLIC)
}
type Page @cacheControl(maxAge: 60) { text: String }
"""


@pytest.fixture
def remote():
    page = {"text": "words"}
    with RemoteServer(HEADER + SDL, {"page": page, "fixed": page}) as server:
        yield server


def settings_of(remote, **rules) -> Settings:
    found = SubgraphReference(name="pages", url=remote.url)
    if rules:
        found = replace(found, headers=HeaderRules(**rules))
    return Settings(subgraphs=(found,))


async def times_asked(gateway, remote, query, *headers) -> int:
    before = len(remote.calls)
    for given in headers:
        answer = await gateway.execute(query, headers=given)
        assert not answer.errors
    return len(remote.calls) - before


@pytest.mark.parametrize("field", ["page", "fixed"])
@pytest.mark.parametrize(
    ("said", "times"),
    [
        pytest.param(None, 1, id="nothing"),
        pytest.param("max-age=30", 1, id="age"),
        pytest.param("no-store", 3, id="no-store"),
        pytest.param("private", 3, id="private"),
    ],
)
async def test_what_a_subgraph_says_of_its_answer_counts(remote, field, said, times):
    remote.answer_headers = {"cache-control": said} if said else {}
    async with Gateway(settings=settings_of(remote)) as gateway:
        query = "{ %s { text } }" % field  # noqa: UP031 - full of braces

        assert await times_asked(gateway, remote, query, {}, {}, {}) == times


async def test_an_answer_gets_no_older_than_the_subgraph_says(remote):
    remote.answer_headers = {"cache-control": "max-age=30"}
    async with Gateway(settings=settings_of(remote)) as gateway:
        await gateway.execute("{ page { text } }")
        again = await gateway.execute("{ page { text } }")

    assert ("cache-control", "max-age=29, public") in again.headers


async def test_headers_that_go_on_do_not_cross(remote):
    rules = settings_of(remote, forward=("x-lang",))
    async with Gateway(settings=rules) as gateway:
        german, french = {"x-lang": "de"}, {"x-lang": "fr"}
        query = "{ page { text } }"

        assert await times_asked(gateway, remote, query, german, german) == 1
        assert await times_asked(gateway, remote, query, french, german, french) == 1


async def test_what_a_subgraph_answers_who_is_known_to_it_is_not_kept():
    sdl = "type Query { page: Page } type Page @cacheControl(maxAge: 60) { text: ID }"
    known, query = {"x-user-id": "u1"}, "{ page { text } }"
    with RemoteServer(HEADER + sdl, {"page": {"text": "words"}}) as remote:
        rules = settings_of(remote, forward=("x-user-id",))
        async with Gateway(settings=rules) as gateway:
            assert await times_asked(gateway, remote, query, known, known) == 2
            assert await times_asked(gateway, remote, query, {}, {}) == 1


async def test_an_answer_with_headers_of_the_subgraph_is_not_kept(remote):
    remote.answer_headers = {"x-region": "north"}
    rules = settings_of(remote, answer=("x-region",))
    async with Gateway(settings=rules) as gateway:
        assert await times_asked(gateway, remote, "{ page { text } }", {}, {}) == 2


async def test_rows_alone_are_kept_where_answers_are_not(remote):
    policies = PolicySettings(cache=CacheSettings(answers=False))
    settings = replace(settings_of(remote), policies=policies)
    async with Gateway(settings=settings) as gateway:
        assert await times_asked(gateway, remote, "{ page { text } }", {}, {}) == 2
        assert await times_asked(gateway, remote, "{ fixed { text } }", {}, {}) == 1
