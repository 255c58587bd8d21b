"""Check that every field clients see can be had on every way that leads to it.

The check walks from the root types over all fields of the API schema, as the planner
would. Two places with the same type, at which the same subgraphs can stand, are alike
in what can be had from there: one of them is looked at.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from graphql import is_composite_type, is_interface_type, is_object_type

from graphgw.composition.findings import quoted
from graphgw.errors import Problem
from graphgw.federation.selection import TYPENAME, Field, print_selections
from graphgw.planning.budget import Unlimited
from graphgw.planning.paths import Slot
from graphgw.planning.query_graph import QueryGraph
from graphgw.planning.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.federation.selection import Selection
    from graphgw.federation.supergraph import Supergraph
    from graphgw.planning.paths import Path, Place
    from graphgw.planning.query_graph import Edge, Entry, Node

__all__ = ["MAX_PLACES", "Satisfiability", "check_satisfiability"]

MAX_PLACES: Final = 20_000
"""Places looked at under one set of labels; what lies beyond is taken on trust."""

_MAX_LABELS: Final = 8
"""Override labels that are also tried one by one."""


class _Way(NamedTuple):
    """A place still to look at, and how it is reached: ``Query.users { ... on A``."""

    place: Place
    text: str
    braces: int

    def into(self, name: str) -> str:
        """Return the way to a field of the place, without closing braces."""
        return f"{self.text}.{name}" if not self.braces else f"{self.text} {name}"


class Satisfiability(NamedTuple):
    """What a check found."""

    problems: list[Problem]
    """The first field of each type that some way leads to in vain."""
    is_complete: bool
    """Whether every place was looked at."""


def check_satisfiability(
    supergraph: Supergraph, *, max_places: int = MAX_PLACES
) -> Satisfiability:
    """Look for fields that some way leads to in vain.

    Progressive overrides are looked at with all labels active, with none, and with
    each of them alone.

    Args:
        supergraph: What was composed.
        max_places: The most places to look at under one set of labels.
    """
    labels = sorted(
        {
            here.override_label
            for definition in supergraph.types.values()
            for field in definition.fields.values()
            for here in field.graphs.values()
            if here.override_label is not None
        }
    )
    sets = [frozenset[str](), frozenset(labels)]
    sets += [frozenset((label,)) for label in labels[:_MAX_LABELS]]
    found: dict[str, Problem] = {}
    is_complete = True
    for active in dict.fromkeys(sets):
        check = _Check(QueryGraph(supergraph, active), found)
        is_complete = check.run(max_places) and is_complete
    return Satisfiability(list(found.values()), is_complete)


class _Check:
    """One walk over everything that can be asked for."""

    def __init__(self, graph: QueryGraph, found: dict[str, Problem]) -> None:
        self._graph = graph
        self._supergraph = graph.supergraph
        self._walk = Walk(graph, Unlimited())
        self._found = found
        self._seen: set[object] = set()
        self._todo: deque[_Way] = deque()

    def run(self, max_places: int) -> bool:
        """Walk; tell whether the walk came to its end."""
        for name in self._supergraph.root_types.values():
            if name in self._supergraph.api_schema.type_map:
                root = Slot(self._graph, None, name, ("", ()), 0, 0, "")
                for graph_id in sorted(self._supergraph.types[name].graphs):
                    root.place.add_root(self._graph.node(name, graph_id))
                self._todo.append(_Way(root.place, name, 0))
        while self._todo and len(self._seen) < max_places:
            way = self._todo.popleft()
            self._fields(way)
        return not self._todo

    def _fields(self, way: _Way) -> None:
        """Look at what can be selected on a place: fields of objects."""
        type_ = self._supergraph.api_schema.type_map[way.place.type_name]
        if not is_object_type(type_):
            return
        for name in type_.fields:
            self._field(way, name)

    def _field(self, way: _Way, name: str) -> None:
        place = way.place
        found = self._supergraph.field_of(place.type_name, name)
        if found is None:
            return
        named = self._supergraph.api_schema.type_map[found.named_type]
        if not is_composite_type(named):
            if not self._walk.can_reach(place.goal(name, ())):
                self._report(way, name)
            return
        slot = place.child(Field(name, selections=(TYPENAME,)), 0, None)
        paths = [path for path in slot.place.paths if self._walk.can_take(path)]
        fields = [path for path in paths if path.kind == "field"]
        if not fields:
            self._report(way, name)
            return
        self._walk.limit_scope(slot, fields)
        self._enter(_Way(slot.place, f"{way.into(name)} {{", way.braces + 1), fields)

    def _enter(self, way: _Way, paths: list[Path]) -> None:
        """Look at a slot later, by its runtime types, unless one like it is known."""
        place = way.place
        if not self._is_new(place, paths):
            return
        if not place.slot.is_abstract:
            self._todo.append(way)
            return
        public = self._supergraph.api_schema.type_map
        runtime = {name for path in paths for name in path.runtime if name in public}
        if not runtime:
            return
        self._interface_fields(way)
        if not self._walk.can_reach(place.slot.typename):
            self._report(way, TYPENAME.name)
            return
        for name in sorted(runtime):
            narrowed = place.slot.narrow(name)
            ways = [path for path in narrowed.paths if path.kind != "jump"]
            if self._is_new(narrowed, ways):
                text = f"{way.text} ... on {name} {{"
                self._todo.append(_Way(narrowed, text, way.braces + 1))

    def _interface_fields(self, way: _Way) -> None:
        """Look at an interface's fields that only an interface object has for all."""
        name = way.place.type_name
        type_ = self._supergraph.api_schema.type_map[name]
        if not is_interface_type(type_):
            return
        for field in type_.fields:
            if self._graph.is_interface_object_field(name, field):
                self._field(way, field)

    def _is_new(self, place: Place, paths: Iterable[Path]) -> bool:
        nodes = frozenset(path.node for path in paths if self._walk.can_take(path))
        key = (place.type_name, nodes, place.slot.scope, *self._contexts(place))
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _contexts(self, place: Place) -> Iterator[tuple[str, frozenset[object]]]:
        """Yield the ancestors that set contexts, nearest first, each type once."""
        known: set[str] = set()
        current = place.slot.parent
        while current is not None:
            name = current.type_name
            if name not in known and self._supergraph.types[name].contexts:
                known.add(name)
                yield name, frozenset(path.node for path in current.paths)
            current = current.slot.parent

    # Problems

    def _report(self, way: _Way, name: str) -> None:
        type_name = way.place.type_name
        coordinates = [f"{holder}.{name}" for holder in self._holders(type_name, name)]
        known = {problem.where for problem in self._found.values()}
        if type_name in self._found or not known.isdisjoint(coordinates):
            return
        text = way.into(name) + " }" * way.braces
        reasons = list(self._reasons(way.place, name)) or ["no subgraph resolves it"]
        self._found[type_name] = Problem(
            f"{text} cannot be resolved: {'; '.join(reasons)}",
            f"{type_name}.{name}",
            "Let the subgraphs on the way have a resolvable key in common, or resolve"
            " the field in one that is reached.",
        )

    def _holders(self, type_name: str, name: str) -> list[str]:
        """Return a type, and for an inherited field the interfaces that have it."""
        found = self._supergraph.field_of(type_name, name)
        if found is None or found.graphs:
            return [type_name]
        interfaces = self._supergraph.types[type_name].interfaces.values()
        names = sorted({name for of_graph in interfaces for name in of_graph})
        return [type_name, *(n for n in names if self._supergraph.field_of(n, name))]

    def _reasons(self, place: Place, name: str) -> Iterator[str]:
        """Say for each subgraph that has a field why it cannot be asked for it."""
        graphs = self._supergraph.graphs
        if name == TYPENAME.name:
            yield f"no subgraph that knows the types of {place.type_name} is reached"
            return
        for node, edge in self._owners(place.type_name, name):
            target = f'subgraph "{graphs[node.graph_id].name}"'
            entries = self._graph.entries(place.type_name)
            entry = next((entry for entry in entries if entry.node is node), None)
            if entry is None:
                yield f"{target} has no resolvable key on {node.type_name}"
            else:
                path = place.jump(entry, None if edge.is_plain else edge)
                yield self._missing(path, entry, target)

    def _owners(self, type_name: str, name: str) -> Iterator[tuple[Node, Edge]]:
        for holder in self._holders(type_name, name):
            found = self._supergraph.field_of(holder, name)
            for graph_id in sorted(found.graphs) if found is not None else ():
                node = self._graph.node(holder, graph_id)
                edge = node.edge(name)
                if edge is not None:
                    yield node, edge

    def _missing(self, path: Path, entry: Entry, target: str) -> str:
        """Say what a jump that cannot be taken lacks."""
        here = {p.node.graph_id for p in path.place.paths if p.kind != "jump"}
        names = quoted(
            self._supergraph.graphs[graph_id].name for graph_id in sorted(here)
        )
        count = range(len(entry.keys))
        if all(self._walk.key_condition(path, number) is None for number in count):
            keys = " or ".join(f'"{_flat(key.fields)}"' for key in entry.keys)
            return f"{names} cannot give {target} its key {keys}"
        if self._walk.requirement(path) is None:
            return (
                f'"{_flat(path.requires)}", which {target} requires, is not to be had'
            )
        return f"nothing above sets the context that {target} takes an argument from"


def _flat(selections: Iterable[Selection]) -> str:
    return " ".join(print_selections(selections).split())
