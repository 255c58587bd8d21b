"""Root fields of remote subgraphs between requests: by coordinate and arguments."""

from __future__ import annotations

import orjson
import pytest
from support.clock import ManualClock
from support.graphs import new_context
from support.policies import HEADER

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import ConfigurationError, SourceUnreachableError
from graphgw.federation.selection import Argument, Field
from graphgw.operations.operation import VariableDefinition
from graphgw.planning.plan import Fetch
from graphgw.sources.protocol import HTTPResponse
from graphgw.stores.memory import MemoryStore
from graphgw.subgraphs.entity_cache import EntityCache
from graphgw.subgraphs.loaders import RequestLoaders
from graphgw.subgraphs.remote.headers import HeaderRules
from graphgw.subgraphs.remote.subgraph import RemoteSubgraph
from graphgw.types import Principal

CONTROL = "@cacheControl(maxAge: 60, staleIfError: 600)"
VARIABLES = (VariableDefinition("first", "Int"), VariableDefinition("size", "Int"))


def page(alias=None, size=None):
    arguments = () if size is None else (Argument("size", size),)
    image = Field("image", arguments=arguments)
    first = (Argument("first", "$first"),)
    return Field("page", alias=alias, arguments=first, selections=(image,))


PLAIN, NOW = Field("top"), Field("now")


class Shop:
    """Answers root fetches; notes the root fields that it was asked for."""

    def __init__(self):
        self.asked: list[list[str]] = []
        self.headers: dict[str, str] = {}
        self.errors: list[dict] = []
        self.fails = False

    async def send(self, request):
        query = orjson.loads(request.body)["query"]
        names = [n for n in ("top", "page", "now") if f"\n  {n}" in query]
        names += ["p"] if "p: page" in query else []
        self.asked.append(names)
        if self.fails:
            raise SourceUnreachableError("down", source="shop")
        number = len(self.asked)
        data = {n: {"image": number} if n in {"p", "page"} else number for n in names}
        answer = {"data": data}
        if self.errors:
            answer["errors"] = self.errors
        headers = {"content-type": "application/json", **self.headers}
        response = HTTPResponse(200, headers, orjson.dumps(answer))
        if request.check is not None:
            request.check(response)
        return response


class Setting:
    """A remote subgraph with its cache and clock."""

    def __init__(self, control=CONTROL, headers=None, tags=""):
        self.shop = Shop()
        self.clock = ManualClock()
        self.store = MemoryStore(clock=self.clock)
        self.cache = EntityCache(self.store, clock=self.clock)
        sdl = HEADER + (
            f"type Query {{ now: Int  top: Int {control}\n"
            f"  page(first: Int = 5): Page {control} {tags} }}\n"
            "type Page { image(size: Int): Int }"
        )
        supergraph = compose([SubgraphSDL("shop", "http://s", sdl)]).supergraph
        self.subgraph = RemoteSubgraph("shop", "http://s", self.shop, headers)
        (graph,) = supergraph.graphs
        self.subgraph.adopt(supergraph, graph)

    async def ask(
        self, *fields, variables=None, kind="query", after_mutation=False, **context
    ):
        self.context = RequestLoaders.attach(new_context(**context), self.cache)
        if after_mutation:
            self.context.loaders.reset()
        fetch = Fetch(0, "SHOP", kind, tuple(fields))
        prepared = self.subgraph.prepare(fetch, VARIABLES)
        return await prepared.run(self.context, variables or {}, ())


async def test_a_root_field_is_asked_for_once():
    setting = Setting()

    first, second = await setting.ask(PLAIN), await setting.ask(PLAIN)

    assert first.data == second.data == {"top": 1}
    assert setting.shop.asked == [["top"]]
    setting.clock.advance(61)
    assert (await setting.ask(PLAIN)).data == {"top": 2}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param((page(), {"first": 1}), (page(), {"first": 2}), id="arguments"),
        pytest.param(
            (page(size="$size"), {"first": 1, "size": 1}),
            (page(size="$size"), {"first": 1, "size": 2}),
            id="arguments-within",
        ),
        pytest.param(
            (page(size="1"), {"first": 1}), (page(), {"first": 1}), id="selections"
        ),
        pytest.param((page(), {"first": 1}), (page("p"), {"first": 1}), id="alias"),
    ],
)
async def test_what_differs_is_asked_for_anew(first, second):
    setting = Setting()
    for field, variables in (first, second, first, second):
        await setting.ask(field, variables=variables)

    assert len(setting.shop.asked) == 2


async def test_what_may_not_be_kept_is_asked_for_alone_the_next_time():
    setting = Setting()

    first = await setting.ask(PLAIN, NOW, page(), variables={"first": 1})
    second = await setting.ask(PLAIN, NOW, page(), variables={"first": 1})

    assert first.data == {"top": 1, "now": 1, "page": {"image": 1}}
    assert second.data == {"top": 1, "now": 2, "page": {"image": 1}}
    assert setting.shop.asked == [["top", "page", "now"], ["now"]]


async def test_what_is_kept_is_there_when_the_rest_fails():
    setting = Setting()
    await setting.ask(PLAIN, NOW)
    setting.shop.fails = True

    result = await setting.ask(PLAIN, NOW)

    assert result.data == {"top": 1, "now": None}
    assert [(e.path, e.code) for e in result.errors] == [
        (("now",), SourceUnreachableError.code)
    ]


async def test_errors_are_not_kept_but_those_of_others_do_not_matter():
    setting = Setting()
    setting.shop.errors = [{"message": "oops", "path": ["top"]}]
    await setting.ask(PLAIN, NOW)
    setting.shop.errors = [{"message": "oops", "path": ["now"]}]
    await setting.ask(PLAIN, NOW)

    await setting.ask(PLAIN, NOW)

    assert setting.shop.asked == [["top", "now"], ["top", "now"], ["now"]]


async def test_a_failure_is_raised_and_an_old_value_stands_in_for_it():
    setting = Setting()
    setting.shop.fails = True
    with pytest.raises(SourceUnreachableError):
        await setting.ask(PLAIN)
    setting.shop.fails = False
    await setting.ask(PLAIN)
    setting.clock.advance(120)
    setting.shop.fails = True

    result = await setting.ask(PLAIN)

    assert result.data == {"top": 2}
    assert setting.context.stale == ("Query.top",)


@pytest.mark.parametrize(
    ("header", "is_kept"),
    [("no-store", False), ("private", False), ("max-age=0", False), ("public", True)],
)
async def test_what_the_subgraph_says_counts_where_it_is_stricter(header, is_kept):
    setting = Setting()
    setting.shop.headers = {"cache-control": header}

    await setting.ask(PLAIN)
    await setting.ask(PLAIN)

    assert len(setting.shop.asked) == (1 if is_kept else 2)


async def test_fields_are_dropped_by_coordinate_and_by_tags_with_arguments():
    setting = Setting(tags='@cacheTag(format: "page-{$args.first}")')
    fields = (PLAIN, page())
    for tag in ("Query.page", "Query.top", "page-7"):
        await setting.ask(*fields, variables={"first": 7})
        await setting.store.invalidate([tag])
    await setting.ask(*fields, variables={"first": 7})
    await setting.store.invalidate(["page-8"])
    await setting.ask(*fields, variables={"first": 7})

    assert len(setting.shop.asked) == 4


async def test_callers_whom_the_subgraph_is_told_of_share_nothing():
    setting = Setting(headers=HeaderRules(forward=("authorization",)))
    for name in ("ann", "bob", "ann"):
        headers = {"authorization": f"Bearer {name}"}
        await setting.ask(PLAIN, principal=Principal(name), headers=headers)

    assert len(setting.shop.asked) == 2


def test_a_public_field_of_a_subgraph_that_is_told_who_asks_is_a_mistake():
    with pytest.raises(ConfigurationError, match="told who asks"):
        Setting(
            "@cacheControl(maxAge: 60, scope: PUBLIC)",
            HeaderRules(forward=("authorization",)),
        )


async def test_after_a_mutation_and_within_one_nothing_is_kept():
    setting = Setting()
    await setting.ask(PLAIN)

    await setting.ask(PLAIN, after_mutation=True)

    assert len(setting.shop.asked) == 2
