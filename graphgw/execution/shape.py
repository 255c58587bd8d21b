"""The shape of a client's answer: what must stand where, for every runtime type.

A shape is built once per operation. It knows the API schema's types, the order of
the client's fields, which of them were refused, and nothing of subgraphs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    is_abstract_type,
)

from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from graphql import GraphQLOutputType

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath

__all__ = [
    "INTERNAL_PREFIX",
    "TYPENAME_KEY",
    "CompositeShape",
    "FieldShape",
    "LeafKind",
    "LeafShape",
    "ListShape",
    "ObjectShape",
    "ResponsePath",
    "ValueShape",
    "build_shape",
    "find_type",
    "holds_objects",
]

INTERNAL_PREFIX: Final = "__gw_"
"""Response keys that start so are the gateway's own; clients never see them."""

TYPENAME_KEY: Final = "__typename"

ResponsePath: TypeAlias = tuple[str, ...]
LeafKind: TypeAlias = Literal["Int", "Float", "String", "Boolean", "ID", "enum", "any"]

_BUILT_IN: Final[dict[str, LeafKind]] = {
    "Int": "Int",
    "Float": "Float",
    "String": "String",
    "Boolean": "Boolean",
    "ID": "ID",
}


@dataclass(frozen=True, slots=True, eq=False)
class LeafShape:
    """A scalar or enum; ``values`` are the enum's public values."""

    type_name: str
    kind: LeafKind
    values: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class ListShape:
    """A list of equal items."""

    item: ValueShape


@dataclass(frozen=True, slots=True, eq=False)
class CompositeShape:
    """An object, by its runtime type.

    A concrete type has one object shape and needs no ``__typename`` in the tree.
    ``hidden`` are runtime types that clients may not see. ``unnamed`` is the shape
    of objects that do not name their type: a subgraph that has an interface as an
    object does not know it, and is not asked for it where nothing depends on it.
    """

    type_name: str
    is_abstract: bool
    objects: dict[str, ObjectShape]
    hidden: frozenset[str] = frozenset()
    unnamed: ObjectShape | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ValueShape:
    """A value that may be null or not."""

    kind: LeafShape | ListShape | CompositeShape
    is_non_null: bool


@dataclass(frozen=True, slots=True, eq=False)
class FieldShape:
    """One field of the answer.

    ``value`` is ``None`` for ``__typename``. An ``is_late`` field comes from an
    entity fetch, so that it may well be missing in the tree.
    """

    key: str
    name: str
    value: ValueShape | None
    is_refused: bool = False
    is_late: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ObjectShape:
    """The client's fields on objects of one runtime type, in the client's order.

    ``is_named`` where the objects stand under an abstract type, so that each names
    its type in the tree.
    """

    type_name: str
    fields: tuple[FieldShape, ...]
    is_named: bool = False

    @property
    def is_flat(self) -> bool:
        """Tell whether no field holds objects."""
        return not any(
            found.value is not None and holds_objects(found.value)
            for found in self.fields
        )


def holds_objects(value: ValueShape) -> bool:
    """Tell whether a value is an object, or a list that holds some."""
    if isinstance(value.kind, ListShape):
        return holds_objects(value.kind.item)
    return isinstance(value.kind, CompositeShape)


def find_type(shape: ObjectShape, path: ResponsePath) -> str | None:
    """Return the type of all objects at a path, ``None`` if there may be several."""
    found: ObjectShape | None = shape
    for key in path:
        values = (f.value for f in found.fields if f.key == key) if found else ()
        kind = next((value.kind for value in values if value is not None), None)
        while isinstance(kind, ListShape):
            kind = kind.item.kind
        if not isinstance(kind, CompositeShape) or kind.is_abstract:
            return None
        (found,) = kind.objects.values()
    return found.type_name if found else None


def build_shape(
    operation: Operation,
    supergraph: Supergraph,
    *,
    refused: Collection[SelectionPath] = (),
    late: Collection[ResponsePath] = (),
) -> ObjectShape:
    """Return the shape of an operation's data, introspection left out.

    Args:
        operation: The normalized operation as the client sent it.
        supergraph: Gives the API schema, and what is hidden in it.
        refused: Selections that come out null.
        late: Response paths, without indexes, of fields from entity fetches.
    """
    builder = _ShapeBuilder(supergraph, frozenset(late))
    nodes = _nodes(operation.selections, (), (), frozenset(refused))
    return builder.object(supergraph.root_types[operation.kind], nodes)


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A selection at its place: ``condition`` is set for a fragment alone."""

    path: ResponsePath
    field: Field | None
    condition: str | None
    is_refused: bool
    children: tuple[_Node, ...]


@dataclass(slots=True)
class _Group:
    """Fields of one response key on one type."""

    first: Field
    path: ResponsePath
    is_refused: bool = True
    children: list[_Node] = field(default_factory=list)


def _nodes(
    selections: Selections,
    path: ResponsePath,
    place: SelectionPath,
    refused: frozenset[SelectionPath],
) -> tuple[_Node, ...]:
    nodes = []
    for index, selection in enumerate(selections):
        here = (*place, index)
        if isinstance(selection, Field):
            key = selection.response_key
            if key.startswith(INTERNAL_PREFIX):
                continue
            inner = (*path, key)
            children = _nodes(selection.selections, inner, here, refused)
            nodes.append(_Node(inner, selection, None, here in refused, children))
        else:
            children = _nodes(selection.selections, path, here, refused)
            condition = selection.type_condition
            node = _Node(path, None, condition, is_refused=False, children=children)
            nodes.append(node)
    return tuple(nodes)


class _ShapeBuilder:
    """Builds each (type, selections) pair once."""

    def __init__(self, supergraph: Supergraph, late: frozenset[ResponsePath]) -> None:
        self._schema = supergraph.api_schema
        self._full = supergraph.schema
        self._late = late
        self._interface_objects = {
            name
            for name, definition in supergraph.types.items()
            if any(there.is_interface_object for there in definition.graphs.values())
        }
        self._objects: dict[tuple[str, bool, tuple[int, ...]], ObjectShape] = {}
        self._values: dict[tuple[str, tuple[int, ...]], ValueShape] = {}
        self._leaves: dict[str, LeafShape] = {}

    def object(
        self, type_name: str, nodes: Sequence[_Node], *, is_named: bool = False
    ) -> ObjectShape:
        key = (type_name, is_named, tuple(id(node) for node in nodes))
        found = self._objects.get(key)
        if found is None:
            groups: dict[str, _Group] = {}
            self._collect(type_name, nodes, groups)
            fields = tuple(
                self._field(type_name, key, group) for key, group in groups.items()
            )
            found = self._objects[key] = ObjectShape(type_name, fields, is_named)
        return found

    def _collect(
        self, type_name: str, nodes: Iterable[_Node], groups: dict[str, _Group]
    ) -> None:
        for node in nodes:
            if node.field is None:
                if self._applies(node.condition or "", type_name):
                    self._collect(type_name, node.children, groups)
                continue
            group = groups.get(node.path[-1])
            if group is None:
                group = groups[node.path[-1]] = _Group(node.field, node.path)
            if not node.is_refused:
                group.is_refused = False
                group.children.extend(node.children)

    def _applies(self, condition: str, type_name: str) -> bool:
        if condition == type_name:
            return True
        abstract = self._schema.type_map.get(condition)
        member = self._schema.type_map.get(type_name)
        return (
            is_abstract_type(abstract)
            and isinstance(member, GraphQLObjectType)
            and self._schema.is_sub_type(abstract, member)
        )

    def _field(self, type_name: str, key: str, group: _Group) -> FieldShape:
        name = group.first.name
        if name == TYPENAME_KEY:
            return FieldShape(key, name, None, is_refused=group.is_refused)
        parent = self._schema.type_map[type_name]
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            raise TypeError(f"{type_name} has no fields in the API schema")
        return FieldShape(
            key,
            name,
            self._value(parent.fields[name].type, group.children),
            is_refused=group.is_refused,
            is_late=group.path in self._late,
        )

    def _value(self, type_: GraphQLOutputType, nodes: Sequence[_Node]) -> ValueShape:
        key = (str(type_), tuple(id(node) for node in nodes))
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = self._new_value(type_, nodes)
        return found

    def _new_value(
        self, type_: GraphQLOutputType, nodes: Sequence[_Node]
    ) -> ValueShape:
        is_non_null = isinstance(type_, GraphQLNonNull)
        bare = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(bare, GraphQLList):
            return ValueShape(ListShape(self._value(bare.of_type, nodes)), is_non_null)
        if isinstance(bare, GraphQLObjectType):
            objects = {bare.name: self.object(bare.name, nodes)}
            composite = CompositeShape(bare.name, is_abstract=False, objects=objects)
            return ValueShape(composite, is_non_null)
        if is_abstract_type(bare):
            return ValueShape(self._abstract(bare, nodes), is_non_null)
        return ValueShape(self._leaf(bare), is_non_null)

    def _abstract(
        self, type_: GraphQLNamedType, nodes: Sequence[_Node]
    ) -> CompositeShape:
        public = self._possible(type_.name)
        objects = {
            name: self.object(name, nodes, is_named=True) for name in sorted(public)
        }
        hidden = self._possible(type_.name, is_full=True) - public
        return CompositeShape(
            type_.name,
            is_abstract=True,
            objects=objects,
            hidden=frozenset(hidden),
            unnamed=self._unnamed(type_.name, nodes),
        )

    def _unnamed(self, type_name: str, nodes: Sequence[_Node]) -> ObjectShape | None:
        if type_name not in self._interface_objects:
            return None
        if any(node.field is None or node.field.name == TYPENAME_KEY for node in nodes):
            return None
        return self.object(type_name, nodes)

    def _possible(self, type_name: str, *, is_full: bool = False) -> set[str]:
        schema = self._full if is_full else self._schema
        type_ = schema.type_map.get(type_name)
        if not is_abstract_type(type_):
            return set()
        return {member.name for member in schema.get_possible_types(type_)}

    def _leaf(self, type_: GraphQLNamedType) -> LeafShape:
        name = type_.name
        found = self._leaves.get(name)
        if found is None:
            found = self._leaves[name] = self._new_leaf(type_)
        return found

    def _new_leaf(self, type_: GraphQLNamedType) -> LeafShape:
        if not isinstance(type_, GraphQLEnumType):
            return LeafShape(type_.name, _BUILT_IN.get(type_.name, "any"))
        full = self._full.type_map.get(type_.name)
        every = set(full.values) if isinstance(full, GraphQLEnumType) else set()
        values = frozenset(type_.values)
        return LeafShape(type_.name, "enum", values, frozenset(every - values))
