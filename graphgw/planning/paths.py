"""Paths: every way through the query graph to a place in the response.

A *slot* is where objects stand in the response tree. A *place* is a slot seen as one
type: the slot's own, or a narrower one that a fragment leads to. *Paths* lead to a
place: down a field from a path to the parent, by a cast from the slot's own type, or
by a jump, which is an entity fetch. A *goal* is a leaf wanted at a place; its
alternatives are the paths whose node resolves it.

All of it is made on demand and says only what the query graph allows; whether a path
can really be taken is found by ``walk``, and which one is taken by ``choice``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.federation.selection import Argument, Field, Selections
    from graphgw.federation.supergraph import ContextArgument
    from graphgw.planning.query_graph import Edge, Entry, Node, QueryGraph

__all__ = [
    "Branch",
    "Goal",
    "Identity",
    "Narrow",
    "Path",
    "Place",
    "Shape",
    "Slot",
]

Identity: TypeAlias = "tuple[str, tuple[Argument, ...]]"
"""What makes two selected fields the same: name and arguments."""


class Slot:
    """Where objects stand in the response; ``parent`` is ``None`` for the root.

    ``key`` is the response key, ``None`` until one is found for a slot that only
    conditions need. ``scope`` limits the runtime types of a union that several
    subgraphs could serve. ``taken`` records which fields each response key in these
    objects stands for, ``nested_in`` the types on which a composite one is selected.
    """

    __slots__ = (
        "arguments",
        "graph",
        "has_narrowed",
        "key",
        "list_depth",
        "name",
        "narrowed",
        "nested_in",
        "order",
        "parent",
        "place",
        "scope",
        "taken",
        "type_name",
    )

    def __init__(
        self,
        graph: QueryGraph,
        parent: Place | None,
        type_name: str,
        identity: Identity,
        list_depth: int,
        order: int,
        key: str | None,
    ) -> None:
        self.graph = graph
        self.parent = parent
        self.type_name = type_name
        self.name, self.arguments = identity
        self.list_depth = list_depth
        self.order = order
        self.key = key
        self.scope: frozenset[str] | None = None
        self.has_narrowed = False
        self.taken: dict[str, set[Identity]] = {}
        self.nested_in: dict[str, set[str]] = {}
        self.narrowed: dict[tuple[str, Path | None], Place] = {}
        self.place = Place(self, type_name, None)

    @property
    def is_abstract(self) -> bool:
        """Tell whether the runtime type may be another than the static one."""
        return self.graph.supergraph.types[self.type_name].is_abstract

    @property
    def typename(self) -> Goal:
        """The goal that tells the runtime type of the objects here."""
        return self.place.goal("__typename", ())

    def narrow(self, type_name: str, via: Path | None = None) -> Place:
        """Return the place of a narrower type; ``via`` pins the path to it."""
        if type_name == self.type_name and via is None:
            return self.place
        place = self.narrowed.get((type_name, via))
        if place is None:
            place = self.narrowed[type_name, via] = Place(self, type_name, via)
        self.has_narrowed = True
        return place

    def take(self, key: str, identity: Identity) -> None:
        """Record that a response key stands for a field in these objects."""
        self.taken.setdefault(key, set()).add(identity)

    def is_contested(self, key: str) -> bool:
        """Tell whether a key may hold different things on objects of different types.

        Then it cannot be selected where the subgraph does not tell the types apart.
        """
        one_field = len(self.taken.get(key, ())) <= 1
        return not one_field or len(self.nested_in.get(key, ())) > 1


class Place:
    """A slot seen as one type."""

    __slots__ = (
        "_goals",
        "_jumps",
        "_paths",
        "_slots",
        "shapes",
        "slot",
        "type_name",
        "via",
    )

    def __init__(self, slot: Slot, type_name: str, via: Path | None) -> None:
        self.slot = slot
        self.type_name = type_name
        self.via = via
        self.shapes: dict[int, Shape] = {}
        self._goals: dict[Identity, Goal] = {}
        self._slots: dict[Identity, list[Slot]] = {}
        self._jumps: dict[tuple[object, ...], Path] = {}
        self._paths: list[Path] | None = None

    @property
    def is_narrowed(self) -> bool:
        """Tell whether only some of the slot's objects belong here."""
        return self.type_name != self.slot.type_name

    @property
    def paths(self) -> list[Path]:
        """Every path to this place, those within the entry's own fetch first."""
        if self._paths is None:
            self._paths = []
            if self.slot.parent is not None:
                is_base = self is self.slot.place
                self._paths += self._from_parent() if is_base else self._casts()
                self._paths += self._plain_jumps()
        return self._paths

    def add_root(self, node: Node) -> None:
        """Make an entry: the root type in one subgraph."""
        paths = self.paths
        paths.append(Path("root", self, node))

    def goal(self, name: str, arguments: tuple[Argument, ...]) -> Goal:
        """Return the goal for a leaf field, one for each identity."""
        identity = (name, arguments)
        goal = self._goals.get(identity)
        if goal is None:
            goal = self._goals[identity] = Goal(self, name, arguments)
        return goal

    def has_goal(self, identity: Identity) -> bool:
        """Tell whether a leaf is wanted here already."""
        return identity in self._goals

    def child(self, field: Field, order: int, key: str | None) -> Slot:
        """Return the slot of a composite field, one for each response key.

        Without a key any slot with the same field will do; one that so far only
        conditions needed takes on the client's key.
        """
        identity = (field.name, field.arguments)
        slots = self._slots.setdefault(identity, [])
        for slot in slots:
            if key is None or slot.key is None or slot.key == key:
                slot.key = slot.key or key
                return slot
        graph = self.slot.graph
        found = graph.supergraph.field_of(self.type_name, field.name)
        assert found is not None, f"{self.type_name}.{field.name}"  # noqa: S101 - valid
        depth = found.type.count("[")
        slot = Slot(graph, self, found.named_type, identity, depth, order, key)
        slots.append(slot)
        return slot

    def jump(self, entry: Entry, edge: Edge | None = None) -> Path:
        """Return the entity fetch into an entry, with all that one field needs."""
        requires = edge.requires if edge is not None else ()
        contexts = edge.context_arguments if edge is not None else ()
        path = self._jumps.get((entry, requires, contexts))
        if path is None:
            path = Path("jump", self, entry.node, entry=entry)
            path.requires = requires
            path.contexts = contexts
            self._jumps[entry, requires, contexts] = path
        return path

    def resolving(self, name: str) -> Iterator[Path]:
        """Yield the paths from which a field can be selected, required ones last."""
        if name == "__typename":
            yield from (p for p in self.paths if not p.node.is_interface_object)
            return
        graph = self.slot.graph
        for path in self.paths:
            if not self._may_read(path.node, name):
                continue
            edge = path.node.edge(name)
            if edge is not None and edge.is_plain:
                yield path
        for entry in graph.entries(self.type_name):
            if not self._may_read(entry.node, name):
                continue
            edge = entry.node.edge(name)
            if edge is not None and not edge.is_plain:
                yield self.jump(entry, edge)

    def _may_read(self, node: Node, name: str) -> bool:
        if not node.is_interface_object or node.type_name == self.type_name:
            return True
        return self.slot.graph.is_inherited(self.type_name, node, name)

    def _from_parent(self) -> list[Path]:
        parent, name = self.slot.parent, self.slot.name
        assert parent is not None  # noqa: S101 - the root has no parent
        paths = []
        for path in parent.resolving(name):
            key = self.slot.key
            if path.is_blind and key and parent.slot.is_contested(key):
                continue
            edge = path.node.edge(name)
            if edge is not None and edge.head is not None:
                paths.append(Path("field", self, edge.head, parent=path))
        return paths

    def _casts(self) -> list[Path]:
        graph = self.slot.graph
        wanted = graph.possible(self.type_name)
        paths = []
        for path in (self.via,) if self.via else self.slot.place.paths:
            node = path.node
            if not path.runtime & wanted:
                continue
            if node.is_abstract and node.type_name != self.type_name:
                here = graph.supergraph.types[self.type_name].graphs
                known = here.get(node.graph_id)
                if known is None or known.is_interface_object:
                    continue
                node = graph.cast(node, self.type_name)
            paths.append(Path("cast", self, node, parent=path))
        return paths

    def _plain_jumps(self) -> Iterator[Path]:
        local = {
            (path.node.graph_id, path.node.type_name)
            for path in self._paths or ()
            if path.top.kind == "root" and not path.is_blind
        }
        for entry in self.slot.graph.entries(self.type_name):
            if (entry.node.graph_id, entry.node.type_name) not in local:
                yield self.jump(entry)

    def __repr__(self) -> str:
        return f"{self.slot.key or self.slot.name}:{self.type_name}"


class Path:
    """One way to a place.

    ``top`` is the root entry or the jump that starts the fetch this path is in.
    ``state`` belongs to the walk, ``depth`` and ``key`` to the choice.
    """

    __slots__ = (
        "contexts",
        "depth",
        "entry",
        "is_busy",
        "is_chosen",
        "key",
        "kind",
        "node",
        "parent",
        "place",
        "requires",
        "state",
        "top",
    )

    def __init__(
        self,
        kind: str,
        place: Place,
        node: Node,
        *,
        parent: Path | None = None,
        entry: Entry | None = None,
    ) -> None:
        self.kind = kind
        self.place = place
        self.node = node
        self.parent = parent
        self.entry = entry
        self.requires: Selections = ()
        self.contexts: tuple[ContextArgument, ...] = ()
        self.top: Path = self if parent is None else parent.top
        self.state: bool | None = None
        self.is_chosen = False
        self.is_busy = False
        self.depth = 0
        self.key: int = 0

    @property
    def is_blind(self) -> bool:
        """Tell whether the subgraph cannot tell this place's objects from others."""
        return self.kind == "cast" and self.node.is_interface_object

    @property
    def runtime(self) -> frozenset[str]:
        """The runtime types that objects on this path can have."""
        runtime = self.node.runtime
        if self.kind == "field":
            scope = self.place.slot.scope
            return runtime if scope is None else runtime & scope
        if self.kind == "cast" and self.parent is not None:
            wanted = self.place.slot.graph.possible(self.place.type_name)
            return self.parent.runtime & wanted & runtime
        return runtime

    def __repr__(self) -> str:
        origin = f"{self.parent!r} " if self.parent else ""
        return f"{origin}-{self.kind}-> {self.place!r}@{self.node!r}"


class Goal:
    """A leaf wanted at a place.

    ``keys`` are the client's response keys for it; without any it is wanted by
    conditions only and ``key`` is found later. ``path`` is the alternative taken.
    """

    __slots__ = (
        "_alternatives",
        "arguments",
        "is_busy",
        "key",
        "keys",
        "name",
        "order",
        "path",
        "place",
        "state",
    )

    def __init__(
        self, place: Place, name: str, arguments: tuple[Argument, ...]
    ) -> None:
        self.place = place
        self.name = name
        self.arguments = arguments
        self.keys: list[str] = []
        self.key: str | None = None
        self.order = -1
        self.state: bool | None = None
        self.is_busy = False
        self.path: Path | None = None
        self._alternatives: list[Path] | None = None

    @property
    def identity(self) -> Identity:
        """Name and arguments."""
        return self.name, self.arguments

    @property
    def alternatives(self) -> list[Path]:
        """The paths from which this leaf can be selected."""
        if self._alternatives is None:
            slot = self.place.slot
            self._alternatives = [
                path
                for path in self.place.resolving(self.name)
                if not (path.is_blind and any(map(slot.is_contested, self.keys)))
            ]
        return self._alternatives

    def add_key(self, key: str) -> None:
        """Give the client's response key to the leaf."""
        if key not in self.keys:
            self.keys.append(key)
            self._alternatives = None
            self.state = None

    def __repr__(self) -> str:
        return f"{self.place!r}.{self.name}"


class Branch:
    """A composite field in a shape."""

    __slots__ = ("children", "slot")

    def __init__(self, slot: Slot, children: Shape) -> None:
        self.slot = slot
        self.children = children


class Narrow:
    """A part of a shape for objects of one type only."""

    __slots__ = ("children", "type_name")

    def __init__(self, type_name: str, children: Shape) -> None:
        self.type_name = type_name
        self.children = children


Shape: TypeAlias = "tuple[Goal | Branch | Narrow, ...]"
"""Selections laid out over places: the goals that satisfy them, in their nesting."""
