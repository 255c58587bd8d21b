"""Every scenario of federation, over HTTP through a gateway of its own.

A folder is one scenario: ``subgraphs/*.graphql`` and ``data.json`` for the strict
subgraph server, ``supergraph.graphql`` (made by ``compose.mjs``; some have one in the
form of Federation 1, too), and operations with what they must answer, how often each
subgraph may be asked, and the plan. Wrong values in the data, and what the server
refuses, give away a plan that looks in the wrong place.

``UPDATE_CASES=1`` rewrites the plans and adds missing answers; read both.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.fixture_server import FixtureServer
from support.scenario_gateways import ScenarioGateways

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import GraphGWError
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document
from graphgw.operations.variables import build_variable_coercion, read_conditions
from graphgw.planning.planner import Planner
from graphgw.planning.print_plan import print_plan

if TYPE_CHECKING:
    from graphgw.federation.supergraph import Supergraph

ROOT = Path(__file__).parent
OPERATIONS = sorted(ROOT.glob("*/operations/*.graphql"))
SCENARIOS = sorted({path.parents[1].name for path in OPERATIONS})
UPDATES = bool(os.environ.get("UPDATE_CASES"))

operations = pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=f"{p.parents[1].name}/{p.stem}") for p in OPERATIONS],
)


@pytest.fixture(scope="module")
def server():
    with FixtureServer(ROOT) as server:
        yield server


@pytest.fixture(scope="module")
def gateways(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("supergraphs")
    with ScenarioGateways(ROOT, SCENARIOS, server.url, folder) as gateways:
        yield gateways


def read_json(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else {}


@operations
def test_an_operation_is_answered_over_http(path: Path, server, gateways):
    scenario = path.parents[1].name
    state = server.scenario(scenario).state
    state.reset()
    variables = read_json(path.with_suffix(".variables.json"))
    answer = gateways.ask(scenario, path.read_text(), variables)

    actual: dict[str, Any] = {"data": answer.get("data")}
    if answer.get("errors"):
        actual["errors"] = [
            ({"path": error["path"]} if error.get("path") else {})
            | {"code": error["extensions"]["code"]}
            for error in answer["errors"]
        ]
    actual["calls"] = state.calls()
    expected = path.with_suffix(".expected.json")
    if UPDATES and not expected.exists():
        expected.write_text(json.dumps(actual, indent=2) + "\n")

    assert state.complaints == []
    # compared as text: the order of keys belongs to the answer
    assert json.dumps(actual, indent=1) == json.dumps(read_json(expected), indent=1)


@cache
def read_graph(scenario: str, name: str = "supergraph"):
    return read_supergraph((ROOT / scenario / f"{name}.graphql").read_text())


@cache
def compose_graph(scenario: str):
    subgraphs = sorted((ROOT / scenario / "subgraphs").glob("*.graphql"))
    return compose(
        [
            SubgraphSDL(path.stem, "http://fixture.invalid", path.read_text())
            for path in subgraphs
        ]
    ).supergraph


def plan_text(path: Path, supergraph: Supergraph) -> str:
    schema = supergraph.api_schema
    try:
        document = prepare_document(
            path.read_text(), None, schema, LimitSettings(), Budget(10)
        )
        given = read_json(path.with_suffix(".variables.json"))
        variables = build_variable_coercion(document, schema).coerce(given)
        operation = normalize(document, read_conditions(document, variables), schema)
        return print_plan(Planner(supergraph).plan(operation), supergraph)
    except GraphGWError as error:
        return f"{error.code}: {error}\n"


@operations
def test_an_operation_gets_the_plan_that_was_read(path: Path):
    expected = path.with_suffix(".plan.txt")
    actual = plan_text(path, read_graph(path.parents[1].name))
    if UPDATES:
        expected.write_text(actual)

    assert actual == expected.read_text()


@operations
def test_composing_the_subgraphs_here_leads_to_the_same_plan(path: Path):
    actual = plan_text(path, compose_graph(path.parents[1].name))

    assert actual == path.with_suffix(".plan.txt").read_text()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, id=f"{p.parents[1].name}/{p.stem}")
        for p in OPERATIONS
        if (p.parents[1] / "supergraph.join_v0.1.graphql").exists()
    ],
)
def test_a_supergraph_of_federation_1_leads_to_the_same_plan(path: Path):
    supergraph = read_graph(path.parents[1].name, "supergraph.join_v0.1")

    assert plan_text(path, supergraph) == path.with_suffix(".plan.txt").read_text()
