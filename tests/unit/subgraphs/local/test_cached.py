"""Rows of a local subgraph are kept as its directives say."""

from __future__ import annotations

import pytest
import strawberry
from support.clock import ManualClock

from graphgw import ResolverError, Subgraph, batched, by, resolved
from graphgw.context import RequestContext
from graphgw.directives import CacheControl, CacheScope, CacheTag
from graphgw.stores.memory import MemoryStore
from graphgw.subgraphs.entity_cache import EntityCache
from graphgw.subgraphs.loaders import RequestLoaders, loader
from graphgw.types import ANONYMOUS, Deadline, Principal

CALLS: list[tuple[str, list[object]]] = []


@loader(shared=True)
async def products_by_id(ids, _context):
    CALLS.append(("id", ids))
    return [{"id": key, "name": f"name of {key}"} for key in ids]


@loader(shared=True)
async def products_by_place(places, _context):
    CALLS.append(("place", places))
    return [{"id": "-".join(place), "name": "placed"} for place in places]


@loader(shared=True)
async def review_counts(ids, _context, *, least: int = 0):
    CALLS.append(("reviews", [least, *ids]))
    return [len(key) for key in ids]


@strawberry.federation.type(
    keys=["id", "sku zone"],
    directives=[CacheControl(max_age=60), CacheTag(format="product-{$key.id}")],
)
class Product:
    id: strawberry.ID
    sku: str | None
    zone: str | None
    name: str
    review_count: int = batched(
        review_counts, key="id", directives=[CacheControl(max_age=60)]
    )


async def find_version(_context, *, of: str = "it"):
    CALLS.append(("version", [of]))
    if of == "nothing":
        raise ResolverError("there is no such thing")
    return f"version of {of}"


async def find_mine(_context):
    CALLS.append(("mine", []))
    return "mine"


async def bump(_context):
    CALLS.append(("bump", []))
    return 1


@strawberry.type
class Query:
    version: str | None = resolved(
        find_version,
        directives=[CacheControl(max_age=60, scope=CacheScope.PUBLIC)],
    )
    mine: str = resolved(find_mine, directives=[CacheControl(max_age=60)])


@strawberry.type
class Mutation:
    bump: int = resolved(
        bump, directives=[CacheControl(max_age=60, scope=CacheScope.PUBLIC)]
    )


SUBGRAPH = Subgraph(
    "product",
    query=Query,
    mutation=Mutation,
    types=[Product],
    entities={Product: [by("id", products_by_id), by("sku zone", products_by_place)]},
)


@pytest.fixture
def store():
    CALLS.clear()
    return MemoryStore()


@pytest.fixture
def ask(prepare, store):
    cache = EntityCache(store, clock=ManualClock())

    async def run(text, *representations, key="id", kind="query", principal=ANONYMOUS):
        keys = {"Product": key} if representations else None
        fetch = prepare(SUBGRAPH, text, keys=keys, kind=kind)
        context = RequestLoaders.attach(
            RequestContext(deadline=Deadline.after(10), principal=principal), cache
        )
        typed = [{"__typename": "Product", **r} for r in representations]
        result = await fetch.run(context, {}, typed)
        return result.data

    return run


async def test_an_entitys_rows_are_loaded_once_for_all_requests(ask):
    text = "{ ... on Product { name } }"
    await ask(text, {"id": "a"})

    data = await ask(text, {"id": "a"}, {"id": "b"})

    assert [row["name"] for row in data] == ["name of a", "name of b"]
    assert CALLS == [("id", ["a"]), ("id", ["b"])]


async def test_a_batched_field_is_kept_by_its_arguments(ask):
    for least in (0, 0, 1):
        await ask(
            f"{{ ... on Product {{ reviewCount(least: {least}) }} }}", {"id": "a"}
        )

    assert CALLS == [("reviews", [0, "a"]), ("reviews", [1, "a"])]


async def test_a_tag_names_the_parts_of_the_key_that_loaded_the_row(ask, store):
    text = "{ ... on Product { name } }"
    await ask(text, {"id": "a"})
    await store.invalidate(["product-a"])

    await ask(text, {"id": "a"})

    assert CALLS == [("id", ["a"]), ("id", ["a"])]


async def test_a_row_by_another_key_cannot_have_the_tag_and_is_not_kept(ask):
    text = "{ ... on Product { name } }"
    for _ in range(2):
        await ask(text, {"sku": "s", "zone": "z"}, key="sku zone")

    assert CALLS == [("place", [("s", "z")]), ("place", [("s", "z")])]


async def test_a_root_field_is_kept_by_its_arguments(ask):
    for of in ("a", "b", "a"):
        data = await ask(f'{{ version(of: "{of}") }}')
        assert data == {"version": f"version of {of}"}

    assert CALLS == [("version", ["a"]), ("version", ["b"])]


async def test_a_failure_of_a_root_field_is_not_kept(ask):
    for _ in range(2):
        assert await ask('{ version(of: "nothing") }') == {"version": None}

    assert len(CALLS) == 2


async def test_a_root_field_is_private_unless_it_says_otherwise(ask):
    for subject in ("ann", "bob", "ann", None, None):
        await ask("{ mine }", principal=Principal(subject))

    assert len(CALLS) == 4


async def test_a_mutation_is_never_kept(ask):
    for _ in range(2):
        await ask("{ a: bump b: bump }", kind="mutation")

    assert len(CALLS) == 4
