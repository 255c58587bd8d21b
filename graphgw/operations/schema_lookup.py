"""Small questions about a schema that graphql-core answers slowly or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    SchemaMetaFieldDef,
    TypeMetaFieldDef,
    TypeNameMetaFieldDef,
)

if TYPE_CHECKING:
    from graphql import GraphQLField, GraphQLNamedType, GraphQLSchema

__all__ = ["field_definition", "is_same_below", "possible_types"]

_ROOT_META: Final[dict[str, GraphQLField]] = {
    "__schema": SchemaMetaFieldDef,
    "__type": TypeMetaFieldDef,
}


def field_definition(
    schema: GraphQLSchema, parent: GraphQLNamedType | None, name: str
) -> GraphQLField | None:
    """Return the definition of a field, ``__typename`` and its kin included."""
    if name == "__typename":
        return TypeNameMetaFieldDef
    if name in _ROOT_META and parent is schema.query_type:
        return _ROOT_META[name]
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        found: GraphQLField | None = parent.fields.get(name)
        return found
    return None


def is_same_below(
    schema: GraphQLSchema, type_: GraphQLNamedType, sub: GraphQLNamedType
) -> bool:
    """Tell whether ``sub`` is a ``type_`` whose fields have the very same types."""
    if isinstance(type_, GraphQLUnionType):
        return isinstance(sub, GraphQLObjectType) and schema.is_sub_type(type_, sub)
    return (
        isinstance(type_, GraphQLInterfaceType)
        and isinstance(sub, GraphQLInterfaceType | GraphQLObjectType)
        and schema.is_sub_type(type_, sub)
        and all(
            str(field.type) == str(sub.fields[name].type)
            for name, field in type_.fields.items()
        )
    )


def possible_types(schema: GraphQLSchema, type_: GraphQLNamedType) -> frozenset[str]:
    """Return the names of the object types that a composite type can be."""
    if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
        return frozenset(found.name for found in schema.get_possible_types(type_))
    return frozenset((type_.name,))
