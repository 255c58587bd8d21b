"""Two callers, every cache scope, every header: no answer ever crosses."""

import itertools
import time

import pytest
import strawberry
from support.tokens import ISSUER, claims_at, private_key, public_pem, sign

from graphgw import Gateway, Subgraph, batched, by, resolved
from graphgw import directives as d
from graphgw.config.settings import Settings
from graphgw.policies.settings import AuthSettings, IssuerSettings
from graphgw.sources.settings import ServiceSettings
from graphgw.subgraphs.loaders import loader
from graphgw.types import Principal

CALLS: list[str] = []


def who(context):
    CALLS.append("called")
    asker = context.principal.subject or "nobody"
    return f"{asker}/{context.headers.get('x-tenant')}/{context.headers.get('cookie')}"


async def find_mine(context):
    return who(context)


async def find_row(_context):
    return {"id": "1"}


@loader
async def notes(keys, context):
    return [who(context) for _ in keys]


@loader
async def items_by_id(keys, context):
    return [{"id": key, "text": who(context)} for key in keys]


async def find_item(context):
    return await context.load(items_by_id, "7")


SCOPES = {
    "unsaid": d.CacheControl(max_age=60, vary=["x-tenant", "cookie"]),
    "private": d.CacheControl(
        max_age=60, scope=d.CacheScope.PRIVATE, vary=["x-tenant", "cookie"]
    ),
}


def build(control):
    @strawberry.federation.type(keys=["id"], name="Item", directives=[control])
    class Item:
        id: strawberry.ID
        text: str

    @strawberry.federation.type(keys=["id"], name="Row")
    class Row:
        id: strawberry.ID
        note: str | None = batched(notes, key="id", directives=[control])

    @strawberry.type(name="Query")
    class Query:
        mine: str = resolved(find_mine, directives=[control])
        row: Row = resolved(find_row)
        item: Item = resolved(find_item)

    return Subgraph(
        "things", query=Query, types=[Row], entities={Item: by("id", items_by_id)}
    )


QUERIES = {
    "root": ("{ mine }", lambda data: data["mine"]),
    "batched": ("{ row { note } }", lambda data: data["row"]["note"]),
    "entity": ("{ item { text } }", lambda data: data["item"]["text"]),
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("way", QUERIES)
async def test_each_caller_has_answers_of_their_own(tmp_path, scope, way):
    pem = tmp_path / "issuer.pem"
    pem.write_bytes(public_pem(private_key()))
    auth = AuthSettings(issuers=(IssuerSettings(issuer=ISSUER, key_file=pem),))
    query, read = QUERIES[way]
    tokens = {
        name: sign(claims_at(time.time(), sub=name)) if name != "nobody" else None
        for name in ("ada", "bob", "nobody")
    }
    CALLS.clear()
    cells = list(
        itertools.product(tokens, [None, "t1", "t2"], [None, "c=1", "c=2"], range(2))
    )

    async with Gateway(
        subgraphs=[build(SCOPES[scope])], settings=Settings(auth=auth)
    ) as gateway:
        for name, tenant, cookie, _ in cells:
            headers = {"x-tenant": tenant, "cookie": cookie}
            sent = {key: value for key, value in headers.items() if value}
            if tokens[name]:
                sent["authorization"] = f"Bearer {tokens[name]}"
            answer = await gateway.execute(query, headers=sent)

            assert read(answer.data) == f"{name}/{tenant}/{cookie}"
            control = dict(answer.headers).get("cache-control", "")
            assert name == "nobody" or "public" not in control

    # Who is known is asked for once for each of nine pairs of headers, others always.
    assert len(CALLS) == 2 * 9 + 2 * 9


def forwarding(scope):
    given = (
        d.CacheControl(max_age=60)
        if scope is None
        else d.CacheControl(max_age=60, scope=scope)
    )

    @strawberry.federation.type(keys=["id"], name="Row")
    class Row:
        id: strawberry.ID
        note: str | None = batched(describe, key="id", directives=[given])

    @strawberry.type(name="Query")
    class Query:
        row: Row = resolved(find_row)

    return Subgraph("things", query=Query, types=[Row])


@loader(shared=True)
async def describe(keys, context):
    CALLS.append("called")
    return [f"for {context.headers.get('authorization')}" for _ in keys]


@pytest.mark.parametrize("scope", [None, d.CacheScope.PUBLIC])
async def test_what_a_service_is_sent_tells_kept_rows_apart(scope):
    service = ServiceSettings(
        name="backend",
        url="http://127.0.0.1:1",
        forward_headers=("authorization",),
    )
    settings = Settings(services=(service,))
    query = "{ row { note } }"
    CALLS.clear()

    async with Gateway(subgraphs=[forwarding(scope)], settings=settings) as gateway:
        for _ in range(2):
            for name in ("ada", "bob"):
                answer = await gateway.execute(
                    query,
                    headers={"authorization": name},
                    principal=Principal(name),
                )
                assert answer.data == {"row": {"note": f"for {name}"}}

    assert len(CALLS) == 2
