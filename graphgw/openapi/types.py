"""GraphQL's leaf and input types as JSON schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    is_required_input_field,
)

from graphgw.openapi.components import describe_with, make_nullable
from graphgw.operations.coerce_input import default_of

if TYPE_CHECKING:
    from graphql import (
        GraphQLInputField,
        GraphQLInputType,
        GraphQLNamedType,
        GraphQLScalarType,
    )

    from graphgw.openapi.components import Components
    from graphgw.types import JSONObject

__all__ = ["TypeSchemas"]

_INT: Final = 2**31
_BUILT_IN: Final[dict[str, JSONObject]] = {
    "Int": {"type": "integer", "format": "int32"},
    "Float": {"type": "number", "format": "double"},
    "String": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "ID": {"type": "string"},
}
_BOUNDS: Final[JSONObject] = {"minimum": -_INT, "maximum": _INT - 1}
"""Of whole numbers that clients send."""
_CUSTOM: Final[dict[str, JSONObject]] = {
    "Date": {"type": "string", "format": "date"},
    "DateTime": {"type": "string", "format": "date-time"},
    "Time": {"type": "string", "format": "time"},
    "Timestamp": {"type": "string", "format": "date-time"},
    "Duration": {"type": "string", "format": "duration"},
    "Decimal": {"type": "string", "format": "decimal"},
    "UUID": {"type": "string", "format": "uuid"},
    "URL": {"type": "string", "format": "uri"},
    "URI": {"type": "string", "format": "uri"},
    "EmailAddress": {"type": "string", "format": "email"},
    "Base64": {"type": "string", "contentEncoding": "base64"},
    "JSONObject": {"type": "object"},
    "Void": {"type": "null"},
}
"""What scalars of these names are everywhere; of others nothing is known."""


class TypeSchemas:
    """Writes the types of one GraphQL schema.

    Args:
        components: Where enums, scalars and input objects are written.
        prefix: Stands before their names, to part them from those of another schema.
    """

    def __init__(self, components: Components, prefix: str = "") -> None:
        self._components = components
        self._prefix = prefix

    def leaf(self, type_: GraphQLNamedType) -> JSONObject:
        """Return the schema of an enum or a scalar; null does not fit it."""
        built_in = _BUILT_IN.get(type_.name)
        if built_in is not None:
            return dict(built_in)
        name = f"{self._prefix}{type_.name}"
        if isinstance(type_, GraphQLEnumType):
            enum = type_
            return self._components.refer(name, lambda: _enum(enum))
        return self._components.refer(name, lambda: _scalar(type_))

    def input(self, type_: GraphQLInputType) -> JSONObject:
        """Return the schema of an input type, where null fits what may be null."""
        if isinstance(type_, GraphQLNonNull):
            return self.present(type_.of_type)
        return make_nullable(self.present(type_))

    def present(self, type_: GraphQLInputType) -> JSONObject:
        """Return the schema of an input type's values that are not null."""
        if isinstance(type_, GraphQLNonNull):
            return self.present(type_.of_type)
        if isinstance(type_, GraphQLList):
            return {"type": "array", "items": self.input(type_.of_type)}
        if isinstance(type_, GraphQLInputObjectType):
            found = type_
            name = f"{self._prefix}{found.name}"
            return self._components.refer(name, lambda: self._object(found))
        schema = self.leaf(type_)
        return schema | _BOUNDS if type_.name == "Int" else schema

    def parameter(self, type_: GraphQLInputType) -> JSONObject:
        """Return the schema of an input type's values as texts; none is null."""
        if isinstance(type_, GraphQLNonNull):
            return self.parameter(type_.of_type)
        if isinstance(type_, GraphQLList):
            return {"type": "array", "items": self.parameter(type_.of_type)}
        return self.present(type_)

    def _object(self, type_: GraphQLInputObjectType) -> JSONObject:
        fields = type_.fields
        required = [name for name, f in fields.items() if is_required_input_field(f)]
        schema: JSONObject = {
            "type": "object",
            "properties": {n: self._field(f) for n, f in fields.items()},
            "additionalProperties": False,
        }
        if type_.is_one_of:
            schema["properties"] = {
                name: describe_with(
                    self.present(field.type),
                    field.description,
                    field.deprecation_reason,
                )
                for name, field in fields.items()
            }
            schema |= {"minProperties": 1, "maxProperties": 1}
        elif required:
            schema["required"] = required
        return describe_with(schema, type_.description, None)

    def _field(self, field: GraphQLInputField) -> JSONObject:
        schema = describe_with(
            self.input(field.type), field.description, field.deprecation_reason
        )
        default = default_of(field)
        if default is not Undefined:
            schema["default"] = default
        return schema


def _enum(type_: GraphQLEnumType) -> JSONObject:
    lines = [
        f"- `{name}`: {value.description or 'no description'}"
        + (
            f" (deprecated: {value.deprecation_reason})"
            if value.deprecation_reason is not None
            else ""
        )
        for name, value in type_.values.items()
        if value.description or value.deprecation_reason is not None
    ]
    texts = [text for text in (type_.description, "\n".join(lines)) if text]
    schema: JSONObject = {"type": "string", "enum": list(type_.values)}
    return describe_with(schema, "\n\n".join(texts), None)


def _scalar(type_: GraphQLNamedType) -> JSONObject:
    scalar: GraphQLScalarType = type_  # type: ignore[assignment]  # leaves are two kinds
    schema = dict(_CUSTOM.get(type_.name, {}))
    if scalar.specified_by_url:
        schema["externalDocs"] = {"url": scalar.specified_by_url}
    return describe_with(schema, type_.description, None)
