"""Plans of random operations on random supergraphs give the true answer."""

from __future__ import annotations

import pytest
from support.graphs import FakeGraph
from support.random_supergraph import RandomSupergraph

from graphgw.errors import InvalidDocumentError, LimitError
from graphgw.planning.planner import Planner
from graphgw.planning.print_plan import print_plan

SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_plan_finds_what_the_rows_say(seed: int):
    made = RandomSupergraph(seed)
    graph = FakeGraph.read(made.supergraph_sdl(), made.subgraphs())
    for _ in range(4):
        query = made.operation()
        try:
            prepared = graph.prepare(query)
        except (InvalidDocumentError, LimitError):
            continue

        plan = graph.planner.plan(prepared.operation)
        answer = await graph.run(query, plan=plan)

        assert answer.errors == []
        assert answer.data == made.truth(query)
        again = Planner(graph.supergraph).plan(prepared.operation)
        text = print_plan(again, graph.supergraph)
        assert text == print_plan(plan, graph.supergraph)
