import asyncio

import pytest
import strawberry

from graphgw import ResolverError, SourceError, Subgraph, batched, loader, resolved
from graphgw.telemetry.events import InternalFailure


def build(batch, *, key="id", output=str | None, rows=None):
    """A subgraph of users with one batched field."""
    found = [{"id": "u1"}, {"id": "u2"}] if rows is None else rows

    async def find_users(_context):
        return found

    @strawberry.type
    class User:
        id: strawberry.ID
        note: output = batched(batch, key=key)

    @strawberry.type
    class Query:
        users: list[User] = resolved(find_users)

    return Subgraph("users", query=Query)


async def test_one_call_serves_a_whole_level(ask):
    calls = []

    async def notes(ids, _context):
        calls.append(ids)
        return [f"note of {key}" for key in ids]

    result = await ask(build(notes), "{ users { note } }")

    assert result.data == {"users": [{"note": "note of u1"}, {"note": "note of u2"}]}
    assert calls == [["u1", "u2"]]


async def test_aliases_with_equal_arguments_share_a_call(ask):
    calls = []

    async def notes(ids, _context, *, first: int = 1):
        calls.append((ids, first))
        return [f"{key}/{first}" for key in ids]

    result = await ask(
        build(notes, rows=[{"id": "u1"}]),
        "{ users { a: note(first: 1) b: note c: note(first: 2) } }",
    )

    assert result.data == {"users": [{"a": "u1/1", "b": "u1/1", "c": "u1/2"}]}
    assert calls == [(["u1"], 1), (["u1"], 2)]


async def test_fields_of_one_level_are_loaded_at_the_same_time(ask):
    arrived = []
    both = asyncio.Event()

    def meet(name):
        async def load(ids, _context):
            arrived.append(name)
            if len(arrived) == 2:
                both.set()
            await both.wait()
            return ids

        return load

    async def find_users(_context):
        return [{"id": "u1"}]

    @strawberry.type
    class User:
        id: strawberry.ID
        left: str = batched(meet("left"), key="id")
        right: str = batched(meet("right"), key="id")

    @strawberry.type
    class Query:
        users: list[User] = resolved(find_users)

    result = await asyncio.wait_for(
        ask(Subgraph("users", query=Query), "{ users { left right } }"), 5
    )

    assert result.data == {"users": [{"left": "u1", "right": "u1"}]}


async def test_equal_keys_are_loaded_once_over_levels(ask):
    calls = []

    async def users_by_id(ids, _context):
        calls.append(ids)
        return [{"id": key, "friend_id": "u1"} for key in ids]

    async def find_user(_context):
        return {"id": "u0", "friend_id": "u1"}

    @strawberry.type
    class User:
        id: strawberry.ID
        friend: "User" = batched(users_by_id, key="friend_id")

    globals()["User"] = User

    @strawberry.type
    class Query:
        user: User = resolved(find_user)

    result = await ask(
        Subgraph("users", query=Query),
        "{ user { friend { friend { friend { id } } } } }",
    )

    assert result.data == {"user": {"friend": {"friend": {"friend": {"id": "u1"}}}}}
    assert calls == [["u1"]]


async def test_a_row_without_key_gets_null_and_no_call(ask):
    calls = []

    async def notes(ids, _context):
        calls.append(ids)
        return ids

    result = await ask(
        build(notes, key="owner", rows=[{"owner": None}, {"owner": "o"}, {}]),
        "{ users { note } }",
    )

    assert result.data == {"users": [{"note": None}, {"note": "o"}, {"note": None}]}
    assert result.errors == ()
    assert calls == [["o"]]


async def test_several_keys_arrive_as_tuples(ask):
    calls = []

    async def notes(keys, _context):
        calls.append(keys)
        return ["n"] * len(keys)

    await ask(
        build(notes, key=("id", "zone"), rows=[{"id": "u1", "zone": "eu"}]),
        "{ users { note } }",
    )

    assert calls == [[("u1", "eu")]]


async def test_id_keys_are_text_whatever_the_row_has(ask):
    calls = []

    async def notes(ids, _context):
        calls.append(ids)
        return ids

    await ask(build(notes, rows=[{"id": 7}]), "{ users { note } }")

    assert calls == [["7"]]


async def test_a_failed_key_is_an_error_of_its_row_alone(ask):
    async def notes(ids, _context):
        return [SourceError("note broke") if k == "u1" else k for k in ids]

    result = await ask(build(notes), "{ users { note } }")

    assert result.data == {"users": [{"note": None}, {"note": "u2"}]}
    assert [(e.message, e.path, e.code) for e in result.errors] == [
        ("note broke", ("users", 0, "note"), "SOURCE_ERROR")
    ]


async def test_a_failed_batch_nulls_its_field_in_every_row(ask):
    async def notes(_ids, _context):
        raise SourceError("notes are down")

    result = await ask(build(notes), "{ users { id note } }")

    assert result.data == {
        "users": [{"id": "u1", "note": None}, {"id": "u2", "note": None}]
    }
    assert [e.path for e in result.errors] == [
        ("users", 0, "note"),
        ("users", 1, "note"),
    ]


async def test_a_resolvers_own_words_reach_the_client(ask):
    async def notes(_ids, _context):
        raise ResolverError("no notes today", code="CLOSED", extensions={"day": 7})

    result = await ask(build(notes, rows=[{"id": "u1"}]), "{ users { note } }")

    (error,) = result.errors
    assert (error.message, error.code, error.extensions) == (
        "no notes today",
        "CLOSED",
        {"day": 7},
    )


async def test_an_unexpected_exception_is_masked_and_reported_once(ask, recorder):
    async def notes(_ids, _context):
        raise RuntimeError("password=hunter2")

    result = await ask(build(notes), "{ users { note } }")

    assert {(e.message, e.code) for e in result.errors} == {
        ("Internal server error", "INTERNAL_SERVER_ERROR")
    }
    (event,) = recorder.of(InternalFailure)
    assert event.where == "User.note"
    assert str(event.error) == "password=hunter2"


async def test_batched_leaves_are_coerced(ask):
    async def ages(ids, _context):
        return [3 if key == "u1" else "not a number" for key in ids]

    result = await ask(build(ages, output=int | None), "{ users { note } }")

    assert result.data == {"users": [{"note": 3}, {"note": None}]}
    assert [e.path for e in result.errors] == [("users", 1, "note")]


async def test_cancelling_a_fetch_cancels_its_batches(ask):
    started, ended = asyncio.Event(), []

    async def notes(ids, _context):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(ids)
            raise

    fetch = asyncio.create_task(ask(build(notes), "{ users { note } }"))
    await started.wait()
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch

    assert ended == [["u1", "u2"]]


async def test_lists_of_rows_are_sliced_back_to_their_parents(ask):
    calls = []

    @loader
    async def sizes(skus, _context):
        calls.append(skus)
        return [len(sku) for sku in skus]

    async def find_items(ids, _context):
        return [[{"sku": key}, {"sku": key * 2}][: i + 1] for i, key in enumerate(ids)]

    async def find_users(_context):
        return [{"id": "a"}, {"id": "bb"}]

    @strawberry.type
    class Item:
        sku: str
        size: int = batched(sizes, key="sku")

    @strawberry.type
    class User:
        id: strawberry.ID
        items: list[Item] = batched(find_items, key="id")

    @strawberry.type
    class Query:
        users: list[User] = resolved(find_users)

    result = await ask(Subgraph("u", query=Query), "{ users { items { sku size } } }")

    assert result.data == {
        "users": [
            {"items": [{"sku": "a", "size": 1}]},
            {"items": [{"sku": "bb", "size": 2}, {"sku": "bbbb", "size": 4}]},
        ]
    }
    assert calls == [["a", "bb", "bbbb"]]
