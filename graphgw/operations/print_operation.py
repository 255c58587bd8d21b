"""The text form of a normalized operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import parse_type, print_ast, type_from_ast
from graphql.utilities import value_to_literal

from graphgw.federation.selection import print_selections

if TYPE_CHECKING:
    from graphql import GraphQLInputType, GraphQLSchema

    from graphgw.federation.selection import Selection
    from graphgw.operations.operation import Operation, VariableDefinition

__all__ = ["print_operation"]


def print_operation(operation: Operation, schema: GraphQLSchema) -> str:
    """Print an operation as GraphQL that normalizes to the same selections.

    The values of hoisted literals are not shown; an operation that selects nothing
    has empty braces.
    """
    variables = ", ".join(
        _print_variable(definition, schema) for definition in operation.variables
    )
    head: str = operation.kind
    if operation.name is not None or variables:
        head += f" {operation.name or ''}{f'({variables})' if variables else ''}"
    selections: list[Selection] = list(operation.selections)
    places = operation.introspection_places
    for index, found in enumerate(operation.introspection):
        selections.insert(places[index] if places else len(selections), found)
    return f"{head} {{\n{print_selections(selections, 1)}\n}}\n"


def _print_variable(definition: VariableDefinition, schema: GraphQLSchema) -> str:
    text = f"${definition.name}: {definition.type}"
    if not definition.has_default:
        return text
    type_: GraphQLInputType = type_from_ast(schema, parse_type(definition.type))  # type: ignore[assignment]  # declared for input
    literal = value_to_literal(definition.default, type_)
    return text if literal is None else f"{text} = {print_ast(literal)}"
