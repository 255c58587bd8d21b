"""What a route changes in bodies, changed in their schemas too."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.routes.settings import BodyChanges
    from graphgw.types import JSONObject

__all__ = ["change_schema"]


def change_schema(schema: JSONObject, changes: BodyChanges) -> JSONObject:
    """Return the schema of a body after its fields were dropped, renamed and filled.

    A field that is put where it was not before need not be there.
    """
    if not (changes.drop or changes.rename or changes.defaults):
        return schema
    changed = deepcopy(schema)
    for path in changes.drop:
        for holder in _holders(changed, path.split(".")):
            _take(holder, path.rpartition(".")[2])
    for old, new in changes.rename:
        moved = [
            _take(holder, old.rpartition(".")[2])
            for holder in _holders(changed, old.split("."))
        ]
        for inner in moved[:1]:
            _put(changed, new.split("."), inner)
    for path, _ in changes.defaults:
        if not any(
            path.rpartition(".")[2] in holder["properties"]
            for holder in _holders(changed, path.split("."))
        ):
            _put(changed, path.split("."), {})
    return changed


def _objects(schema: JSONObject) -> Iterator[JSONObject]:
    """Yield the objects at a place, those in lists too."""
    for inner in schema.get("anyOf", ()):
        yield from _objects(inner)
    if "items" in schema:
        yield from _objects(schema["items"])
    if "properties" in schema:
        yield schema


def _holders(schema: JSONObject, path: Sequence[str]) -> Iterator[JSONObject]:
    for found in _objects(schema):
        if len(path) == 1:
            yield found
        elif path[0] in found["properties"]:
            yield from _holders(found["properties"][path[0]], path[1:])


def _take(holder: JSONObject, name: str) -> JSONObject:
    found: JSONObject = holder["properties"].pop(name, {})
    left = [other for other in holder.get("required", ()) if other != name]
    holder.pop("required", None)
    if left:
        holder["required"] = left
    return found


def _put(schema: JSONObject, path: Sequence[str], inner: JSONObject) -> None:
    for found in _objects(schema):
        properties = found["properties"]
        if len(path) == 1:
            properties[path[0]] = inner
            continue
        properties.setdefault(path[0], {"type": "object", "properties": {}})
        _put(properties[path[0]], path[1:], inner)
