"""The planner: a normalized operation becomes a query plan.

Stages: query graph (once per supergraph) -> walk (which paths are feasible) ->
choice (which are taken) -> fetch graph -> merged fetch graph -> plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.errors import PlanningError
from graphgw.federation.selection import Field, Fragment
from graphgw.planning.budget import Unlimited
from graphgw.planning.build_plan import PlanBuilder
from graphgw.planning.choice import Choice
from graphgw.planning.fetch_graph import build_fetch_graph
from graphgw.planning.merge import merge_fetches, sort_fetches
from graphgw.planning.paths import Slot
from graphgw.planning.plan import QueryPlan
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
    from graphgw.planning.plan import Fetch

__all__ = ["Planner"]

_DEFAULTS = PlanningSettings()


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
        """
        run = _Run(self, self._graph(labels), operation.kind, budget or Unlimited())
        selections = tuple(_without_typename(operation.selections))
        groups = run.groups(selections) if selections else []
        return QueryPlan(operation.kind, tuple(run.fetches(groups)))

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

    def groups(self, selections: Selections) -> list[list[FetchNode]]:
        """Plan the fetches; each group starts when the one before is done."""
        if self.kind == "query":
            graph_ids = sorted(self.graph.supergraph.types[self.root_type].graphs)
            return [self._attempt(selections, graph_ids)[1]]
        return _joined([self._pinned(selection) for selection in selections])

    def _pinned(self, selection: Field | Fragment) -> list[FetchNode]:
        """Plan a root field by the one entry that makes it cheapest."""
        assert isinstance(selection, Field)  # noqa: S101 - the root is no abstract type
        best: tuple[int, list[FetchNode]] | None = None
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
            if best is None or attempt[0] < best[0]:
                best = attempt
        if best is not None:
            return best[1]
        name = f"{self.root_type}.{selection.name}"
        raise failure or PlanningError(f"{name} cannot be reached: no subgraph has it")

    def _attempt(
        self, selections: Selections, graph_ids: Sequence[str]
    ) -> tuple[int, list[FetchNode]]:
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
        return choice.cost, nodes

    def fetches(self, groups: list[list[FetchNode]]) -> Iterator[Fetch]:
        """Turn fetch nodes into the plan's fetches, numbered in order."""
        builder = PlanBuilder(self.kind)
        for group in groups:
            self.budget.check()
            builder.add(sort_fetches(group))
        return iter(builder.fetches)


def _without_typename(selections: Selections) -> Iterator[Field | Fragment]:
    for selection in selections:
        if not isinstance(selection, Field) or selection.name != "__typename":
            yield selection


def _joined(groups: list[list[FetchNode]]) -> list[list[FetchNode]]:
    """Put neighbouring root fields of one subgraph into one fetch.

    Only behind a root field that needs nothing else: what its entity fetches do must
    be done before the next root field starts.
    """
    joined: list[list[FetchNode]] = []
    for group in groups:
        root = next(node for node in group if node.is_root)
        if joined and len(joined[-1]) == 1:
            last = joined[-1][0]
            if last.graph_id == root.graph_id:
                root.goals = [*last.goals, *root.goals]
                joined[-1] = group
                continue
        joined.append(group)
    return joined
