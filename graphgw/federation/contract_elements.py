"""The parts of schema definitions with their coordinates, for contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import EnumValueNode, ListValueNode, ObjectValueNode

from graphgw.federation.api_schema import named_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["arguments_of", "field_of", "find_hidden_default", "members_of", "owner_of"]


def members_of(name: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields, input fields or values of a type with their coordinates."""
    for attribute in ("fields", "values"):
        for member in getattr(node, attribute, None) or ():
            yield f"{name}.{member.name.value}", member


def arguments_of(coordinate: str, field: Any) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of a field with their coordinates."""
    for argument in getattr(field, "arguments", None) or ():
        yield f"{coordinate}({argument.name.value}:)", argument


def owner_of(coordinate: str) -> str:
    """Return the type that a coordinate is within."""
    return coordinate.partition(".")[0]


def field_of(coordinate: str) -> str:
    """Return the coordinate of the field that an argument belongs to."""
    return coordinate.partition("(")[0]


def find_hidden_default(
    value: Any, type_name: str, types: Mapping[str, Any], hidden: Collection[str]
) -> str | None:
    """Return the coordinate of something hidden that a default value names.

    Args:
        value: The value's node; ``None`` where there is no default.
        type_name: The type that it is of, without lists and non-nulls.
        types: The definitions of the schema.
        hidden: Coordinates of what is hidden.
    """
    if isinstance(value, EnumValueNode):
        coordinate = f"{type_name}.{value.value}"
        return coordinate if coordinate in hidden else None
    if isinstance(value, ListValueNode):
        inner = (find_hidden_default(v, type_name, types, hidden) for v in value.values)
        return next(filter(None, inner), None)
    if not isinstance(value, ObjectValueNode):
        return None
    members = dict(members_of(type_name, types[type_name]))
    for given in value.fields:
        coordinate = f"{type_name}.{given.name.value}"
        if coordinate in hidden:
            return coordinate
        member = members.get(coordinate)
        if member is not None:
            named = named_type(member.type)
            found = find_hidden_default(given.value, named, types, hidden)
            if found is not None:
                return found
    return None
