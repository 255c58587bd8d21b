"""Literals of a document as JSON, and values as canonical text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    VariableNode,
    print_ast,
)

from graphgw.errors import InvalidDocumentError, Location

if TYPE_CHECKING:
    from graphql import ValueNode

    from graphgw.types import JSON

__all__ = ["has_variables", "literal_to_json", "print_value"]

_MAX_DIGITS: Final = 400
"""Longer integers are no float any more, and slow to read."""


def literal_to_json(node: ValueNode) -> JSON:
    """Return a literal without variables as the JSON that would mean the same.

    Raises:
        InvalidDocumentError: A number is beyond what a double can hold.
    """
    match node:
        case IntValueNode():
            if len(node.value) > _MAX_DIGITS:
                raise _out_of_range(node)
            return int(node.value)
        case FloatValueNode():
            number = float(node.value)
            if not math.isfinite(number):
                raise _out_of_range(node)
            return number
        case NullValueNode():
            return None
        case ListValueNode():
            return [literal_to_json(item) for item in node.values]
        case ObjectValueNode():
            return {
                field.name.value: literal_to_json(field.value) for field in node.fields
            }
        case StringValueNode() | BooleanValueNode() | EnumValueNode():
            return node.value
    raise TypeError(f"{node.kind} is not a literal")


def has_variables(node: ValueNode) -> bool:
    """Tell whether a variable stands anywhere in a value."""
    if isinstance(node, ListValueNode):
        return any(has_variables(item) for item in node.values)
    if isinstance(node, ObjectValueNode):
        return any(has_variables(field.value) for field in node.fields)
    return isinstance(node, VariableNode)


def print_value(node: ValueNode) -> str:
    """Print a value on one line; strings never as block strings."""
    if isinstance(node, ListValueNode):
        return f"[{', '.join(print_value(item) for item in node.values)}]"
    if isinstance(node, ObjectValueNode):
        fields = (
            f"{field.name.value}: {print_value(field.value)}" for field in node.fields
        )
        return f"{{{', '.join(fields)}}}"
    if isinstance(node, StringValueNode):
        return print_ast(StringValueNode(value=node.value, block=False))
    return print_ast(node)


def _out_of_range(node: ValueNode) -> InvalidDocumentError:
    places: tuple[Location, ...] = ()
    if node.loc is not None:
        start = node.loc.start_token
        places = (Location(start.line, start.column),)
    return InvalidDocumentError([("A number literal is out of range.", places)])
