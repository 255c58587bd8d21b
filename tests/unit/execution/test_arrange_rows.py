"""A plan with row rules: guarded values wait for what the rules read."""

from __future__ import annotations

from graphgw.execution.arrange_rows import arrange_rows
from graphgw.federation.selection import Field, Fragment
from graphgw.planning.plan import EntityInput, Fetch, PathStep, QueryPlan
from graphgw.policies.decision import RowRule, RowStep

USERS = (RowStep("users", 1),)


async def allow(_context, rows, _variables):
    return [True for _ in rows]


def rule(key="orders", alias="__gw_row_team", path=USERS, **options):
    return RowRule(
        path=path,
        key=key,
        reads=((alias, "team"),),
        coordinate="User.orders",
        error_path=("users",),
        allow=allow,
        **options,
    )


def entity(number, graph, *fields, after=(0,), path="users"):
    return Fetch(
        number,
        graph,
        "query",
        (Fragment("User", fields),),
        (PathStep(path, 1),),
        (EntityInput(("User",), "User", (Field("id"),)),),
        after,
    )


def root(*inner):
    return Fetch(0, "A", "query", (Field("users", None, (), (Field("id"), *inner)),))


TEAM = Field("team", "__gw_row_team")
ORDERS = Field("orders", None, (), (Field("id"),))
NOTE = Field("note")


def arranged(*fetches, rules=None):
    found = arrange_rows(QueryPlan("query", fetches), rules or (rule(),))
    text = [
        (
            fetch.id,
            sorted(fetch.after),
            [s.response_key for s in (fetch.selections[0].selections)],
        )
        for fetch in found.plan.fetches
    ]
    return text, found


def test_a_plan_without_rules_stays_as_it_is():
    plan = QueryPlan("query", (root(), entity(1, "B", ORDERS)))

    assert arrange_rows(plan, ()).plan is plan


def test_a_guarded_fetch_waits_for_what_its_rule_reads():
    text, found = arranged(root(), entity(1, "B", ORDERS), entity(2, "C", TEAM))

    assert text == [
        (0, [], ["id"]),
        (2, [0], ["__gw_row_team"]),
        (1, [0, 2], ["orders"]),
    ]
    assert found.inputs == (frozenset({1}),)
    assert found.carried == (frozenset(), frozenset(), frozenset({0}))


def test_what_is_not_guarded_does_not_wait():
    text, found = arranged(root(TEAM), entity(1, "B", NOTE, ORDERS))

    assert text[1:] == [(1, [0], ["note"]), (2, [0], ["orders"])]
    assert found.carried == (frozenset(), frozenset(), frozenset({0}))


def test_what_comes_with_its_inputs_is_not_parted():
    text, found = arranged(root(), entity(1, "B", NOTE, ORDERS, TEAM))

    assert text[1:] == [(1, [0], ["note", "orders", "__gw_row_team"])]
    assert found.carried == (frozenset(), frozenset())
    assert found.inputs == (frozenset({1}),)


def test_what_lies_below_a_guarded_value_waits_too():
    below = Fetch(
        2,
        "C",
        "query",
        (Fragment("Order", (Field("total"),)),),
        (PathStep("users", 1), PathStep("orders", 1)),
        (EntityInput(("Order",), "Order", (Field("id"),)),),
        (1,),
    )

    text, _ = arranged(root(TEAM), entity(1, "B", NOTE, ORDERS), below)

    assert text[1:] == [
        (1, [0], ["note"]),
        (3, [0], ["orders"]),
        (2, [1, 3], ["total"]),
    ]


def test_an_input_that_needs_the_guarded_fetch_does_not_wait_in_a_circle():
    text, _ = arranged(root(), entity(1, "B", ORDERS), entity(2, "C", TEAM, after=(1,)))

    assert text[1:] == [(1, [0], ["orders"]), (2, [1], ["__gw_row_team"])]


def test_each_set_of_rules_has_a_part_of_its_own():
    bills = Field("bills")
    rules = (rule(), rule("bills"), rule("bills", identity=("b",)))

    text, found = arranged(root(TEAM), entity(1, "B", NOTE, ORDERS, bills), rules=rules)

    assert [keys for _, _, keys in text[1:]] == [["note"], ["orders"], ["bills"]]
    assert found.carried[1:] == (frozenset(), frozenset({0}), frozenset({1, 2}))


def test_a_shadow_rule_changes_no_plan():
    fetches = (root(), entity(1, "B", NOTE, ORDERS), entity(2, "C", TEAM))

    _, found = arranged(*fetches, rules=(rule(is_shadow=True),))

    assert found.plan.fetches == fetches
