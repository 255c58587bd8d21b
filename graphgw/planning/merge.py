"""Fewer fetches: merge those that ask one subgraph about the same objects.

Two fetches are merged when neither waits for the other, their inputs do not
contradict, and the plan does not get longer by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.selection import Field
from graphgw.planning.fetch_graph import merge_selections
from graphgw.planning.output import can_share
from graphgw.planning.plan import EntityInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.federation.selection import Selections
    from graphgw.planning.budget import Budget
    from graphgw.planning.fetch_graph import FetchNode

__all__ = ["depths", "merge_fetches", "merge_inputs", "sort_fetches"]


def merge_fetches(
    nodes: list[FetchNode], budget: Budget, *, always: bool = False
) -> list[FetchNode]:
    """Merge what can be asked at once; ``always`` also where the plan gets longer."""
    groups: dict[object, list[FetchNode]] = {}
    for node in nodes:
        key = (node.graph_id, node.path, node.is_root, node.contexts)
        groups.setdefault(key, []).append(node)
    alive = list(nodes)
    for group in groups.values():
        kept: list[FetchNode] = []
        for node in group:
            budget.check()
            for target in kept:
                if _try_merge(alive, target, node, always=always):
                    break
            else:
                kept.append(node)
    return alive


def _try_merge(
    alive: list[FetchNode], target: FetchNode, node: FetchNode, *, always: bool
) -> bool:
    inputs = merge_inputs(target.inputs, node.inputs)
    if inputs is None or _waits(node, target) or _waits(target, node):
        return False
    has_namesakes = len({item.typename for item in inputs}) < len(inputs)
    if has_namesakes and not can_share([*target.goals, *node.goals]):
        return False
    if not always and _length(alive, (node, target)) > _length(alive):
        return False
    target.parents.update(node.parents)
    for other in alive:
        if node in other.parents:
            del other.parents[node]
            other.parents[target] = None
    alive.remove(node)
    target.inputs = inputs
    target.tops += node.tops
    target.goals += node.goals
    target.goals.sort(key=lambda goal: goal.order)
    target.order = min(target.order, node.order)
    return True


def merge_inputs(
    one: tuple[EntityInput, ...], other: tuple[EntityInput, ...]
) -> tuple[EntityInput, ...] | None:
    """Merge inputs of one fetch; ``None`` where one object would need two values."""
    merged = list(one)
    for item in other:
        for index, known in enumerate(merged):
            if not set(known.types) & set(item.types):
                if not _can_stand_beside(known, item):
                    return None
                continue
            if (known.types, known.typename) != (item.types, item.typename):
                return None
            fields = merge_selections(known.selections, item.selections)
            if _is_ambiguous(fields):
                return None
            merged[index] = EntityInput(known.types, known.typename, fields)
            break
        else:
            merged.append(item)
    return tuple(merged)


def _can_stand_beside(one: EntityInput, other: EntityInput) -> bool:
    """Tell whether two kinds of objects can be sent in one fetch.

    Told by one name, they are asked for the same fields, so each must bring all that
    the other brings.
    """
    return one.typename != other.typename or (
        {names for names, _ in _names(one.selections)}
        == {names for names, _ in _names(other.selections)}
    )


def _is_ambiguous(selections: Selections) -> bool:
    seen: dict[tuple[str, ...], str | None] = {}
    return any(
        seen.setdefault(names, alias) != alias for names, alias in _names(selections)
    )


def _names(
    selections: Selections, prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    for selection in selections:
        if isinstance(selection, Field):
            names = (*prefix, selection.name)
            yield names, selection.alias
            yield from _names(selection.selections, names)
        else:
            yield from _names(selection.selections, prefix)


def _waits(node: FetchNode, target: FetchNode) -> bool:
    """Tell whether ``node`` can only start after ``target``."""
    seen: set[FetchNode] = set()
    todo = list(node.parents)
    while todo:
        current = todo.pop()
        if current is target:
            return True
        if current not in seen:
            seen.add(current)
            todo.extend(current.parents)
    return False


def _length(
    nodes: Iterable[FetchNode], merged: tuple[FetchNode, FetchNode] | None = None
) -> int:
    return max(depths(nodes, merged).values())


def depths(
    nodes: Iterable[FetchNode], merged: tuple[FetchNode, FetchNode] | None = None
) -> dict[FetchNode, int]:
    """Return for each fetch the stage in which it can start, from 1.

    With ``merged``, as if the first of the two were part of the second.
    """
    found: dict[FetchNode, int] = {}

    def depth(node: FetchNode) -> int:
        if merged is not None and node is merged[0]:
            node = merged[1]
        if node not in found:
            parents = list(node.parents)
            if merged is not None and node is merged[1]:
                parents += merged[0].parents
            found[node] = 1 + max(map(depth, parents), default=0)
        return found[node]

    for node in nodes:
        depth(node)
    return found


def sort_fetches(nodes: Iterable[FetchNode]) -> list[FetchNode]:
    """Order fetches so that each stands behind those that it waits for."""
    at = depths(nodes)
    return sorted(at, key=lambda node: (at[node], node.order, node.graph_id))
