"""The fetch graph: the fetches that the chosen paths add up to.

Each root entry and each jump that a needed goal is read from becomes a fetch; it
waits for the fetches that deliver its inputs.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from graphgw.federation.selection import TYPENAME, Field, Fragment
from graphgw.planning.choice import guards_of
from graphgw.planning.contexts import level_of
from graphgw.planning.paths import Branch, Goal
from graphgw.planning.plan import ContextValue, EntityInput, PathStep
from graphgw.planning.walk import goals_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphgw.federation.selection import Selection, Selections
    from graphgw.federation.supergraph import ContextArgument
    from graphgw.planning.contexts import Context
    from graphgw.planning.paths import Identity, Path, Place, Shape, Slot
    from graphgw.planning.walk import Walk

__all__ = ["FetchNode", "build_fetch_graph", "context_variable", "merge_selections"]


class FetchNode:
    """One fetch: the goals it reads, by the paths that start it.

    ``tops`` has several jumps once equal or compatible fetches are merged.
    """

    __slots__ = (
        "contexts",
        "goals",
        "graph_id",
        "inputs",
        "order",
        "parents",
        "path",
        "tops",
    )

    def __init__(self, top: Path, path: tuple[PathStep, ...]) -> None:
        self.graph_id = top.node.graph_id
        self.tops = [top]
        self.path = path
        self.goals: list[Goal] = []
        self.inputs: tuple[EntityInput, ...] = ()
        self.contexts: tuple[ContextValue, ...] = ()
        self.parents: dict[FetchNode, None] = {}
        self.order = 0

    @property
    def is_root(self) -> bool:
        """Tell whether the fetch starts at the root type."""
        return self.tops[0].kind == "root"

    def __repr__(self) -> str:
        steps = ".".join(step.key for step in self.path)
        return f"{self.graph_id}@{steps}"


class _Needs(NamedTuple):
    """What a jump sends and waits for."""

    guards: list[Goal]
    shapes: tuple[Shape, ...]
    contexts: list[Context]

    def goals(self) -> Iterable[Goal]:
        yield from self.guards
        for shape in self.shapes:
            yield from goals_of(shape)
        for context in self.contexts:
            yield from goals_of(context.shape)


def build_fetch_graph(walk: Walk, wanted: Iterable[Goal]) -> list[FetchNode]:
    """Turn the paths taken into fetches, one for each entry and each jump.

    Args:
        walk: Knows the shapes of keys and requirements.
        wanted: The goals of the client, and those that tell runtime types.
    """
    needs: dict[Path, _Needs] = {}
    goals = _needed(walk, wanted, needs)
    _name_all(goals)
    nodes: dict[Path, FetchNode] = {}
    for goal in goals:
        top = _path_of(goal).top
        node = nodes.get(top)
        if node is None:
            node = nodes[top] = FetchNode(top, _path_to(top.place.slot))
        node.goals.append(goal)
    for top, node in nodes.items():
        node.order = min(goal.order for goal in node.goals)
        if top.kind == "jump":
            if top.entry is not None and not top.entry.is_root:
                node.inputs = (_entity_input(top, needs[top].shapes),)
            node.contexts = tuple(map(_context_value, needs[top].contexts))
            for goal in needs[top].goals():
                node.parents[nodes[_path_of(goal).top]] = None
    return sorted(nodes.values(), key=lambda node: node.order)


def _needed(
    walk: Walk, wanted: Iterable[Goal], needs: dict[Path, _Needs]
) -> list[Goal]:
    """Collect the goals that are wanted and those that their jumps wait for."""
    found: dict[Goal, None] = {}
    todo = deque(wanted)
    while todo:
        goal = todo.popleft()
        if goal in found:
            continue
        found[goal] = None
        top = _path_of(goal).top
        if top.kind == "jump" and top not in needs:
            key = walk.key_condition(top, top.key)
            required = walk.requirement(top)
            contexts = walk.contexts(top)
            assert key is not None and required is not None  # noqa: S101, PT018
            assert contexts is not None  # noqa: S101 - it was chosen
            needs[top] = _Needs(guards_of(top.place), (key, required), contexts)
            todo.extend(needs[top].goals())
    return sorted(found, key=lambda goal: goal.order)


def _path_of(goal: Goal) -> Path:
    assert goal.path is not None, f"{goal} was not chosen"  # noqa: S101
    return goal.path


# Response keys of what only conditions need


def _name_all(goals: Sequence[Goal]) -> None:
    for goal in goals:
        path: Path | None = _path_of(goal)
        while path is not None:
            if path.kind == "field" and path.place.slot.key is None:
                slot = path.place.slot
                slot.key = _free_key(slot.parent, (slot.name, slot.arguments))
            path = path.parent
        if goal.name == "__typename":
            goal.key = "__typename"
        elif goal.key is None:
            goal.key = (
                goal.keys[0] if goal.keys else _free_key(goal.place, goal.identity)
            )


def _free_key(place: Place | None, identity: Identity) -> str:
    assert place is not None  # noqa: S101 - the root has no key
    taken, name = place.slot.taken, identity[0]
    same = {identity}
    if taken.get(name) == same:
        return name
    for key, found in taken.items():
        if found == same:
            return key
    if name in taken:
        number = sum(key.startswith("__gw_") for key in taken)
        name = f"__gw_{number}_{name}"
    place.slot.take(name, identity)
    return name


# Paths and inputs


def _path_to(slot: Slot) -> tuple[PathStep, ...]:
    steps: list[PathStep] = []
    while slot.parent is not None:
        place = slot.parent
        assert slot.key is not None  # noqa: S101 - named before
        steps.append(PathStep(slot.key, slot.list_depth))
        if place.is_narrowed and place.slot.parent is not None:
            types = tuple(sorted(slot.graph.possible(place.type_name)))
            steps.append(PathStep("", 0, types))
        slot = place.slot
    steps.reverse()
    found: list[PathStep] = []
    for step in steps:
        if step.key:
            found.append(step)
        else:
            last = found[-1]
            found[-1] = PathStep(last.key, last.list_depth, step.types)
    return tuple(found)


def _entity_input(top: Path, shapes: Iterable[Shape]) -> EntityInput:
    assert top.entry is not None  # noqa: S101 - a jump
    types = tuple(sorted(top.place.slot.graph.possible(top.place.type_name)))
    fields: Selections = ()
    for shape in shapes:
        fields = merge_selections(fields, _input_selections(shape))
    fields = tuple(field for field in fields if field != TYPENAME)
    return EntityInput(types, top.entry.typename, fields)


def _context_value(context: Context) -> ContextValue:
    argument, level = context.argument, level_of(context.place.slot)
    selections = _input_selections(context.shape)
    return ContextValue(
        context_variable(argument, level),
        argument.type,
        level,
        tuple(found for found in selections if found != TYPENAME),
    )


def context_variable(argument: ContextArgument, level: int) -> str:
    """Name the variable that carries a value from ``level`` steps below the root."""
    words = re.findall(r"\w+", f"{argument.context} {argument.selection}")
    return "_gw_context_" + "_".join((str(level), *words))


def _input_selections(shape: Shape) -> Selections:
    found: Selections = ()
    for part in shape:
        found = merge_selections(found, (_input_selection(part),))
    return found


def _input_selection(part: object) -> Selection:
    if isinstance(part, Goal):
        if part.name == "__typename":
            return TYPENAME
        return Field(part.name, part.key if part.key != part.name else None)
    if isinstance(part, Branch):
        slot = part.slot
        inner = _input_selections(part.children)
        if slot.is_abstract and slot.typename.path is not None:
            inner = merge_selections((TYPENAME,), inner)
        alias = slot.key if slot.key != slot.name else None
        return Field(slot.name, alias, (), inner)
    return Fragment(part.type_name, _input_selections(part.children))  # type: ignore[attr-defined]


def merge_selections(one: Selections, other: Selections) -> Selections:
    """Merge two selections; equal fields and equal fragments become one."""
    merged = list(one)
    for selection in other:
        for index, known in enumerate(merged):
            if _is_same(known, selection):
                inner = merge_selections(known.selections, selection.selections)
                merged[index] = _with(known, inner)
                break
        else:
            merged.append(selection)
    return tuple(merged)


def _is_same(one: Selection, other: Selection) -> bool:
    if isinstance(one, Fragment):
        return (
            isinstance(other, Fragment) and one.type_condition == other.type_condition
        )
    return (
        isinstance(other, Field)
        and (one.name, one.alias) == (other.name, other.alias)
        and one.arguments == other.arguments
    )


def _with(selection: Selection, inner: Selections) -> Selection:
    if isinstance(selection, Fragment):
        return Fragment(selection.type_condition, inner)
    return Field(selection.name, selection.alias, selection.arguments, inner)
