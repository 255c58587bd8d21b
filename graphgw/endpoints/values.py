"""Texts of a request, read as what a variable's type wants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson
from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphql import GraphQLInputType

    from graphgw.types import JSON

__all__ = ["UnreadableError", "read_texts"]

_INT: Final = re.compile(r"-?[0-9]{1,10}")
_FLOAT: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_BOOLEANS: Final = {"true": True, "false": False}


class UnreadableError(ValueError):
    """A text is nothing of this type."""


def read_texts(type_: GraphQLInputType, texts: Sequence[str]) -> JSON:
    """Return the JSON input value that texts stand for.

    Only numbers, Booleans, lists and input objects have another form than text: an
    input object is JSON, a list is several texts or one that is parted by commas.
    Whether a value fits its type is for the coercion of variables to say.

    Args:
        type_: The variable's.
        texts: All values of one parameter, in order; at least one.

    Raises:
        UnreadableError: A text is no number, no Boolean or no JSON; or there are
            several where one is wanted.
    """
    if isinstance(type_, GraphQLNonNull):
        return read_texts(type_.of_type, texts)
    if isinstance(type_, GraphQLList):
        items = texts[0].split(",") if len(texts) == 1 else texts
        return [read_texts(type_.of_type, [item]) for item in items if item]
    if len(texts) > 1:
        raise UnreadableError("it may be given only once")
    return _read_text(type_, texts[0])


def _read_text(type_: GraphQLInputType, text: str) -> JSON:
    if isinstance(type_, GraphQLInputObjectType):
        try:
            value: JSON = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise UnreadableError("it is not JSON") from error
        return value
    name = type_.name if isinstance(type_, GraphQLNamedType) else ""
    if name == "Int":
        if not _INT.fullmatch(text):
            raise UnreadableError("it is no whole number")
        return int(text)
    if name == "Float":
        if not _FLOAT.fullmatch(text):
            raise UnreadableError("it is no number")
        return float(text)
    if name == "Boolean":
        if text not in _BOOLEANS:
            raise UnreadableError("it is neither true nor false")
        return _BOOLEANS[text]
    return text
