"""Print a selection program: its levels, and the functions generated for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.subgraphs.local.generate import generate_reader
from graphgw.subgraphs.local.program import (
    AbstractProgram,
    BatchRead,
    ComputedCall,
    Constant,
    EntityProgram,
    MethodCall,
    ObjectProgram,
    PlainRead,
    ReferenceRead,
    ResolvedCall,
)
from graphgw.subgraphs.local.rows import REPRESENTATION, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.subgraphs.local.program import ChildProgram, FieldProgram
    from graphgw.subgraphs.local.rows import RowKind
    from graphgw.subgraphs.local.schema import LocalSchema

__all__ = ["print_program"]


def print_program(program: ChildProgram, schema: LocalSchema) -> str:
    """Return the outline of a program and the functions for rows it may meet.

    Functions are shown for the classes of rows that the subgraph names, else for
    dicts; others are generated when such a row is first seen.
    """
    outline = "\n".join(_lines(program, ""))
    sources = [
        generate_reader(inner, kind).source
        for inner, is_known in _objects(program, is_known=False)
        for kind in _kinds(inner, schema, is_known=is_known)
    ]
    return "\n\n".join([outline, *sources])


def _kinds(
    program: ObjectProgram, schema: LocalSchema, *, is_known: bool
) -> list[RowKind]:
    if is_known:
        return [REPRESENTATION]
    named = [c for c, name in schema.row_types.items() if name == program.type_name]
    return [kind_of(row_class) for row_class in named or [dict]]


def _objects(
    program: ChildProgram, *, is_known: bool
) -> Iterator[tuple[ObjectProgram, bool]]:
    if isinstance(program, EntityProgram):
        yield from _objects(program.program, is_known=not program.keys)
    elif isinstance(program, AbstractProgram):
        for inner in program.programs.values():
            yield from _objects(inner, is_known=False)
    else:
        yield program, is_known
        for field in program.fields:
            if field.child is not None:
                inner_known = is_known and isinstance(field.source, PlainRead)
                yield from _objects(field.child, is_known=inner_known)


def _lines(program: ChildProgram, margin: str) -> Iterator[str]:
    if isinstance(program, EntityProgram):
        loaders = ", ".join(key.loader.name for key in program.keys)
        origin = f"rows of {loaders}" if loaders else "their representations"
        yield f"{margin}entities {program.type_name} from {origin}"
        yield from _lines(program.program, f"{margin}  ")
    elif isinstance(program, AbstractProgram):
        yield f"{margin}{program.type_name} by runtime type"
        for inner in program.programs.values():
            yield from _lines(inner, f"{margin}  ")
    else:
        yield f"{margin}{program.type_name}"
        for field in program.fields:
            yield f"{margin}  {field.response_key}: {_origin(field)}"
            if field.child is not None:
                yield from _lines(field.child, f"{margin}    ")


def _origin(field: FieldProgram) -> str:
    text = ""
    match field.source:
        case Constant(value):
            text = repr(value)
        case PlainRead(path):
            text = f"read {'.'.join(path.row)}"
        case BatchRead(loader, keys):
            names = ", ".join(".".join(key.row) for key in keys)
            text = f"batch {loader.name} by {names}"
        case ResolvedCall(function):
            text = f"call {_name(function)}"
        case ComputedCall(function, reads):
            names = ", ".join(".".join(path.row) for path in reads)
            text = f"compute {_name(function)} of {names}"
        case MethodCall():
            text = f"method {field.coordinate}"
        case ReferenceRead(pairs):
            names = ", ".join(f"{key}={'.'.join(path.row)}" for key, path in pairs)
            text = f"reference {names}"
    return f"{text} (given)" if field.is_given else text


def _name(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
