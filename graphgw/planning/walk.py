"""Lay selections out over places, and find which paths can really be taken.

A jump can be taken when one of its keys, and what its field requires, can be had at
the same place: the same walk, over the key's selections. What is being asked for may
not be part of its own condition, so goals and jumps under way count as impossible; a
"no" that was found only because of that is not remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.selection import Field, Fragment
from graphgw.planning.contexts import Context, context_place
from graphgw.planning.paths import Branch, Goal, Narrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.federation.selection import Selections
    from graphgw.planning.budget import Budget
    from graphgw.planning.paths import Path, Place, Shape, Slot
    from graphgw.planning.query_graph import QueryGraph

__all__ = ["Walk", "goals_of"]

_INTERNAL_ORDER = 1_000_000


class Walk:
    """The walk over one operation; remembers what it has found feasible.

    ``reason`` says why the last walk that failed did.
    """

    def __init__(self, graph: QueryGraph, budget: Budget) -> None:
        self.graph = graph
        self.budget = budget
        self.reason: str | None = None
        self.soft: list[Slot] = []
        self._stack: dict[object, int] = {}
        self._lowest = 0
        self._order = 0
        self._orders: dict[int, int] = {}

    def lay_out(
        self, place: Place, selections: Selections, *, is_client: bool = False
    ) -> Shape | None:
        """Find goals for selections at a place; ``None`` where one is impossible.

        ``is_client`` marks the client's own selections: they own their response keys
        and do not see hidden types.
        """
        self.budget.check()
        if is_client:
            if not self._orders:
                self._number(selections)
            self._register(place, selections)
            if not self._is_consistent(place, selections):
                return None
        shape: list[Goal | Branch | Narrow] = []
        for selection in selections:
            if isinstance(selection, Field):
                part = self._field(place, selection, is_client=is_client)
            else:
                part = self._fragment(place, selection, is_client=is_client)
            if part is None:
                return None
            shape.extend(part)
        return tuple(shape)

    def condition(self, place: Place, selections: Selections) -> Shape | None:
        """Lay out a key or required selections; remembered for each place."""
        shape = place.shapes.get(id(selections))
        if shape is None:
            reason = self.reason
            shape = self.lay_out(place, selections)
            if shape is not None and any(isinstance(part, Narrow) for part in shape):
                typename = self._checked(place.slot.typename)
                shape = None if typename is None else (*typename, *shape)
            if shape is None:
                return None
            place.shapes[id(selections)] = shape
            self.reason = reason
        return shape

    # Which goals and paths are feasible

    def can_reach(self, goal: Goal) -> bool:
        """Tell whether a leaf can be had in any way."""
        if goal.state is None:
            return self._guarded(goal, self._any_alternative)
        return goal.state

    def can_take(self, path: Path) -> bool:
        """Tell whether a path can be taken."""
        if path.state is not None:
            return path.state
        if path.kind == "root":
            path.state = True
            return True
        return self._guarded(path, self._try_path)

    def _any_alternative(self, goal: Goal) -> bool:
        return any(self.can_take(path) for path in goal.alternatives)

    def _try_path(self, path: Path) -> bool:
        if path.parent is not None:
            return self.can_take(path.parent)
        has_all = self.requirement(path) is not None and self.contexts(path) is not None
        return has_all and any(
            self.key_condition(path, number) is not None
            for number in range(len(path.entry.keys if path.entry else ()))
        )

    def requirement(self, path: Path) -> Shape | None:
        """Lay out what a jump's field requires; empty where it requires nothing."""
        shape = self.condition(path.place, path.requires)
        return shape if self._all_reachable(shape) else None

    def contexts(self, path: Path) -> list[Context] | None:
        """Lay out what a jump's field takes from ancestors; ``None`` if impossible."""
        found = []
        for argument in path.contexts:
            place = context_place(self.graph, path, argument)
            if place is None:
                return None
            shape = self.condition(place, self.graph.contexts.of(argument))
            if shape is None or not self._all_reachable(shape):
                return None
            found.append(Context(argument, place, shape))
        return found

    def key_condition(self, path: Path, number: int) -> Shape | None:
        """Lay out one of a jump's keys."""
        assert path.entry is not None  # noqa: S101 - only jumps have keys
        shape = self.condition(path.place, path.entry.keys[number].fields)
        return shape if self._all_reachable(shape) else None

    def _all_reachable(self, shape: Shape | None) -> bool:
        return shape is not None and all(map(self.can_reach, goals_of(shape)))

    def _guarded(self, item: object, attempt: object) -> bool:
        depth = self._stack.get(item)
        if depth is not None:
            self._lowest = min(self._lowest, depth)
            return False
        depth = len(self._stack)
        outer, self._lowest = self._lowest, depth + 1
        self._stack[item] = depth
        found: bool = attempt(item)  # type: ignore[operator]
        del self._stack[item]
        if found or self._lowest >= depth:
            item.state = found  # type: ignore[attr-defined]
        self._lowest = min(outer, self._lowest)
        return found

    # Fields

    def _number(self, selections: Selections) -> None:
        """Number the client's fields in the order in which they are written."""
        for selection in selections:
            self._order += 1
            self._orders.setdefault(id(selection), self._order)
            self._number(selection.selections)

    def _register(self, place: Place, selections: Selections) -> None:
        """Give the client's fields their response keys before conditions want any."""
        self._claim(place.slot, place.type_name, selections)
        for selection in selections:
            if not isinstance(selection, Field):
                continue
            order = self._orders[id(selection)]
            key = selection.response_key
            identity = (selection.name, selection.arguments)
            if selection.name == "__typename":
                self._register_typename(place, selection, order)
            elif selection.selections:
                slot = place.child(selection, order, key)
                slot.order = min(slot.order, order)
            else:
                goal = place.goal(*identity)
                if not goal.keys or goal.order > order:
                    goal.order = order
                goal.add_key(key)

    def _claim(self, slot: Slot, type_name: str, selections: Selections) -> None:
        """Record what the keys of these objects stand for, on any of their types."""
        for selection in selections:
            if not isinstance(selection, Field):
                self._claim(slot, selection.type_condition, selection.selections)
            elif selection.name != "__typename":
                key = selection.response_key
                slot.take(key, (selection.name, selection.arguments))
                if selection.selections:
                    slot.nested_in.setdefault(key, set()).add(type_name)

    def _register_typename(self, place: Place, field: Field, order: int) -> None:
        goal = self._typename_goal(place, field)
        if goal.order < 0:
            goal.order = order
        key = field.response_key
        if not key.startswith("__") and key not in goal.keys:
            goal.add_key(key)
            place.slot.take(key, goal.identity)

    def _typename_goal(self, place: Place, field: Field) -> Goal:
        if field.response_key.startswith("__"):
            return place.slot.typename
        return place.goal("__typename", ())

    def _field(self, place: Place, field: Field, *, is_client: bool) -> Shape | None:
        if field.name == "__typename":
            goal = self._typename_goal(place, field)
            return self._checked(goal)
        base = place.slot.place
        is_leaf = not field.selections
        if is_leaf and base is not place:
            identity = (field.name, field.arguments)
            if base.has_goal(identity) and (goal := base.goal(*identity)).keys:
                keys_match = not is_client or field.response_key in goal.keys
                if keys_match and self.can_reach(goal):
                    return (goal,)
        definition = self.graph.supergraph.types[place.type_name]
        if not definition.is_abstract:
            return self._direct(place, field, is_client=is_client)
        return self._on_abstract(place, field, is_client=is_client)

    def _on_abstract(
        self, place: Place, field: Field, *, is_client: bool
    ) -> Shape | None:
        is_for_all = self.graph.is_interface_object_field(place.type_name, field.name)
        direct = self._direct(place, field, is_client=is_client)
        if is_for_all or (direct is not None and self._is_local(place, field)):
            return direct
        reason = self.reason
        found = self._exploded(place, field, is_client=is_client)
        if found is None:
            if direct is None:
                self.reason = reason or self.reason
            return direct
        exploded, distance = found
        if direct is None or distance == 0:
            return exploded
        return direct

    def _is_local(self, place: Place, field: Field) -> bool:
        return any(
            path.top.kind == "root" or path.top.place is not place
            for path in place.resolving(field.name)
            if self.can_take(path)
        )

    def _direct(self, place: Place, field: Field, *, is_client: bool) -> Shape | None:
        if not field.selections:
            goal = place.goal(field.name, field.arguments)
            if goal.order < 0:
                goal.order = self._next_internal()
            return self._checked(goal)
        key = field.response_key if is_client else None
        order = self._orders[id(field)] if is_client else self._next_internal()
        slot = place.child(field, order, key)
        reachable = [path for path in slot.place.paths if self.can_take(path)]
        fields = [path for path in reachable if path.kind == "field"]
        if not fields:
            self._explain(place, field.name)
            return None
        self.limit_scope(slot, fields)
        inner = self.lay_out(slot.place, field.selections, is_client=is_client)
        if inner is None:
            return None
        if slot.is_abstract:
            if not slot.has_narrowed:
                self.soft.append(slot)
            elif slot.typename not in inner:
                typename = self._checked(slot.typename)
                if typename is None:
                    return None
                inner = (*typename, *inner)
        return (Branch(slot, inner),)

    def limit_scope(self, slot: Slot, paths: list[Path]) -> None:
        """Keep the members of a union that every candidate subgraph knows."""
        types = self.graph.supergraph.types
        names = {slot.type_name, *(path.node.type_name for path in paths)}
        if any(types[name].kind == "union" for name in names):
            runtimes = [path.node.runtime for path in paths]
            slot.scope = frozenset.intersection(*runtimes)

    def _checked(self, goal: Goal) -> tuple[Goal] | None:
        if goal.order < 0:
            is_typename = goal.name == "__typename"
            order = goal.place.slot.order if is_typename else self._next_internal()
            goal.order = order
        if self.can_reach(goal):
            return (goal,)
        self._explain(goal.place, goal.name)
        return None

    def _next_internal(self) -> int:
        self._order += 1
        return _INTERNAL_ORDER + self._order

    def _explain(self, place: Place, name: str) -> None:
        found = self.graph.supergraph.field_of(place.type_name, name)
        graphs = self.graph.supergraph.graphs
        names = sorted(graphs[i].name for i in found.graphs) if found else []
        have = ", ".join(f'"{name}"' for name in names)
        where = f"only {have} can have it" if have else "no subgraph has it as asked"
        self.reason = (
            f"{place.type_name}.{name} cannot be reached: {where}, and there is no "
            f"way there from {self._entry_names(place)}"
        )

    def _entry_names(self, place: Place) -> str:
        graphs = self.graph.supergraph.graphs
        ids = {path.node.graph_id for path in place.paths if path.kind != "jump"}
        names = ", ".join(f'"{graphs[i].name}"' for i in sorted(ids))
        return names or "the selections around it"

    # Explosion to runtime types

    def _exploded(
        self, place: Place, field: Field, *, is_client: bool
    ) -> tuple[Shape, int] | None:
        """Select an interface's field on each runtime type, all by one path."""
        sources = [
            path
            for path in place.paths
            if not path.node.is_interface_object and self.can_take(path)
        ]
        is_pinned = len(sources) > 1
        best: tuple[Shape, int] | None = None
        for path in sources:
            via = path if is_pinned else None
            shape = self._explode(place, field, path, via, is_client=is_client)
            if shape is None:
                continue
            distance = sum(not _is_inside(goal) for goal in goals_of(shape))
            distance += path.kind == "jump"
            if best is None or distance < best[1]:
                best = shape, distance
        return best

    def _explode(
        self,
        place: Place,
        field: Field,
        path: Path,
        via: Path | None,
        *,
        is_client: bool,
    ) -> Shape | None:
        parts: list[Goal | Branch | Narrow] = []
        while via is not None and via.kind == "cast":
            via = via.parent
        for type_name in sorted(path.runtime):
            if is_client and self.graph.supergraph.types[type_name].is_inaccessible:
                continue
            narrowed = place.slot.narrow(type_name, via or place.via)
            if is_client:
                self._register(narrowed, (field,))
            part = self._field(narrowed, field, is_client=is_client)
            if part is None:
                return None
            parts.append(Narrow(type_name, part))
        return tuple(parts) or None

    # Fragments

    def _fragment(
        self, place: Place, fragment: Fragment, *, is_client: bool
    ) -> Shape | None:
        targets = self._targets(place, fragment.type_condition)
        if targets is None:
            return self.lay_out(place, fragment.selections, is_client=is_client)
        parts: list[Goal | Branch | Narrow] = []
        place.slot.has_narrowed = True
        for type_name in targets:
            if is_client and self.graph.supergraph.types[type_name].is_inaccessible:
                continue
            narrowed = place.slot.narrow(type_name, place.via)
            inner = self.lay_out(narrowed, fragment.selections, is_client=is_client)
            if inner is None:
                return None
            parts.append(Narrow(type_name, inner))
        return tuple(parts)

    def _targets(self, place: Place, condition: str) -> list[str] | None:
        """Return the types to narrow to; ``None`` where the fragment always holds."""
        if self._always_holds(place.type_name, condition):
            return None
        wanted = self.graph.possible(condition)
        bases = [path for path in place.paths if path.kind != "jump"]
        runtime = frozenset(name for path in bases for name in path.runtime)
        runtime &= wanted
        if not self.graph.supergraph.types[condition].is_abstract:
            return [condition] if runtime else []
        if runtime and all(self._agrees(path, condition) for path in bases):
            return [condition]
        return sorted(runtime)

    def _always_holds(self, type_name: str, condition: str) -> bool:
        if type_name == condition:
            return True
        definition = self.graph.supergraph.types[type_name]
        if not definition.is_abstract:
            return type_name in self.graph.possible(condition)
        schema = self.graph.supergraph.schema
        one, other = schema.type_map[condition], schema.type_map[type_name]
        return bool(
            self.graph.possible(type_name) <= self.graph.possible(condition)
            and schema.is_sub_type(one, other)  # type: ignore[arg-type]
        )

    def _agrees(self, path: Path, condition: str) -> bool:
        """Tell whether a subgraph takes an abstract condition as all do together."""
        node = path.node
        here = self.graph.supergraph.types[condition].graphs.get(node.graph_id)
        if here is None or here.is_interface_object or not node.is_abstract:
            return False
        known = self.graph.possible_in(condition, node.graph_id)
        return path.runtime & known == path.runtime & self.graph.possible(condition)

    # Shared interface fields

    def _is_consistent(self, place: Place, selections: Selections) -> bool:
        """Refuse to piece an interface's field together from several subgraphs.

        A field of the interface that fragments select on several types stands for the
        field on the interface: one of the subgraphs that could return the object must
        serve it for all of them.
        """
        if self.graph.supergraph.types[place.type_name].kind != "interface":
            return True
        bases = [path for path in place.paths if path.kind == "field"]
        if len({path.node.graph_id for path in bases}) < 2:  # noqa: PLR2004
            return True
        for field, types in self._shared_fields(place, selections):
            if not any(self._serves(place, path, field, types) for path in bases):
                self._explain(place, field.name)
                return False
        return True

    def _shared_fields(
        self, place: Place, selections: Selections
    ) -> Iterator[tuple[Field, list[str]]]:
        known = self.graph.supergraph.types[place.type_name].fields
        found: dict[str, tuple[Field, list[str]]] = {}
        for fragment in selections:
            if not isinstance(fragment, Fragment):
                continue
            for field in fragment.selections:
                if isinstance(field, Field) and field.name in known:
                    _, types = found.setdefault(field.response_key, (field, []))
                    if fragment.type_condition not in types:
                        types.append(fragment.type_condition)
        for field, types in found.values():
            if len(types) > 1:
                yield field, types

    def _serves(
        self, place: Place, path: Path, field: Field, types: Iterable[str]
    ) -> bool:
        if not self.can_take(path):
            return False
        if path.node.is_interface_object:
            return True
        return all(
            any(
                self.can_take(way)
                for way in place.slot.narrow(name, path).resolving(field.name)
            )
            for name in types
            if name in path.runtime
        )


def goals_of(shape: Shape) -> Iterator[Goal]:
    """Yield the goals in a shape, in order."""
    for part in shape:
        if isinstance(part, Goal):
            yield part
        else:
            yield from goals_of(part.children)


def _is_inside(goal: Goal) -> bool:
    """Tell whether a leaf can be had without a jump to its own objects."""
    return any(
        path.top.kind == "root" or path.top.place.slot is not goal.place.slot
        for path in goal.alternatives
    )
