"""Print the paths to each leaf of an operation, and which of them are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.errors import PlanningError
from graphgw.federation.selection import Field, print_selections
from graphgw.operations.budget import Budget
from graphgw.planning.choice import Choice
from graphgw.planning.paths import Slot
from graphgw.planning.walk import Walk, goals_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.federation.selection import Selections
    from graphgw.operations.operation import Operation
    from graphgw.planning.paths import Goal, Path, Place
    from graphgw.planning.query_graph import QueryGraph
    from graphgw.planning.settings import PlanningSettings

__all__ = ["print_paths"]

_SECONDS = 10.0
_HEAD = "# the ways to each leaf: * taken, + possible, - impossible"


def print_paths(
    graph: QueryGraph, operation: Operation, settings: PlanningSettings
) -> str:
    """Print every way to every leaf.

    A path starts at the root of a subgraph, or with an entity fetch: ``order by
    { id } at users.nodes``. Each root field of a mutation or subscription is looked
    at from each subgraph that has it; the planner takes the cheapest.
    """
    lines = [_HEAD]
    selections = tuple(
        item
        for item in operation.selections
        if not (isinstance(item, Field) and item.name == "__typename")
    )
    if operation.kind == "query":
        lines += _attempt(graph, operation, selections, settings)
        return "\n".join(lines) + "\n"
    root = graph.supergraph.root_types[operation.kind]
    for selection in selections:
        assert isinstance(selection, Field)  # noqa: S101 - the root is no abstract type
        found = graph.supergraph.field_of(root, selection.name)
        for graph_id in sorted(found.graphs if found else ()):
            name = graph.supergraph.graphs[graph_id].name
            lines.append(f"# {root} by {name}")
            lines += _attempt(graph, operation, (selection,), settings, graph_id)
    return "\n".join(lines) + "\n"


def _attempt(
    graph: QueryGraph,
    operation: Operation,
    selections: Selections,
    settings: PlanningSettings,
    graph_id: str | None = None,
) -> Iterator[str]:
    """Do what the planner does, up to the choice."""
    if not selections:
        return
    root_type = graph.supergraph.root_types[operation.kind]
    walk = Walk(graph, Budget(_SECONDS))
    root = Slot(graph, None, root_type, ("", ()), 0, 0, "")
    entries = sorted(graph.supergraph.types[root_type].graphs)
    for entry in entries if graph_id is None else [graph_id]:
        root.place.add_root(graph.node(root_type, entry))
    shape = walk.lay_out(root.place, selections, is_client=True)
    if shape is None:
        yield f"impossible: {walk.reason or 'the operation cannot be planned'}"
        return
    goals = list(dict.fromkeys(goals_of(shape)))
    choice = Choice(walk, settings)
    if not choice.take_all(goals):
        raise PlanningError("the fields asked for exclude one another")
    choice.take_soft(walk.soft)
    yield from _goal_lines(walk, goals)
    needed = [goal for goal in choice.goals if goal not in goals]
    if needed:
        yield "# for keys, requirements and runtime types"
        yield from _goal_lines(walk, sorted(needed, key=_where))
    yield f"# cost {choice.cost}"


def _goal_lines(walk: Walk, goals: Sequence[Goal]) -> Iterator[str]:
    for goal in goals:
        yield _where(goal)
        for path in goal.alternatives:
            mark = "-"
            if walk.can_take(path):
                mark = "*" if path is goal.path else "+"
            yield f"  {mark} {_path(path)}"


def _where(goal: Goal) -> str:
    return _join(_place(goal.place), goal.keys[0] if goal.keys else goal.name)


def _place(place: Place) -> str:
    """Return the response path of a place: ``product.delivery|ParcelDelivery``."""
    slot = place.slot
    above = "" if slot.parent is None else _place(slot.parent)
    here = _join(above, slot.key or slot.name)
    return f"{here}|{place.type_name}" if place.is_narrowed else here


def _path(path: Path) -> str:
    steps: list[str] = []
    current: Path | None = path
    while current is not None and current.parent is not None:
        if current.kind == "field":
            steps.append("." + (current.place.slot.key or current.place.slot.name))
        else:
            steps.append("|" + current.place.type_name)
        current = current.parent
    return _start(path.top) + "".join(reversed(steps))


def _start(top: Path) -> str:
    supergraph = top.place.slot.graph.supergraph
    name = supergraph.graphs[top.node.graph_id].name
    if top.entry is None:
        return f"{name}: {top.node.type_name}"
    keys = top.entry.keys
    taken = keys[top.key : top.key + 1] if top.is_chosen else keys
    text = f"{name} by {' or '.join(_flat(key.fields) for key in taken)}"
    if top.requires:
        text += f" requiring {_flat(top.requires)}"
    return f"{text} at {_place(top.place)}: {top.entry.typename}"


def _flat(selections: Selections) -> str:
    return f"{{ {' '.join(print_selections(selections).split())} }}"


def _join(above: str, key: str) -> str:
    return f"{above}.{key}" if above and key else above or key
