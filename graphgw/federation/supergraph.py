"""The supergraph model: which type and field lives in which subgraph, and how.

The reader resolves every dialect into this one form: a field's ``graphs`` names
each subgraph that has it, also where the SDL left that implicit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLSchema

    from graphgw.federation.selection import Selections
    from graphgw.types import JSON

__all__ = [
    "AppliedDirective",
    "ContextArgument",
    "FieldDefinition",
    "FieldInGraph",
    "Graph",
    "Key",
    "OperationKind",
    "Supergraph",
    "TypeDefinition",
    "TypeInGraph",
    "TypeKind",
]

OperationKind: TypeAlias = Literal["query", "mutation", "subscription"]
TypeKind: TypeAlias = Literal["object", "interface", "union", "enum", "input", "scalar"]


@dataclass(frozen=True, slots=True)
class Graph:
    """One subgraph: ``id`` is its ``join__Graph`` value, ``name`` its own name."""

    id: str
    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """The fields that identify an entity in one subgraph.

    ``is_resolvable`` is false where the subgraph has the fields but no reference
    resolver: it can be left by this key, never entered.
    """

    fields: Selections
    text: str
    is_resolvable: bool = True


@dataclass(frozen=True, slots=True)
class TypeInGraph:
    """What one subgraph says of a type."""

    keys: tuple[Key, ...] = ()
    is_interface_object: bool = False
    is_extension: bool = False


@dataclass(frozen=True, slots=True)
class ContextArgument:
    """An argument that is filled from an ancestor (``@fromContext``)."""

    name: str
    type: str
    context: str
    selection: str


@dataclass(frozen=True, slots=True)
class FieldInGraph:
    """What one subgraph says of a field.

    ``type`` is the field's type there when it differs from the supergraph's.
    ``override_label`` is set where the field is given up to (or taken from)
    another subgraph only while that label is active.
    """

    type: str | None = None
    is_external: bool = False
    requires: Selections = ()
    provides: Selections = ()
    override: str | None = None
    override_label: str | None = None
    is_overridden: bool = False
    context_arguments: tuple[ContextArgument, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A field of an object, interface or input type; ``type`` is text: ``[User!]!``.

    A field whose ``graphs`` is empty is inherited from an interface object.
    """

    name: str
    type: str
    named_type: str
    graphs: Mapping[str, FieldInGraph]
    is_inaccessible: bool = False


@dataclass(frozen=True, slots=True)
class TypeDefinition:
    """A type of the supergraph, hidden ones included."""

    name: str
    kind: TypeKind
    graphs: Mapping[str, TypeInGraph]
    fields: Mapping[str, FieldDefinition] = field(default_factory=dict)
    is_inaccessible: bool = False
    contexts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the contexts set here (``@context``), by subgraph id."""
    interfaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The interfaces that the type implements, by subgraph id."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The subgraphs that know each value of an enum."""

    @property
    def is_composite(self) -> bool:
        """Tell whether objects of this type have selections."""
        return self.kind in {"object", "interface", "union"}

    @property
    def is_abstract(self) -> bool:
        """Tell whether the runtime type may be another one."""
        return self.kind in {"interface", "union"}


@dataclass(frozen=True, slots=True)
class AppliedDirective:
    """A policy directive on a coordinate; ``name`` is canonical, without a prefix."""

    name: str
    arguments: Mapping[str, JSON]
    graph: str | None = None


@dataclass(frozen=True, slots=True)
class Supergraph:
    """The composed whole, with the record of which subgraph can resolve what."""

    graphs: Mapping[str, Graph]
    types: Mapping[str, TypeDefinition]
    root_types: Mapping[OperationKind, str]
    schema: GraphQLSchema = field(repr=False)
    """Everything, hidden elements included, without the join machinery."""
    api_schema: GraphQLSchema = field(repr=False)
    """What clients see."""
    possible: Mapping[str, Mapping[str, tuple[str, ...]]] = field(repr=False)
    """Runtime types of an abstract type (or the object type itself) in a subgraph."""
    rules: Mapping[str, tuple[AppliedDirective, ...]] = field(repr=False)
    """Policy directives by coordinate: ``Type`` or ``Type.field``."""
    sdl: str = field(repr=False)
    hash: str = ""
    directives: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Definitions of the composed directives that the gateway gives no meaning."""

    def possible_types(
        self, type_name: str, graph: str | None = None
    ) -> tuple[str, ...]:
        """Return the runtime types that ``type_name`` can have, sorted by name.

        With ``graph``, only those that this subgraph knows of.
        """
        in_graphs = self.possible.get(type_name, {})
        if graph is not None:
            return in_graphs.get(graph, ())
        return tuple(sorted({name for names in in_graphs.values() for name in names}))

    def field_of(self, type_name: str, field_name: str) -> FieldDefinition | None:
        """Return a field's definition, ``None`` where there is no such field."""
        definition = self.types.get(type_name)
        return None if definition is None else definition.fields.get(field_name)
