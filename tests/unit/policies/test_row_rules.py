"""Row rules as clients meet them: refused rows are null, and nothing is fetched."""

from __future__ import annotations

import asyncio

import pytest
import strawberry
from support.graphs import new_context
from support.policies import ruled

from graphgw import Gateway, Subgraph, batched, by, reference, resolved, row_policy
from graphgw import directives as d
from graphgw.config.settings import Settings
from graphgw.errors import ConfigurationError, SourceUnreachableError
from graphgw.policies.settings import AuthSettings
from graphgw.subgraphs.loaders import loader
from graphgw.types import Principal

CALLS: list[tuple[str, tuple[str, ...]]] = []
ASKED: list[tuple[list[dict], dict]] = []
FAILING: list[str] = []


def note(name, keys):
    CALLS.append((name, tuple(keys)))


# Users


@loader(shared=True)
async def users_by_id(ids, _context):
    note("users", ids)
    if FAILING:
        raise SourceUnreachableError("down", source="users")
    return [user_row(key) for key in ids]


def user_row(key):
    return {"id": key, "name": f"name {key}", "email": f"{key}@x", "team": "t1"}


async def find_users(_context, *, count: int = 3):
    note("list", ())
    return [user_row(f"u{number}") for number in range(1, count + 1)]


async def find_user(context, *, id: strawberry.ID):  # noqa: A002 - the field's argument
    return await context.load(users_by_id, id)


@loader(shared=True)
async def logins_by_user(ids, _context):
    note("logins", ids)
    return [[f"login of {key}"] for key in ids]


@strawberry.interface
class Account:
    name: str
    email: str | None

    @staticmethod
    def type_of(row):
        return "Robot" if row["id"].startswith("r") else "User"


@strawberry.federation.type(keys=["id"])
class User(Account):
    id: strawberry.ID
    name: str
    team: str
    email: str | None = strawberry.federation.field(
        directives=[d.Owner(field="id", or_scopes=[["users:read"]])]
    )
    logins: list[str] | None = batched(
        logins_by_user, key="id", directives=[d.Owner(field="id")]
    )


@strawberry.type
class Robot(Account):
    id: strawberry.ID
    name: str
    email: str | None


async def find_accounts(_context):
    return [user_row("u1"), user_row("r1"), user_row("u2")]


@strawberry.type(name="Query")
class UserQuery:
    users: list[User] = resolved(find_users)
    user: User | None = resolved(find_user)
    accounts: list[Account] = resolved(find_accounts)


USERS = Subgraph(
    "users",
    query=UserQuery,
    types=[User, Robot],
    entities={User: by("id", users_by_id)},
)

# Orders


def order_row(key, owner, status="OPEN"):
    return {"id": key, "owner_id": owner, "owner": {"id": owner}, "status": status}


@loader(shared=True)
async def orders_by_user(ids, _context, *, first: int = 2):
    note("orders", ids)
    return [[order_row(f"o{n}{key}", key) for n in range(first)] for key in ids]


@loader(shared=True)
async def notes_by_user(ids, _context):
    note("notes", ids)
    return [f"note of {key}" for key in ids]


@loader(shared=True)
async def orders_by_id(ids, _context):
    note("orders by id", ids)
    return [order_row(key, f"u{key[-1]}") for key in ids]


@loader(shared=True)
async def lines_by_order(ids, _context):
    note("lines", ids)
    return [["line"] for _ in ids]


async def find_order(context, *, id: strawberry.ID):  # noqa: A002 - the field's argument
    return await context.load(orders_by_id, id)


async def find_latest(_context):
    return [order_row("o1", "u1"), order_row("o2", "u2"), order_row("o3", "u1")]


async def cancel(_context, *, id: strawberry.ID):  # noqa: A002 - the field's argument
    note("cancel", [id])
    return order_row(id, f"u{id[-1]}")


@strawberry.federation.type(keys=["id"], directives=[d.RowPolicy(name="mine")])
class Order:
    id: strawberry.ID
    status: str
    owner: "Buyer" = reference(id="owner_id")
    lines: list[str] | None = batched(lines_by_order, key="id")


@strawberry.federation.type(keys=["id"], name="User")
class Buyer:
    id: strawberry.ID
    orders: list[Order | None] | None = batched(
        orders_by_user, key="id", directives=[d.Owner(field="team", claim="team")]
    )
    notes: str | None = batched(notes_by_user, key="id")


@strawberry.type(name="Query")
class OrderQuery:
    order: Order | None = resolved(find_order)
    latest: list[Order | None] = resolved(find_latest)


@strawberry.type
class Mutation:
    cancel: Order | None = resolved(cancel)


ORDERS = Subgraph(
    "orders",
    query=OrderQuery,
    mutation=Mutation,
    types=[Buyer],
    entities={Order: by("id", orders_by_id)},
)


@row_policy(reads="owner { id } status")
async def mine(context, rows, arguments):
    ASKED.append((rows, arguments))
    subject = context.principal.subject
    return [row["owner"]["id"] == subject and row["status"] == "OPEN" for row in rows]


ADA = Principal("u1", claims={"team": "t1"})
BOB = Principal("u2", claims={"team": "t2"})
READER = Principal("reader", frozenset({"users:read"}))


@pytest.fixture
async def ask():
    opened: dict[str, Gateway] = {}

    async def run(query, principal=ADA, *, policies=None, **auth):
        key = repr((auth, policies))
        if key not in opened:
            found = {"mine": mine} if policies is None else policies
            settings = Settings(auth=AuthSettings(row_policies=found, **auth))
            gateway = Gateway(subgraphs=[USERS, ORDERS], settings=settings)
            await gateway.start()
            opened[key] = gateway
        CALLS.clear()
        ASKED.clear()
        return await opened[key].execute(query, principal=principal)

    yield run
    for gateway in opened.values():
        await gateway.aclose()


def keys_of(name):
    return [keys for found, keys in CALLS if found == name]


def refusals(response):
    return [(e["path"], e["extensions"]["coordinate"]) for e in response.errors]


async def test_only_the_owner_sees_the_value(ask):
    response = await ask("{ users { name email } }")

    assert response.data["users"] == [
        {"name": "name u1", "email": "u1@x"},
        {"name": "name u2", "email": None},
        {"name": "name u3", "email": None},
    ]
    assert refusals(response) == [(["users"], "User.email")]
    assert response.error_codes == ("UNAUTHORIZED_FIELD_OR_TYPE",)


async def test_a_single_row_has_its_whole_path(ask):
    response = await ask('{ user(id: "u2") { mail: email } }')

    assert response.data == {"user": {"mail": None}}
    assert refusals(response) == [(["user", "mail"], "User.email")]


async def test_scopes_may_stand_for_the_owner(ask):
    response = await ask("{ users { email } }", READER)

    assert not response.errors
    assert [user["email"] for user in response.data["users"]] == [
        "u1@x",
        "u2@x",
        "u3@x",
    ]


async def test_a_value_of_the_same_answer_is_dropped(ask):
    response = await ask("{ users { name logins } }")

    assert [user["logins"] for user in response.data["users"]] == [
        ["login of u1"],
        None,
        None,
    ]


async def test_a_later_fetch_leaves_refused_rows_out(ask):
    response = await ask("{ users { orders { lines } notes } }", ADA)

    # The guarded part waits for the team, the rest of the subgraph does not.
    assert keys_of("orders") == [("u1", "u2", "u3")]
    assert keys_of("notes") == [("u1", "u2", "u3")]
    assert response.data["users"][0]["orders"] == [{"lines": ["line"]}] * 2

    response = await ask("{ users { orders { lines } notes } }", BOB)

    assert keys_of("orders") == []
    assert keys_of("lines") == []
    assert keys_of("notes") == [("u1", "u2", "u3")]
    assert response.data["users"][0] == {"orders": None, "notes": "note of u1"}
    assert refusals(response) == [(["users"], "User.orders")]


async def test_without_what_a_rule_reads_nothing_is_shown(ask):
    query = "{ latest { owner { orders { id } notes } } }"
    shown = await ask(query)
    assert shown.data["latest"][0]["owner"]["orders"]

    FAILING.append("users")
    try:
        response = await ask(query)
    finally:
        FAILING.clear()

    assert response.data["latest"][0]["owner"] == {
        "orders": None,
        "notes": "note of u1",
    }
    assert (["latest"], "User.orders") in [
        (e["path"], e["extensions"].get("coordinate")) for e in response.errors
    ]


async def test_the_anonymous_cause_no_call_at_all(ask):
    response = await ask("{ users { email } }", Principal())

    assert response.data["users"] == [{"email": None}] * 3
    response = await ask('{ user(id: "u1") { logins } }', Principal())
    assert keys_of("logins") == []
    assert refusals(response) == [(["user", "logins"], "User.logins")]


async def test_a_policy_reads_what_the_client_did_not_ask_for(ask):
    response = await ask("{ latest { id } }")

    assert response.data == {"latest": [{"id": "o1"}, None, {"id": "o3"}]}
    assert refusals(response) == [(["latest"], "Query.latest")]
    (rows, arguments) = ASKED[0]
    assert rows[0] == {"owner": {"id": "u1"}, "status": "OPEN"}
    assert arguments == {}
    assert len(ASKED) == 1


async def test_a_refused_object_is_null_by_every_way_to_it(ask):
    for query in (
        '{ order(id: "o2") { id } }',
        '{ order(id: "o2") { __typename } }',
        '{ x: order(id: "o2") { y: status } }',
        '{ order(id: "o2") { ... on Order { id lines } } }',
        '{ order(id: "o2") { ...F } } fragment F on Order { owner { name } }',
    ):
        response = await ask(query)
        assert list(response.data.values()) == [None], query
        assert response.error_codes == ("UNAUTHORIZED_FIELD_OR_TYPE",)
        assert keys_of("users") == []


async def test_the_payload_of_a_mutation_is_ruled_too(ask):
    response = await ask('mutation { cancel(id: "o2") { id } }')

    assert response.data == {"cancel": None}
    assert keys_of("cancel") == [("o2",)]


async def test_an_interface_does_not_lead_around_the_rule(ask):
    response = await ask("{ accounts { __typename email } }", ADA)

    assert response.data["accounts"] == [
        {"__typename": "User", "email": "u1@x"},
        {"__typename": "Robot", "email": "r1@x"},
        {"__typename": "User", "email": None},
    ]
    assert refusals(response) == [(["accounts"], "Account.email")]

    unnamed = await ask("{ accounts { email } }", ADA)

    assert [a["email"] for a in unnamed.data["accounts"]] == ["u1@x", "r1@x", None]


async def test_fragments_on_an_interface_are_ruled_by_type(ask):
    response = await ask(
        "{ accounts { ... on User { email } ... on Robot { email } } }", BOB
    )

    assert [a["email"] for a in response.data["accounts"]] == [None, "r1@x", "u2@x"]


async def test_two_selections_of_a_field_have_an_error_each(ask):
    response = await ask('{ users { a: email b: email } user(id: "u2") { email } }')

    assert refusals(response) == [
        (["users"], "User.email"),
        (["user", "email"], "User.email"),
    ]


async def test_reject_refuses_the_whole_operation(ask):
    response = await ask("{ users { email } }", ADA, mode="reject")

    assert response.status == 403
    assert not response.has_data


async def test_off_refuses_nothing_and_reads_nothing(ask):
    response = await ask("{ latest { id } }", switch="off")

    assert response.data == {"latest": [{"id": "o1"}, {"id": "o2"}, {"id": "o3"}]}
    assert ASKED == []


async def test_shadow_asks_and_refuses_nothing(ask):
    response = await ask("{ latest { id } users { email } }", switch="shadow")

    assert not response.errors
    assert len(response.data["latest"]) == 3
    assert len(ASKED) == 1


async def broken(_context, _rows, _arguments):
    raise RuntimeError("oops")


async def too_few(_context, _rows, _arguments):
    return [True]


async def nearly(_context, rows, _arguments):
    return [1 for _ in rows]


async def slow(_context, rows, _arguments):
    await asyncio.sleep(60)
    return [True for _ in rows]


@pytest.mark.parametrize("function", [broken, too_few, nearly, slow, None])
async def test_a_policy_that_does_not_work_refuses(ask, function):
    policies = {"mine": row_policy(reads="id")(function)} if function else {}

    response = await ask("{ latest { id } }", policies=policies, policy_timeout=0.05)

    assert response.data == {"latest": [None] * 3}


HEAD = "type Query { thing: Thing @shareable }\n"


@pytest.mark.parametrize(
    ("sdl", "where"),
    [
        pytest.param(
            HEAD + 'type Thing { id: ID! x: Int @owner(field: "nothing") }',
            "Thing.x",
            id="unknown-field",
        ),
        pytest.param(
            HEAD + 'type Thing { id: ID! x: Int @owner(field: "id x") }',
            "Thing.x",
            id="two-fields",
        ),
        pytest.param(
            'type Query { x: Int @owner(field: "x") }', "Query.x", id="root-field"
        ),
        pytest.param(
            HEAD + 'type Thing { id: ID! x: Int @owner(field: "id")'
            " @cacheControl(maxAge: 5, scope: PUBLIC) }",
            "Thing.x",
            id="public",
        ),
    ],
)
def test_a_rule_that_cannot_hold_is_told(sdl, where):
    with pytest.raises(ConfigurationError) as caught:
        ruled(sdl)

    assert [problem.where for problem in caught.value.problems] == [where]


def test_what_is_handed_on_from_another_object_is_told():
    with pytest.raises(ConfigurationError) as caught:
        ruled(
            """
            type Query { thing: Thing }
            type Thing @key(fields: "id") { id: ID! part: Part @shareable }
            type Part @shareable { owner: ID  secret: Int @owner(field: "owner") }
            """,
            """
            type Thing @key(fields: "id") {
              id: ID!
              part: Part @external
              copy: Int @requires(fields: "part { secret }")
            }
            type Part @shareable { owner: ID  secret: Int }
            """,
        )

    assert "Thing.copy" in {problem.where for problem in caught.value.problems}


def test_a_function_says_what_it_reads():
    with pytest.raises(ConfigurationError, match="row_policy"):
        ruled(
            HEAD + "type Thing { id: ID! }",
            auth=AuthSettings(row_policies={"a": broken}),
        )


class TestASubgraphAlone:
    SDL = """
    type Query { user: User }
    type User @key(fields: "id") {
      id: ID!
      note: String @owner(field: "email", orScopes: [["notes:read"]])
      mine: String @owner(field: "id")
    }
    """

    def test_a_whole_graph_must_have_what_its_rules_read(self):
        with pytest.raises(ConfigurationError, match="there is no field email"):
            ruled(self.SDL)

    async def test_what_another_subgraph_has_is_refused(self):
        found = ruled(self.SDL, is_alone=True)
        operation = found.operation("{ user { note mine } }")

        _, rules = found.policies.guard_rows(operation)

        answers = {}
        for rule in rules:
            for principal in (ADA, Principal("clerk", frozenset({"notes:read"}))):
                row = {"id": ADA.subject}
                context = new_context(principal=principal)
                [allowed] = await rule.allow(context, [row], {})
                answers[rule.key, principal.subject] = allowed
        assert answers == {
            ("note", ADA.subject): False,
            ("note", "clerk"): True,
            ("mine", ADA.subject): True,
            ("mine", "clerk"): False,
        }
