"""What composition finds reachable can be planned, and what it refuses cannot."""

from __future__ import annotations

import re
from random import Random

import pytest
from support.graphs import FakeGraph
from support.random_supergraph import RandomSupergraph

from graphgw.composition.satisfiability import check_satisfiability
from graphgw.errors import InvalidDocumentError, LimitError, PlanningError
from graphgw.federation.read_supergraph import read_supergraph

KEY = re.compile(r'@join__type\([^)]*key: "[^"]*"')
LAST_FIELD = re.compile(r"(\w+)((?: \})*)$")


def broken_graph(seed):
    """Return a random supergraph that lost some of its ways."""
    random = Random(seed)  # noqa: S311 - not for secrets
    made = RandomSupergraph(seed)

    def close(match):
        return match[0] + (", resolvable: false" if random.random() < 0.12 else "")

    sdl = KEY.sub(close, made.supergraph_sdl())
    return made, FakeGraph(read_supergraph(sdl), made.subgraphs())


def prepared(graph, query):
    """Prepare a query; its last field gets a selection where it needs one."""
    try:
        return graph.prepare(query)
    except InvalidDocumentError:
        query = LAST_FIELD.sub(r"\1 { __typename }\2", query.removesuffix(" }"))
        return graph.prepare(f"{query} }}")


@pytest.mark.parametrize("seed", range(40))
def test_the_check_and_the_planner_agree(seed: int):
    made, graph = broken_graph(seed)

    problems = check_satisfiability(graph.supergraph).problems

    for problem in problems:
        way, _, _ = problem.message.partition(" cannot be resolved")
        query = f"{{ {way.removeprefix('Query.')} }}"
        with pytest.raises(PlanningError):
            graph.planner.plan(prepared(graph, query).operation)
    for _ in range(0 if problems else 8):
        try:
            operation = graph.prepare(made.operation()).operation
        except (InvalidDocumentError, LimitError):
            continue
        graph.planner.plan(operation)


@pytest.mark.parametrize("seed", range(20))
def test_supergraphs_that_answer_everything_have_no_problems(seed: int):
    supergraph = read_supergraph(RandomSupergraph(seed).supergraph_sdl())

    assert check_satisfiability(supergraph).problems == []
