"""Plan and run operations on a supergraph whose subgraphs are fakes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphgw.context import RequestContext
from graphgw.execution.compile import compile_plan
from graphgw.execution.run import run_plan
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.operations.budget import Budget
from graphgw.operations.cut import cut, walk_selections
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document
from graphgw.operations.variables import build_variable_coercion
from graphgw.planning.planner import Planner
from graphgw.telemetry.observer import NO_OBSERVER
from graphgw.types import Deadline

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from graphgw.execution.compile import CompiledPlan
    from graphgw.execution.run import ExecutionResult
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.planning.plan import QueryPlan
    from graphgw.types import JSONObject

__all__ = ["FakeGraph", "new_context", "supergraph_header"]


def supergraph_header(*graphs: str, has_mutation: bool = False) -> str:
    """Return the head of a supergraph SDL with these graph ids."""
    mutation = " mutation: Mutation" if has_mutation else ""
    values = "\n".join(
        f'  {graph} @join__graph(name: "{graph.lower()}", url: "")' for graph in graphs
    )
    return f"""
schema
  @link(url: "https://specs.apollo.dev/link/v1.0")
  @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)
  @link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY)
{{ query: Query{mutation} }}
directive @inaccessible on FIELD_DEFINITION | OBJECT | ENUM_VALUE
enum join__Graph {{
{values}
}}
"""


def new_context(**options: Any) -> RequestContext:
    """Return a context with ten seconds to go."""
    options.setdefault("deadline", Deadline.after(10))
    options.setdefault("observer", NO_OBSERVER)
    return RequestContext(**options)


@dataclass
class Prepared:
    """One operation on a fake graph, with its coerced variables."""

    operation: Operation
    variables: JSONObject
    refused: frozenset[SelectionPath]


@dataclass
class FakeGraph:
    """A supergraph and the subgraphs that answer for it, by graph id."""

    supergraph: Supergraph
    subgraphs: Mapping[str, Any]
    planner: Planner = field(init=False)

    def __post_init__(self) -> None:
        self.planner = Planner(self.supergraph)

    @classmethod
    def read(cls, sdl: str, subgraphs: Mapping[str, Any]) -> FakeGraph:
        """Return the graph of a supergraph SDL."""
        return cls(read_supergraph(sdl), subgraphs)

    def prepare(
        self,
        query: str,
        variables: JSONObject | None = None,
        refused: Collection[str] = (),
    ) -> Prepared:
        """Normalize a query; ``refused`` are coordinates such as ``User.name``."""
        schema = self.supergraph.api_schema
        document = prepare_document(query, None, schema, LimitSettings(), Budget(10))
        coerced = build_variable_coercion(document, schema).coerce(variables or {})
        conditions = {name: bool(coerced.get(name)) for name in document.conditions}
        operation = normalize(document, conditions, schema)
        places = frozenset(
            place
            for place, parent, found, _ in walk_selections(operation, schema)
            if f"{parent}.{found.name}" in refused
        )
        return Prepared(operation, {**coerced, **operation.literals}, places)

    def compile(
        self, prepared: Prepared, plan: QueryPlan | None = None
    ) -> CompiledPlan:
        """Compile a plan: the given one, or the planner's own."""
        if plan is None:
            allowed = cut(prepared.operation, prepared.refused)
            plan = self.planner.plan(allowed)
        return compile_plan(
            plan,
            prepared.operation,
            self.supergraph,
            self.subgraphs,
            prepared.refused,
        )

    async def run(
        self,
        query: str,
        variables: JSONObject | None = None,
        *,
        plan: QueryPlan | None = None,
        refused: Collection[str] = (),
        context: RequestContext | None = None,
    ) -> ExecutionResult:
        """Plan, compile and run a query."""
        prepared = self.prepare(query, variables, refused)
        compiled = self.compile(prepared, plan)
        return await run_plan(compiled, context or new_context(), prepared.variables)
