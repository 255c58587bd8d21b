"""Plan operations on the supergraphs of the golden cases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from graphgw.federation.read_supergraph import read_supergraph
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document
from graphgw.planning.planner import Planner
from graphgw.planning.print_plan import print_plan

if TYPE_CHECKING:
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation
    from graphgw.planning.plan import QueryPlan

__all__ = ["PLANNING_CASES", "CaseGraph", "case_graph"]

PLANNING_CASES = Path(__file__).parents[1] / "cases" / "planning"


@dataclass(frozen=True)
class CaseGraph:
    """The supergraph of one case and its planner."""

    supergraph: Supergraph
    planner: Planner

    def normalize(self, text: str) -> Operation:
        """Normalize an operation; every condition holds."""
        schema = self.supergraph.api_schema
        document = prepare_document(text, None, schema, LimitSettings(), Budget(10))
        conditions = dict.fromkeys(document.conditions, True)
        return normalize(document, conditions, schema)

    def plan(self, text: str, labels: frozenset[str] = frozenset()) -> QueryPlan:
        """Plan an operation."""
        return self.planner.plan(self.normalize(text), labels=labels)

    def print(self, plan: QueryPlan) -> str:
        """Print a plan."""
        return print_plan(plan, self.supergraph)


@cache
def case_graph(name: str) -> CaseGraph:
    """Read the supergraph of a case."""
    sdl = (PLANNING_CASES / name / "supergraph.graphql").read_text()
    supergraph = read_supergraph(sdl)
    return CaseGraph(supergraph, Planner(supergraph))
