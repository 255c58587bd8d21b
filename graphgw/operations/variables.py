"""From the request's variables to checked, completed JSON input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import GraphQLNonNull, Undefined, parse_type, type_from_ast

from graphgw.errors import BadUserInputError, Location
from graphgw.operations.coerce_input import InvalidInputError, build_coercer
from graphgw.operations.literals import literal_to_json
from graphgw.operations.operation import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from graphql import GraphQLInputType, GraphQLSchema, TypeNode

    from graphgw.operations.operation import Operation
    from graphgw.types import JSON, JSONObject

__all__ = ["VariableCoercion", "build_variable_coercion", "read_conditions"]


class _Declaration(NamedTuple):
    """A variable as the document or the operation declares it."""

    name: str
    type: TypeNode
    default: JSON
    locations: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class _Variable:
    """One declared variable, ready to be checked."""

    name: str
    type: str
    coerce: Callable[[JSON], JSON]
    default: JSON
    is_required: bool
    locations: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class VariableCoercion:
    """Checks the variables of one operation, as often as it runs."""

    variables: tuple[_Variable, ...] = field(repr=False)
    hides_suggestions: bool = False

    def coerce(self, variables: JSONObject) -> JSONObject:
        """Return the declared variables as JSON input, defaults filled in.

        What is not declared is dropped; a nullable variable that is not given and
        has no default stays absent.

        See https://spec.graphql.org/draft/#CoerceVariableValues()

        Raises:
            BadUserInputError: Values do not fit; one message for each variable.
        """
        result: JSONObject = {}
        try:
            for variable in self.variables:
                name = variable.name
                if name in variables:
                    result[name] = variable.coerce(variables[name])
                elif variable.default is not Undefined:
                    result[name] = variable.default
                elif variable.is_required:
                    raise self._explain(variables)
        except (InvalidInputError, RecursionError):
            raise self._explain(variables) from None
        return result

    def _explain(self, variables: JSONObject) -> BadUserInputError:
        errors = []
        for variable in self.variables:
            reason = _reason(variable, variables)
            if reason is not None:
                if self.hides_suggestions:
                    reason = reason.partition(" Did you mean ")[0]
                message = f"Variable '${variable.name}' has invalid value{reason}"
                errors.append((message, variable.locations))
        return BadUserInputError(errors)


def build_variable_coercion(
    document: Document | Operation,
    schema: GraphQLSchema,
    *,
    hide_suggestions: bool = False,
) -> VariableCoercion:
    """Prepare the check of a document's variables.

    For a ``Document`` these are the variables that the client declared, for an
    ``Operation`` those that it still uses and the hoisted literals.
    """
    known: dict[str, Any] = {}
    declarations = (
        _declared(document) if isinstance(document, Document) else _used(document)
    )
    return VariableCoercion(
        tuple(_variable(declaration, schema, known) for declaration in declarations),
        hide_suggestions,
    )


def read_conditions(document: Document, variables: JSONObject) -> dict[str, bool]:
    """Return the values of the variables used in ``@skip`` and ``@include``.

    Args:
        document: The validated document.
        variables: Its coerced variables.

    Raises:
        BadUserInputError: A condition is null or was left out.
    """
    conditions = {name: variables.get(name) for name in document.conditions}
    missing = [name for name, value in conditions.items() if value is None]
    if missing:
        message = "Variable '${}' is used as a condition and must not be null."
        raise BadUserInputError([(message.format(name), ()) for name in missing])
    return {name: value is True for name, value in conditions.items()}


def _declared(document: Document) -> Iterable[_Declaration]:
    for definition in document.operation.variable_definitions or ():
        default = definition.default_value
        start = None if definition.loc is None else definition.loc.start_token
        yield _Declaration(
            definition.variable.name.value,
            definition.type,
            Undefined if default is None else literal_to_json(default),
            () if start is None else (Location(start.line, start.column),),
        )


def _used(operation: Operation) -> Iterable[_Declaration]:
    for definition in operation.variables:
        default = definition.default if definition.has_default else Undefined
        yield _Declaration(definition.name, parse_type(definition.type), default, ())


def _variable(
    declaration: _Declaration, schema: GraphQLSchema, known: dict[str, Any]
) -> _Variable:
    type_: GraphQLInputType = type_from_ast(schema, declaration.type)  # type: ignore[assignment]  # validated
    coerce = build_coercer(type_, known)
    default = declaration.default
    return _Variable(
        name=declaration.name,
        type=str(type_),
        coerce=coerce,
        default=Undefined if default is Undefined else coerce(default),
        is_required=isinstance(type_, GraphQLNonNull),
        locations=declaration.locations,
    )


def _reason(variable: _Variable, variables: JSONObject) -> str | None:
    if variable.name not in variables:
        if variable.is_required and variable.default is Undefined:
            return (
                f": Expected a value of non-null type '{variable.type}' to be provided."
            )
        return None
    try:
        variable.coerce(variables[variable.name])
    except InvalidInputError as error:
        place = f" at {''.join(error.path)}" if error.path else ""
        return f"{place}: {error.message}"
    except RecursionError:
        return ": Variable values are nested too deeply."
    return None
