"""Fold a fetch's answer into the response tree.

Objects in the tree are changed in place and keep their identity, whatever order
fetches finish in.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from graphgw.execution.fetch_keys import composite_paths
from graphgw.execution.own import build_copier, copy_all
from graphgw.execution.shape import TYPENAME_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.execution.own import Copier
    from graphgw.federation.supergraph import Supergraph
    from graphgw.planning.plan import PathStep, QueryPlan, Rename
    from graphgw.types import JSON, JSONObject

__all__ = ["MergeRule", "apply_renames", "build_merge_rules", "fold", "merge_entities"]


@dataclass(frozen=True, slots=True)
class MergeRule:
    """How one fetch's answer goes into the tree.

    ``is_deep`` where another fetch writes some of the same objects, or needs equal
    entities kept apart; otherwise the answer's top values are put in as they are.
    ``drops_typename`` where the subgraph knows an interface as an object type and
    cannot name runtime types.
    """

    is_deep: bool = False
    drops_typename: bool = False
    renames: tuple[Rename, ...] = ()
    own: Copier = field(default=copy_all, repr=False, compare=False)
    """Gives a request objects of its own wherever it is going to change them."""


def build_merge_rules(
    plan: QueryPlan, supergraph: Supergraph, *, changes_rows: bool = False
) -> tuple[MergeRule, ...]:
    """Return one rule per fetch of the plan.

    Args:
        plan: The fetches.
        supergraph: What the plan was made from.
        changes_rows: Whether something else than fetches changes the tree.
    """
    written = [composite_paths(fetch) for fetch in plan.fetches]
    has_contexts = any(fetch.contexts for fetch in plan.fetches)
    rules = []
    for index, fetch in enumerate(plan.fetches):
        others = (paths for at, paths in enumerate(written) if at != index)
        is_deep = any(not written[index].isdisjoint(paths) for paths in others)
        is_deep = is_deep or (has_contexts and bool(written[index]))
        drops = any(
            _is_interface_object(entity.typename, fetch.graph, supergraph)
            for entity in fetch.inputs
        )
        rules.append(MergeRule(is_deep, drops, fetch.renames))
    if changes_rows or any(rule.is_deep for rule in rules):
        return tuple(rules)
    return tuple(
        rule
        if rule.drops_typename or rule.renames
        else replace(rule, own=build_copier(plan, fetch))
        for rule, fetch in zip(rules, plan.fetches, strict=True)
    )


def merge_entities(
    targets: Sequence[JSONObject],
    positions: Sequence[int],
    entities: Sequence[JSON],
    rule: MergeRule,
    *,
    wins: bool,
) -> None:
    """Lay each entity over the objects it stands for; a null one changes nothing."""
    if rule.drops_typename:
        for entity in entities:
            if entity is not None:
                entity.pop(TYPENAME_KEY, None)
    if not rule.is_deep:
        if len(entities) != len(targets):  # else each stands for one, in order
            entities = [entities[position] for position in positions]
        for target, entity in zip(targets, entities, strict=True):
            if entity is not None:
                target |= entity  # noqa: PLW2901 - the same object, changed
        return
    used: set[int] = set()
    for target, position in zip(targets, positions, strict=True):
        entity = entities[position]
        if entity is None:
            continue
        if position in used:
            entity = deepcopy(entity)
        used.add(position)
        fold(target, entity, wins=wins)


def fold(target: JSONObject, source: JSONObject, *, wins: bool) -> None:
    """Merge one object into another, deeply, lists by index.

    A null never replaces a value. Where both have different values, ``wins`` says
    whether the source's counts. ``source`` must not be used afterwards.
    """
    for key, value in source.items():
        present = target.get(key)
        if present is None:
            target[key] = value
        elif value is not None:
            target[key] = _fold_value(present, value, wins=wins)


def _fold_value(present: JSON, value: JSON, *, wins: bool) -> JSON:
    if isinstance(present, dict) and isinstance(value, dict):
        fold(present, value, wins=wins)
        return present
    if isinstance(present, list) and isinstance(value, list):
        _fold_list(present, value, wins=wins)
        return present
    if isinstance(present, dict | list):
        return present
    return value if wins or isinstance(value, dict | list) else present


def _fold_list(present: list[JSON], values: list[JSON], *, wins: bool) -> None:
    if not any(isinstance(item, dict | list) for item in (*present, *values)):
        if wins:
            present[:] = values
        return
    for index, value in enumerate(values[: len(present)]):
        if present[index] is None:
            present[index] = value
        elif value is not None:
            present[index] = _fold_value(present[index], value, wins=wins)
    present.extend(values[len(present) :])


def apply_renames(objects: Sequence[JSON], renames: Sequence[Rename]) -> None:
    """Undo internal aliases in an answer's objects, in place; nulls are passed over."""
    for rename in renames:
        for found in _objects_at(objects, rename.path):
            if rename.types and found.get(TYPENAME_KEY) not in rename.types:
                continue
            if rename.source in found:
                found[rename.target] = found.pop(rename.source)


def _objects_at(objects: Sequence[JSON], path: Sequence[PathStep]) -> list[JSONObject]:
    level = [found for found in objects if isinstance(found, dict)]
    for step in path:
        level = [
            found
            for holder in level
            for found in _flatten(holder.get(step.key))
            if not step.types or found.get(TYPENAME_KEY) in step.types
        ]
    return level


def _flatten(value: JSON) -> Iterator[JSONObject]:
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _flatten(item)


def _is_interface_object(type_name: str, graph: str, supergraph: Supergraph) -> bool:
    definition = supergraph.types.get(type_name)
    in_graph = definition.graphs.get(graph) if definition else None
    return in_graph is not None and in_graph.is_interface_object
