"""Arguments filled from ancestors: one request for each combination of values."""

import asyncio

import pytest
from support.fake_subgraph import FakeSubgraph
from support.graphs import FakeGraph, new_context, supergraph_header

from graphgw.errors import SourceUnreachableError
from graphgw.subgraphs.protocol import FetchResult
from graphgw.types import Deadline

ARGUMENT = (
    '{context: "bank__place", name: "locale", type: "String", selection: "{ locale }"}'
)
CONTEXT_LINK = (
    'schema @link(url: "https://specs.apollo.dev/context/v0.1", for: SECURITY)'
)
SUPERGRAPH = (
    supergraph_header("BANK", "FEES").replace("schema", CONTEXT_LINK, 1)
    + f"""
directive @context(name: String!) repeatable on OBJECT | INTERFACE | UNION
type Query @join__type(graph: BANK) @join__type(graph: FEES) {{
  users: [User] @join__field(graph: BANK)
  towns: [Town] @join__field(graph: FEES)
}}
type User @join__type(graph: BANK, key: "id") @context(name: "bank__place")
{{ id: ID! locale: String payments: [Payment] }}
type Town
  @join__type(graph: BANK, key: "id")
  @join__type(graph: FEES, key: "id")
  @context(name: "bank__place")
{{
  id: ID!
  locale: String @join__field(graph: BANK)
  teller: Teller @join__field(graph: FEES)
}}
type Teller @join__type(graph: FEES, key: "id") @join__type(graph: BANK, key: "id")
{{ id: ID! last: Payment @join__field(graph: BANK) }}
type Payment @join__type(graph: BANK, key: "id") @join__type(graph: FEES, key: "id") {{
  id: ID!
  amount: String @join__field(graph: BANK, contextArguments: [{ARGUMENT}])
  fee: Int @join__field(graph: FEES)
}}
"""
)
BANK = """
type Query { users: [User] }
type User { id: ID! locale: String payments: [Payment] }
type Town { id: ID! locale: String }
type Teller { id: ID! last: Payment }
type Payment { id: ID! amount(locale: String): String }
"""
USERS = [
    {"id": "u1", "locale": "de", "payments": [{"id": "p1"}, {"id": "p2"}]},
    None,
    {"id": "u2", "locale": "fr", "payments": [{"id": "p1"}, None]},
    {"id": "u3", "locale": "de", "payments": [{"id": "p2"}, {"id": "p3"}]},
    {"id": "u4", "locale": None, "payments": [{"id": "p1"}]},
]


def amount(row, locale=None):
    return f"{row['id']} in {locale}"


@pytest.fixture
def bank():
    rows = [{"id": f"p{number}", "amount": amount} for number in range(1, 4)]
    towns = [{"id": "t1", "locale": "de"}, {"id": "t2", "locale": "fr"}]
    tellers = [{"id": "x", "last": {"id": "p1", "amount": amount}}]
    entities = {"Payment": rows, "Town": towns, "Teller": tellers}
    return FakeSubgraph("bank", BANK, {"users": USERS}, entities)


@pytest.fixture
def fees():
    return FakeSubgraph(
        "fees",
        """
        type Query { towns: [Town] }
        type Town { id: ID! teller: Teller }
        type Teller { id: ID! }
        type Payment { id: ID! fee: Int }
        """,
        {
            "towns": [
                {"id": "t1", "teller": {"id": "x"}},
                {"id": "t2", "teller": {"id": "x"}},
            ]
        },
        {"Payment": [{"id": f"p{number}", "fee": number} for number in range(1, 4)]},
    )


@pytest.fixture
def graph(bank, fees):
    return FakeGraph.read(SUPERGRAPH, {"BANK": bank, "FEES": fees})


async def test_each_entity_gets_the_value_of_its_own_ancestor(graph):
    result = await graph.run("{ users { payments { amount fee } } }")

    def payments(*pairs):
        return {
            "payments": [
                pair
                and {"amount": f"p{pair[0]} in {pair[1]}", "fee": int(f"{pair[0]}")}
                for pair in pairs
            ]
        }

    assert result.errors == []
    assert result.data == {
        "users": [
            payments((1, "de"), (2, "de")),
            None,
            payments((1, "fr"), None),
            payments((2, "de"), (3, "de")),
            payments((1, None)),
        ]
    }


async def test_one_request_is_sent_for_each_value(graph, bank):
    await graph.run("{ users { payments { amount } } }")

    def sent(*numbers):
        return [{"__typename": "Payment", "id": f"p{number}"} for number in numbers]

    assert bank.calls[1:] == [sent(1, 2, 3), sent(1), sent(1)]
    assert (
        "locale"
        not in graph.supergraph.api_schema.type_map["Payment"].fields["amount"].args
    )


async def test_equal_entities_below_different_ancestors_are_told_apart(graph):
    result = await graph.run("{ towns { teller { last { amount } } } }")

    assert result.errors == []
    assert result.data == {
        "towns": [
            {"teller": {"last": {"amount": "p1 in de"}}},
            {"teller": {"last": {"amount": "p1 in fr"}}},
        ]
    }


async def test_a_failure_of_one_group_leaves_the_others(graph, bank):
    def fail(row, locale=None):
        if locale == "fr":
            raise ValueError("no French")
        return amount(row, locale)

    bank.entities["Payment"][0]["amount"] = fail

    result = await graph.run("{ users { payments { amount } } }")

    assert result.data["users"][0]["payments"][0] == {"amount": "p1 in de"}
    assert result.data["users"][2]["payments"] == [{"amount": None}, None]
    assert [(error["message"], error["path"]) for error in result.errors] == [
        ("no French", ["users", 2, "payments", 0, "amount"])
    ]


async def test_groups_that_all_fail_have_one_error(graph, bank):
    def change(result):
        if len(bank.calls) > 1:
            raise SourceUnreachableError("bank is closed")
        return result

    bank.change = change

    result = await graph.run("{ users { payments { amount } } }")

    assert result.data["users"][2] == {"payments": [{"amount": None}, None]}
    assert [error["message"] for error in result.errors] == ["bank is closed"]


async def test_entities_without_a_value_to_give_are_not_asked_for(graph, bank):
    def change(result):
        if isinstance(bank.calls[-1], list) and "Town" in str(bank.calls[-1]):
            return FetchResult([None for _ in bank.calls[-1]])
        return result

    bank.change = change

    result = await graph.run("{ towns { teller { last { amount } } } }")

    assert result.data["towns"][0] == {"teller": {"last": {"amount": None}}}
    assert all("Payment" not in str(call) for call in bank.calls)


async def test_groups_that_answer_in_time_are_kept(graph, bank):
    async def answer(row, locale=None):
        if locale == "fr":
            await asyncio.Event().wait()
        if locale is None:
            raise ValueError("no locale")
        return amount(row, locale)

    for row in bank.entities["Payment"]:
        row["amount"] = answer
    context = new_context(deadline=Deadline.after(0.1))

    result = await graph.run("{ users { payments { amount } } }", context=context)

    users = result.data["users"]
    assert users[0]["payments"] == [{"amount": "p1 in de"}, {"amount": "p2 in de"}]
    assert users[2]["payments"] == [{"amount": None}, None]
    assert [(e["path"], e["extensions"]["code"]) for e in result.errors] == [
        (["users"], "DEADLINE_EXCEEDED"),
        (["users", 4, "payments", 0, "amount"], "SOURCE_ERROR"),
    ]


async def test_a_group_that_is_late_does_not_hide_the_errors_of_another(graph, bank):
    async def answer(row, locale=None):
        if locale != "de":
            await asyncio.Event().wait()
        raise ValueError(f"{row['id']} is secret")

    for row in bank.entities["Payment"]:
        row["amount"] = answer
    context = new_context(deadline=Deadline.after(0.1))

    result = await graph.run("{ users { payments { amount } } }", context=context)

    messages = {error["message"] for error in result.errors}
    assert {"p1 is secret", 'subgraph "bank" did not answer in time'} <= messages
