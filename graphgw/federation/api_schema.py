"""Supergraph definitions to graphql-core schemas: the whole one and the clients'."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from graphql import (
    DirectiveDefinitionNode,
    DirectiveLocation,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    SchemaDefinitionNode,
    UnionTypeDefinitionNode,
    build_ast_schema,
    specified_scalar_types,
    validate_schema,
)

from graphgw.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from graphql import ConstDirectiveNode, GraphQLSchema, TypeDefinitionNode

__all__ = [
    "EXECUTABLE_LOCATIONS",
    "KEPT_DIRECTIVES",
    "TYPE_SYSTEM_LOCATIONS",
    "build_schema_of",
    "dangling_references",
    "named_type",
    "problems_of_schema",
    "without_elements",
    "without_hidden",
]

KEPT_DIRECTIVES: Final = frozenset({"deprecated", "specifiedBy", "oneOf"})
"""Directives whose applications GraphQL itself gives a meaning."""

EXECUTABLE_LOCATIONS: Final = frozenset(
    {
        DirectiveLocation.QUERY.name,
        DirectiveLocation.MUTATION.name,
        DirectiveLocation.SUBSCRIPTION.name,
        DirectiveLocation.FIELD.name,
        DirectiveLocation.FRAGMENT_DEFINITION.name,
        DirectiveLocation.FRAGMENT_SPREAD.name,
        DirectiveLocation.INLINE_FRAGMENT.name,
        DirectiveLocation.VARIABLE_DEFINITION.name,
    }
)
"""Where a directive stands that operations use."""

TYPE_SYSTEM_LOCATIONS: Final = (
    frozenset(location.name for location in DirectiveLocation) - EXECUTABLE_LOCATIONS
)
"""Where a directive stands that schemas use."""

Node: TypeAlias = Any
"""A definition node; which attributes it has depends on its kind."""


def build_schema_of(
    types: Iterable[TypeDefinitionNode],
    directives: Iterable[DirectiveDefinitionNode],
    schema: SchemaDefinitionNode,
) -> GraphQLSchema:
    """Build a schema from definitions, without the applied directives.

    Only ``@deprecated``, ``@specifiedBy`` and ``@oneOf`` stay; directives that no
    operation can use are left out.
    """
    types = tuple(types)
    names = {node.name.value for node in types}
    executable = [
        replace(node, locations=locations)
        for node in directives
        if (
            locations := tuple(
                x for x in node.locations if x.value in EXECUTABLE_LOCATIONS
            )
        )
        and all(_is_known(x.type, names) for x in node.arguments or ())
    ]
    roots = tuple(r for r in schema.operation_types if r.type.name.value in names)
    document = DocumentNode(
        definitions=(
            replace(schema, directives=(), operation_types=roots),
            *(_each(node, _without_directives) for node in types),
            *(_each(node, _without_directives) for node in executable),
        )
    )
    return build_ast_schema(document, assume_valid_sdl=True)


def without_hidden(
    types: Sequence[TypeDefinitionNode],
    is_hidden: Callable[[Sequence[ConstDirectiveNode]], bool],
) -> list[TypeDefinitionNode]:
    """Return the definitions without those elements that ``is_hidden`` names.

    Hidden types vanish from unions and from ``implements``; what else refers to
    them is for the validation of the result to report.
    """
    hidden = {n.name.value for n in types if is_hidden(n.directives or ())}

    def visible(node: Node) -> Node | None:
        return None if is_hidden(node.directives or ()) else node

    return [
        _without_names(_each(node, visible), hidden)
        for node in types
        if node.name.value not in hidden
    ]


def without_elements(
    types: Sequence[TypeDefinitionNode], hidden: Collection[str]
) -> list[TypeDefinitionNode]:
    """Return the definitions without the elements that stand at these coordinates."""

    def visible(node: Node) -> Node:
        name = node.name.value

        def keep(member: Node) -> Node | None:
            coordinate = f"{name}.{member.name.value}"
            if coordinate in hidden:
                return None
            if not isinstance(member, FieldDefinitionNode):
                return member
            kept = (
                argument
                for argument in member.arguments or ()
                if f"{coordinate}({argument.name.value}:)" not in hidden
            )
            return replace(member, arguments=tuple(kept))

        for part in ("fields", "values"):
            members = getattr(node, part, None)
            if members:
                kept = (found for found in map(keep, members) if found is not None)
                node = replace(node, **{part: tuple(kept)})
        return node

    return [
        _without_names(visible(node), hidden)
        for node in types
        if node.name.value not in hidden
    ]


def dangling_references(
    types: Sequence[TypeDefinitionNode], visible: Sequence[TypeDefinitionNode]
) -> Iterator[Problem]:
    """Report elements that refer to types which are not defined, or are hidden."""
    defined = {node.name.value for node in types}
    for node in types:
        for coordinate, name in _references(node):
            if not _is_known_name(name, defined):
                yield Problem(f'the type "{name}" is not defined', coordinate)
                defined.add(name)
    shown = {node.name.value for node in visible}
    for node in visible:
        for coordinate, name in _references(node):
            if name in defined and not _is_known_name(name, shown):
                yield Problem(
                    f'the type "{name}" is @inaccessible, and what refers to it is not',
                    coordinate,
                    "Mark it @inaccessible too.",
                )


def problems_of_schema(schema: GraphQLSchema) -> list[Problem]:
    """Return what graphql-core finds wrong with a schema."""
    return [Problem(error.message) for error in validate_schema(schema)]


def named_type(node: Node) -> str:
    """Return the name inside a type reference, without lists and non-nulls."""
    while not hasattr(node, "name"):
        node = node.type
    return str(node.name.value)


def _references(node: Node) -> Iterator[tuple[str, str]]:
    """Yield the coordinate and the name of each type that a definition refers to."""
    type_name = node.name.value
    for member in getattr(node, "fields", None) or ():
        coordinate = f"{type_name}.{member.name.value}"
        yield coordinate, named_type(member.type)
        for argument in getattr(member, "arguments", None) or ():
            yield f"{coordinate}({argument.name.value}:)", named_type(argument.type)
    for attribute in ("interfaces", "types"):
        for reference in getattr(node, attribute, None) or ():
            yield type_name, reference.name.value


def _is_known(node: Node, names: set[str]) -> bool:
    return _is_known_name(named_type(node), names)


def _is_known_name(name: str, names: set[str]) -> bool:
    return name in names or name in specified_scalar_types


def _without_directives(node: Node) -> Node:
    kept = tuple(d for d in node.directives or () if d.name.value in KEPT_DIRECTIVES)
    return replace(node, directives=kept)


def _each(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """Apply ``change`` to a definition and all it holds; ``None`` drops a part."""
    return change(_with_parts(node, change))


def _with_parts(node: Node, change: Callable[[Node], Node | None]) -> Node:
    if isinstance(node, DirectiveDefinitionNode | FieldDefinitionNode):
        return replace(node, arguments=_changed(node.arguments, change))
    if isinstance(node, EnumTypeDefinitionNode):
        return replace(node, values=_changed(node.values, change))
    if isinstance(node, InputObjectTypeDefinitionNode):
        return replace(node, fields=_changed(node.fields, change))
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        return replace(node, fields=_changed(node.fields, change))
    return node


def _changed(
    nodes: Iterable[Node] | None, change: Callable[[Node], Node | None]
) -> tuple[Node, ...]:
    changed = []
    for node in nodes or ():
        is_leaf = isinstance(node, InputValueDefinitionNode | EnumValueDefinitionNode)
        new = change(node) if is_leaf else _each(node, change)
        if new is not None:
            changed.append(new)
    return tuple(changed)


def _without_names(node: Node, hidden: Collection[str]) -> Node:
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        kept = (n for n in node.interfaces or () if n.name.value not in hidden)
        return replace(node, interfaces=tuple(kept))
    if isinstance(node, UnionTypeDefinitionNode):
        kept = (n for n in node.types or () if n.name.value not in hidden)
        return replace(node, types=tuple(kept))
    return node
