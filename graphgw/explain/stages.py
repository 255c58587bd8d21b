"""The text form of every stage of an operation, from normalize to code.

Nothing is fetched: what is printed is decided before any backend is called. Equal
operations on equal supergraphs print alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from graphgw.errors import BadUserInputError
from graphgw.explain.print_decision import print_decision, print_refusals
from graphgw.explain.print_fetches import print_fetches
from graphgw.explain.print_graph import print_graph
from graphgw.explain.print_paths import print_paths
from graphgw.operations.cut import cut
from graphgw.operations.print_operation import print_operation
from graphgw.planning.print_plan import print_plan
from graphgw.planning.query_graph import QueryGraph
from graphgw.snapshot import PlanKey

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.operations.operation import GraphQLRequest, Operation
    from graphgw.policies.decision import Decision
    from graphgw.snapshot import Snapshot
    from graphgw.types import JSONObject

__all__ = ["STAGES", "Stage", "explain"]

Stage: TypeAlias = Literal[
    "normalize", "decide", "graph", "paths", "fetches", "plan", "code"
]

STAGES: Final[tuple[Stage, ...]] = (
    "normalize",
    "decide",
    "graph",
    "paths",
    "fetches",
    "plan",
    "code",
)
"""In the order in which an operation goes through them."""


async def explain(
    snapshot: Snapshot,
    request: GraphQLRequest,
    context: RequestContext,
    stage: Stage = "plan",
) -> str:
    """Take an operation as far as ``stage`` and print what is there.

    Refused selections are cut out, as they are when the operation is served; the
    text then starts with a comment for each.

    Args:
        snapshot: The graph.
        request: The document; variables may be left out where no stage needs them.
        context: Who asks; rate limits are not drawn from, if its store is new.
        stage: How far to go.

    Raises:
        RequestError: The operation is wrong, or refused as a whole.
    """
    prepared = await snapshot.prepare_document(
        request.query or "", request.operation_name
    )
    try:
        variables = prepared.coercion.coerce(request.variables)
    except BadUserInputError:
        if request.variables:
            raise
        variables = {}
    conditions = prepared.conditions(variables)
    operation = await snapshot.normalize(prepared, conditions)
    if stage == "normalize":
        return print_operation(operation, snapshot.supergraph.api_schema)
    decision = await _decide(snapshot, operation, variables, context)
    if stage == "decide":
        guards = snapshot.policies.guards_for(operation)
        return print_decision(decision, guards, context.principal)
    if decision.refusal is not None:
        raise decision.refusal
    decided = _Decided(snapshot, operation, decision, context)
    return print_refusals(decision) + await decided.print(stage)


async def _decide(
    snapshot: Snapshot,
    operation: Operation,
    variables: JSONObject,
    context: RequestContext,
) -> Decision:
    return await snapshot.policies.decide(
        context, operation, {**variables, **operation.literals}
    )


@dataclass(frozen=True, slots=True)
class _Decided:
    """An operation of which it is known what may run."""

    snapshot: Snapshot
    operation: Operation
    decision: Decision
    context: RequestContext

    async def print(self, stage: Stage) -> str:
        """Print one of the stages after the decision."""
        supergraph = self.snapshot.supergraph
        refused = frozenset(refusal.selection for refusal in self.decision.refusals)
        seed = self.context.principal.subject or self.context.request_id
        labels = self.snapshot.active_labels(seed)
        if stage == "code":
            key = PlanKey(self.operation.fingerprint, refused, labels)
            return (await self.snapshot.compile(key, self.operation)).code()
        allowed = cut(self.operation, refused) if refused else self.operation
        if stage == "graph":
            return print_graph(QueryGraph(supergraph, labels), allowed)
        if stage == "paths":
            graph = QueryGraph(supergraph, labels)
            return print_paths(graph, allowed, self.snapshot.planner.settings)
        plan = self.snapshot.plan(self.operation, refused, labels)
        if stage == "fetches":
            return print_fetches(plan, supergraph)
        return print_plan(plan, supergraph)
