"""A request's path, query and body as a protobuf message, by its JSON mapping.

See https://protobuf.dev/programming-guides/json/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError

from graphgw.errors import BadRequestError, BadUserInputError
from graphgw.transcoding.http_rules import WHOLE_BODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    from graphgw.routes.exchange import Exchange
    from graphgw.transcoding.descriptors import Descriptors
    from graphgw.transcoding.http_rules import Binding
    from graphgw.types import JSON, JSONObject

__all__ = ["build_message", "find_field"]

_MAX_PARAMETERS: Final = 1000
_MAX_DEPTH: Final = 50
_UNSUPPORTED: Final = 415
_BOOLEANS: Final = {"true": True, "false": False}
_UNFIT: Final = (AttributeError, OverflowError, RecursionError, TypeError, ValueError)
"""What the protobuf package raises, too, where JSON does not fit a message."""
_TEXT_TYPES: Final = frozenset(
    (
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "google.protobuf.FieldMask",
    )
)
_WRAPPERS: Final = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in (
        "Bool",
        "Bytes",
        "Double",
        "Float",
        "Int32",
        "Int64",
        "String",
        "UInt32",
        "UInt64",
    )
)


async def build_message(
    binding: Binding,
    parameters: dict[str, str],
    exchange: Exchange,
    descriptors: Descriptors,
) -> Message:
    """Return the message that a request stands for.

    Args:
        binding: How the request is the call.
        parameters: Those of the path, decoded.
        exchange: The request.
        descriptors: Of the messages.

    Raises:
        BadUserInputError: A field is unknown or not of its type; names its path.
        BadRequestError: The body or the query cannot be read.
    """
    kind = binding.method.input_type
    values: JSONObject = {}
    if binding.body is not None:
        body = await _read_body(exchange)
        if binding.body == WHOLE_BODY:
            if body is not None and not isinstance(body, dict):
                raise _wrong("the body must be a JSON object")
            values = dict(body or {})
        elif body is not None:
            values[binding.body] = body
    if binding.body != WHOLE_BODY:
        for name, texts in _read_query(exchange).items():
            _put(values, kind, name, texts, "query")
    for name, text in parameters.items():
        if name != WHOLE_BODY:  # what a final /* matched has no field
            _put(values, kind, name, [text], "path")
    for name, source in binding.fields:
        taken = _take(exchange, parameters, source)
        if not taken:
            raise _wrong(f"{source} is missing")
        _put(values, kind, name, taken, source)
    return _parse(values, kind, descriptors)


def _parse(values: JSONObject, kind: Descriptor, descriptors: Descriptors) -> Message:
    message = descriptors.message_class(kind)()
    try:
        ParseDict(
            values,
            message,
            descriptor_pool=descriptors.pool,
            max_recursion_depth=_MAX_DEPTH,
        )
    except ParseError as error:
        raise _wrong(str(error)) from error
    except _UNFIT as error:
        raise _wrong(f"this does not fit {kind.full_name}") from error
    return message


def find_field(kind: Descriptor, name: str) -> FieldDescriptor | None:
    """Return a field by its name in the file or in JSON."""
    found = kind.fields_by_name.get(name)
    return found or kind.fields_by_camelcase_name.get(name)


def _wrong(message: str) -> BadUserInputError:
    return BadUserInputError([(message, ())])


async def _read_body(exchange: Exchange) -> JSON:
    content = await exchange.read_body()
    if not content:
        return None
    media_type = exchange.headers.get("content-type", "").partition(";")[0].strip()
    if media_type.lower() != "application/json":
        message = "the body must be JSON, with content-type: application/json"
        raise BadRequestError(message, status=_UNSUPPORTED)
    try:
        body: JSON = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    return body


def _read_query(exchange: Exchange) -> dict[str, list[str]]:
    if not exchange.query:
        return {}
    try:
        return parse_qs(
            exchange.query,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError as error:
        raise BadRequestError("the query cannot be read") from error


def _take(exchange: Exchange, parameters: dict[str, str], source: str) -> Sequence[str]:
    part, _, name = source.partition(".")
    found: Any
    if part == "path":
        found = parameters.get(name)
    elif part == "query":
        return _read_query(exchange).get(name, ())
    elif part == "header":
        found = exchange.headers.get(name.lower())
    else:
        principal = exchange.principal
        found = principal.subject if name == "sub" else principal.claims.get(name)
    return () if found is None else (str(found),)


def _put(
    values: JSONObject, kind: Descriptor, name: str, texts: Sequence[str], part: str
) -> None:
    """Set the field that a dotted path names, in the form of the JSON mapping."""
    target = values
    *outer, last = name.split(".")
    for step in outer:
        field = find_field(kind, step)
        if field is None or field.message_type is None or field.is_repeated:
            raise _wrong(f"{part}: there is no field {name}")
        kind = field.message_type
        _unite_spellings(target, field, name)
        inner = target.setdefault(field.json_name, {})
        if not isinstance(inner, dict):
            raise _wrong(f"{part}: {name} is given twice")
        target = inner
    field = find_field(kind, last)
    if field is None:
        raise _wrong(f"{part}: there is no field {name}")
    read = [_read_text(field, text, f"{part}: {name}") for text in texts]
    target.pop(field.name, None)
    target[field.json_name] = read if field.is_repeated else read[-1]


def _unite_spellings(target: JSONObject, field: FieldDescriptor, name: str) -> None:
    """Leave a field one spelling: the other could take back what is put into it."""
    if field.name == field.json_name or field.name not in target:
        return
    if field.json_name in target:
        raise _wrong(f"{field.name} is given twice, beside {name}")
    target[field.json_name] = target.pop(field.name)


def _read_text(field: FieldDescriptor, text: str, where: str) -> JSON:
    """Return a text in the JSON form of a field's type."""
    message = field.message_type
    if message is not None:
        if message.full_name in _TEXT_TYPES:
            return text
        if message.full_name in _WRAPPERS:
            return _read_text(message.fields_by_name["value"], text, where)
        raise _wrong(f"{where} is a message; it can be given in the body")
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text not in _BOOLEANS:
            raise _wrong(f"{where} is neither true nor false")
        return _BOOLEANS[text]
    if field.enum_type is not None and text.lstrip("-").isdecimal():
        return int(text[:11])
    return text
