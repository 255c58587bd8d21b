"""Arguments of a field: canonical text, parsed once, to Python values for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    VariableNode,
    coerce_input_value,
    get_nullable_type,
    is_non_null_type,
    parse_value,
    value_from_ast_untyped,
)

from graphgw.errors import ResolverError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphql import GraphQLArgument, ValueNode

    from graphgw.federation.selection import Argument
    from graphgw.types import JSON, JSONObject

__all__ = ["NO_ARGUMENTS", "ArgumentConverter", "ArgumentProgram", "compile_arguments"]

_PYTHON_TYPES: Final[Mapping[object, type]] = {
    GraphQLString: str,
    GraphQLID: str,
    GraphQLInt: int,
    GraphQLBoolean: bool,
}
"""What a coerced value of a built-in type is, and its Python value, too."""


class ArgumentConverter(Protocol):
    """Makes keyword arguments of coerced GraphQL arguments."""

    @property
    def names(self) -> Mapping[str, str]:
        """Names of parameters by those of arguments."""
        ...

    @property
    def required(self) -> Sequence[str]:
        """Parameters without default; ``None`` where the client gave nothing."""
        ...

    def __call__(self, coerced: dict[str, Any]) -> dict[str, Any]:
        """Return keyword arguments."""
        ...


@dataclass(frozen=True, slots=True)
class _QuickArgument:
    """A variable of a built-in type, which needs no conversion."""

    parameter: str
    variable: str
    python_type: type
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class ArgumentProgram:
    """The arguments of one field; ``convert`` makes Python values of coerced ones."""

    nodes: tuple[tuple[str, GraphQLArgument, ValueNode], ...] = ()
    convert: ArgumentConverter | None = None
    fixed: Mapping[str, Any] | None = None
    """The values where no variable is used."""
    quick: tuple[_QuickArgument, ...] = ()
    """All arguments, where each is a variable of a built-in type."""

    def evaluate(self, variables: JSONObject) -> dict[str, Any]:
        """Return keyword arguments; those left out are not in it.

        Raises:
            ResolverError: A value does not fit the argument's type.
        """
        if self.fixed is not None:
            return dict(self.fixed)
        if self.quick:
            values = self._evaluate_quickly(variables)
            if values is not None:
                return values
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

    def _evaluate_quickly(self, variables: JSONObject) -> dict[str, Any] | None:
        """Return keyword arguments, ``None`` where one is not of its plain type."""
        values: dict[str, Any] = {}
        for argument in self.quick:
            value = variables.get(argument.variable, Undefined)
            if type(value) is argument.python_type or (
                value is None and argument.is_nullable
            ):
                values[argument.parameter] = value
            elif value is not Undefined:
                return None
        for name in self.convert.required if self.convert is not None else ():
            values.setdefault(name, None)
        return values


NO_ARGUMENTS: Final = ArgumentProgram(fixed={})


def compile_arguments(
    given: tuple[Argument, ...],
    declared: Mapping[str, GraphQLArgument],
    convert: ArgumentConverter | None = None,
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
    program = ArgumentProgram(nodes, convert, quick=_quick(nodes, convert))
    if any(argument.variables for argument in given) or not (nodes or convert):
        return program if nodes else NO_ARGUMENTS
    try:
        return ArgumentProgram(nodes, convert, program.evaluate({}))
    except ResolverError:
        return program


def _quick(
    nodes: Iterable[tuple[str, GraphQLArgument, ValueNode]],
    convert: ArgumentConverter | None,
) -> tuple[_QuickArgument, ...]:
    found = []
    for name, argument, node in nodes:
        python_type = _PYTHON_TYPES.get(get_nullable_type(argument.type))
        if convert is None or python_type is None or not isinstance(node, VariableNode):
            return ()
        nullable = not is_non_null_type(argument.type)
        parameter = convert.names[name]
        found.append(_QuickArgument(parameter, node.name.value, python_type, nullable))
    return tuple(found)


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
