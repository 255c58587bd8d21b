"""Calls of gRPC services as operations of an OpenAPI document.

Schemas follow the JSON mapping: https://protobuf.dev/programming-guides/json/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor import FieldDescriptor

from graphgw.routes.description import OperationDescription, RouteDescription
from graphgw.routes.templates import parse_template
from graphgw.transcoding.answer import EVENTS, LINES
from graphgw.transcoding.http_rules import WHOLE_BODY
from graphgw.transcoding.request import find_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.descriptor import Descriptor, EnumDescriptor

    from graphgw.routes.settings import RouteSettings
    from graphgw.routes.targets import GRPCTarget
    from graphgw.transcoding.http_rules import Binding
    from graphgw.types import JSONObject

__all__ = ["describe_bindings"]

_BODILESS: Final = frozenset(("GET", "HEAD", "DELETE"))
_SCALARS: Final[dict[int, JSONObject]] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: {"type": ["number", "string"], "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": ["number", "string"], "format": "float"},
    **{
        kind: {"type": "integer", "format": "int32"}
        for kind in (
            FieldDescriptor.TYPE_INT32,
            FieldDescriptor.TYPE_SINT32,
            FieldDescriptor.TYPE_SFIXED32,
        )
    },
    **{
        kind: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
        for kind in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32)
    },
    **{
        kind: {"type": "string", "pattern": "^-?[0-9]+$", "format": "int64"}
        for kind in (
            FieldDescriptor.TYPE_INT64,
            FieldDescriptor.TYPE_SINT64,
            FieldDescriptor.TYPE_SFIXED64,
            FieldDescriptor.TYPE_UINT64,
            FieldDescriptor.TYPE_FIXED64,
        )
    },
}
_WELL_KNOWN: Final[dict[str, JSONObject]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Any": {"type": "object"},
    "google.protobuf.Empty": {"type": "object"},
}
_WRAPPER: Final = "google.protobuf."


def describe_bindings(
    route: RouteSettings, target: GRPCTarget, bindings: Sequence[Binding]
) -> RouteDescription:
    """Return what a route's calls take and answer.

    Args:
        route: Its settings.
        target: Those of its gRPC service.
        bindings: The calls.
    """
    schemas = _Schemas(target)
    operations = [
        OperationDescription(
            method,
            binding.path,
            _operation(binding, method, schemas),
            binding.method.name if target.method is None else "",
        )
        for binding in bindings
        for method in _methods(route, binding)
    ]
    return RouteDescription(target.service, tuple(operations), schemas.found)


def _methods(route: RouteSettings, binding: Binding) -> tuple[str, ...]:
    if binding.http_method:
        return (binding.http_method,)
    return route.methods or ("POST" if binding.body else "GET",)


def _operation(binding: Binding, method: str, schemas: _Schemas) -> JSONObject:
    has_body = binding.body is not None and method not in _BODILESS
    parameters = list(_parameters(binding, schemas, has_body=has_body))
    operation: JSONObject = {"summary": binding.method.name}
    if parameters:
        operation["parameters"] = parameters
    if has_body:
        operation["requestBody"] = {
            "content": {"application/json": {"schema": _body(binding, schemas)}}
        }
    answer = _answer(binding, schemas)
    if binding.method.server_streaming:
        content: JSONObject = {EVENTS: {"schema": {"type": "string"}}, LINES: {}}
    else:
        content = {"application/json": {"schema": answer}}
    operation["responses"] = {
        "200": {"description": "What the service answers.", "content": content}
    }
    return operation


def _body(binding: Binding, schemas: _Schemas) -> JSONObject:
    kind = binding.method.input_type
    if binding.body == WHOLE_BODY:
        return schemas.refer(kind)
    field = find_field(kind, str(binding.body))
    return {} if field is None else schemas.of_field(field)


def _answer(binding: Binding, schemas: _Schemas) -> JSONObject:
    kind = binding.method.output_type
    if binding.response_body is None:
        return schemas.refer(kind)
    return schemas.of_field(kind.fields_by_name[binding.response_body])


def _parameters(
    binding: Binding, schemas: _Schemas, *, has_body: bool
) -> Iterator[JSONObject]:
    kind = binding.method.input_type
    mapped = {source: name for name, source in binding.fields}
    for name in sorted(parse_template(binding.path).names - {WHOLE_BODY}):
        field = mapped.get(f"path.{name}", name)
        yield _parameter("path", name, _at(kind, field, schemas), is_required=True)
    taken = {name for name, _ in binding.fields} | parse_template(binding.path).names
    for source, field in mapped.items():
        part, _, name = source.partition(".")
        if part in {"query", "header"}:
            yield _parameter(part, name, _at(kind, field, schemas), is_required=True)
    if has_body and binding.body == WHOLE_BODY:
        return
    for found in kind.fields:
        is_simple = found.message_type is None or (
            found.message_type.full_name in _WELL_KNOWN
        )
        is_other = found.name in taken or found.json_name in taken
        if is_simple and not is_other and found.name != binding.body:
            schema = schemas.of_field(found)
            yield _parameter("query", found.json_name, schema, is_required=False)


def _parameter(
    part: str, name: str, schema: JSONObject, *, is_required: bool
) -> JSONObject:
    return {"name": name, "in": part, "required": is_required, "schema": schema}


def _at(kind: Descriptor, path: str, schemas: _Schemas) -> JSONObject:
    current: Descriptor | None = kind
    field: FieldDescriptor | None = None
    for step in path.split("."):
        field = None if current is None else find_field(current, step)
        current = None if field is None else field.message_type
    return {} if field is None else schemas.of_field(field)


class _Schemas:
    """Schemas of messages and enums, each written once under its full name."""

    def __init__(self, target: GRPCTarget) -> None:
        self.found: dict[str, JSONObject] = {}
        self._target = target

    def refer(self, kind: Descriptor) -> JSONObject:
        known = _WELL_KNOWN.get(kind.full_name)
        if known is not None:
            return known
        if kind.full_name.startswith(_WRAPPER) and "value" in kind.fields_by_name:
            inner = self.of_field(kind.fields_by_name["value"])
            return {"anyOf": [inner, {"type": "null"}]}
        if kind.full_name not in self.found:
            self.found[kind.full_name] = {}  # a message may hold itself
            self.found[kind.full_name] = {
                "type": "object",
                "properties": {
                    self._name(field): self.of_field(field) for field in kind.fields
                },
            }
        return {"$ref": f"#/components/schemas/{kind.full_name}"}

    def of_field(self, field: FieldDescriptor) -> JSONObject:
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            values = self.of_field(kind.fields_by_name["value"])
            return {"type": "object", "additionalProperties": values}
        if kind is not None:
            one = self.refer(kind)
        elif field.enum_type is not None:
            one = self._enum(field.enum_type)
        else:
            one = _SCALARS.get(field.type, {})
        return {"type": "array", "items": one} if field.is_repeated else one

    def _enum(self, kind: EnumDescriptor) -> JSONObject:
        names = [value.name for value in kind.values]
        # A number that the file does not know stays a number.
        schema: JSONObject = {"anyOf": [{"enum": names}, {"type": "integer"}]}
        self.found.setdefault(kind.full_name, schema)
        return {"$ref": f"#/components/schemas/{kind.full_name}"}

    def _name(self, field: FieldDescriptor) -> str:
        return field.name if self._target.use_proto_names else field.json_name
