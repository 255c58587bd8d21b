"""Entities of remote subgraphs between requests: asked for once, never for another."""

from __future__ import annotations

import orjson
import pytest
from support.clock import ManualClock
from support.graphs import new_context
from support.policies import HEADER

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import ConfigurationError, SourceUnreachableError
from graphgw.federation.selection import Field, Fragment
from graphgw.planning.plan import EntityInput, Fetch, PathStep
from graphgw.sources.protocol import HTTPResponse
from graphgw.stores.memory import MemoryStore
from graphgw.subgraphs.entity_cache import EntityCache
from graphgw.subgraphs.loaders import RequestLoaders
from graphgw.subgraphs.remote.headers import HeaderRules
from graphgw.subgraphs.remote.subgraph import RemoteSubgraph
from graphgw.subgraphs.told_ages import read_max_age
from graphgw.types import Principal


def fetch_of(*fields):
    return Fetch(
        3,
        "S0",
        "query",
        (Fragment("User", tuple(map(Field, fields))),),
        (PathStep("user"),),
        (EntityInput(("User",), "User", (Field("id"),)),),
    )


class Users:
    """Answers entity fetches; counts what it was asked for."""

    def __init__(self):
        self.asked: list[list[str]] = []
        self.headers: dict[str, str] = {}
        self.errors: list[dict] = []
        self.fails = False
        self.missing: set[str] = set()

    async def send(self, request):
        sent = orjson.loads(request.body)["variables"]["representations"]
        self.asked.append([item["id"] for item in sent])
        if self.fails:
            raise SourceUnreachableError("down", source="users")
        entities = [
            None if item["id"] in self.missing else {"name": f"n{item['id']}"}
            for item in sent
        ]
        answer = {"data": {"_entities": entities}}
        if self.errors:
            answer["errors"] = self.errors
        headers = {"content-type": "application/json", **self.headers}
        response = HTTPResponse(200, headers, orjson.dumps(answer))
        if request.check is not None:
            request.check(response)
        return response


class Setting:
    """A remote subgraph with its cache and clock."""

    def __init__(self, control, headers=None, extra=""):
        self.users = Users()
        self.clock = ManualClock()
        self.store = MemoryStore(clock=self.clock)
        self.cache = EntityCache(self.store, clock=self.clock)
        sdl = (
            HEADER + "type Query { user: User }\n"
            f'type User @key(fields: "id") {control} {{ id: ID!  name: String }}{extra}'
        )
        supergraph = compose([SubgraphSDL("users", "http://u", sdl)]).supergraph
        self.subgraph = RemoteSubgraph("users", "http://u", self.users, headers)
        (graph,) = supergraph.graphs
        self.subgraph.adopt(supergraph, graph)

    def prepare(self, *fields):
        return self.subgraph.prepare(fetch_of(*fields), ())

    async def ask(self, *ids, prepared=None, after_mutation=False, **context):
        made = RequestLoaders.attach(new_context(**context), self.cache)
        if after_mutation:
            made.loaders.reset()
        prepared = prepared or self.prepare("name")
        keys = [{"__typename": "User", "id": key} for key in ids]
        self.context = made
        return await prepared.run(made, {}, keys)


CONTROL = "@cacheControl(maxAge: 60)"


def names(result):
    return [entity and entity["name"] for entity in result.data]


async def test_only_missing_entities_are_asked_for():
    setting = Setting(CONTROL)

    first = await setting.ask("1", "2")
    second = await setting.ask("2", "3", "1")

    assert (names(first), names(second)) == (["n1", "n2"], ["n2", "n3", "n1"])
    assert setting.users.asked == [["1", "2"], ["3"]]


async def test_each_request_has_objects_of_its_own():
    setting = Setting(CONTROL)
    first = await setting.ask("1")
    first.data[0]["name"] = "changed"

    second = await setting.ask("1")
    second.data[0]["name"] = "changed again"

    assert names(await setting.ask("1")) == ["n1"]


async def test_another_selection_is_another_value():
    setting = Setting(CONTROL)
    await setting.ask("1")

    await setting.ask("1", prepared=setting.prepare("name", "id"))

    assert setting.users.asked == [["1"], ["1"]]


async def test_nothing_is_kept_without_a_rule_or_after_a_mutation():
    plain, ruled = Setting(""), Setting(CONTROL)

    for _ in range(2):
        await plain.ask("1")
        await ruled.ask("1", after_mutation=True)

    assert plain.users.asked == ruled.users.asked == [["1"], ["1"]]


async def test_each_key_drops_what_was_asked_for_by_another():
    setting = Setting(CONTROL + ' @key(fields: "name")')
    await setting.ask("1", "2")

    await setting.cache.invalidate(["User:name=n1"])

    await setting.ask("1", "2")
    assert setting.users.asked == [["1", "2"], ["1"]]


async def test_a_tag_drops_what_has_it():
    setting = Setting(CONTROL + ' @cacheTag(format: "user-{$key.id}")')
    await setting.ask("1", "2")

    await setting.cache.invalidate(["user-1"])

    await setting.ask("1", "2")
    assert setting.users.asked == [["1", "2"], ["1"]]


async def test_a_missing_entity_is_kept_and_one_with_errors_is_not():
    setting = Setting(CONTROL)
    setting.users.missing = {"1"}
    await setting.ask("1")
    setting.users.errors = [{"message": "no", "path": ["_entities", 0, "name"]}]
    failed = await setting.ask("2")
    setting.users.errors = []

    await setting.ask("1", "2")

    assert [error.path for error in failed.errors] == [(0, "name")]
    assert setting.users.asked == [["1"], ["2"], ["2"]]


async def test_a_failure_is_about_the_missing_ones_alone():
    setting = Setting(CONTROL)
    await setting.ask("1")
    setting.users.fails = True

    result = await setting.ask("1", "2")

    assert names(result) == ["n1", None]
    assert [(e.path, e.code) for e in result.errors] == [((1,), "SOURCE_UNREACHABLE")]
    with pytest.raises(SourceUnreachableError):
        await setting.ask("2", "3")


async def test_an_old_entity_stands_in_for_a_failure_and_is_marked():
    setting = Setting("@cacheControl(maxAge: 60, staleIfError: 600)")
    await setting.ask("1")
    assert setting.context.stale == ()
    setting.clock.advance(100)
    setting.users.fails = True

    result = await setting.ask("1")

    assert names(result) == ["n1"]
    assert setting.context.stale == ("User",)


@pytest.mark.parametrize(
    ("said", "after", "is_kept"),
    [
        pytest.param("max-age=10", 5, True, id="younger"),
        pytest.param("max-age=10", 15, False, id="stricter"),
        pytest.param("max-age=1000", 59, True, id="ours-is-stricter"),
        pytest.param("max-age=1000", 61, False, id="ours-ends"),
        pytest.param("public, s-maxage=5, max-age=50", 10, False, id="shared"),
        pytest.param("no-store", 0, False, id="no-store"),
        pytest.param("private, max-age=50", 0, False, id="private"),
        pytest.param("max-age=0", 0, False, id="zero"),
    ],
)
async def test_what_the_subgraph_says_counts_where_it_is_stricter(said, after, is_kept):
    setting = Setting(CONTROL)
    setting.users.headers = {"cache-control": said}
    await setting.ask("1")
    setting.clock.advance(after)

    await setting.ask("1")

    assert len(setting.users.asked) == (1 if is_kept else 2)


@pytest.mark.parametrize("header", ["authorization", "cookie", "x-user-id"])
@pytest.mark.parametrize("scope", ["", ", scope: PRIVATE"])
async def test_what_depends_on_the_caller_is_for_that_caller(header, scope):
    rules = HeaderRules(forward=(header,))
    setting = Setting(f"@cacheControl(maxAge: 60{scope})", rules)
    ada, bob = Principal("ada"), Principal("bob")

    for principal in (ada, bob, ada, bob):
        sent = {header: "same for both"}
        await setting.ask("1", principal=principal, headers=sent)
    await setting.ask("1", headers={header: "nobody is known"})
    await setting.ask("1", principal=ada, headers={header: "another"})

    assert len(setting.users.asked) == 4


async def test_a_private_type_is_not_kept_for_the_anonymous():
    setting = Setting("@cacheControl(maxAge: 60, scope: PRIVATE)")

    for _ in range(2):
        await setting.ask("1")

    assert len(setting.users.asked) == 2


def test_a_public_type_of_a_subgraph_that_is_told_who_asks_is_an_error():
    rules = HeaderRules(forward=("Authorization",))

    with pytest.raises(ConfigurationError) as caught:
        Setting("@cacheControl(maxAge: 60, scope: PUBLIC)", rules)

    assert [problem.where for problem in caught.value.problems] == ["User"]


@pytest.mark.parametrize(
    ("text", "is_private", "seconds"),
    [
        (None, False, None),
        ("", False, None),
        ("public", False, None),
        ("Max-Age=7", False, 7),
        ("max-age = 7 , must-revalidate", False, 7),
        ('max-age="7"', False, 7),
        ("private, max-age=7", True, 7),
        ("private, max-age=7", False, 0),
        ("no-cache", True, 0),
        ("max-age=nonsense", False, None),
    ],
)
def test_a_cache_control_is_read(text, is_private, seconds):
    assert read_max_age(text, is_private=is_private) == seconds
