"""Names of cached values: the formats of ``@cacheTag`` and ``@cacheInvalidation``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from graphgw.types import JSON

__all__ = ["key_tag", "render_tag"]

_PLACE: Final = re.compile(r"\{\s*\$(key|args)\.(\w+(?:\.\w+)*)\s*\}")
_MAX_LENGTH: Final = 512


def render_tag(
    text: str, *, key: Mapping[str, JSON], arguments: Mapping[str, JSON]
) -> str | None:
    """Fill in the ``{$key.name}`` and ``{$args.name}`` of a tag's format.

    Fields of an input object are reached by dots: ``{$args.order.userId}``.

    Returns:
        The tag; ``None`` where a value is missing, null or no scalar, or where the
        tag would be too long to keep.
    """
    if "{" not in text:
        return text
    values = {"key": key, "args": arguments}
    parts: list[str] = []
    end = 0
    for place in _PLACE.finditer(text):
        value: JSON = values[place[1]]
        for name in place[2].split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if not isinstance(value, str | int):
            return None
        parts += (text[end : place.start()], str(value))
        end = place.end()
    tag = "".join((*parts, text[end:]))
    return tag if len(tag) <= _MAX_LENGTH else None


def key_tag(coordinate: str, key: Mapping[str, JSON]) -> str | None:
    """Return the tag that every kept row has by its own key, as in ``Product:id=p7``.

    Returns:
        The tag; ``None`` where the key has no parts, or one that is no scalar, or
        where the tag would be too long to keep.
    """
    if not key:
        return None
    values = [(name, key[name]) for name in sorted(key)]
    if not all(isinstance(value, str | int) for _, value in values):
        return None
    tag = f"{coordinate}:" + ",".join(f"{name}={value}" for name, value in values)
    return tag if len(tag) <= _MAX_LENGTH else None
