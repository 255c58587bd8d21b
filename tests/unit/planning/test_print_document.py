"""The documents that remote subgraphs are sent."""

from __future__ import annotations

import pytest
from graphql import parse, validate
from support.plans import PLANNING_CASES, case_graph

from graphgw.planning.print_document import fetch_variables, print_fetch_document


def test_an_entity_fetch_declares_what_it_uses():
    shop = case_graph("shop")
    operation = shop.normalize(
        "query ($n: Int, $id: ID!) { user(id: $id) { orders(first: $n) { status } } }"
    )
    root, orders = shop.planner.plan(operation).fetches

    assert print_fetch_document(root, operation.variables, name="Q__users__0") == (
        "query Q__users__0($id: ID!) {\n  user(id: $id) {\n    id\n  }\n}"
    )
    assert print_fetch_document(orders, operation.variables) == (
        "query ($representations: [_Any!]!, $n: Int) {\n"
        "  _entities(representations: $representations) {\n"
        "    ... on User {\n"
        "      orders(first: $n) {\n"
        "        status\n"
        "      }\n"
        "    }\n"
        "  }\n"
        "}"
    )


def test_a_value_from_an_ancestor_is_declared():
    graph = case_graph("contexts")
    operation = graph.normalize("{ user { trans { amount } } }")

    fetch = graph.planner.plan(operation).fetches[1]

    (variable,) = fetch_variables(fetch, operation.variables)
    assert f"amount(locale: ${variable.name})" in print_fetch_document(fetch, ())
    assert f"${variable.name}: String" in print_fetch_document(fetch, ())


@pytest.mark.parametrize("name", ["shop", "abstract", "child_mismatch", "simple_io"])
def test_root_documents_fit_the_supergraph(name: str):
    graph = case_graph(name)
    for path in sorted((PLANNING_CASES / name).glob("*.graphql")):
        if path.name == "supergraph.graphql":
            continue
        operation = graph.normalize(path.read_text())
        for fetch in graph.planner.plan(operation).fetches:
            if not fetch.inputs:
                document = parse(print_fetch_document(fetch, operation.variables))
                assert validate(graph.supergraph.schema, document) == []
