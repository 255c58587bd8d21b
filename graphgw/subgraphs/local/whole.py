"""Generate one function for objects that can be made of their rows in one go.

That is so where nothing has to be awaited or parted by runtime type: plain fields,
computed ones, and objects and lists of objects of which the same is true. The function
raises anything where a value is not plainly right; the column is then worked out field
by field, so that errors and nulls are found where they are.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from graphql import GraphQLEnumType

from graphgw.subgraphs.local.coerce import enum_names, leaf_expression, unfit
from graphgw.subgraphs.local.expected_rows import promised_rows
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
    key_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.subgraphs.local.program import FieldProgram
    from graphgw.subgraphs.local.rows import RowKind, Scope

__all__ = ["generate_whole"]


def generate_whole(program: ObjectProgram, kind: RowKind, scope: Scope) -> str | None:
    """Return the source of ``whole(rows)``, ``None`` where there can be none.

    It pays only where a level is saved: where some field is not read inline anyway.
    """
    if not program.columns or program.is_async or kind is REPRESENTATION:
        return None
    writer = _Writer(scope)
    try:
        body = writer.object(program, kind)
    except _NotWholeError:
        return None
    source = "\n\n".join(writer.functions)
    return f"{source}\n\ndef whole(rows):\n    return [{body} for row in rows]\n"


class _NotWholeError(Exception):
    """The objects cannot be made in one go."""


class _Writer:
    """Writes expressions in the variable ``row``; helpers go to ``functions``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._numbers = count(1)
        self.functions: list[str] = []

    def object(self, program: ObjectProgram, kind: RowKind) -> str:
        """Return an expression for one object."""
        if program.is_async or any(field.is_given for field in program.columns):
            raise _NotWholeError
        entries = (
            f"{f.response_key!r}: {self._field(f, kind)}" for f in program.fields
        )
        return f"{{{', '.join(entries)}}}"

    def _field(self, field: FieldProgram, kind: RowKind) -> str:
        match field.source:
            case Constant(value):
                return repr(value)
            case ReferenceRead():
                return self._reference(field, field.source, kind)
            case ComputedCall() if field.source.arguments.nodes or field.is_async:
                raise _NotWholeError
            case PlainRead() | ComputedCall() if field.leaf is not None:
                read = self._read(field, kind)
                return leaf_expression(read, field.non_null, field.leaf, self._scope)
            case PlainRead() | ComputedCall() if isinstance(field.child, ObjectProgram):
                return self._nested(field, field.child, kind)
            case _:
                raise _NotWholeError

    def _read(self, field: FieldProgram, kind: RowKind) -> Read:
        source, scope = field.source, self._scope
        if isinstance(source, PlainRead):
            enum = (
                enum_names(field.leaf)
                if isinstance(field.leaf, GraphQLEnumType)
                else None
            )
            must = field.non_null[0]
            return kind.read(source.path, scope, must=must, enum=enum)
        if not isinstance(source, ComputedCall) or field.is_given:
            raise _NotWholeError
        values = (kind.read(p, scope, must=False).text for p in source.reads)
        return Read(f"{scope.add(source.function)}({', '.join(values)})")

    def _nested(self, field: FieldProgram, child: ObjectProgram, kind: RowKind) -> str:
        read = self._read(field, kind)
        inner = self._inner_kind(field, kind)
        must, *items = field.non_null
        body = self.object(child, inner)
        if len(items) > 1 or (items and inner is DICT and not _looks_at_rows(child)):
            raise _NotWholeError
        if read.is_list and items and ":=" not in read.text:
            return f"[{body} for row in {read.text}]"
        name = f"whole_{next(self._numbers)}"
        raises = f"raise {self._scope.add(unfit)}(row)"
        otherwise = raises if must else f"return None if row is None else {raises[6:]}"
        if items:
            test, made = "type(row) is list", f"[{body} for row in row]"
        elif inner is DICT:
            test, made = "type(row) is dict", body
        else:
            test, made = "row is not None", body
        self.functions.append(
            f"def {name}(row):\n"
            f"    if {test}:\n"
            f"        return {made}\n"
            f"    {otherwise}\n"
        )
        return f"{name}({read.text})"

    def _inner_kind(self, field: FieldProgram, kind: RowKind) -> RowKind:
        source = field.source
        if isinstance(source, ComputedCall):
            if promised_rows(source.function) == [dict]:
                return DICT
        elif isinstance(source, PlainRead):
            if kind is DICT and len(source.path.row) == 1:
                return DICT
            if isinstance(kind, MessageRows):
                inner = kind.inner(source.path)
                if inner is not None:
                    return inner
        raise _NotWholeError

    def _reference(
        self, field: FieldProgram, source: ReferenceRead, kind: RowKind
    ) -> str:
        child = field.child
        if not isinstance(child, EntityProgram) or child.keys:
            raise _NotWholeError
        if not isinstance(child.program, ObjectProgram) or len(field.non_null) > 1:
            raise _NotWholeError
        names = {key: f"k{next(self._numbers)}" for key, _ in source.keys}
        entries = ", ".join(self._known(child.program, names))
        tests = " and ".join(
            f"({names[key]} := {key_text(path, kind, self._scope)}) is not None"
            for key, path in source.keys
        )
        no_key = f"{self._scope.add(unfit)}(None)" if field.non_null[0] else "None"
        return f"({{{entries}}} if {tests} else {no_key})"

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


def _looks_at_rows(program: ObjectProgram) -> bool:
    """Tell whether making an object fails where its row is null."""
    return any(
        source.reads if isinstance(source, ComputedCall) else source
        for source in (field.source for field in program.fields)
        if not isinstance(source, Constant)
    )
