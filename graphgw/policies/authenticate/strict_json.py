"""JSON that must not be ambiguous: a name given twice is an error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from graphgw.types import JSONObject

__all__ = ["read_strict_object"]


def read_strict_object(text: bytes) -> JSONObject:
    """Decode a JSON object.

    Raises:
        ValueError: It is not JSON, not an object, not UTF-8, nested too deeply, holds
            NaN, Infinity or half a surrogate pair, or has a name twice.
    """
    orjson.loads(text)
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - one kind for callers
    return value


def _once(pairs: list[tuple[str, Any]]) -> JSONObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found
