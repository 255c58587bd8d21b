"""Field sets (``@key``, ``@requires``, ``@provides``): text to selections and back."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from graphql import (
    ConstListValueNode,
    ConstObjectValueNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    VariableNode,
    parse,
    print_ast,
)

from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.selection import Argument, Field, Fragment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphql import SelectionSetNode, ValueNode

    from graphgw.federation.selection import Selection, Selections

__all__ = ["canonical_value", "parse_field_set", "print_field_set"]


def parse_field_set(text: str, where: str | None = None) -> Selections:
    """Parse a field set such as ``id org { id }`` into merged selections.

    Nested fields, literal arguments and inline fragments are allowed; aliases,
    variables, directives and fragment spreads are not. Outer braces are optional.

    Args:
        text: The field set as written in the SDL.
        where: Coordinate of the directive that holds it, for messages.

    Raises:
        ConfigurationError: The text is not a field set.
    """
    try:
        return _parse(text)
    except _FieldSetError as error:
        message = f'"{text}" is not a field set: {error}'
        raise ConfigurationError([Problem(message, where)]) from error


def print_field_set(selections: Iterable[Selection]) -> str:
    """Print selections on one line, the way a directive's argument holds them."""
    return " ".join(_print(selection) for selection in selections)


def canonical_value(node: ValueNode) -> str:
    """Print an argument's value in the compact form that selections hold."""
    if isinstance(node, ObjectValueNode | ConstObjectValueNode):
        fields = (f"{f.name.value}: {canonical_value(f.value)}" for f in node.fields)
        return "{" + ", ".join(fields) + "}"
    if isinstance(node, ListValueNode | ConstListValueNode):
        return "[" + ", ".join(map(canonical_value, node.values)) + "]"
    return print_ast(node)


class _FieldSetError(Exception):
    """Why a text is not a field set."""


@lru_cache(maxsize=4096)
def _parse(text: str) -> Selections:
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        inner = "{" + inner + "}"
    try:
        document = parse(inner, no_location=True)
    except GraphQLSyntaxError as error:
        raise _FieldSetError(error.message) from error
    definition = document.definitions[0]
    if len(document.definitions) != 1 or not isinstance(
        definition, OperationDefinitionNode
    ):
        raise _FieldSetError("it must be one list of fields")
    return _merge(_selections(definition.selection_set))


def _selections(node: SelectionSetNode | None) -> Iterable[Selection]:
    if node is not None and not node.selections:
        raise _FieldSetError("it names no field")
    for selection in node.selections if node else ():
        if selection.directives:
            raise _FieldSetError("directives are not allowed in it")
        if isinstance(selection, FragmentSpreadNode):
            raise _FieldSetError("fragments must be inline")
        if isinstance(selection, FieldNode):
            yield _field(selection)
        elif isinstance(selection, InlineFragmentNode):
            inner = _selections(selection.selection_set)
            if selection.type_condition is None:
                yield from inner
            else:
                yield Fragment(selection.type_condition.name.value, _merge(inner))


def _field(node: FieldNode) -> Field:
    if node.alias:
        raise _FieldSetError(f'the alias "{node.alias.value}" is not allowed')
    arguments = []
    for argument in node.arguments or ():
        if _has_variable(argument.value):
            raise _FieldSetError("variables are not allowed in it")
        value = canonical_value(argument.value)
        arguments.append(Argument(argument.name.value, value))
    return Field(
        node.name.value,
        arguments=tuple(arguments),
        selections=_merge(_selections(node.selection_set)),
    )


def _has_variable(node: ValueNode) -> bool:
    if isinstance(node, ListValueNode | ConstListValueNode):
        return any(map(_has_variable, node.values))
    if isinstance(node, ObjectValueNode | ConstObjectValueNode):
        return any(_has_variable(field.value) for field in node.fields)
    return isinstance(node, VariableNode)


def _merge(selections: Iterable[Selection]) -> Selections:
    """Join equal fields and equal fragments, in order of first appearance."""
    merged: dict[tuple[object, ...], Selection] = {}
    for selection in selections:
        identity = _identity(selection)
        known = merged.get(identity)
        merged[identity] = selection if known is None else _joined(known, selection)
    return tuple(merged.values())


def _identity(selection: Selection) -> tuple[object, ...]:
    if isinstance(selection, Fragment):
        return ("...", selection.type_condition)
    return (selection.name, selection.arguments)


def _joined(first: Selection, second: Selection) -> Selection:
    selections = _merge(first.selections + second.selections)
    if isinstance(first, Fragment):
        return Fragment(first.type_condition, selections)
    return Field(first.name, arguments=first.arguments, selections=selections)


def _print(selection: Selection) -> str:
    if isinstance(selection, Fragment):
        head = f"... on {selection.type_condition}"
    else:
        arguments = ", ".join(f"{a.name}: {a.value}" for a in selection.arguments)
        head = f"{selection.name}({arguments})" if arguments else selection.name
    if not selection.selections:
        return head
    return f"{head} {{ {print_field_set(selection.selections)} }}"
