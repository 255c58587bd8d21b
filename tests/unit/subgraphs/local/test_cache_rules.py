"""What programs tell the cache of rows: the rules of types and batched fields."""

import pytest
import strawberry

from graphgw import Subgraph, batched, by, resolved
from graphgw.directives import CacheControl
from graphgw.subgraphs.loaders import RequestLoaders


class RecordingCache:
    """Keeps nothing, notes what it was asked."""

    def __init__(self):
        self.asked = []

    def peek(self, *_, **__):
        return None

    async def load(self, rule, keys, fetch, *, context, loader, arguments):
        assert context.request_id == "r1"
        self.asked.append((rule.coordinate, rule.max_age, loader.name, keys, arguments))
        return await fetch(keys)


async def users_by_id(ids, _context):
    return [{"id": key, "name": key.upper()} for key in ids]


async def notes_by_user(ids, _context, *, first: int = 5):
    return [f"{key}/{first}" for key in ids]


async def find_user(_context):
    return {"id": "u1"}


@strawberry.federation.type(keys=["id"], directives=[CacheControl(max_age=60)])
class User:
    id: strawberry.ID
    name: str
    last_note: str = batched(
        notes_by_user, key="id", directives=[CacheControl(max_age=30)]
    )
    fresh_note: str = batched(notes_by_user, key="id")


@strawberry.type
class Query:
    user: User = resolved(find_user)


@pytest.fixture
def cache():
    return RecordingCache()


@pytest.fixture
def subgraph():
    return Subgraph("users", query=Query, entities={User: by("id", users_by_id)})


async def test_rows_are_kept_under_coordinates_of_graphql(
    cache, subgraph, prepare, open_context
):
    prepared = prepare(
        subgraph,
        "{ ... on User { name lastNote(first: 2) freshNote } }",
        keys={"User": "id"},
    )
    context = RequestLoaders.attach(open_context(), cache)

    result = await prepared.run(context, {}, [{"__typename": "User", "id": "u1"}])

    assert result.data == [{"name": "U1", "lastNote": "u1/2", "freshNote": "u1/5"}]
    assert cache.asked == [
        ("User", 60.0, "users_by_id", ["u1"], {}),
        ("User.lastNote", 30.0, "notes_by_user", ["u1"], {"first": 2}),
    ]


async def test_fields_without_a_rule_stay_out_of_the_cache(
    cache, subgraph, prepare, open_context
):
    prepared = prepare(subgraph, "{ user { freshNote } }")

    await prepared.run(RequestLoaders.attach(open_context(), cache), {}, ())

    assert cache.asked == []
