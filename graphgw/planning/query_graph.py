"""The query graph: all possible moves between types and subgraphs.

A node is a type in one subgraph; its edges are the fields that this subgraph
resolves there. Nodes are made on first use and then shared by all plans. A field
with ``@provides`` leads to a *view* of its type: a node of its own, on which the
provided fields have edges too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.federation.selection import TYPENAME, Field, Fragment
from graphgw.federation.supergraph import Key
from graphgw.planning.contexts import ContextSelections

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import (
        ContextArgument,
        FieldInGraph,
        Supergraph,
    )

__all__ = ["Edge", "Entry", "Node", "QueryGraph"]

_NO_KEY: Final = Key((TYPENAME,), "__typename")
"""Stands for the query type's key: that the object is there is all it takes."""


class Edge:
    """A field that a subgraph resolves on a node.

    ``requires`` must be in the representation first, and ``context_arguments`` are
    filled from ancestors: either makes the field need an entity fetch for itself.
    ``head`` is ``None`` for a leaf. ``type`` is the field's type in that subgraph.
    """

    __slots__ = ("context_arguments", "head", "requires", "type")

    def __init__(
        self,
        type_: str,
        head: Node | None,
        requires: Selections,
        context_arguments: tuple[ContextArgument, ...],
    ) -> None:
        self.type = type_
        self.head = head
        self.requires = requires
        self.context_arguments = context_arguments

    @property
    def is_plain(self) -> bool:
        """Tell whether the field can be selected on any object of its type."""
        return not self.requires and not self.context_arguments


class Entry:
    """A way into a node: an entity fetch by one of ``keys``.

    ``typename`` is what representations say; it is the interface's name where the
    subgraph has an interface object or a keyed interface. With ``is_root`` the node
    is the query type, met again somewhere below the root: a root fetch enters it.
    """

    __slots__ = ("is_root", "keys", "node", "typename")

    def __init__(
        self, node: Node, typename: str, keys: tuple[Key, ...], *, is_root: bool = False
    ) -> None:
        self.node = node
        self.typename = typename
        self.keys = keys
        self.is_root = is_root


class Node:
    """A type in one subgraph, or a view of it with more fields provided."""

    __slots__ = (
        "_edges",
        "_graph",
        "graph_id",
        "is_abstract",
        "is_interface_object",
        "provides",
        "runtime",
        "type_name",
    )

    def __init__(
        self, graph: QueryGraph, type_name: str, graph_id: str, provides: Selections
    ) -> None:
        definition = graph.supergraph.types[type_name]
        here = definition.graphs.get(graph_id)
        self.type_name = type_name
        self.graph_id = graph_id
        self.provides = provides
        self.is_interface_object = here is not None and here.is_interface_object
        self.is_abstract = definition.is_abstract and not self.is_interface_object
        if self.is_interface_object:
            self.runtime = graph.possible(type_name)
        elif self.is_abstract:
            self.runtime = graph.possible_in(type_name, graph_id)
        else:
            self.runtime = frozenset((type_name,))
        self._graph = graph
        self._edges: dict[str, Edge | None] = {}

    def edge(self, name: str) -> Edge | None:
        """Return the field's edge, ``None`` where it is not resolved here."""
        try:
            return self._edges[name]
        except KeyError:
            edge = self._edges[name] = self._graph.make_edge(self, name)
            return edge

    def __repr__(self) -> str:
        view = "+" if self.provides else ""
        return f"{self.type_name}/{self.graph_id}{view}"


class QueryGraph:
    """All nodes and edges of a supergraph under one set of override labels."""

    def __init__(
        self, supergraph: Supergraph, labels: Collection[str] = frozenset()
    ) -> None:
        self.supergraph = supergraph
        self.labels = frozenset(labels)
        self.contexts = ContextSelections()
        self._nodes: dict[tuple[str, str, Selections], Node] = {}
        self._entries: dict[str, tuple[Entry, ...]] = {}
        self._possible = {
            name: frozenset(supergraph.possible_types(name))
            for name, definition in supergraph.types.items()
            if definition.is_composite
        }
        self._possible_in: dict[tuple[str, str], frozenset[str]] = {}
        self._query = _nested_query(supergraph)
        self._interfaces: dict[str, list[str]] = {}
        for name in sorted(self._possible):
            if supergraph.types[name].kind == "interface":
                for possible in self._possible[name]:
                    self._interfaces.setdefault(possible, []).append(name)

    def possible(self, type_name: str) -> frozenset[str]:
        """Return the runtime types of a type in any subgraph."""
        definition = self.supergraph.types[type_name]
        if not definition.is_abstract:
            return frozenset((type_name,))
        return self._possible[type_name]

    def possible_in(self, type_name: str, graph_id: str) -> frozenset[str]:
        """Return the runtime types of a type that one subgraph knows."""
        key = (type_name, graph_id)
        found = self._possible_in.get(key)
        if found is None:
            found = frozenset(self.supergraph.possible_types(type_name, graph_id))
            self._possible_in[key] = found
        return found

    def node(self, type_name: str, graph_id: str, provides: Selections = ()) -> Node:
        """Return the node of a type in a subgraph."""
        key = (type_name, graph_id, provides)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(self, *key)
        return node

    def cast(self, node: Node, type_name: str) -> Node:
        """Return the node of a narrower type in the same subgraph and view."""
        provides = self._narrow(node.provides, type_name)
        return self.node(type_name, node.graph_id, provides)

    def is_interface_object_field(self, type_name: str, field_name: str) -> bool:
        """Tell whether some subgraph resolves this interface field for all types."""
        definition = self.supergraph.types[type_name]
        found = definition.fields.get(field_name)
        return found is not None and any(
            definition.graphs[graph_id].is_interface_object
            and self.node(type_name, graph_id).edge(field_name) is not None
            for graph_id in found.graphs
            if graph_id in definition.graphs
        )

    def is_inherited(self, type_name: str, node: Node, field_name: str) -> bool:
        """Tell whether objects of a type take a field from an interface object.

        A field that the type has of its own hides the interface object's, but for
        the fields that identify the interface.
        """
        own = self.supergraph.field_of(type_name, field_name)
        if own is None or not own.graphs:
            return True
        here = self.supergraph.types[node.type_name].graphs[node.graph_id]
        return any(
            isinstance(field, Field) and field.name == field_name
            for key in here.keys
            for field in key.fields
        )

    def entries(self, type_name: str) -> tuple[Entry, ...]:
        """Return the ways into a type by representation, by subgraph.

        An implementation is also entered through its interfaces' interface objects.
        """
        found = self._entries.get(type_name)
        if found is None:
            found = self._entries[type_name] = tuple(self._make_entries(type_name))
        return found

    def _make_entries(self, type_name: str) -> Iterator[Entry]:
        types = self.supergraph.types
        definition = types[type_name]
        if type_name == self._query:
            for graph_id in sorted(definition.graphs):
                node = self.node(type_name, graph_id)
                yield Entry(node, type_name, (_NO_KEY,), is_root=True)
            return
        names = [type_name]
        if definition.kind == "object":
            names += self._interfaces.get(type_name, [])
        for name in names:
            for graph_id, here in sorted(types[name].graphs.items()):
                if name != type_name and not here.is_interface_object:
                    continue
                keys = tuple(key for key in here.keys if key.is_resolvable)
                node = self.node(name, graph_id)
                if keys and node.runtime:  # nothing could come of it otherwise
                    yield Entry(node, name, keys)

    def make_edge(self, node: Node, name: str) -> Edge | None:
        """Build the edge of a field; nodes keep what this returns."""
        found = self.supergraph.field_of(node.type_name, name)
        if found is None:
            return None
        here = found.graphs.get(node.graph_id)
        provided = _provided(node.provides, name)
        if provided is None and (here is None or not self._is_resolved(here)):
            return None
        if node.is_abstract and not self._all_resolve(node, name):
            return None
        type_ = (here and here.type) or found.type
        requires = here.requires if here is not None and provided is None else ()
        inner = _merge(provided or (), here.provides if here is not None else ())
        arguments = here.context_arguments if here is not None else ()
        named = type_.strip("[]!")
        definition = self.supergraph.types.get(named)
        head = (
            self.node(named, node.graph_id, inner)
            if definition is not None and definition.is_composite
            else None
        )
        return Edge(type_, head, requires, arguments)

    def _is_resolved(self, here: FieldInGraph) -> bool:
        if here.override_label is not None:
            is_active = here.override_label in self.labels
            if is_active != (here.override is not None):
                return False
        elif here.is_overridden:
            return False
        return not here.is_external or bool(here.requires)

    def _all_resolve(self, node: Node, name: str) -> bool:
        for type_name in node.runtime:
            edge = self.cast(node, type_name).edge(name)
            if edge is None or not edge.is_plain:
                return False
        return True

    def _narrow(self, provides: Selections, type_name: str) -> Selections:
        if not provides or all(isinstance(item, Field) for item in provides):
            return provides
        runtime = self.possible(type_name)
        narrowed: list[Field | Fragment] = []
        for item in provides:
            if isinstance(item, Field):
                narrowed.append(item)
            elif runtime <= self.possible(item.type_condition):
                narrowed.extend(self._narrow(item.selections, type_name))
            elif runtime & self.possible(item.type_condition):
                narrowed.append(item)
        return tuple(narrowed)


def _nested_query(supergraph: Supergraph) -> str | None:
    """Return the query type's name where a field leads back to it."""
    name = supergraph.root_types.get("query")
    returned = {
        field.named_type
        for definition in supergraph.types.values()
        for field in definition.fields.values()
    }
    return name if name in returned else None


def _provided(provides: Selections, name: str) -> Selections | None:
    found = [item for item in provides if isinstance(item, Field) and item.name == name]
    if not found:
        return None
    return tuple(inner for item in found for inner in item.selections)


def _merge(one: Selections, other: Selections) -> Selections:
    return tuple(dict.fromkeys((*one, *other)))
