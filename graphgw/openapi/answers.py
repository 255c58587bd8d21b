"""What an operation selects, as the JSON schema of its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    OperationType,
    is_composite_type,
)

from graphgw.federation.selection import Field
from graphgw.openapi.components import describe_with, make_nullable
from graphgw.operations.normalize import HIDDEN_TYPENAME
from graphgw.operations.schema_lookup import field_definition, possible_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphql import GraphQLNamedType, GraphQLOutputType, GraphQLSchema

    from graphgw.endpoints.endpoint import Endpoint
    from graphgw.federation.selection import Selections
    from graphgw.openapi.types import TypeSchemas
    from graphgw.types import JSONObject

__all__ = ["alternatives", "describe_answer", "without_null"]

_MOST_OBJECTS: Final = 2000
"""Objects that are written for one answer; what is below the last is left open."""
_NULL: Final[JSONObject] = {"type": "null"}


def describe_answer(endpoint: Endpoint, types: TypeSchemas) -> JSONObject:
    """Return the schema of what an endpoint answers with when all is well."""
    operation = endpoint.operation
    root = endpoint.schema.get_root_type(OperationType(operation.kind))
    writer = _Writer(endpoint.schema, types, is_whole=not endpoint.has_conditions)
    found = writer.object(root, operation.selections + operation.introspection)
    for key in endpoint.select:
        found = _any_of(
            inner["properties"][key]
            for inner in alternatives(found)
            if key in inner.get("properties", ())
        )
    return without_null(found) if endpoint.select else found


def alternatives(schema: JSONObject) -> Iterator[JSONObject]:
    """Yield the objects that fit a schema of this module."""
    if "anyOf" in schema:
        for inner in schema["anyOf"]:
            yield from alternatives(inner)
    elif "properties" in schema:
        yield schema


def without_null(schema: JSONObject) -> JSONObject:
    """Return a schema for what is not null."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        left = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": left[0] if len(left) == 1 else left}
    if "anyOf" in schema:
        own = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**_any_of(s for s in schema["anyOf"] if s != _NULL), **own}
    return schema


def _any_of(schemas: Iterable[JSONObject]) -> JSONObject:
    found: list[JSONObject] = []
    for schema in schemas:
        if schema not in found:
            found.append(schema)
    return found[0] if len(found) == 1 else {"anyOf": found} if found else {}


class _Writer:
    """Writes one answer; ``is_whole`` if no selection may be left out."""

    def __init__(
        self, schema: GraphQLSchema, types: TypeSchemas, *, is_whole: bool
    ) -> None:
        self._schema = schema
        self._types = types
        self._is_whole = is_whole
        self._left = _MOST_OBJECTS

    def object(
        self, type_: GraphQLNamedType | None, selections: Selections
    ) -> JSONObject:
        """Return the schema of the objects of a type."""
        self._left -= 1
        if self._left < 0 or type_ is None:
            return {"type": "object"}
        fields: dict[str, list[Field]] = {}
        for field in self._collect(type_.name, selections):
            fields.setdefault(field.response_key, []).append(field)
        properties = {
            key: self._property(type_, found) for key, found in fields.items()
        }
        required = list(properties) if self._is_whole else []
        return {
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
        }

    def _collect(self, name: str, selections: Selections) -> Iterator[Field]:
        """Yield the fields that objects of a type have, as CollectFields does."""
        for selection in selections:
            if isinstance(selection, Field):
                if selection != HIDDEN_TYPENAME:
                    yield selection
                continue
            condition = self._schema.type_map.get(selection.type_condition)
            if condition and name in possible_types(self._schema, condition):
                yield from self._collect(name, selection.selections)

    def _property(
        self, parent: GraphQLNamedType, fields: Sequence[Field]
    ) -> JSONObject:
        name = fields[0].name
        if name == "__typename":
            return {"type": "string", "enum": [parent.name]}
        definition = field_definition(self._schema, parent, name)
        if definition is None or name.startswith("__"):
            return {}
        inner = tuple(s for field in fields for s in field.selections)
        return describe_with(
            self._value(definition.type, inner),
            definition.description,
            definition.deprecation_reason,
        )

    def _value(self, type_: GraphQLOutputType, selections: Selections) -> JSONObject:
        if isinstance(type_, GraphQLNonNull):
            return self._present(type_.of_type, selections)
        return make_nullable(self._present(type_, selections))

    def _present(self, type_: Any, selections: Selections) -> JSONObject:
        if isinstance(type_, GraphQLList):
            items = self._value(type_.of_type, selections)
            return {"type": "array", "items": items}
        if not is_composite_type(type_):
            return self._types.leaf(type_)
        if isinstance(type_, GraphQLObjectType):
            return self.object(type_, selections)
        return self._abstract(type_, selections)

    def _abstract(self, type_: GraphQLNamedType, selections: Selections) -> JSONObject:
        """Write a schema for each kind of object; equal ones are written once."""
        found: list[tuple[list[str], JSONObject]] = []
        for name in sorted(possible_types(self._schema, type_)):
            schema = self.object(self._schema.type_map[name], selections)
            for names, other in found:
                if _is_equal_but_for_name(schema, other):
                    names.append(name)
                    break
            else:
                found.append(([name], schema))
        return _any_of(_name_all(schema, names) for names, schema in found)


def _is_equal_but_for_name(one: JSONObject, other: JSONObject) -> bool:
    return _name_all(one, []) == _name_all(other, [])


def _name_all(schema: JSONObject, names: list[str]) -> JSONObject:
    """Return a schema whose ``__typename`` is one of these names."""
    properties = {
        key: {**inner, "enum": names} if _is_typename(inner) else inner
        for key, inner in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def _is_typename(schema: JSONObject) -> bool:
    """Tell a ``__typename``; the enums of the graph are written elsewhere."""
    return "enum" in schema
