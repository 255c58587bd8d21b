"""One subgraph's schema as composition sees it: normalized and without machinery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import (
        ConstDirectiveNode,
        ConstValueNode,
        DirectiveDefinitionNode,
        StringValueNode,
    )

    from graphgw.composition.type_refs import TypeRef
    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import (
        AppliedDirective,
        ContextArgument,
        Key,
        TypeKind,
    )

__all__ = [
    "Element",
    "Override",
    "Subgraph",
    "SubgraphArgument",
    "SubgraphField",
    "SubgraphSDL",
    "SubgraphType",
]


@dataclass(frozen=True, slots=True)
class SubgraphSDL:
    """What composition is given for one subgraph."""

    name: str
    url: str
    sdl: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What every named part of a schema has.

    ``kept`` are directives that GraphQL itself knows (``@deprecated``), ``applied``
    those of federation and policies, by canonical name.
    """

    name: str
    description: StringValueNode | None = None
    kept: tuple[ConstDirectiveNode, ...] = ()
    applied: tuple[AppliedDirective, ...] = ()

    @property
    def is_inaccessible(self) -> bool:
        """Tell whether the element is hidden from clients."""
        return any(applied.name == "inaccessible" for applied in self.applied)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphArgument(Element):
    """An argument, or a field of an input type."""

    type: TypeRef
    default: ConstValueNode | None = None

    @property
    def is_mandatory(self) -> bool:
        """Tell whether a value must be given."""
        return self.type.is_required and self.default is None


@dataclass(frozen=True, slots=True)
class Override:
    """``@override``: the field is taken from the subgraph ``source``."""

    source: str
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphField(Element):
    """A field of an object or interface type."""

    type: TypeRef
    arguments: Mapping[str, SubgraphArgument]
    is_external: bool = False
    is_shareable: bool = False
    requires: Selections = ()
    provides: Selections = ()
    override: Override | None = None
    context_arguments: tuple[ContextArgument, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphType(Element):
    """A type with its extensions folded in.

    ``fields`` are those of objects and interfaces, ``inputs`` those of input types.
    An interface object has the kind ``interface``.
    """

    kind: TypeKind
    is_extension: bool = False
    is_interface_object: bool = False
    keys: tuple[Key, ...] = ()
    interfaces: tuple[str, ...] = ()
    fields: Mapping[str, SubgraphField] = field(default_factory=dict)
    inputs: Mapping[str, SubgraphArgument] = field(default_factory=dict)
    values: Mapping[str, Element] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A subgraph that is ready to be merged; ``id`` is its ``join__Graph`` value."""

    id: str
    name: str
    url: str
    is_federation_2: bool
    types: Mapping[str, SubgraphType]
    executable: Mapping[str, DirectiveDefinitionNode]
    """Definitions of the directives that operations may use."""
    composed: Mapping[str, DirectiveDefinitionNode]
    """Definitions of the directives named by ``@composeDirective``."""
    used: frozenset[tuple[str, str]] = frozenset()
    """Fields (type, field) that keys, requirements, provisions or contexts name."""
    key_fields: frozenset[tuple[str, str]] = frozenset()
    """Fields (type, field) that keys name."""
    provided: frozenset[tuple[str, str]] = frozenset()
    """Fields (type, field) that ``@provides`` names."""
