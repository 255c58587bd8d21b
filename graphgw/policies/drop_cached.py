"""What a request to drop cached values names: tags, types and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from graphgw.errors import BadRequestError
from graphgw.federation.key_names import key_name_sets
from graphgw.policies.cache_tags import key_tag, render_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.federation.supergraph import Supergraph
    from graphgw.types import JSON

__all__ = ["read_dropped_tags"]

_NAMES: Final = ("tags", "types", "keys")
_MAX: Final = 1000


def read_dropped_tags(body: bytes, supergraph: Supergraph) -> tuple[str, ...]:
    """Return the tags of what a request wants dropped.

    ``tags`` are texts; ``types`` name types or fields whose values are all dropped;
    ``keys`` name single objects, as ``{"type": "Product", "id": "p1"}``, by the fields
    of one of their keys. With an object goes what is kept of its fields by that key.

    Raises:
        BadRequestError: The body is something else.
    """
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError("the body is not JSON") from error
    if not isinstance(given, dict) or not given or not set(given) <= set(_NAMES):
        raise BadRequestError('the body names "tags", "types" or "keys"')
    found: dict[str, None] = {}
    for text in _texts(given, "tags"):
        found[text] = None
    for name in _texts(given, "types"):
        if not _has_cache(supergraph, name):
            raise BadRequestError(f'nothing of "{name}" is kept')
        found[name] = None
    for key in _list(given, "keys"):
        found.update(dict.fromkeys(_tags_of(supergraph, key)))
    if len(found) > _MAX:
        raise BadRequestError(f"more than {_MAX} tags at once")
    return tuple(found)


def _list(given: dict[str, JSON], name: str) -> list[JSON]:
    value = given.get(name, [])
    if not isinstance(value, list):
        raise BadRequestError(f'"{name}" is not a list')
    return value


def _texts(given: dict[str, JSON], name: str) -> list[str]:
    value = _list(given, name)
    if not all(isinstance(item, str) for item in value):
        raise BadRequestError(f'"{name}" is not a list of texts')
    return value


def _has_cache(supergraph: Supergraph, coordinate: str) -> bool:
    rules = supergraph.rules.get(coordinate, ())
    return any(applied.name == "cacheControl" for applied in rules)


def _tags_of(supergraph: Supergraph, key: JSON) -> list[str]:
    if not isinstance(key, dict) or not isinstance(key.get("type"), str):
        raise BadRequestError('a key has a "type" and the fields of its key')
    name: str = key["type"]
    definition = supergraph.types.get(name)
    fields = () if definition is None else definition.fields
    kept = [
        coordinate
        for coordinate in (name, *(f"{name}.{field}" for field in fields))
        if _has_cache(supergraph, coordinate)
    ]
    if definition is None or not kept:
        raise BadRequestError(f'nothing of "{name}" is kept')
    tags = [
        key_tag(coordinate, {part: key[part] for part in names})
        for names in key_name_sets(definition)
        if all(part in key for part in names)
        for coordinate in kept
    ]
    tags += (
        render_tag(text, key=key, arguments={})
        for text in _formats(supergraph, name)
        if "$key." in text
    )
    found = [tag for tag in tags if tag is not None]
    if not found:
        raise BadRequestError(f'the key of "{name}" is not whole')
    return found


def _formats(supergraph: Supergraph, name: str) -> Iterator[str]:
    for applied in supergraph.rules.get(name, ()):
        if applied.name == "cacheTag":
            yield str(applied.arguments.get("format"))
