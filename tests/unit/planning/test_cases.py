"""Golden plans: each folder of cases is one supergraph with its operations.

``UPDATE_CASES=1`` rewrites the expected plans.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from support.plans import PLANNING_CASES, case_graph

from graphgw.errors import PlanningError

if TYPE_CHECKING:
    from pathlib import Path

OPERATIONS = sorted(
    path
    for path in PLANNING_CASES.glob("*/*.graphql")
    if path.name != "supergraph.graphql"
)


def plan_text(path: Path) -> str:
    graph = case_graph(path.parent.name)
    try:
        return graph.print(graph.plan(path.read_text()))
    except PlanningError as error:
        return f"{error.error_code}: {error.message}\n"


@pytest.mark.parametrize(
    "path", [pytest.param(p, id=f"{p.parent.name}/{p.stem}") for p in OPERATIONS]
)
def test_an_operation_gets_the_expected_plan(path: Path):
    expected = path.with_suffix(".plan")
    actual = plan_text(path)
    if os.environ.get("UPDATE_CASES"):
        expected.write_text(actual)

    assert actual == expected.read_text()
    assert plan_text(path) == actual
