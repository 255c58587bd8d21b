"""Arguments of a field: canonical text, parsed once, to Python values for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    VariableNode,
    coerce_input_value,
    parse_value,
    value_from_ast_untyped,
)

from graphgw.errors import ResolverError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphql import GraphQLArgument, ValueNode

    from graphgw.federation.selection import Argument
    from graphgw.types import JSON, JSONObject

__all__ = ["NO_ARGUMENTS", "ArgumentProgram", "compile_arguments"]


@dataclass(frozen=True, slots=True)
class ArgumentProgram:
    """The arguments of one field; ``convert`` makes Python values of coerced ones."""

    nodes: tuple[tuple[str, GraphQLArgument, ValueNode], ...] = ()
    convert: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    fixed: Mapping[str, Any] | None = None
    """The values where no variable is used."""

    def evaluate(self, variables: JSONObject) -> dict[str, Any]:
        """Return keyword arguments; those left out are not in it.

        Raises:
            ResolverError: A value does not fit the argument's type.
        """
        if self.fixed is not None:
            return dict(self.fixed)
        coerced: dict[str, Any] = {}
        for name, argument, node in self.nodes:
            value = _json_of(node, variables)
            if value is Undefined:
                continue
            fitting = coerce_input_value(value, argument.type)
            if fitting is Undefined:
                raise ResolverError(
                    f"Argument '{name}' has a value that does not fit its type "
                    f"'{argument.type}'.",
                    code="BAD_USER_INPUT",
                )
            coerced[argument.out_name or name] = fitting
        return coerced if self.convert is None else self.convert(coerced)


NO_ARGUMENTS: Final = ArgumentProgram(fixed={})


def compile_arguments(
    given: tuple[Argument, ...],
    declared: Mapping[str, GraphQLArgument],
    convert: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> ArgumentProgram:
    """Parse arguments once; without variables evaluate them, too.

    Args:
        given: The selection's arguments.
        declared: The field's arguments in the subgraph's own schema.
        convert: From coerced values by GraphQL name to keyword arguments.
    """
    nodes = tuple(
        (argument.name, declared[argument.name], parse_value(argument.value))
        for argument in given
    )
    program = ArgumentProgram(nodes, convert)
    if any(argument.variables for argument in given) or not (nodes or convert):
        return program if nodes else NO_ARGUMENTS
    try:
        return ArgumentProgram(nodes, convert, program.evaluate({}))
    except ResolverError:
        return program


def _json_of(node: ValueNode, variables: JSONObject) -> JSON:
    """Return a value as JSON input; ``Undefined`` for a variable that was left out."""
    match node:
        case VariableNode():
            return variables.get(node.name.value, Undefined)
        case NullValueNode():
            return None
        case ListValueNode():
            items = (_json_of(item, variables) for item in node.values)
            return [None if item is Undefined else item for item in items]
        case ObjectValueNode():
            fields = ((f.name.value, _json_of(f.value, variables)) for f in node.fields)
            return {name: value for name, value in fields if value is not Undefined}
        case _:
            return value_from_ast_untyped(node)
