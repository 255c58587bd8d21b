"""Whatever is asked of a scenario, its strict subgraphs have nothing to complain of."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from support.direct_subgraph import DirectSubgraph
from support.fixture_server import read_scenario
from support.generate_operations import operations
from support.graphs import FakeGraph

ROOT = Path(__file__).parent
WITHOUT_PLAN = {"corrupted_supergraph_node_id", "non_resolvable_interface_object"}
"""Scenarios in which some operations have no plan."""
ANSWERS_BY_INPUT = {"input_object_intersection"}
"""Scenarios in which an input that nobody expects is answered with a wrong value."""
SCENARIOS = sorted(
    {path.parent.name for path in ROOT.glob("*/supergraph.graphql")}
    - WITHOUT_PLAN
    - ANSWERS_BY_INPUT
)


@cache
def read_graph(name: str):
    scenario = read_scenario(ROOT / name)
    sdl = (ROOT / name / "supergraph.graphql").read_text()
    graph = FakeGraph.read(sdl, {})
    graph.subgraphs = {
        found.id: DirectSubgraph(scenario.graphs[found.name])
        for found in graph.supergraph.graphs.values()
    }
    return scenario, graph


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_subgraph_is_asked_for_what_it_does_not_have(name: str):
    scenario, graph = read_graph(name)

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operations(graph.supergraph.api_schema, max_depth=5))
    def ask(operation):
        scenario.state.reset()
        result = asyncio.run(graph.run(*operation))

        assert scenario.state.complaints == []
        text = json.dumps(result.data)
        assert "WRONG" not in text
        assert "STALE" not in text
        codes = {error["extensions"]["code"] for error in result.errors}
        assert codes <= {"SOURCE_ERROR"}

    ask()
