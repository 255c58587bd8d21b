"""Find the errors in a tree of results, and let nulls travel up.

Execution leaves exceptions and nulls where they happened and notes the fields below
which something is wrong. This walks to those alone, in the order of the selections,
and stops at an object where a null has travelled past it, as a depth-first executor
would. See https://spec.graphql.org/draft/#sec-Handling-Execution-Errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.local.program import (
    AbstractProgram,
    EntityProgram,
    ObjectProgram,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from graphgw.subgraphs.local.failures import Failures
    from graphgw.subgraphs.local.program import ChildProgram, FieldProgram
    from graphgw.subgraphs.protocol import ResponseKeyPath

__all__ = ["Settlement"]


class _NullError(Exception):
    """A null travels up; its error is recorded by the field that stops it."""

    def __init__(self, error: Exception, path: ResponseKeyPath, where: str) -> None:
        super().__init__()
        self.error = error
        self.path = path
        self.where = where


@dataclass(frozen=True, slots=True)
class Settlement:
    """One walk over a fetch's result.

    Args:
        failures: Where errors are recorded.
        tainted: Numbers of the fields at or below which something is wrong.
        programs: The program of each object at an abstract position, by ``id``.
    """

    failures: Failures
    tainted: Collection[int]
    programs: dict[int, ObjectProgram] = field(repr=False)

    def root(self, data: Any, program: ObjectProgram) -> Any:
        """Settle a root object; ``None`` where a null has travelled all the way."""
        try:
            self._object(data, program, ())
        except _NullError as null:
            self._record(null)
            return None
        return data

    def entities(
        self, data: list[Any], programs: Iterable[ChildProgram | None]
    ) -> list[Any]:
        """Settle what the representations became; each may be ``None``."""
        return [
            self._entity(item, program, (index,))
            for index, (item, program) in enumerate(zip(data, programs, strict=True))
        ]

    def _entity(
        self, item: Any, program: ChildProgram | None, path: ResponseKeyPath
    ) -> Any:
        if isinstance(item, Exception):
            self.failures.add(item, path, "Query._entities")
            return None
        try:
            self._child(item, program, path)
        except _NullError as null:
            self._record(null)
            return None
        return item

    def _record(self, null: _NullError) -> None:
        self.failures.add(null.error, null.path, null.where)

    def _object(
        self, data: dict[str, Any], program: ObjectProgram, path: ResponseKeyPath
    ) -> None:
        for child in program.fields:
            if child.number in self.tainted:
                key = child.response_key
                data[key] = self._value(data[key], child, 0, (*path, key))

    def _child(
        self, data: Any, program: ChildProgram | None, path: ResponseKeyPath
    ) -> None:
        if data is None:
            return
        found = program
        while isinstance(found, EntityProgram):
            found = found.program
        if isinstance(found, AbstractProgram):
            found = self.programs.get(id(data))
        if isinstance(found, ObjectProgram):
            self._object(data, found, path)

    def _value(
        self, value: Any, place: FieldProgram, depth: int, path: ResponseKeyPath
    ) -> Any:
        must = place.non_null[depth]
        try:
            return self._completed(value, place, depth, path)
        except _NullError as null:
            if must:
                raise
            self._record(null)
            return None

    def _completed(
        self, value: Any, place: FieldProgram, depth: int, path: ResponseKeyPath
    ) -> Any:
        if isinstance(value, Exception):
            raise _NullError(value, path, place.coordinate)
        if value is None:
            if place.non_null[depth]:
                error = SourceBadAnswerError(
                    f"Cannot return null for non-nullable field {place.coordinate}."
                )
                raise _NullError(error, path, place.coordinate)
            return None
        if depth + 1 < len(place.non_null):
            return [
                self._value(item, place, depth + 1, (*path, index))
                for index, item in enumerate(value)
            ]
        if place.child is not None:
            self._child(value, place.child, path)
        return value
