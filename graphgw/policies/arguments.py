"""The arguments of a selection as JSON, for rules that depend on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import Undefined, ValueNode, parse_value, value_from_ast_untyped

if TYPE_CHECKING:
    from graphql import GraphQLArgument, GraphQLField

    from graphgw.federation.selection import Field
    from graphgw.types import JSON, JSONObject

__all__ = ["ArgumentReader", "argument_readers", "read_arguments"]


@dataclass(frozen=True, slots=True)
class ArgumentReader:
    """One argument: a variable or a value that may hold some, and its default."""

    name: str
    variable: str | None
    node: ValueNode | None
    default: JSON


def argument_readers(
    field: Field, definition: GraphQLField | None
) -> tuple[ArgumentReader, ...]:
    """Prepare the arguments of a field, those that are left out included."""
    given = {argument.name: argument.value for argument in field.arguments}
    defaults = (
        {name: _default(found) for name, found in definition.args.items()}
        if definition
        else {}
    )
    return tuple(
        _reader(name, given.get(name), defaults.get(name, Undefined))
        for name in dict.fromkeys((*given, *defaults))
    )


def read_arguments(
    readers: tuple[ArgumentReader, ...], variables: JSONObject
) -> JSONObject:
    """Return the arguments of one run; absent ones are left out."""
    values: JSONObject = {}
    for reader in readers:
        value = reader.default
        if reader.variable is not None:
            value = variables.get(reader.variable, value)
        elif reader.node is not None:
            value = value_from_ast_untyped(reader.node, variables)
        if value is not Undefined:
            values[reader.name] = value
    return values


def _default(argument: GraphQLArgument) -> JSON:
    given = argument.default
    if given is None:
        return argument.default_value
    if given.literal is not None:
        return value_from_ast_untyped(given.literal)
    return given.value


def _reader(name: str, text: str | None, default: JSON) -> ArgumentReader:
    if text is None:
        return ArgumentReader(name, None, None, default)
    if text.startswith("$"):
        return ArgumentReader(name, text[1:], None, default)
    return ArgumentReader(name, None, parse_value(text, no_location=True), default)
