"""What becomes of deprecated fields, arguments and enum values before and after."""

import pytest
from support.policies import ruled

from graphgw.errors import ConfigurationError
from graphgw.policies.policy_set import PolicySet
from graphgw.policies.settings import PolicySettings, SunsetSettings
from graphgw.telemetry.events import DeprecatedUsed, SelectionRefused
from graphgw.types import Principal

GRAPH = """
type Query {
  user: User
  users(
    order: Order
    by: By
    old: Int @sunset(on: "2027-01-31")
  ): [User]
  plain: Int
}
type User @key(fields: "id") {
  id: ID
  name: String @deprecated
  mail: String
    @sunset(on: "2027-01-31", since: "2026-07-31", replacement: "User.contact")
  contact: String
  friends: [User] @sunset(on: "2027-06-30")
  secret: String @requiresScopes(scopes: [["s"]])
  counted: Int @rateLimit(limit: 5, window: "1m")
  role: Role
}
enum Order { NAME AGE @sunset(on: "2027-01-31", replacement: "Order.NAME") }
enum Role { A B @deprecated }
input By { order: [Order] name: String @deprecated also: By }
"""
JANUARY = 1801353600.0
DAY = "Sun, 31 Jan 2027 00:00:00 GMT"


def graph(sdl=GRAPH, *, switch="enforce", now=JANUARY - 86400, link=None, **auth):
    sunset = SunsetSettings(switch=switch, link=link)
    found = ruled(sdl, policies=PolicySettings(sunset=sunset), **auth)
    found.clock.advance(now - found.clock.time())
    return found


def uses(found):
    return [e.coordinate for e in found.recorder.events if type(e) is DeprecatedUsed]


def shadows(found):
    return [
        (e.coordinate, e.is_shadow)
        for e in found.recorder.events
        if type(e) is SelectionRefused
    ]


async def test_the_answer_tells_when_something_was_deprecated_and_when_it_goes():
    decision = await graph().decide("{ user { mail } }")

    assert decision.headers == (("deprecation", "@1785456000"), ("sunset", DAY))
    assert decision.refusals == ()


async def test_the_earliest_end_counts():
    decision = await graph().decide("{ user { friends { mail } name } }")

    assert dict(decision.headers)["sunset"] == DAY


async def test_what_is_deprecated_without_a_date_is_so_since_ever():
    decision = await graph().decide("{ user { name } }")

    assert decision.headers == (("deprecation", "@0"),)


async def test_a_page_about_it_is_linked():
    decision = await graph(link="https://shop.example/old").decide("{ user { mail } }")

    assert dict(decision.headers)["link"] == (
        '<https://shop.example/old>; rel="deprecation"; type="text/html", '
        '<https://shop.example/old>; rel="sunset"; type="text/html"'
    )


async def test_what_uses_nothing_of_it_is_open():
    found = graph()

    assert found.policies.is_open(found.operation("{ plain user { contact role } }"))
    assert not found.policies.is_open(found.operation("{ user { mail } }"))


async def test_a_use_is_counted_once_in_an_operation():
    found = graph()

    await found.decide("{ user { mail again: mail friends { mail } } }")

    assert uses(found) == ["User.mail", "User.friends"]


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        pytest.param("{ users(old: 1) { id } }", {}, ["Query.users(old:)"], id="given"),
        pytest.param("{ users { id } }", {}, [], id="left-out"),
        pytest.param(
            "query ($x: Int) { users(old: $x) { id } }", {}, [], id="variable-left-out"
        ),
        pytest.param(
            "query ($x: Int) { users(old: $x) { id } }",
            {"x": None},
            ["Query.users(old:)"],
            id="variable-given",
        ),
        pytest.param("{ users(order: AGE) { id } }", {}, ["Order.AGE"], id="value"),
        pytest.param("{ users(order: NAME) { id } }", {}, [], id="other-value"),
        pytest.param(
            "query ($o: Order) { users(order: $o) { id } }",
            {"o": "AGE"},
            ["Order.AGE"],
            id="value-in-variable",
        ),
        pytest.param(
            "query ($o: Order) { users(by: {order: [NAME, $o]}) { id } }",
            {"o": "AGE"},
            ["Order.AGE"],
            id="value-within",
        ),
        pytest.param(
            'query ($b: By) { users(by: {also: $b, name: "x"}) { id } }',
            {"b": {"order": "AGE"}},
            ["Order.AGE", "By.name"],
            id="input-fields",
        ),
    ],
)
async def test_arguments_and_values_count_where_they_are_given(
    query, variables, expected
):
    found = graph()

    await found.decide(query, variables=variables)

    assert sorted(uses(found)) == sorted(expected)


async def test_after_its_day_a_field_is_refused():
    found = graph(now=JANUARY)

    decision = await found.decide("{ user { mail contact } }")

    (refusal,) = decision.refusals
    assert refusal.code == "FIELD_SUNSET"
    assert refusal.coordinate == "User.mail"
    assert refusal.path == ("user", "mail")
    assert refusal.message == (
        '"User.mail" is gone since 2027-01-31; use "User.contact"'
    )
    assert refusal.extensions == {
        "sunset": "2027-01-31T00:00:00Z",
        "replacement": "User.contact",
    }
    assert dict(decision.headers)["sunset"] == DAY
    assert shadows(found) == [("User.mail", False)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("{ users(order: AGE) { id } }", ["Order.AGE"], id="value"),
        pytest.param("{ users(order: NAME) { id } }", [], id="other-value"),
        pytest.param("{ users(old: 1) { id } }", ["Query.users(old:)"], id="argument"),
        pytest.param("{ user { name } }", [], id="without-a-day"),
        pytest.param("{ user { friends { id } } }", [], id="later-day"),
        pytest.param(
            "{ users(old: 1, order: AGE) { mail id } }",
            ["Query.users(old:)"],
            id="outermost-alone",
        ),
    ],
)
async def test_what_is_over_is_refused_where_it_is_used(query, expected):
    assert await graph(now=JANUARY).refused(query) == expected


async def test_shadow_refuses_nothing_and_reports():
    found = graph(switch="shadow", now=JANUARY)

    decision = await found.decide("{ user { mail } }")

    assert decision.refusals == ()
    assert dict(decision.headers)["sunset"] == DAY
    assert shadows(found) == [("User.mail", True)]


async def test_off_says_and_counts_nothing():
    found = graph(switch="off", now=JANUARY)

    assert found.policies.is_open(found.operation("{ user { mail } }"))
    assert (await found.decide("{ user { mail } }")).headers == ()
    assert uses(found) == []


async def test_a_refused_field_draws_from_no_bucket_with_what_is_in_it():
    found = graph(
        'type Query { old: User @sunset(on: "2027-01-31") user: User }'
        ' type User { counted: Int @rateLimit(limit: 5, window: "1m") }',
        now=JANUARY,
    )

    decision = await found.decide("{ old { counted } }")

    assert [name for name, _ in decision.headers] == ["deprecation", "sunset"]
    assert [refusal.coordinate for refusal in decision.refusals] == ["Query.old"]


async def test_refusals_of_both_kinds_stand_in_the_order_of_the_operation():
    found = graph(now=JANUARY)

    names = await found.refused("{ user { secret mail } }")
    known = await found.refused(
        "{ user { secret mail } }", Principal("u", frozenset({"s"}))
    )

    assert names == ["User.secret", "User.mail"]
    assert known == ["User.mail"]


async def test_the_end_of_an_interface_s_field_counts_for_its_types():
    found = graph(
        "type Query { thing: Thing book: Book }"
        ' interface Thing { id: ID @sunset(on: "2027-01-31") }'
        " type Book implements Thing { id: ID }",
        now=JANUARY,
    )

    assert await found.refused("{ thing { id } book { id } }") == ["Thing.id"] * 2


def test_a_supergraph_of_any_origin_is_checked():
    found = graph()
    rules = found.graph.supergraph.rules
    wrong = {"Query.user": (rules["User.mail"][0],), **rules}
    wrong["Query.user"][0].arguments["on"] = "soon"
    object.__setattr__(found.graph.supergraph, "rules", wrong)

    with pytest.raises(ConfigurationError, match="is not a date"):
        PolicySet(found.graph.supergraph)
