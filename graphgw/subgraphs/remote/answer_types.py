"""What a fetch may be answered, as types: values are checked while they are decoded.

Where an answer is whole and every value fits, nothing has to look at it again. Any
other answer, and any fetch of which the types cannot be told beforehand, is read
without types, and looked at value by value when the client's data are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypedDict

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
)

from graphgw.federation.selection import TYPENAME, Field

if TYPE_CHECKING:
    from graphql import GraphQLOutputType, GraphQLSchema

    from graphgw.federation.selection import Selections
    from graphgw.planning.plan import Fetch
    from graphgw.types import JSON, JSONObject

__all__ = ["AnswerDecoder", "build_answer_decoder"]

_ENTITIES: Final = "_entities"
_PATIENCE: Final = 8
"""How many answers in excess of those that fit may be decoded in vain."""

_Int: Final = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_Long: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_SCALARS: Final[dict[str, Any]] = {
    "Boolean": bool,
    "Float": _Long | float,
    "ID": str,
    "Int": _Int,
    "String": str,
}
_ANY_SCALAR: Final[Any] = str | bool | _Long | float
"""What custom scalars mostly are; objects and lists are read without types."""

# Made at run time, which type checkers do not follow.
_object_type: Final[Any] = TypedDict
_list_type: Final[Any] = list


class AnswerDecoder:
    """Decodes the answers of one fetch, as long as that is worth it."""

    __slots__ = ("_decode", "_name", "_order", "_patience")

    def __init__(self, kind: Any, name: str | None, order: _Order) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._name = name
        self._order = order
        self._patience = _PATIENCE

    def decode(self, body: bytes, entities: int | None) -> Any:
        """Return the answer's data; ``None`` where it has to be read without types.

        The data have what was asked for and nothing else. That the keys stand in the
        order of the document is seen on the first object of each list: a server
        makes all of them in the same way.

        Args:
            body: The answer.
            entities: How many entities were asked for; ``None`` for a root fetch.
        """
        if not self._patience:
            return None
        try:
            answer = self._decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._patience -= 1
            return None
        data = answer.get("data")
        if data is not None and self._name is not None:
            data = data[self._name]
            if len(data) != entities:
                return None
        if data is None or answer.get("errors") or not _is_ordered(data, self._order):
            self._patience -= 1
            return None
        if self._patience < _PATIENCE:
            self._patience += 1
        return data


@dataclass(frozen=True, slots=True)
class _Order:
    """The keys of objects at one place, and of those below by key."""

    keys: tuple[str, ...]
    below: tuple[tuple[str, _Order], ...]


def build_answer_decoder(
    fetch: Fetch, root: str, schema: GraphQLSchema
) -> AnswerDecoder | None:
    """Return what decodes a fetch's answers; ``None`` where that needs more.

    Abstract types and fragments do: there the type of an object is known from the
    object alone.

    Args:
        fetch: The fetch.
        root: Name of the type that it starts at, unless it is for entities.
        schema: The whole supergraph.
    """
    name = None
    type_name, selections = root, fetch.selections
    if fetch.inputs:
        name = _ENTITIES
        type_name = fetch.inputs[0].typename
        if len(fetch.selections) != 1 or len(fetch.inputs) != 1:
            return None
        (fragment,) = fetch.selections
        if isinstance(fragment, Field) or fragment.type_condition != type_name:
            return None
        selections = fragment.selections
    found = _read_object(type_name, selections, schema)
    if found is None:
        return None
    kind, order = found
    if name is not None:
        kind = _object_type("Entities", {name: _list_type[kind | None]})
    members = {"data": kind, "errors": Any}
    return AnswerDecoder(_object_type("Answer", members, total=False), name, order)


def _read_object(
    type_name: str, selections: Selections, schema: GraphQLSchema
) -> tuple[Any, _Order] | None:
    """Return the type of objects with these selections, and the order of keys."""
    parent = schema.type_map.get(type_name)
    if not isinstance(parent, GraphQLObjectType):
        return None
    members: dict[str, Any] = {}
    below = []
    for field in selections:
        if not isinstance(field, Field) or field.response_key in members:
            return None
        key = field.response_key
        if field.name == TYPENAME.name:
            members[key] = Literal[type_name]
            continue
        definition = parent.fields.get(field.name)
        if definition is None:
            return None
        inner = None
        if field.selections:
            inner = _read_object(_named(definition.type), field.selections, schema)
            if inner is None:
                return None
            below.append((key, inner[1]))
        members[key] = _read_value(definition.type, inner and inner[0])
    return _object_type(type_name, members), _Order(tuple(members), tuple(below))


def _read_value(type_: GraphQLOutputType, inner: Any) -> Any:
    if isinstance(type_, GraphQLNonNull):
        return _read_present(type_.of_type, inner)
    return _read_present(type_, inner) | None


def _read_present(type_: GraphQLOutputType, inner: Any) -> Any:
    if isinstance(type_, GraphQLList):
        return _list_type[_read_value(type_.of_type, inner)]
    if isinstance(type_, GraphQLEnumType):
        return Literal[tuple(type_.values)]
    if isinstance(type_, GraphQLScalarType):
        return _SCALARS.get(type_.name, _ANY_SCALAR)
    return inner


def _named(type_: GraphQLOutputType) -> str:
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return type_.name


def _is_ordered(value: JSON, order: _Order) -> bool:
    while value.__class__ is list:
        value = next((item for item in value if item is not None), None)
    if value is None:
        return True
    found: JSONObject = value
    if tuple(found) != order.keys:
        return False
    # A generator for each object would cost more than what it looks at.
    for key, inner in order.below:  # noqa: SIM110
        if not _is_ordered(found[key], inner):
            return False
    return True
