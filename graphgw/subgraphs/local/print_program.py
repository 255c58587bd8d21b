"""Print a selection program: its levels, and the functions generated for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.subgraphs.local.fields import RowOf
from graphgw.subgraphs.local.program import (
    AbstractProgram,
    BatchRead,
    ComputedCall,
    Constant,
    EntityProgram,
    MethodCall,
    PlainRead,
    ReferenceRead,
    ResolvedCall,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.subgraphs.local.expected_rows import Expected
    from graphgw.subgraphs.local.program import ChildProgram, FieldProgram
    from graphgw.subgraphs.local.readers import Readers

__all__ = ["print_program"]


def print_program(
    program: ChildProgram, expected: Iterable[Expected], readers: Readers
) -> str:
    """Return the outline of a program, and the functions for the rows it may meet.

    Other functions are generated when a row of another class is first seen.
    """
    outline = "\n".join(_lines(program, ""))
    sources = [readers.of(inner, row_class).source for inner, row_class in expected]
    return "\n\n".join([outline, *sources])


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
        case ComputedCall(RowOf() as row, reads):
            pairs = zip(row.names, reads, strict=True)
            names = ", ".join(f"{name}={'.'.join(path.row)}" for name, path in pairs)
            text = f"embed {names}"
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
