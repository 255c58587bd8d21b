"""Local subgraphs take arguments from ancestors as remote ones do."""

from typing import Annotated

import pytest
import strawberry
from strawberry.federation.schema_directives import Context, FromContext
from support.graphs import FakeGraph, new_context

from graphgw import Subgraph, batched, by, resolved
from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.subgraphs.loaders import RequestLoaders

CALLS = []
LOCALE = FromContext(field="$place { locale }")
ROWS = [
    {"id": "u1", "locale": "de", "account": {"id": "a"}},
    {"id": "u2", "locale": "fr", "account": {"id": "a"}},
    {"id": "u3", "locale": "de", "account": {"id": "b"}},
]


async def users(_context):
    return ROWS


async def users_by_id(keys, _context):
    return [next(row for row in ROWS if row["id"] == key) for key in keys]


async def accounts(keys, _context):
    return [{"id": key} for key in keys]


async def last_payments(keys, _context):
    return [{"id": f"p-{key}"} for key in keys]


async def payments(keys, _context):
    return [{"id": key} for key in keys]


async def amounts(
    keys,
    _context,
    *,
    locale: Annotated[str | None, strawberry.argument(directives=[LOCALE])] = None,
):
    CALLS.append((locale, keys))
    return [f"{key} in {locale}" for key in keys]


@strawberry.federation.type(keys=["id"])
class Payment:
    id: strawberry.ID
    amount: str | None = batched(amounts, key="id")


@strawberry.federation.type(keys=["id"])
class Account:
    id: strawberry.ID
    last: Payment | None = batched(last_payments, key="id")


@strawberry.federation.type(keys=["id"], directives=[Context(name="place")])
class User:
    id: strawberry.ID
    locale: str | None
    account: Account | None


@strawberry.type
class Query:
    users: list[User] = resolved(users)


BANK = Subgraph(
    "bank",
    query=Query,
    types=[User, Account, Payment],
    entities={
        User: by("id", users_by_id),
        Account: by("id", accounts),
        Payment: by("id", payments),
    },
)


@pytest.fixture
def graph():
    CALLS.clear()
    composed = compose([SubgraphSDL("bank", "", BANK.sdl)])
    return FakeGraph(composed.supergraph, {"BANK": BANK})


async def test_a_batch_function_is_called_once_for_each_value(graph):
    context = RequestLoaders.attach(new_context())

    result = await graph.run(
        "{ users { account { last { amount } } } }", context=context
    )

    assert result.errors == []
    assert [user["account"]["last"]["amount"] for user in result.data["users"]] == [
        "p-a in de",
        "p-a in fr",
        "p-b in de",
    ]
    assert sorted(CALLS) == [("de", ["p-a", "p-b"]), ("fr", ["p-a"])]


async def test_clients_do_not_see_the_argument(graph):
    payment = graph.supergraph.api_schema.type_map["Payment"]

    assert payment.fields["amount"].args == {}
