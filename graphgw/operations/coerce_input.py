"""Check JSON input against input types: one closure per type, built once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    ast_from_value,
    is_specified_scalar_type,
)
from graphql.pyutils import inspect

from graphgw.operations.literals import literal_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphql import (
        GraphQLInputField,
        GraphQLInputType,
        GraphQLNamedInputType,
    )

    from graphgw.types import JSON, JSONObject

    Coercer: TypeAlias = Callable[[JSON], JSON]

__all__ = ["InvalidInputError", "build_coercer", "default_of"]

_INT_MIN: Final = -(2**31)
_INT_MAX: Final = 2**31 - 1
_MAX_MESSAGE: Final = 1000


class InvalidInputError(Exception):
    """A value that does not fit; ``path`` leads to it, innermost step last."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: list[str] = []

    def below(self, step: str) -> InvalidInputError:
        """Return the error as seen from one level further out."""
        self.path.insert(0, step)
        return self


def build_coercer(
    type_: GraphQLInputType, known: dict[str, Coercer] | None = None
) -> Coercer:
    """Return the function that checks and completes JSON input for a type.

    It returns JSON input again: enum values by name, ids as strings, single values
    wrapped where a list is expected, input fields' defaults filled in. It raises
    ``InvalidInputError``. ``known`` keeps the functions of named types, so that
    input types may contain themselves.

    See https://spec.graphql.org/draft/#sec-Input-Values
    """
    known = {} if known is None else known
    if isinstance(type_, GraphQLNonNull):
        return _required(_nullable(type_.of_type, known), type_)
    coerce = _nullable(type_, known)
    return lambda value: None if value is None else coerce(value)


def default_of(field: GraphQLInputField) -> JSON:
    """Return the default of an input field as JSON input, else ``Undefined``."""
    default = field.default
    if default is not None:
        if default.literal is not None:
            return literal_to_json(default.literal)
        return default.value
    if field.default_value is Undefined:
        return Undefined
    literal = ast_from_value(field.default_value, field.type)
    return None if literal is None else literal_to_json(literal)


def _required(coerce: Coercer, type_: GraphQLInputType) -> Coercer:
    def required(value: JSON) -> JSON:
        if value is None:
            message = f"Expected value of non-null type '{type_}' not to be None."
            raise InvalidInputError(message)
        return coerce(value)

    return required


def _nullable(type_: GraphQLInputType, known: dict[str, Coercer]) -> Coercer:
    if isinstance(type_, GraphQLList):
        return _list(build_coercer(type_.of_type, known))
    named: GraphQLNamedInputType = type_  # type: ignore[assignment]  # null and lists are off
    found = known.get(named.name)
    if found is None:
        if isinstance(named, GraphQLInputObjectType):
            return _input_object(named, known)
        if isinstance(named, GraphQLEnumType):
            found = _enum(named)
        elif is_specified_scalar_type(named):
            found = _SCALARS[named.name](named)
        else:
            found = _custom_scalar(named)
        known[named.name] = found
    return found


def _list(coerce: Coercer) -> Coercer:
    def items(value: JSON) -> JSON:
        if type(value) is not list:
            return [coerce(value)]
        try:
            return [coerce(item) for item in value]
        except InvalidInputError:
            for index, item in enumerate(value):
                try:
                    coerce(item)
                except InvalidInputError as error:
                    raise error.below(f"[{index}]") from None
            raise

    return items


def _input_object(type_: GraphQLInputObjectType, known: dict[str, Coercer]) -> Coercer:
    steps: list[tuple[str, Coercer, JSON, bool]] = []
    fields = type_.fields

    def members(value: JSON) -> JSON:
        if type(value) is not dict:
            raise InvalidInputError(
                f"Expected value of type '{type_}' to be an object,"
                f" found: {inspect(value)}."
            )
        result = {}
        for name, coerce, default, is_required in steps:
            if name in value:
                try:
                    result[name] = coerce(value[name])
                except InvalidInputError as error:
                    raise error.below(f".{name}") from None
            elif default is not Undefined:
                result[name] = default
            elif is_required:
                raise InvalidInputError(
                    f"Expected value of type '{type_}' to include required field"
                    f" '{name}', found: {inspect(value)}."
                )
        for name in value:
            if name not in fields:
                raise InvalidInputError(
                    f"Expected value of type '{type_}' not to include unknown field"
                    f" '{name[:200]}', found: {inspect(value)}."
                )
        if type_.is_one_of:
            _check_one_of(type_, value)
        return result

    known[type_.name] = members
    for name, field in fields.items():
        coerce = build_coercer(field.type, known)
        default = default_of(field)
        is_required = isinstance(field.type, GraphQLNonNull)
        steps.append((name, coerce, default, is_required))
    return members


def _check_one_of(type_: GraphQLInputObjectType, value: JSONObject) -> None:
    """Refuse what is not exactly one member with a value."""
    error = InvalidInputError(
        f"Within OneOf Input Object type '{type_}', exactly one field"
        " must be specified, and the value for that field must be non-null."
    )
    if len(value) != 1:
        raise error
    (name,) = value
    if value[name] is None:
        raise error.below(f".{name}")


def _refuse(type_: Any, value: JSON) -> InvalidInputError:
    """Let graphql-core say what is wrong with a leaf value."""
    try:
        type_.coerce_input_value(value)
    except GraphQLError as error:
        return InvalidInputError(error.message[:_MAX_MESSAGE])
    except Exception as error:  # noqa: BLE001 - a scalar of the schema's own
        return InvalidInputError(f"Expected value of type '{type_}': {error}")
    return InvalidInputError(f"Expected value of type '{type_}'.")


def _int(type_: Any) -> Coercer:
    def integer(value: JSON) -> JSON:
        if type(value) is int and _INT_MIN <= value <= _INT_MAX:
            return value
        if (
            type(value) is float
            and value.is_integer()
            and _INT_MIN <= value <= _INT_MAX
        ):
            return int(value)
        raise _refuse(type_, value)

    return integer


def _float(type_: Any) -> Coercer:
    def number(value: JSON) -> JSON:
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            return value
        raise _refuse(type_, value)

    return number


def _string(type_: Any) -> Coercer:
    def string(value: JSON) -> JSON:
        if type(value) is str:
            return value
        raise _refuse(type_, value)

    return string


def _boolean(type_: Any) -> Coercer:
    def boolean(value: JSON) -> JSON:
        if value is True or value is False:
            return value
        raise _refuse(type_, value)

    return boolean


def _id(type_: Any) -> Coercer:
    def identifier(value: JSON) -> JSON:
        if type(value) is str:
            return value
        if type(value) is int or (type(value) is float and value.is_integer()):
            return str(int(value))
        raise _refuse(type_, value)

    return identifier


def _enum(type_: GraphQLEnumType) -> Coercer:
    names = frozenset(type_.values)

    def name(value: JSON) -> JSON:
        if type(value) is str and value in names:
            return value
        raise _refuse(type_, value)

    return name


def _custom_scalar(type_: Any) -> Coercer:
    check = type_.coerce_input_value

    def scalar(value: JSON) -> JSON:
        try:
            check(value)
        except Exception:  # noqa: BLE001 - a scalar of the schema's own
            raise _refuse(type_, value) from None
        return value

    return scalar


_SCALARS: Final = {
    "Int": _int,
    "Float": _float,
    "String": _string,
    "Boolean": _boolean,
    "ID": _id,
}
