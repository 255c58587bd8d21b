import asyncio
from dataclasses import dataclass

import pytest
import strawberry
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

from graphgw import ResolverError, Subgraph, computed, resolved


@strawberry.type
class Person:
    first: str
    last: str | None = None

    @strawberry.field
    def name(self, *, upper: bool = False) -> str:
        text = f"{self.first} {self.last}"
        return text.upper() if upper else text

    @strawberry.field
    async def slow(self) -> str:
        await asyncio.sleep(0)
        return f"slow {self.first}"

    @strawberry.field
    def asked(self, info: Info) -> str:
        return f"{info.field_name} {info.context.request_id}"

    @strawberry.field
    def friend(self) -> "Person | None":
        return Person(first=f"friend of {self.first}")

    @strawberry.field
    def broken(self) -> str | None:
        raise ResolverError(f"{self.first} is broken", code="BROKEN")


def initials(first, last, *, dot: bool = False):
    return "".join(f"{n[0]}{'.' if dot else ''}" for n in (first, last) if n)


async def greeting(first):
    await asyncio.sleep(0)
    if first == "bad":
        raise ResolverError("no greeting")
    return f"hello {first}"


def friend_of(first):
    return {"first": f"{first}'s friend"}


@strawberry.type
class Row:
    first: str
    last: str | None
    initials: str = computed(initials, reads=("first", "last"))
    greeting: str | None = computed(greeting, reads=("first",))
    friend: "Row" = computed(friend_of, reads=("first",))
    constant: int = computed(lambda: 7)


@pytest.fixture
def subgraph():
    async def find_people(_context):
        return [Person(first="a", last="b"), Person(first="c")]

    async def find_rows(_context):
        return [{"first": "ann", "last": "lee"}, {"first": "bad"}]

    @strawberry.type
    class Query:
        people: list[Person] = resolved(find_people)
        rows: list[Row] = resolved(find_rows)

        @strawberry.field
        def version(self, of: str = "graph") -> str:
            return f"{of} 1"

        @strawberry.field
        async def later(self, info: Info) -> str:
            return info.context.request_id

    return Subgraph("people", query=Query)


async def test_methods_are_called_on_strawberry_instances(ask, subgraph):
    result = await ask(subgraph, "{ people { name up: name(upper: true) slow asked } }")

    assert result.data["people"] == [
        {"name": "a b", "up": "A B", "slow": "slow a", "asked": "asked r1"},
        {"name": "c None", "up": "C NONE", "slow": "slow c", "asked": "asked r1"},
    ]


async def test_methods_may_return_rows(ask, subgraph):
    result = await ask(subgraph, "{ people { friend { friend { first } } } }")

    assert result.data["people"][1] == {
        "friend": {"friend": {"first": "friend of friend of c"}}
    }


async def test_a_method_that_raises_is_an_error_of_its_row(ask, subgraph):
    result = await ask(subgraph, "{ people { broken } }")

    assert result.data == {"people": [{"broken": None}] * 2}
    assert [(e.message, e.code, e.path) for e in result.errors] == [
        ("a is broken", "BROKEN", ("people", 0, "broken")),
        ("c is broken", "BROKEN", ("people", 1, "broken")),
    ]


async def test_root_fields_may_be_methods(ask, subgraph):
    result = await ask(subgraph, '{ version later v: version(of: "x") __typename }')

    assert result.data == {
        "version": "graph 1",
        "later": "r1",
        "v": "x 1",
        "__typename": "Query",
    }


async def test_a_root_field_with_a_default_is_its_default(ask):
    @strawberry.type
    class Query:
        version: str = "1"
        tags: list[str] = strawberry.field(default_factory=lambda: ["a"])

    result = await ask(Subgraph("defaults", query=Query), "{ version tags }")

    assert result.data == {"version": "1", "tags": ["a"]}


class OnlyForAnn(BasePermission):
    message = "not yours"

    def has_permission(self, source, info, **_arguments):
        del info
        return "ann" in str(source)


@dataclass
class AccountRow:
    owner: str
    balance: int


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda **row: row, id="dict"),
        pytest.param(AccountRow, id="dataclass"),
    ],
)
async def test_permission_classes_guard_plain_fields_of_every_row(ask, make):
    async def find_accounts(_context):
        return [make(owner="ann", balance=1), make(owner="bob", balance=2)]

    @strawberry.type
    class Account:
        owner: str
        balance: int | None = strawberry.field(permission_classes=[OnlyForAnn])

    @strawberry.type
    class Query:
        accounts: list[Account] = resolved(find_accounts)

    result = await ask(
        Subgraph("accounts", query=Query), "{ accounts { owner balance } }"
    )

    assert result.data["accounts"] == [
        {"owner": "ann", "balance": 1},
        {"owner": "bob", "balance": None},
    ]
    assert [e.path for e in result.errors] == [("accounts", 1, "balance")]


async def test_guarded_fields_are_read_from_dicts_under_any_configuration(ask):
    async def find_account(_context):
        return {"owner": "ann", "opened_in": 2020}

    @strawberry.type
    class Account:
        opened_in: int | None = strawberry.field(permission_classes=[OnlyForAnn])

    @strawberry.type
    class Query:
        account: Account = resolved(find_account)

    config = StrawberryConfig(auto_camel_case=False)
    subgraph = Subgraph("accounts", query=Query, config=config)
    result = await ask(subgraph, "{ account { opened_in } }")

    assert result.data == {"account": {"opened_in": 2020}}
    assert config.default_resolver is getattr


async def test_computed_fields_are_worked_out_from_their_row(ask, subgraph):
    result = await ask(
        subgraph,
        "{ rows { initials dotted: initials(dot: true) constant "
        "friend { first friend { first } } } }",
    )

    assert result.data["rows"] == [
        {
            "initials": "al",
            "dotted": "a.l.",
            "constant": 7,
            "friend": {
                "first": "ann's friend",
                "friend": {"first": "ann's friend's friend"},
            },
        },
        {
            "initials": "b",
            "dotted": "b.",
            "constant": 7,
            "friend": {
                "first": "bad's friend",
                "friend": {"first": "bad's friend's friend"},
            },
        },
    ]


async def test_computed_functions_may_be_async_and_fail_by_row(ask, subgraph):
    result = await ask(subgraph, "{ rows { greeting } }")

    assert result.data["rows"] == [{"greeting": "hello ann"}, {"greeting": None}]
    assert [(e.message, e.code, e.path) for e in result.errors] == [
        ("no greeting", "RESOLVER_ERROR", ("rows", 1, "greeting"))
    ]
