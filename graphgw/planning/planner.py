"""The planner: a normalized operation becomes a query plan.

Stages: query graph (once per supergraph) -> walk (which paths are feasible) ->
choice (which are taken) -> fetch graph -> merged fetch graph -> plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graphgw.errors import LimitError, PlanningError
from graphgw.federation.selection import Field, Fragment
from graphgw.planning.budget import Unlimited
from graphgw.planning.build_plan import PlanBuilder
from graphgw.planning.choice import Choice
from graphgw.planning.fetch_graph import build_fetch_graph
from graphgw.planning.merge import merge_fetches, sort_fetches
from graphgw.planning.paths import Slot
from graphgw.planning.plan import QueryPlan
from graphgw.planning.print_stages import (
    print_fetch_graph,
    print_paths,
    print_query_graph,
)
from graphgw.planning.query_graph import QueryGraph
from graphgw.planning.settings import PlanningSettings
from graphgw.planning.walk import Walk, goals_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import OperationKind, Supergraph
    from graphgw.operations.operation import Operation
    from graphgw.planning.budget import Budget
    from graphgw.planning.fetch_graph import FetchNode
    from graphgw.planning.paths import Goal

__all__ = ["PlanStages", "Planner"]

_DEFAULTS = PlanningSettings()


@dataclass(frozen=True, slots=True)
class PlanStages:
    """One operation's way to its plan: each stage as text, and the plan."""

    graph: str
    paths: str
    fetches: str
    plan: QueryPlan


class _Group(NamedTuple):
    """Fetches planned together; they start when the group before is done."""

    cost: int
    goals: list[Goal]
    nodes: list[FetchNode]


class Planner:
    """Plans operations on one supergraph; built once, used for all of them.

    Not for concurrent use: what it learns of the query graph is kept.
    """

    def __init__(
        self, supergraph: Supergraph, settings: PlanningSettings = _DEFAULTS
    ) -> None:
        self.supergraph = supergraph
        self.settings = settings
        self.labels = frozenset(
            here.override_label
            for definition in supergraph.types.values()
            for field in definition.fields.values()
            for here in field.graphs.values()
            if here.override_label is not None
        )
        self._graphs: dict[frozenset[str], QueryGraph] = {}

    def plan(
        self,
        operation: Operation,
        *,
        budget: Budget | None = None,
        labels: frozenset[str] = frozenset(),
    ) -> QueryPlan:
        """Plan one operation.

        Args:
            operation: Normalized; introspection is not looked at.
            budget: Checked in every loop.
            labels: The active override labels.

        Raises:
            PlanningError: No subgraphs together can answer it, or the time is up.
            LimitError: It takes more fetches than one operation may.
        """
        run = _Run(self, self._graph(labels), operation.kind, budget or Unlimited())
        return run.plan(run.groups(operation.selections))

    def explain(
        self, operation: Operation, *, labels: frozenset[str] = frozenset()
    ) -> PlanStages:
        """Plan one operation and print every stage on the way.

        Raises:
            PlanningError: No subgraphs together can answer it.
            LimitError: It takes more fetches than one operation may.
        """
        run = _Run(self, self._graph(labels), operation.kind, Unlimited())
        groups = run.groups(operation.selections)
        return PlanStages(
            graph=print_query_graph(run.graph),
            paths="".join(print_paths(group.goals) for group in groups),
            fetches="".join(print_fetch_graph(group.nodes) for group in groups),
            plan=run.plan(groups),
        )

    def _graph(self, labels: frozenset[str]) -> QueryGraph:
        labels &= self.labels
        graph = self._graphs.get(labels)
        if graph is None:
            if len(self._graphs) >= self.settings.max_cached_graphs:
                self._graphs.pop(next(iter(self._graphs)))
            graph = self._graphs[labels] = QueryGraph(self.supergraph, labels)
        return graph


class _Run:
    """The planning of one operation."""

    def __init__(
        self, planner: Planner, graph: QueryGraph, kind: OperationKind, budget: Budget
    ) -> None:
        self.graph = graph
        self.kind: OperationKind = kind
        self.budget = budget
        self.settings = planner.settings
        self.root_type = planner.supergraph.root_types[kind]

    def groups(self, operation: Selections) -> list[_Group]:
        """Plan the fetches; the root's own ``__typename`` needs none."""
        selections = tuple(_without_typename(operation))
        if not selections:
            return []
        if self.kind == "query":
            graph_ids = sorted(self.graph.supergraph.types[self.root_type].graphs)
            return [self._attempt(selections, graph_ids)]
        return _joined([self._pinned(selection) for selection in selections])

    def _pinned(self, selection: Field | Fragment) -> _Group:
        """Plan a root field by the one entry that makes it cheapest."""
        assert isinstance(selection, Field)  # noqa: S101 - the root is no abstract type
        best: _Group | None = None
        failure: PlanningError | None = None
        found = self.graph.supergraph.field_of(self.root_type, selection.name)
        for graph_id in sorted(found.graphs if found is not None else ()):
            if self.graph.node(self.root_type, graph_id).edge(selection.name) is None:
                continue
            try:
                attempt = self._attempt((selection,), [graph_id])
            except PlanningError as error:
                if error.error_code != error.code:
                    raise
                failure = failure or error
                continue
            if best is None or attempt.cost < best.cost:
                best = attempt
        if best is not None:
            return best
        name = f"{self.root_type}.{selection.name}"
        raise failure or PlanningError(f"{name} cannot be reached: no subgraph has it")

    def _attempt(self, selections: Selections, graph_ids: Sequence[str]) -> _Group:
        walk = Walk(self.graph, self.budget)
        root = Slot(self.graph, None, self.root_type, ("", ()), 0, 0, "")
        for graph_id in graph_ids:
            root.place.add_root(self.graph.node(self.root_type, graph_id))
        shape = walk.lay_out(root.place, selections, is_client=True)
        if shape is None:
            raise PlanningError(walk.reason or "the operation cannot be planned")
        goals = list(goals_of(shape))
        choice = Choice(walk, self.settings)
        if not choice.take_all(goals):
            raise PlanningError("the fields asked for exclude one another")
        soft = choice.take_soft(walk.soft)
        nodes = build_fetch_graph(walk, [*goals, *soft])
        is_mutation = self.kind == "mutation"
        nodes = merge_fetches(nodes, self.budget, always=is_mutation)
        return _Group(choice.cost, goals, nodes)

    def plan(self, groups: list[_Group]) -> QueryPlan:
        """Turn fetch nodes into the plan's fetches, numbered in order."""
        builder = PlanBuilder(self.kind)
        for group in groups:
            self.budget.check()
            builder.add(sort_fetches(group.nodes))
        count, limit = len(builder.fetches), self.settings.max_fetches
        if count > limit:
            message = f"The operation takes {count} fetches"
            raise LimitError(
                f"{message}; at most {limit} are allowed (planning.max_fetches)."
            )
        return QueryPlan(self.kind, tuple(builder.fetches))


def _without_typename(selections: Selections) -> Iterator[Field | Fragment]:
    for selection in selections:
        if not isinstance(selection, Field) or selection.name != "__typename":
            yield selection


def _joined(groups: list[_Group]) -> list[_Group]:
    """Put neighbouring root fields of one subgraph into one fetch.

    Only behind a root field that needs nothing else: what its entity fetches do must
    be done before the next root field starts.
    """
    joined: list[_Group] = []
    for group in groups:
        root = next(node for node in group.nodes if node.is_root)
        if joined and len(joined[-1].nodes) == 1:
            last = joined[-1]
            if last.nodes[0].graph_id == root.graph_id:
                root.goals = [*last.nodes[0].goals, *root.goals]
                joined[-1] = group._replace(goals=[*last.goals, *group.goals])
                continue
        joined.append(group)
    return joined
