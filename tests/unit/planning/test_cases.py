"""Golden plans: each folder of cases is one supergraph with its operations.

``UPDATE_CASES=1`` rewrites the expected plans.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from graphgw.errors import PlanningError
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document
from graphgw.planning.planner import Planner
from graphgw.planning.print_plan import print_plan

CASES = Path(__file__).parents[2] / "cases" / "planning"
OPERATIONS = sorted(
    path for path in CASES.glob("*/*.graphql") if path.name != "supergraph.graphql"
)


@cache
def read_case(folder: Path):
    return read_supergraph((folder / "supergraph.graphql").read_text())


def plan_text(path: Path) -> str:
    supergraph = read_case(path.parent)
    schema = supergraph.api_schema
    document = prepare_document(
        path.read_text(), None, schema, LimitSettings(), Budget(10)
    )
    conditions = dict.fromkeys(document.conditions, True)
    operation = normalize(document, conditions, schema)
    try:
        return print_plan(Planner(supergraph).plan(operation), supergraph)
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
