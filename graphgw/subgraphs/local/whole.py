"""Generate one function for objects that can be made of their rows in one go.

That is so where nothing has to be awaited or parted by runtime type: plain fields,
computed ones, and objects and lists of objects of which the same is true. The function
raises anything where a value is not plainly right; the column is then worked out field
by field, so that errors and nulls are found where they are.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

from graphql import GraphQLEnumType

from graphgw.subgraphs.local.coerce import enum_names, leaf_lines, unfit
from graphgw.subgraphs.local.embedded import (
    EmbeddedRows,
    UnreadableError,
    embedded_rows,
)
from graphgw.subgraphs.local.expected_rows import promised_rows
from graphgw.subgraphs.local.fields import RowOf
from graphgw.subgraphs.local.program import (
    ComputedCall,
    Constant,
    EntityProgram,
    ObjectProgram,
    PlainRead,
    ReferenceRead,
)
from graphgw.subgraphs.local.rows import (
    DICT,
    REPRESENTATION,
    MessageRows,
    Read,
    TextRows,
    key_text,
)
from graphgw.subgraphs.local.texts import StructRows, decoder_of, struct_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.subgraphs.local.program import FieldProgram
    from graphgw.subgraphs.local.rows import RowKind, Scope

__all__ = ["generate_whole"]

_MOST_LEVELS: Final = 16
"""Levels in one function; Python nests no more than 20 loops."""


def generate_whole(program: ObjectProgram, kind: RowKind, scope: Scope) -> str | None:
    """Return the source of ``whole(rows)``, ``None`` where there can be none.

    It pays only where a level is saved: where some field is not read inline anyway.
    """
    if isinstance(kind, TextRows):
        return _whole_of_texts(program, scope)
    if not program.columns or program.is_async or kind is REPRESENTATION:
        return None
    try:
        lines = _Writer(scope).objects(program, kind, "rows", "out")
    except _NotWholeError:
        return None
    body = "\n".join(f"    {line}" for line in [*lines, "return out"])
    return f"def whole(rows):\n{body}\n"


def _whole_of_texts(program: ObjectProgram, scope: Scope) -> str | None:
    """Return the same for rows that are decoded first, as far as they are read."""
    try:
        rows = struct_rows(program)
        decode = scope.add(decoder_of(rows), "decode")
        lines = _Writer(scope).objects(program, rows, "structs", "out")
    except (_NotWholeError, UnreadableError):
        return None
    first = f"structs = [{decode}(row.text) for row in rows]"
    body = "\n".join(f"    {line}" for line in [first, *lines, "return out"])
    return f"def whole(rows):\n{body}\n"


class _NotWholeError(Exception):
    """The objects cannot be made in one go."""


class _Writer:
    """Writes the lines that make objects of rows, a loop in a loop for each list."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._numbers = count(1)
        self._depth = 0

    def objects(
        self, program: ObjectProgram, kind: RowKind, rows: str, out: str
    ) -> list[str]:
        """Return lines that set ``out`` to the objects of what ``rows`` holds."""
        row = self._name("row")
        before, made = self._object(program, kind, row)
        if not before and ":=" not in made:
            return [f"{out} = [{made} for {row} in {rows}]"]
        return [
            f"{out} = []",
            f"for {row} in {rows}:",
            *_indented(before),
            f"    {out}.append({made})",
        ]

    def _name(self, stem: str) -> str:
        return f"{stem}{next(self._numbers)}"

    def _object(
        self, program: ObjectProgram, kind: RowKind, row: str
    ) -> tuple[list[str], str]:
        """Return lines to go ahead, and an expression for one object."""
        if program.is_async or any(field.is_given for field in program.columns):
            raise _NotWholeError
        lines, entries = [], []
        for field in program.fields:
            before, value = self._field(field, kind, row)
            lines += before
            entries.append(f"{field.response_key!r}: {value}")
        return lines, f"{{{', '.join(entries)}}}"

    def _field(
        self, field: FieldProgram, kind: RowKind, row: str
    ) -> tuple[list[str], str]:
        match field.source:
            case Constant(value):
                return [], repr(value)
            case ReferenceRead():
                return self._reference(field, field.source, kind, row)
            case ComputedCall() if field.source.arguments.nodes or field.is_async:
                raise _NotWholeError
            case PlainRead() | ComputedCall() if field.leaf is not None:
                read, name = self._read(field, kind, row), self._name("v")
                return leaf_lines(read, field.non_null, field.leaf, self._scope, name)
            case PlainRead() | ComputedCall() if isinstance(field.child, ObjectProgram):
                return self._nested(field, field.child, kind, row)
            case _:
                raise _NotWholeError

    def _read(self, field: FieldProgram, kind: RowKind, row: str) -> Read:
        source, scope = field.source, self._scope
        if isinstance(source, PlainRead):
            enum = (
                enum_names(field.leaf)
                if isinstance(field.leaf, GraphQLEnumType)
                else None
            )
            must = field.non_null[0]
            return kind.read(source.path, scope, must=must, enum=enum, row=row)
        if not isinstance(source, ComputedCall) or field.is_given:
            raise _NotWholeError
        values = (kind.read(p, scope, must=False, row=row).text for p in source.reads)
        return Read(f"{scope.add(source.function)}({', '.join(values)})")

    def _nested(
        self, field: FieldProgram, child: ObjectProgram, kind: RowKind, row: str
    ) -> tuple[list[str], str]:
        self._depth += 1
        if self._depth > _MOST_LEVELS:
            raise _NotWholeError
        try:
            return self._below(field, child, kind, row)
        finally:
            self._depth -= 1

    def _below(
        self, field: FieldProgram, child: ObjectProgram, kind: RowKind, row: str
    ) -> tuple[list[str], str]:
        """Return lines and an expression for the objects below one."""
        source = field.source
        must, *items = field.non_null
        if isinstance(source, ComputedCall) and isinstance(source.function, RowOf):
            parts = embedded_rows(source.function, source.reads, kind)
            with suppress(UnreadableError):
                if not items:
                    return self._object(child, parts, row)
        read = self._read(field, kind, row)
        inner = self._inner_kind(field, kind)
        if len(items) > 1 or (items and inner is DICT and not _looks_at_rows(child)):
            raise _NotWholeError
        out = self._name("made")
        if read.is_list and items:
            # A repeated field is made a list of at once faster than item by item.
            copied = "[:]" if isinstance(inner, MessageRows) else ""
            lines = self.objects(child, inner, f"{read.text}{copied}", out)
            if len(lines) == 1:
                return [], lines[0].removeprefix(f"{out} = ")
            return lines, out
        found = self._name("row")
        before = [f"{found} = {read.text}"]
        unfit_ = f"{self._scope.add(unfit)}({found})"
        if items:
            wrong, made = f"type({found}) is not list", out
            lines = self.objects(child, inner, found, out)
        else:
            is_dict = inner is DICT
            wrong = f"type({found}) is not dict" if is_dict else f"{found} is None"
            lines, made = self._object(child, inner, found)
        if must:
            return [*before, f"if {wrong}: {unfit_}", *lines], made
        if not items:
            lines = [*lines, f"{out} = {made}"]
        before.append(f"if {found} is None: {out} = None")
        if wrong != f"{found} is None":
            before.append(f"elif {wrong}: {unfit_}")
        return [*before, "else:", *_indented(lines)], out

    def _inner_kind(self, field: FieldProgram, kind: RowKind) -> RowKind:
        source = field.source
        if isinstance(source, ComputedCall):
            if promised_rows(source.function) == [dict]:
                return DICT
        elif isinstance(kind, EmbeddedRows):
            raise UnreadableError(field.coordinate)
        elif isinstance(source, PlainRead):
            if kind is DICT and len(source.path.row) == 1:
                return DICT
            if isinstance(kind, MessageRows | StructRows):
                inner = kind.inner(source.path)
                if inner is not None:
                    return inner
        raise _NotWholeError

    def _reference(
        self, field: FieldProgram, source: ReferenceRead, kind: RowKind, row: str
    ) -> tuple[list[str], str]:
        child = field.child
        if not isinstance(child, EntityProgram) or child.keys:
            raise _NotWholeError
        if not isinstance(child.program, ObjectProgram) or len(field.non_null) > 1:
            raise _NotWholeError
        names: dict[str, str] = {}
        lines, unsure = [], []
        for key, path in source.keys:
            read = kind.read(path, self._scope, must=False, row=row)
            text = key_text(read, path)
            if read.never_null and text == read.text:
                names[key] = text
                continue
            name = names[key] = self._name("key")
            lines.append(f"{name} = {text}")
            unsure.append(f"{name} is not None")
        made = f"{{{', '.join(self._known(child.program, names))}}}"
        if not unsure:
            return [], made
        no_key = f"{self._scope.add(unfit)}(None)" if field.non_null[0] else "None"
        return lines, f"({made} if {' and '.join(unsure)} else {no_key})"

    def _known(self, program: ObjectProgram, names: dict[str, str]) -> Iterator[str]:
        """Yield the entries of an object of which only the key is wanted."""
        for field in program.fields:
            match field.source:
                case Constant(value):
                    yield f"{field.response_key!r}: {value!r}"
                case PlainRead(path) if path.graphql in names and field.leaf:
                    yield f"{field.response_key!r}: {names[path.graphql]}"
                case _:
                    raise _NotWholeError


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _looks_at_rows(program: ObjectProgram) -> bool:
    """Tell whether making an object fails where its row is null."""
    return any(
        source.reads if isinstance(source, ComputedCall) else source
        for source in (field.source for field in program.fields)
        if not isinstance(source, Constant)
    )
