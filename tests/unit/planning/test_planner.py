"""What the planner promises beyond the golden plans."""

from __future__ import annotations

import pytest
from support.plans import case_graph

from graphgw.errors import PlanningError
from graphgw.planning.planner import Planner
from graphgw.planning.settings import PlanningSettings


class Spent:
    """A budget that is used up after some checks."""

    def __init__(self, checks: int) -> None:
        self.checks = checks

    def check(self) -> None:
        self.checks -= 1
        if self.checks < 0:
            raise PlanningError("too long", timeout=True)


def graphs_of(plan):
    return [fetch.graph for fetch in plan.fetches]


def test_a_root_typename_needs_no_fetch():
    plan = case_graph("shop").plan("{ __typename }")

    assert plan.fetches == ()


def test_planning_stops_when_the_budget_is_spent():
    shop = case_graph("shop")
    operation = shop.normalize("{ me { name orders { status } reviews { body } } }")

    with pytest.raises(PlanningError) as caught:
        shop.planner.plan(operation, budget=Spent(3))

    assert caught.value.error_code == "PLANNING_TIMEOUT"


def test_a_mutation_that_runs_out_of_time_is_not_taken_for_impossible():
    shop = case_graph("shop")
    operation = shop.normalize('mutation { rename(id: 1, name: "x") { name } }')

    with pytest.raises(PlanningError) as caught:
        shop.planner.plan(operation, budget=Spent(0))

    assert caught.value.error_code == "PLANNING_TIMEOUT"


def test_a_field_out_of_reach_is_named_with_the_reason():
    graph = case_graph("corrupted_id")

    with pytest.raises(PlanningError) as caught:
        graph.plan("{ node(id: 1) { id } }")

    assert caught.value.error_code == "PLANNING_FAILED"
    assert caught.value.message == (
        'Node.id cannot be reached: only "a", "b" can have it, '
        'and there is no way there from "a", "b"'
    )


def test_mutation_fields_wait_for_everything_before_them():
    plan = case_graph("shop").plan(
        "mutation { a: placeOrder(userId: 1) { buyer { name } }"
        ' rename(id: 1, name: "x") { orders { status } }'
        " pay(id: 1) { id } }"
    )

    assert [(fetch.graph, fetch.kind, fetch.after) for fetch in plan.fetches] == [
        ("ORDERS", "mutation", ()),
        ("USERS", "query", (0,)),
        ("USERS", "mutation", (1,)),
        ("ORDERS", "query", (2,)),
        ("ORDERS", "mutation", (3,)),
    ]


def test_neighbouring_mutation_fields_of_one_subgraph_share_a_fetch():
    plan = case_graph("mutations").plan(
        "mutation { a: add(n: 1) b: multiply(by: 2) c: delete(n: 3) d: add(n: 4) }"
    )

    assert graphs_of(plan) == ["A", "B", "A"]
    keys = [[s.response_key for s in fetch.selections] for fetch in plan.fetches]
    assert keys == [["a", "b"], ["c"], ["d"]]


def test_a_progressive_override_follows_its_label():
    graph = case_graph("progressive")
    query = "{ feed { createdAt } }"

    assert graphs_of(graph.plan(query)) == ["A"]
    assert graphs_of(graph.plan(query, frozenset({"move"}))) == ["A", "B"]
    assert graphs_of(graph.plan(query, frozenset({"unknown"}))) == ["A"]


def test_query_graphs_of_old_labels_are_dropped():
    supergraph = case_graph("progressive").supergraph
    planner = Planner(supergraph, PlanningSettings(max_cached_graphs=1))
    operation = case_graph("progressive").normalize("{ feed { createdAt } }")

    first = planner.plan(operation)
    planner.plan(operation, labels=frozenset({"move"}))

    assert planner.plan(operation) == first


def test_without_comparisons_the_greedy_choice_still_plans():
    shop = case_graph("shop")
    planner = Planner(shop.supergraph, PlanningSettings(max_evaluations=0))
    operation = shop.normalize("{ topProducts { name shipping reviews { body } } }")

    plan = planner.plan(operation)

    assert graphs_of(plan) == ["PRODUCTS", "INVENTORY", "REVIEWS"]


def test_every_stage_can_be_printed():
    shop = case_graph("shop")

    stages = shop.planner.explain(shop.normalize("{ me { name reviews { body } } }"))

    assert "Product in inventory\n" in stages.graph
    assert "  shipping -> Int requires { price weight }\n" in stages.graph
    assert "  => products by { sku }\n" in stages.graph
    assert stages.paths == ("[users] .me .name\nme =>[reviews] .reviews .body (of 2)\n")
    assert stages.fetches == (
        "0: stage 1 USERS: name, id\n1: stage 2 REVIEWS at me after 0: body\n"
    )
    assert graphs_of(stages.plan) == ["USERS", "REVIEWS"]


def test_a_value_from_an_ancestor_becomes_a_variable_of_the_fetch():
    plan = case_graph("contexts").plan("{ users { name: id history { amount } } }")

    (value,) = plan.fetches[1].contexts
    assert (value.level, value.type) == (1, "String")
    assert [field.name for field in value.selections] == ["locale"]
