"""Whatever is asked of a scenario, its strict subgraphs have nothing to complain of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from support.fixture_server import read_scenario
from support.generate_operations import operations
from support.graphs import FakeGraph

from graphgw.planning.print_document import print_fetch_document
from graphgw.subgraphs.protocol import FetchError, FetchResult

if TYPE_CHECKING:
    from support.fixture_graph import FixtureGraph

    from graphgw.context import RequestContext
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.types import JSONObject

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


@dataclass
class DirectSubgraph:
    """A fixture's subgraph, asked without a network between."""

    graph: FixtureGraph

    @property
    def name(self) -> str:
        return self.graph.name

    def prepare(self, fetch: Fetch, variables: Sequence[VariableDefinition]):
        return DirectFetch(self.graph, fetch, print_fetch_document(fetch, variables))


@dataclass
class DirectFetch:
    graph: FixtureGraph
    fetch: Fetch
    document: str

    def code(self) -> str:
        return self.document

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        del context
        sent: dict[str, Any] = dict(variables)
        if self.fetch.inputs:
            sent["representations"] = list(representations)
        body = {"query": self.document, "variables": sent}
        answer = json.loads(json.dumps(self.graph.answer(body)))
        skip = 1 if self.fetch.inputs else 0
        errors = tuple(
            FetchError(error["message"], tuple(error.get("path", ())[skip:]))
            for error in answer.get("errors", ())
        )
        data = answer["data"]
        if self.fetch.inputs and data is not None:
            data = data["_entities"]
        return FetchResult(data, errors)


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

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
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
