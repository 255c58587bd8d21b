"""Generate the functions that read a column of rows of one kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from graphql import GraphQLEnumType

from graphgw.errors import InternalError
from graphgw.subgraphs.local.coerce import enum_names, leaf_lines
from graphgw.subgraphs.local.program import (
    BatchRead,
    ComputedCall,
    Constant,
    FieldProgram,
    PlainRead,
    ReferenceRead,
)
from graphgw.subgraphs.local.rows import (
    REPRESENTATION,
    Read,
    Scope,
    key_text,
    raw_text,
)
from graphgw.subgraphs.local.whole import generate_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType

    from graphql import GraphQLLeafType

    from graphgw.subgraphs.local.program import ObjectProgram, ReadPath
    from graphgw.subgraphs.local.rows import RowKind

__all__ = ["Reader", "generate_leaves", "generate_reader"]

_KEPT_CODES: Final = 1024
"""Compiled texts that are kept: many operations read a type in the same way."""


@dataclass(frozen=True, eq=False)
class Reader:
    """The functions for one object program and one kind of row.

    ``assemble(rows, columns)`` makes the objects and may raise anything where a value
    is not plainly right. ``whole(rows)`` makes the objects with all that is in them,
    where that can be done in one go. ``inputs`` are, by column, what reads a field's
    input from all rows: raw values, keys, representations or values to compute with.
    Where there is ``whole``, the others are compiled when they are first needed.
    """

    program: ObjectProgram
    kind: RowKind
    source: str
    whole: Callable[[list[Any]], list[Any]] | None
    _by_column: str
    _scope: Scope

    @property
    def is_representation(self) -> bool:
        """Tell whether the rows are representations."""
        return self.kind is REPRESENTATION

    def at_once(self, rows: list[Any]) -> list[Any] | None:
        """Return objects of which nothing must be awaited, if all is plainly right."""
        try:
            if self.whole is not None:
                return self.whole(rows)
            return None if self.program.columns else self.assemble(rows, ())
        except Exception:  # noqa: BLE001 - found out field by field
            return None

    @cached_property
    def assemble(self) -> Callable[[list[Any], Sequence[list[Any]]], list[Any]]:
        """What makes objects of rows and columns."""
        made: Callable[[list[Any], Sequence[list[Any]]], list[Any]]
        made = self._made["assemble"]
        return made

    @cached_property
    def inputs(self) -> dict[int, Callable[[list[Any]], list[Any]]]:
        """What reads a field's input from all rows, by column."""
        names = ((f.column, f"input_{f.column}") for f in self.program.columns)
        return {
            column: self._made[name]
            for column, name in names
            if column is not None and name in self._made
        }

    @cached_property
    def _made(self) -> dict[str, Any]:
        return _execute(self._by_column, self._scope, _title(self.program, self.kind))

    @cached_property
    def singles(self) -> dict[int, Callable[[Any], Any]]:
        """What reads a field's input from one row, by the field's number.

        Generated when first needed: where a column is not plainly right.
        """
        scope = Scope()
        expressions = _inputs(self.program.fields, self.kind, scope)
        source = "\n\n".join(
            f"def single_{number}(row):\n    return {expression}\n"
            for number, expression in expressions.items()
        )
        made = _execute(source, scope, f"{self.program.type_name}, one by one")
        return {number: made[f"single_{number}"] for number in expressions}


def generate_reader(program: ObjectProgram, kind: RowKind) -> Reader:
    """Write and compile the functions for ``program`` over rows of ``kind``."""
    scope = Scope()
    title = _title(program, kind)
    parts = [f"# {title}\n{_assemble(program, kind, scope)}"]
    columns = {field.number: field.column for field in program.columns}
    expressions = _inputs(program.columns, kind, scope)
    for number, expression in expressions.items():
        parts.append(
            f"def input_{columns[number]}(rows):\n"
            f"    return [{expression} for row in rows]\n"
        )
    by_column = source = "\n\n".join(parts)
    at_once = generate_whole(program, kind, scope)
    whole = None
    if at_once is not None:
        source = f"{by_column}\n\n{at_once}"
        whole = _execute(at_once, scope, title)["whole"]
    reader = Reader(program, kind, source, whole, by_column, scope)
    if whole is None:
        _ = reader.assemble
    return reader


def _title(program: ObjectProgram, kind: RowKind) -> str:
    return f"{program.type_name} from {kind.name}"


def generate_leaves(
    leaf: GraphQLLeafType, non_null: tuple[bool, ...]
) -> Callable[[list[Any]], list[Any]]:
    """Return a function that coerces a column of leaf values, all plainly right."""
    scope = Scope()
    lines, done = leaf_lines(Read("value"), non_null, leaf, scope, "done")
    if lines:
        body = "".join(f"        {line}\n" for line in [*lines, f"out.append({done})"])
        source = f"    out = []\n    for value in values:\n{body}    return out\n"
    else:
        source = f"    return [{done} for value in values]\n"
    source = f"def coerce(values):\n{source}"
    made: Callable[[list[Any]], list[Any]] = _execute(source, scope, leaf.name)[
        "coerce"
    ]
    return made


def _execute(source: str, scope: Scope, title: str) -> dict[str, Any]:
    namespace = dict(scope.names)
    exec(_code(source, title), namespace)  # noqa: S102 - our own text
    return namespace


@lru_cache(_KEPT_CODES)
def _code(source: str, title: str) -> CodeType:
    """Compile a text; what its names stand for is not part of it."""
    return compile(source, f"<{title}>", "exec")


def _assemble(program: ObjectProgram, kind: RowKind, scope: Scope) -> str:
    entries, names, unpacked, lines = [], [], [], []
    for index, field in enumerate(program.fields):
        if field.column is None:
            before, value = _inline(field, kind, scope, f"v{index}")
            lines += before
        else:
            value = f"x{field.column}"
            names.append(value)
            unpacked.append(f"c{field.column}")
        entries.append(f"{field.response_key!r}: {value}")
    head = "def assemble(rows, columns):\n"
    loop = "for row in rows"
    if names:
        head += f"    {', '.join(unpacked)}, = columns\n"
        targets, columns = ", ".join(names), ", ".join(unpacked)
        loop = f"for row, {targets} in zip(rows, {columns})"
    made = f"{{{', '.join(entries)}}}"
    if not lines:
        return f"{head}    return [{made} {loop}]\n"
    body = "".join(f"        {line}\n" for line in [*lines, f"out.append({made})"])
    return f"{head}    out = []\n    {loop}:\n{body}    return out\n"


def _inline(
    field: FieldProgram, kind: RowKind, scope: Scope, name: str
) -> tuple[list[str], str]:
    """Return lines that may set ``name``, and the expression for a field's value."""
    match field.source:
        case Constant(value):
            return [], repr(value)
        case PlainRead(path) if field.leaf is not None:
            must, names = field.non_null[0], _names(field.leaf)
            read = kind.read(path, scope, must=must, enum=names)
            return leaf_lines(read, field.non_null, field.leaf, scope, name)
        case _:
            raise InternalError(f"{field.coordinate} is not read inline")


def _names(leaf: GraphQLLeafType | None) -> object:
    return enum_names(leaf) if isinstance(leaf, GraphQLEnumType) else None


def _inputs(
    fields: Sequence[FieldProgram], kind: RowKind, scope: Scope
) -> dict[int, str]:
    """Return the expression for each field's input, where it has one."""
    found = ((f.number, _input_expression(f, kind, scope)) for f in fields)
    return {number: text for number, text in found if text is not None}


def _input_expression(field: FieldProgram, kind: RowKind, scope: Scope) -> str | None:
    match field.source:
        case PlainRead(path):
            read = kind.read(path, scope, must=False, enum=_names(field.leaf))
            return raw_text(read, scope)
        case BatchRead(_, keys, is_tuple):
            parts = [_key(path, kind, scope) for path in keys]
            return f"({', '.join(parts)},)" if is_tuple else parts[0]
        case ComputedCall(_, reads):
            texts = [kind.read(path, scope, must=False).text for path in reads]
            return f"({', '.join(texts)},)" if texts else "()"
        case ReferenceRead(keys):
            pairs = [(name, _key(path, kind, scope)) for name, path in keys]
            entries = ", ".join(f"{name!r}: {text}" for name, text in pairs)
            return f"{{{entries}}}"
        case _:
            return None


def _key(path: ReadPath, kind: RowKind, scope: Scope) -> str:
    return key_text(kind.read(path, scope, must=False), path)
