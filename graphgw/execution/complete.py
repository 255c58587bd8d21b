"""Complete a part of the tree that does not fit: with paths, errors and nulls.

This is the careful twin of the generated projection. It descends only where that
gave up, and hands every sound part back to it.

See https://spec.graphql.org/draft/#sec-Value-Completion.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from graphgw.execution.shape import (
    TYPENAME_KEY,
    CompositeShape,
    LeafShape,
    ListShape,
    ObjectShape,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphgw.execution.shape import FieldShape, LeafKind, ValueShape
    from graphgw.types import JSON, JSONObject

__all__ = ["UNFIT", "Completion", "UnfitError"]

Path: TypeAlias = tuple[str | int, ...]

_CODE: Final = "SOURCE_BAD_ANSWER"
_INT_RANGE: Final = range(-(2**31), 2**31)


class UnfitError(Exception):
    """A value is not what the client's shape wants there."""


UNFIT: Final = (UnfitError, KeyError, TypeError, AttributeError)
"""What a generated projection raises where the tree does not fit it."""


class _BadAnswerError(Exception):
    """A value is of the wrong kind; it becomes null with an error."""


class _Nulled:
    """Stands for a value that may not be null and is; its reason is recorded."""


_NULLED: Final = _Nulled()


class Completion:
    """One careful pass over a tree; ``errors`` are those that it found."""

    def __init__(
        self,
        functions: Mapping[int, Callable[[Any], Any]],
        recorded: Sequence[JSONObject],
    ) -> None:
        self.errors: list[JSONObject] = []
        self._functions = functions
        self._recorded = recorded
        self._paths: _RecordedPaths | None = None

    def root(self, shape: ObjectShape, tree: JSONObject) -> JSON:
        """Return the whole answer; ``None`` where a null reaches the root."""
        data = self._fields(shape, tree, ())
        return None if data is _NULLED else data

    def _value(
        self, shape: ValueShape, value: JSON, path: Path, coordinate: str
    ) -> JSON:
        if value is not None:
            try:
                value = self._present(shape, value, path, coordinate)
            except _BadAnswerError as error:
                self._record(f"The answer for {coordinate} {error}.", path)
                value = None
        if value is _NULLED:
            return _NULLED if shape.is_non_null else None
        if value is None and shape.is_non_null:
            self._refuse_null(path, coordinate)
            return _NULLED
        return value

    def _present(
        self, shape: ValueShape, value: JSON, path: Path, coordinate: str
    ) -> JSON:
        kind = shape.kind
        if isinstance(kind, LeafShape):
            return _leaf(kind, value)
        if isinstance(kind, ListShape):
            return self._list(kind, value, path, coordinate)
        return self._composite(kind, value, path)

    def _list(self, kind: ListShape, value: JSON, path: Path, coordinate: str) -> JSON:
        if value.__class__ is not list:
            raise _BadAnswerError("is not a list")
        done = self._try(kind, value)
        if done is not _NULLED:
            return done
        items = []
        project = self._item_function(kind)
        for index, item in enumerate(value):
            if project is not None:
                try:
                    items.append(project(item))
                    continue
                except UNFIT:
                    pass
            completed = self._value(kind.item, item, (*path, index), coordinate)
            if completed is _NULLED:
                return _NULLED
            items.append(completed)
        return items

    def _item_function(self, kind: ListShape) -> Callable[[Any], Any] | None:
        """Return what projects an item of a list of concrete objects."""
        item = kind.item.kind
        if not isinstance(item, CompositeShape) or item.is_abstract:
            return None
        (shape,) = item.objects.values()
        return self._functions.get(id(shape))

    def _composite(self, kind: CompositeShape, value: JSON, path: Path) -> JSON:
        if value.__class__ is not dict:
            raise _BadAnswerError("is not an object")
        if not kind.is_abstract:
            (shape,) = kind.objects.values()
            return self._object(shape, value, path)
        type_name = value.get(TYPENAME_KEY)
        if type_name is None and kind.unnamed is not None:
            return self._object(kind.unnamed, value, path)
        if not isinstance(type_name, str):
            raise _BadAnswerError("does not name its type")
        found = kind.objects.get(type_name)
        if found is not None:
            return self._object(found, value, path)
        if type_name in kind.hidden:
            return None
        raise _BadAnswerError(f"is of a type that {kind.type_name} cannot be")

    def _object(self, shape: ObjectShape, value: JSONObject, path: Path) -> JSON:
        done = self._try(shape, value)
        return self._fields(shape, value, path) if done is _NULLED else done

    def _fields(self, shape: ObjectShape, value: JSONObject, path: Path) -> JSON:
        completed: JSONObject = {}
        for found in shape.fields:
            result = self._field(shape, found, value, path)
            if result is _NULLED:
                return _NULLED
            completed[found.key] = result
        return completed

    def _field(
        self, shape: ObjectShape, found: FieldShape, value: JSONObject, path: Path
    ) -> JSON:
        if found.value is None:
            return None if found.is_refused else shape.type_name
        if found.is_refused:
            return _NULLED if found.value.is_non_null else None
        return self._value(
            found.value,
            value.get(found.key),
            (*path, found.key),
            f"{shape.type_name}.{found.name}",
        )

    def _try(self, shape: ObjectShape | ListShape, value: JSON) -> JSON:
        """Project a part the fast way; ``_NULLED`` where it does not fit."""
        function = self._functions.get(id(shape))
        if function is None:
            return _NULLED
        try:
            return function(value)
        except UNFIT:
            return _NULLED

    def _refuse_null(self, path: Path, coordinate: str) -> None:
        if not self._is_explained(path):
            message = f"Cannot return null for non-nullable field {coordinate}."
            self._record(message, path)

    def _record(self, message: str, path: Path) -> None:
        error = {"message": message, "path": list(path), "extensions": {"code": _CODE}}
        self.errors.append(error)
        if self._paths is not None:
            self._paths.add(path)

    def _is_explained(self, path: Path) -> bool:
        if self._paths is None:
            self._paths = _RecordedPaths()
            for error in (*self._recorded, *self.errors):
                if error.get("path"):
                    self._paths.add(tuple(error["path"]))
        return self._paths.explain(path)


class _RecordedPaths:
    """Where errors were recorded: above, at or below a path explains its null."""

    def __init__(self) -> None:
        self._exact: set[Path] = set()
        self._above: set[Path] = set()

    def add(self, path: Path) -> None:
        self._exact.add(path)
        self._above.update(path[:end] for end in range(len(path)))

    def explain(self, path: Path) -> bool:
        return path in self._above or any(
            path[:end] in self._exact for end in range(1, len(path) + 1)
        )


def _leaf(leaf: LeafShape, value: JSON) -> JSON:
    if leaf.kind == "any":
        return value
    if leaf.kind == "enum":
        if isinstance(value, str):
            if value in leaf.values:
                return value
            if value in leaf.hidden:
                return None
    else:
        coerced = _coerce(leaf.kind, value)
        if coerced is not None:
            return coerced
    raise _BadAnswerError(f"is not a valid {leaf.type_name}")


def _coerce(kind: LeafKind, value: JSON) -> JSON:
    """Return the value as this built-in scalar; ``None`` where it is none."""
    type_ = value.__class__
    match kind:
        case "String" if type_ is str:
            return value
        case "ID" if type_ is str or type_ is int:
            return str(value)
        case "Boolean" if type_ is bool:
            return value
        case "Float" if type_ is int or (type_ is float and math.isfinite(value)):
            return value
        case "Int":
            if type_ is float and value.is_integer():
                value = int(value)
            if value.__class__ is int and value in _INT_RANGE:
                return value
    return None
