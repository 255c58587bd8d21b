"""Planning stays within its bounds, however much choice a supergraph leaves."""

from __future__ import annotations

import random
import time

import pytest
from support.plans import CaseGraph

from graphgw.errors import LimitError, PlanningError
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.operations.budget import Budget
from graphgw.planning.planner import Planner
from graphgw.planning.settings import PlanningSettings

SUBGRAPHS = 12
FIELDS = 20
_HEAD = """
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION) { query: Query }
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import])
  repeatable on SCHEMA
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__type(graph: join__Graph!, key: join__FieldSet,
  extension: Boolean! = false, resolvable: Boolean! = true,
  isInterfaceObject: Boolean! = false)
  repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
directive @join__field(graph: join__Graph, requires: join__FieldSet,
  provides: join__FieldSet, type: String, external: Boolean, override: String,
  usedOverridden: Boolean) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
scalar link__Import
scalar join__FieldSet
enum link__Purpose { SECURITY EXECUTION }
"""


def shared_graph(places: dict[str, list[int]]) -> CaseGraph:
    """Return a supergraph whose ``T`` has each field in some of twelve subgraphs."""
    graphs = [
        f'G{i} @join__graph(name: "g{i}", url: "http://g{i}")' for i in range(SUBGRAPHS)
    ]
    types = " ".join(f"@join__type(graph: G{i})" for i in range(SUBGRAPHS))
    keys = " ".join(f'@join__type(graph: G{i}, key: "id")' for i in range(SUBGRAPHS))
    fields = [
        f"{name}: {'T' if name.startswith('t') else 'Int'} "
        + " ".join(f"@join__field(graph: G{i})" for i in held)
        for name, held in places.items()
    ]
    sdl = (
        f"{_HEAD} enum join__Graph {{ {' '.join(graphs)} }}"
        f" type Query {types} {{ t: T }}"
        f" type T {keys} {{ id: ID! {' '.join(fields)} }}"
    )
    supergraph = read_supergraph(sdl)
    return CaseGraph(supergraph, Planner(supergraph))


def everywhere() -> dict[str, list[int]]:
    return {name: list(range(SUBGRAPHS)) for name in names()}


def scattered(seed: int, count: int) -> dict[str, list[int]]:
    chosen = random.Random(seed)  # noqa: S311 - for tests
    return {name: sorted(chosen.sample(range(SUBGRAPHS), count)) for name in names()}


def names() -> list[str]:
    return [f"f{i}" for i in range(FIELDS)] + [f"t{i}" for i in range(3)]


def nested(depth: int) -> str:
    leaves = " ".join(f"f{i}" for i in range(FIELDS))
    text = leaves
    for level in range(depth):
        text = f"{leaves} t{level % 3} {{ {text} }}"
    return f"{{ t {{ {text} }} }}"


@pytest.mark.parametrize(
    "places",
    [
        pytest.param(everywhere(), id="everywhere"),
        pytest.param(scattered(1, 6), id="each-in-six"),
        pytest.param(scattered(2, 2), id="each-in-two"),
    ],
)
@pytest.mark.parametrize("depth", [0, 3, 8])
def test_twelve_subgraphs_that_share_twenty_fields_plan_in_time(places, depth):
    graph = shared_graph(places)
    operation = graph.normalize(nested(depth))
    began = time.process_time()

    plan = graph.planner.plan(operation)

    assert time.process_time() - began < 1
    assert len(plan.fetches) <= (depth + 1) * SUBGRAPHS
    again = shared_graph(places)
    assert again.print(again.planner.plan(operation)) == graph.print(plan)


def test_what_is_shared_everywhere_takes_one_fetch():
    graph = shared_graph(everywhere())

    assert len(graph.plan(nested(8)).fetches) == 1


def branching(width: int, levels: int) -> str:
    """Return an operation that uses its last fragment ``width ** levels`` times."""
    fragments = [
        f"fragment F{i} on T {{ "
        + " ".join(f"t{j} {{ ...F{i + 1} }}" for j in range(width))
        + " }"
        for i in range(levels)
    ]
    leaves = " ".join(f"f{i}" for i in range(FIELDS))
    last = f"fragment F{levels} on T {{ {leaves} }}"
    return "\n".join(["{ t { ...F0 } }", *fragments, last])


@pytest.mark.parametrize(
    ("width", "levels"),
    [
        pytest.param(2, 10, id="1024-times"),
        pytest.param(3, 7, id="2187-times"),
        pytest.param(3, 8, id="6561-times"),
        pytest.param(2, 40, id="a-trillion-times"),
    ],
)
def test_fragments_used_again_and_again_plan_in_time_or_are_refused(width, levels):
    graph = shared_graph(scattered(3, 4))
    code = "planned"
    began = time.process_time()

    try:
        operation = graph.normalize(branching(width, levels))
        budget = Budget(0.8)
        graph.planner.plan(operation, budget=budget)
    except (LimitError, PlanningError) as error:
        code = error.code if isinstance(error, LimitError) else error.error_code

    assert time.process_time() - began < 3
    assert code in {"planned", "LIMIT_EXCEEDED", "PLANNING_TIMEOUT"}


def test_an_operation_may_not_become_a_flood_of_requests():
    graph = shared_graph(scattered(2, 2))
    operation = graph.normalize(branching(3, 5))

    with pytest.raises(LimitError, match=r"at most 500 .*planning\.max_fetches"):
        graph.planner.plan(operation)

    patient = Planner(graph.supergraph, PlanningSettings(max_fetches=10_000))
    assert len(patient.plan(operation).fetches) > 500
