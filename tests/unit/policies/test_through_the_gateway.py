"""Policies as a client meets them: a refused field calls no backend."""

from __future__ import annotations

import asyncio
import time

import pytest
import strawberry
from support.tokens import ISSUER, claims_at, private_key, public_pem, sign

from graphgw import Gateway, Subgraph, batched, by, resolved
from graphgw import directives as d
from graphgw.config.settings import Settings
from graphgw.errors import SourceUnreachableError
from graphgw.policies.settings import (
    AuthSettings,
    CostSettings,
    IssuerSettings,
    PolicySettings,
)
from graphgw.subgraphs.loaders import loader

CALLS: list[tuple[str, object]] = []


@loader(shared=True)
async def users_by_id(ids, _context):
    CALLS.append(("users", list(ids)))
    return [{"id": key, "name": f"name {key}", "salary": 10} for key in ids]


@loader(shared=True)
async def orders_by_user(ids, _context):
    CALLS.append(("orders", list(ids)))
    return [[f"order of {key}"] for key in ids]


async def find_user(context, *, id: strawberry.ID):  # noqa: A002 - the field's argument
    return await context.load(users_by_id, id)


async def find_secret(_context):
    CALLS.append(("secret", None))
    return "secret"


async def find_limited(_context):
    CALLS.append(("limited", None))
    return 1


async def rename(_context, *, id: strawberry.ID):  # noqa: A002 - the field's argument
    CALLS.append(("rename", id))
    return id


@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    name: str
    salary: int | None = strawberry.federation.field(
        directives=[d.RequiresScopes(scopes=[["salary:read"]])]
    )
    orders: list[str] | None = batched(
        orders_by_user, key="id", directives=[d.Authenticated()]
    )


@strawberry.type
class Query:
    user: User | None = resolved(
        find_user, directives=[d.CacheControl(max_age=60), d.ListSize(assumed_size=1)]
    )
    secret: str | None = resolved(find_secret, directives=[d.Authenticated()])
    strict: str = resolved(find_secret, directives=[d.Authenticated()])
    limited: int | None = resolved(
        find_limited, directives=[d.RateLimit(limit=2, window="1h")]
    )


@strawberry.type
class Mutation:
    rename: strawberry.ID | None = resolved(rename, directives=[d.Authenticated()])


SUBGRAPH = Subgraph(
    "users",
    query=Query,
    mutation=Mutation,
    types=[User],
    entities={User: by("id", users_by_id)},
)


FAILING: list[str] = []


@loader(shared=True)
async def notes_by_id(ids, _context):
    if FAILING:
        raise SourceUnreachableError("down", source="notes")
    return [{"id": key, "text": "kept"} for key in ids]


async def find_note(context, *, id: strawberry.ID):  # noqa: A002 - the field's argument
    return await context.load(notes_by_id, id)


@strawberry.federation.type(
    keys=["id"], directives=[d.CacheControl(max_age=1, stale_if_error=60)]
)
class Note:
    id: strawberry.ID
    text: str


@strawberry.type(name="Query")
class NoteQuery:
    note: Note | None = resolved(find_note)


NOTES = Subgraph("notes", query=NoteQuery, entities={Note: by("id", notes_by_id)})


@pytest.fixture
def auth(tmp_path):
    pem = tmp_path / "issuer.pem"
    pem.write_bytes(public_pem(private_key()))
    return {"issuers": (IssuerSettings(issuer=ISSUER, key_file=pem),)}


@pytest.fixture
async def ask(auth):
    opened = []

    async def run(query, *, scopes=None, headers=None, mode="filter", cost=None):
        if not opened:
            settings = Settings(
                auth=AuthSettings(mode=mode, **auth),
                policies=PolicySettings(cost=CostSettings(limit=cost)),
            )
            gateway = Gateway(subgraphs=[SUBGRAPH], settings=settings)
            await gateway.start()
            opened.append(gateway)
        CALLS.clear()
        sent = dict(headers or {})
        if scopes is not None:
            token = sign(claims_at(time.time(), scope=scopes))
            sent["authorization"] = f"Bearer {token}"
        return await opened[0].execute(query, headers=sent)

    yield run
    for gateway in opened:
        await gateway.aclose()


def names():
    return [name for name, _ in CALLS]


async def test_a_refused_field_is_null_and_calls_nothing(ask):
    response = await ask('{ secret user(id: "1") { name salary orders } }')

    assert response.data == {
        "secret": None,
        "user": {"name": "name 1", "salary": None, "orders": None},
    }
    assert [(e["path"], e["extensions"]["coordinate"]) for e in response.errors] == [
        (["secret"], "Query.secret"),
        (["user", "salary"], "User.salary"),
        (["user", "orders"], "User.orders"),
    ]
    assert set(response.error_codes) == {"UNAUTHORIZED_FIELD_OR_TYPE"}
    assert names() == ["users"]


async def test_null_travels_up_from_a_refused_field(ask):
    response = await ask('{ strict user(id: "1") { name } }')

    assert response.data is None
    assert [error["path"] for error in response.errors] == [["strict"]]


async def test_nothing_is_called_for_an_operation_that_is_refused_as_a_whole(ask):
    response = await ask("{ secret a: secret }")

    assert response.data == {"secret": None, "a": None}
    assert CALLS == []


async def test_a_refused_mutation_does_not_run(ask):
    response = await ask('mutation { rename(id: "1") }')

    assert response.data == {"rename": None}
    assert CALLS == []


async def test_a_known_caller_has_what_their_scopes_allow(ask):
    response = await ask(
        '{ secret user(id: "1") { salary orders } }', scopes="salary:read"
    )

    assert not response.errors
    assert response.data == {
        "secret": "secret",
        "user": {"salary": 10, "orders": ["order of 1"]},
    }


async def test_one_plan_does_not_leak_to_another_caller(ask):
    query = '{ user(id: "1") { salary } }'
    for scopes, salary in ((None, None), ("salary:read", 10), ("other", None)):
        response = await ask(query, scopes=scopes)
        assert response.data == {"user": {"salary": salary}}


async def test_a_wrong_token_is_401_and_calls_nothing(ask):
    response = await ask("{ limited }", headers={"authorization": "Bearer a.b.c"})

    assert response.status == 401
    assert response.error_codes == ("UNAUTHENTICATED",)
    assert CALLS == []


@pytest.mark.parametrize(("scopes", "status"), [(None, 401), ("other", 403)])
async def test_the_reject_mode_refuses_with_a_status(ask, scopes, status):
    response = await ask(
        '{ limited user(id: "1") { salary } }', scopes=scopes, mode="reject"
    )

    assert response.status == status
    assert not response.has_data
    assert CALLS == []


async def test_an_empty_bucket_is_429_with_headers(ask):
    for _ in range(2):
        response = await ask("{ limited }")
        assert response.data == {"limited": 1}
    assert dict(response.headers)["ratelimit"].endswith(";r=0;t=3600")

    response = await ask("{ limited }")

    headers = dict(response.headers)
    assert response.status == 429
    assert 1790 <= int(headers["retry-after"]) <= 1800
    assert headers["ratelimit-policy"].endswith(";q=2;w=3600")
    assert CALLS == []


async def test_an_empty_bucket_beside_other_fields_is_one_null(ask):
    for _ in range(2):
        await ask("{ limited }")

    response = await ask('{ limited user(id: "1") { name } }')

    assert response.status == 200
    assert response.data == {"limited": None, "user": {"name": "name 1"}}
    assert response.error_codes == ("RATE_LIMITED",)
    assert response.errors[0]["extensions"]["limit"] == 2
    assert names() == ["users"]


async def test_the_answer_says_how_long_it_may_be_kept(ask):
    kept = await ask('{ user(id: "1") { name } }')
    guarded = await ask('{ user(id: "1") { salary } }', scopes="salary:read")
    refused = await ask('{ user(id: "1") { salary } }')

    assert dict(kept.headers)["cache-control"] == "max-age=60, public"
    assert dict(guarded.headers)["cache-control"] == "max-age=60, private"
    assert dict(refused.headers)["cache-control"] == "no-store"


async def test_an_old_row_stands_in_for_a_failure_and_the_answer_says_so():
    query = '{ note(id: "1") { text } }'

    async with Gateway(subgraphs=[NOTES]) as gateway:
        fresh = await gateway.execute(query)
        FAILING.append("notes")
        try:
            await asyncio.sleep(1.05)
            stale = await gateway.execute(query)
        finally:
            FAILING.clear()

    assert fresh.to_json() == {"data": {"note": {"text": "kept"}}}
    assert stale.to_json() == {
        "data": {"note": {"text": "kept"}},
        "extensions": {"stale": ["Note"]},
    }


async def test_what_is_too_expensive_calls_nothing(ask):
    response = await ask('{ user(id: "1") { name } }', cost=0)

    assert response.status == 400
    assert response.error_codes == ("COST_ESTIMATED_TOO_EXPENSIVE",)
    assert CALLS == []
