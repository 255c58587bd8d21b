"""Generated functions of one prepared fetch.

Made ahead for the rows that are expected, else when a class of row is first seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import InternalError
from graphgw.subgraphs.local.generate import generate_leaves, generate_reader
from graphgw.subgraphs.local.program import AbstractProgram, EntityProgram
from graphgw.subgraphs.local.rows import REPRESENTATION, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from graphgw.subgraphs.local.expected_rows import Expected
    from graphgw.subgraphs.local.generate import Reader
    from graphgw.subgraphs.local.program import (
        ChildProgram,
        FieldProgram,
        ObjectProgram,
    )

__all__ = ["Readers"]

_MOST_MISFITS: Final = 64
_MOST_CLASSES: Final = 256
"""A bound for classes that are made at run time; beyond it the cache starts anew."""


class Readers:
    """A cache of readers by object program and class of row.

    Args:
        expected: The rows whose readers are made at once.
    """

    __slots__ = ("_leaves", "_misfits", "_readers")

    def __init__(self, expected: Iterable[Expected] = ()) -> None:
        self._readers: dict[tuple[int, type | None], Reader] = {}
        self._leaves: dict[int, Callable[[list[Any]], list[Any]]] = {}
        self._misfits: dict[tuple[int, type | None], int] = {}
        self._make_ahead(expected)

    def _make_ahead(self, expected: Iterable[Expected]) -> None:
        """Make the readers of rows that are not read as part of others.

        Programs come before those below them.
        """
        covered: set[int] = set()
        opened: set[int] = set()
        for program, row_class in expected:
            if program.number in covered and program.number not in opened:
                continue
            if self.of(program, row_class).whole is not None:
                covered.update(_numbers_below(program))
                continue
            opened.update(_numbers_below(program))
            for field in program.columns:
                if field.leaf is not None:
                    self.leaves(field)

    def of(self, program: ObjectProgram, row_class: type | None) -> Reader:
        """Return the reader for rows of a class; ``None`` for representations."""
        key = (program.number, row_class)
        found = self._readers.get(key)
        if found is None:
            if len(self._readers) >= _MOST_CLASSES:
                self._readers.clear()
            kind = REPRESENTATION if row_class is None else kind_of(row_class)
            found = self._readers[key] = generate_reader(program, kind)
        return found

    def note_misfit(self, program: ObjectProgram, row_class: type | None) -> None:
        """Give up on making objects in one go where that fails again and again."""
        key = (program.number, row_class)
        self._misfits[key] = self._misfits.get(key, 0) + 1
        reader = self._readers.get(key)
        if reader is not None and self._misfits[key] >= _MOST_MISFITS:
            self._readers[key] = replace(reader, whole=None)

    def leaves(self, field: FieldProgram) -> Callable[[list[Any]], list[Any]]:
        """Return what coerces a column of leaf values."""
        found = self._leaves.get(field.number)
        if found is None:
            if field.leaf is None:
                raise InternalError(f"{field.coordinate} is no leaf")
            found = generate_leaves(field.leaf, field.non_null)
            self._leaves[field.number] = found
        return found


def _numbers_below(program: ObjectProgram) -> Iterator[int]:
    """Yield the numbers of all object programs below one."""
    stack: list[ChildProgram | None] = [field.child for field in program.fields]
    while stack:
        child = stack.pop()
        if isinstance(child, EntityProgram):
            stack.append(child.program)
        elif isinstance(child, AbstractProgram):
            stack.extend(child.programs.values())
        elif child is not None:
            yield child.number
            stack.extend(field.child for field in child.fields)
