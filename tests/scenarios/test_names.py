"""What a client is answered does not depend on what the subgraphs are called."""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache
from pathlib import Path

import pytest
from support.direct_subgraph import DirectSubgraph
from support.fixture_server import read_scenario
from support.graphs import FakeGraph

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import GraphGWError

ROOT = Path(__file__).parent
EITHER_WILL_DO = {"partial_union_complex/01_a_shared_root"}
"""Operations that two subgraphs answer differently, and either may be asked."""
OPERATIONS = {
    f"{path.parents[1].name}/{path.stem}": path
    for path in sorted(ROOT.glob("*/operations/*.graphql"))
}


@cache
def read_reversed(folder: Path):
    """Compose a scenario with names that sort the other way round."""
    scenario = read_scenario(folder)
    names = sorted(scenario.graphs)
    renamed = {name: f"g{len(names) - i}" for i, name in enumerate(names)}

    def rename(match: re.Match[str]) -> str:
        return f'override(from: "{renamed.get(match[1], match[1])}")'

    subgraphs = [
        SubgraphSDL(
            renamed[name],
            "http://fixture.invalid",
            re.sub(
                r'override\(from: "(\w+)"\)',
                rename,
                (folder / "subgraphs" / f"{name}.graphql").read_text(),
            ),
        )
        for name in reversed(names)
    ]
    graph = FakeGraph(compose(subgraphs).supergraph, {})
    by_new_name = {renamed[name]: found for name, found in scenario.graphs.items()}
    graph.subgraphs = {
        found.id: DirectSubgraph(by_new_name[found.name])
        for found in graph.supergraph.graphs.values()
    }
    return scenario, graph


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - EITHER_WILL_DO))
def test_renamed_subgraphs_give_the_same_answer_in_as_many_calls(name: str):
    path = OPERATIONS[name]
    scenario, graph = read_reversed(path.parents[1])
    given = path.with_suffix(".variables.json")
    variables = json.loads(given.read_text()) if given.exists() else {}
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    scenario.state.reset()

    if any("path" not in error for error in expected.get("errors", ())):
        with pytest.raises(GraphGWError):
            asyncio.run(graph.run(path.read_text(), variables))
    else:
        result = asyncio.run(graph.run(path.read_text(), variables))
        assert json.dumps(result.data) == json.dumps(expected["data"])
        paths = [error["path"] for error in result.errors]
        assert paths == [error["path"] for error in expected.get("errors", ())]

    assert scenario.state.complaints == []
    assert sum(scenario.state.calls().values()) == sum(expected["calls"].values())
