"""Compile a query plan: everything that is the same for every run of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphgw.execution.arrange_rows import arrange_rows
from graphgw.execution.contexts import build_context_groups
from graphgw.execution.fetch_errors import answer_keys, build_error_map
from graphgw.execution.fetch_keys import path_keys, top_keys
from graphgw.execution.introspection import build_introspection
from graphgw.execution.merge import build_merge_rules
from graphgw.execution.project import build_projection
from graphgw.execution.representations import build_collector
from graphgw.execution.shape import (
    CompositeShape,
    ListShape,
    build_shape,
    find_type,
)
from graphgw.execution.trust import find_tree_keys, is_trusted
from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from graphql import GraphQLSchema

    from graphgw.execution.contexts import ContextGroups
    from graphgw.execution.fetch_errors import FetchErrorMap
    from graphgw.execution.introspection import Introspection
    from graphgw.execution.merge import MergeRule
    from graphgw.execution.project import Projection
    from graphgw.execution.representations import EntityCollector
    from graphgw.execution.shape import ObjectShape, ResponsePath
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.planning.plan import Fetch, QueryPlan
    from graphgw.policies.decision import RowRule
    from graphgw.subgraphs.protocol import PreparedFetch, Subgraph

__all__ = ["CompiledFetch", "CompiledPlan", "compile_plan"]


@dataclass(frozen=True, slots=True)
class CompiledFetch:
    """One fetch, ready to run.

    ``index`` is its place in the plan and ``followers`` the places of those that
    wait for it. ``collector`` is set for a fetch that starts below the root,
    ``contexts`` for one whose arguments are filled from ancestors of the entities.
    """

    index: int
    fetch: Fetch
    subgraph: str
    prepared: PreparedFetch = field(repr=False)
    collector: EntityCollector | None = field(repr=False)
    contexts: ContextGroups | None = field(repr=False)
    merge: MergeRule
    errors: FetchErrorMap = field(repr=False)
    followers: tuple[int, ...]
    waits_for: int
    is_root_mutation: bool
    rules: frozenset[int] = frozenset()
    """The plan's row rules that guard everything in it."""


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A query plan prepared for repeated runs; holds no run-time state."""

    plan: QueryPlan
    fetches: tuple[CompiledFetch, ...]
    projection: Projection = field(repr=False)
    introspection: Introspection | None = field(repr=False)
    key_order: tuple[str, ...] | None
    """The client's order of root keys, where introspection stands among them."""
    row_rules: tuple[RowRule, ...] = ()
    row_inputs: tuple[frozenset[int], ...] = ()
    """For each row rule the fetches that bring what it reads."""
    roots: tuple[CompiledFetch, ...] = field(default=(), repr=False)
    """All fetches, where their answers side by side are all there is to project."""
    is_small: bool = False
    """Whether no list can be in the answer."""

    @property
    def calls(self) -> int:
        """How many backend calls the plan may need, each batch counted once.

        A fetch from a subgraph that does not say otherwise is one call.
        """
        return sum(getattr(found.prepared, "calls", 1) for found in self.fetches)

    def code(self) -> str:
        """Return all that was compiled, as text."""
        return "\n\n".join(self._parts()) + "\n"

    def _parts(self) -> Iterator[str]:
        for compiled in self.fetches:
            after = ", ".join(map(str, compiled.fetch.after))
            waits = f", after {after}" if after else ""
            yield f"# fetch {compiled.fetch.id}: {compiled.subgraph}{waits}"
            if compiled.collector is not None:
                yield compiled.collector.source
            yield compiled.prepared.code().rstrip()
        yield "# projection"
        yield self.projection.source


def compile_plan(
    plan: QueryPlan,
    operation: Operation,
    supergraph: Supergraph,
    subgraphs: Mapping[str, Subgraph],
    refused: Collection[SelectionPath] = (),
    row_rules: tuple[RowRule, ...] = (),
) -> CompiledPlan:
    """Prepare a plan for repeated runs.

    Args:
        plan: The fetches; refused selections are not among them.
        operation: The normalized operation as the client sent it.
        supergraph: What the plan was made from.
        subgraphs: Who answers, by graph id.
        refused: Selections of ``operation`` that come out null.
        row_rules: What is decided for each row as soon as it can be.
    """
    rows = arrange_rows(plan, row_rules)
    plan = rows.plan
    keys = answer_keys(operation.selections)
    rules = build_merge_rules(plan, supergraph, changes_rows=bool(row_rules))
    places = {fetch.id: index for index, fetch in enumerate(plan.fetches)}
    late = frozenset(_late_paths(plan))
    shape = build_shape(operation, supergraph, refused=refused, late=late)
    fetches = []
    for index, fetch in enumerate(plan.fetches):
        subgraph = subgraphs[fetch.graph]
        fetches.append(
            CompiledFetch(
                index=index,
                fetch=fetch,
                subgraph=subgraph.name,
                prepared=subgraph.prepare(fetch, operation.variables),
                collector=_collector(fetch, supergraph, shape),
                contexts=build_context_groups(fetch, supergraph),
                merge=rules[index],
                errors=build_error_map(fetch, subgraph.name, keys),
                followers=tuple(
                    places[other.id]
                    for other in plan.fetches
                    if fetch.id in other.after
                ),
                waits_for=len(set(fetch.after)),
                rules=rows.carried[index],
                is_root_mutation=fetch.kind == "mutation" and not fetch.inputs,
            )
        )
    keeps_order = _keep_order(plan, subgraphs)
    schemas = _vouched_schemas(plan, subgraphs)
    tree_keys = None
    if schemas is not None and not row_rules and is_trusted(shape, schemas):
        tree_keys = find_tree_keys(plan, rules)
    introspection = build_introspection(supergraph.api_schema, operation)
    return CompiledPlan(
        plan=plan,
        fetches=tuple(fetches),
        projection=build_projection(
            shape, keeps_order=keeps_order, tree_keys=tree_keys
        ),
        introspection=introspection,
        key_order=_key_order(operation),
        row_rules=row_rules,
        row_inputs=rows.inputs,
        roots=() if introspection or row_rules else _find_roots(fetches),
        is_small=introspection is None and not _holds_lists(shape),
    )


def _holds_lists(shape: ObjectShape) -> bool:
    """Tell whether a list may stand anywhere in an object."""
    kinds = [found.value.kind for found in shape.fields if found.value is not None]
    return any(
        isinstance(kind, ListShape)
        or (
            isinstance(kind, CompositeShape)
            and any(_holds_lists(inner) for inner in _objects(kind))
        )
        for kind in kinds
    )


def _objects(kind: CompositeShape) -> list[ObjectShape]:
    """Return the shapes that objects at a place may have."""
    shapes = list(kind.objects.values())
    return shapes if kind.unnamed is None else [*shapes, kind.unnamed]


def _find_roots(fetches: Sequence[CompiledFetch]) -> tuple[CompiledFetch, ...]:
    """Return the fetches of a query, where all start at once and share no object."""
    is_flat = all(
        found.collector is None
        and found.contexts is None
        and not found.waits_for
        and not found.is_root_mutation
        and not found.merge.renames
        and (not found.merge.is_deep or len(fetches) == 1)
        for found in fetches
    )
    return tuple(fetches) if is_flat else ()


def _collector(
    fetch: Fetch, supergraph: Supergraph, shape: ObjectShape
) -> EntityCollector | None:
    if not fetch.path:
        return None
    return build_collector(fetch, supergraph, find_type(shape, path_keys(fetch)))


def _keep_order(plan: QueryPlan, subgraphs: Mapping[str, Subgraph]) -> bool:
    """Tell whether every subgraph says that its answers keep one order of keys."""
    asked = (subgraphs[fetch.graph] for fetch in plan.fetches)
    return all(getattr(subgraph, "keeps_order", False) for subgraph in asked)


def _vouched_schemas(
    plan: QueryPlan, subgraphs: Mapping[str, Subgraph]
) -> list[GraphQLSchema] | None:
    """Return what the answers will surely fit; ``None`` where one is not sure."""
    names = dict.fromkeys(fetch.graph for fetch in plan.fetches)
    schemas = [getattr(subgraphs[name], "vouched_schema", None) for name in names]
    found = [schema for schema in schemas if schema is not None]
    return found if len(found) == len(schemas) else None


def _key_order(operation: Operation) -> tuple[str, ...] | None:
    """Return the order of root keys where introspection is among them."""
    if not operation.introspection:
        return None
    keys = [
        selection.response_key
        for selection in operation.selections
        if isinstance(selection, Field)
    ]
    places = operation.introspection_places or (len(keys),) * len(
        operation.introspection
    )
    for place, selection in zip(places, operation.introspection, strict=True):
        keys.insert(place, selection.response_key)
    return tuple(keys)


def _late_paths(plan: QueryPlan) -> Iterator[ResponsePath]:
    """Return the response paths of what fetches add to objects of other fetches."""
    for fetch in plan.fetches:
        if fetch.path:
            for key in top_keys(fetch):
                yield (*path_keys(fetch), key)
