"""Declared changes of requests and answers: headers, statuses, JSON fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphgw.routes.settings import BodyChanges, HeaderChanges, ResponseChanges
    from graphgw.types import JSON

__all__ = [
    "BodyTransform",
    "HeaderTransform",
    "StatusMap",
    "claim_headers",
    "is_json",
]

_CLASS_SIZE: Final = 100
_MISSING: Final[Any] = object()

RawPairs = tuple[tuple[bytes, bytes], ...]


class HeaderTransform:
    """Changes headers: removes, renames, sets, adds, in this order."""

    __slots__ = ("_added", "_removed", "_rename", "_set", "is_empty")

    def __init__(self, changes: HeaderChanges) -> None:
        given = _pairs(changes.set)
        self._removed = frozenset(_name(name) for name in changes.remove)
        self._rename = {_name(old): _name(new) for old, new in changes.rename}
        self._set = frozenset(name for name, _ in given)
        self._added = given + _pairs(changes.add)
        self.is_empty = not (self._removed or self._rename or self._added)

    def apply(self, headers: Iterable[tuple[bytes, bytes]]) -> RawPairs:
        """Return the headers as they are to be."""
        rename = self._rename
        kept = (
            (rename.get(name, name), value)
            for name, value in headers
            if name not in self._removed
        )
        return (*(pair for pair in kept if pair[0] not in self._set), *self._added)


def claim_headers(
    claims: Sequence[tuple[str, str]], given: Mapping[str, JSON]
) -> tuple[RawPairs, frozenset[bytes]]:
    """Return the headers that hold claims, and the names that clients may not send.

    A claim that is not there makes no header; what is not text goes as JSON. Values
    that cannot stand in a header are left out.
    """
    found = []
    for name, path in claims:
        # The names of claims may be URLs: a dot in them need not part anything.
        value = given[path] if path in given else _read(given, path.split("."))
        if value is _MISSING or value is None:
            continue
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        if text.isprintable() and text.isascii():
            found.append((_name(name), text.encode()))
    return tuple(found), frozenset(_name(name) for name, _ in claims)


class StatusMap:
    """Gives statuses others; an exact one wins over its class."""

    __slots__ = ("_classes", "_exact", "is_empty")

    def __init__(self, changes: ResponseChanges) -> None:
        self._exact = {int(k): v for k, v in changes.status if k.isdecimal()}
        self._classes = {int(k[0]): v for k, v in changes.status if not k.isdecimal()}
        self.is_empty = not changes.status

    def apply(self, status: int) -> int:
        """Return the status that the client sees."""
        found = self._exact.get(status)
        if found is None:
            found = self._classes.get(status // _CLASS_SIZE)
        return status if found is None else found


@dataclass(frozen=True, slots=True)
class _Rename:
    old: tuple[str, ...]
    new: tuple[str, ...]


class BodyTransform:
    """Changes the fields of JSON objects: drops, renames, fills in defaults."""

    __slots__ = ("_defaults", "_drop", "_rename", "is_empty")

    def __init__(self, changes: BodyChanges) -> None:
        self._drop = tuple(tuple(path.split(".")) for path in changes.drop)
        self._rename = tuple(
            _Rename(tuple(old.split(".")), tuple(new.split(".")))
            for old, new in changes.rename
        )
        self._defaults = tuple(
            (tuple(path.split(".")), orjson.loads(value))
            for path, value in changes.defaults
        )
        self.is_empty = not (self._drop or self._rename or self._defaults)

    def apply(self, body: bytes) -> bytes:
        """Return a JSON body with its fields changed; what is not JSON unchanged."""
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, dict):
                self._change(item)
        return orjson.dumps(value)

    def _change(self, item: dict[str, Any]) -> None:
        for path in self._drop:
            _take(item, path)
        for change in self._rename:
            value = _take(item, change.old)
            if value is not _MISSING:
                _put(item, change.new, value)
        for path, value in self._defaults:
            if _read(item, path) is _MISSING:
                _put(item, path, value)


def is_json(content_type: str) -> bool:
    """Tell whether a content type is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _read(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        if not hasattr(value, "get") or part not in value:
            return _MISSING
        value = value[part]
    return value


def _take(item: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Remove a field and return it; objects that it was alone in stay, empty."""
    holder = _read(item, path[:-1])
    return holder.pop(path[-1], _MISSING) if isinstance(holder, dict) else _MISSING


def _put(item: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = item.get(part)
        if not isinstance(inner, dict):
            item[part] = inner = {}
        item = inner
    item[path[-1]] = value


def _name(text: str) -> bytes:
    return text.lower().encode("latin-1")


def _pairs(given: Sequence[tuple[str, str]]) -> RawPairs:
    return tuple((_name(name), value.encode("latin-1")) for name, value in given)
