"""How many calls a selection program makes, if every batch fits into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.subgraphs.local.program import (
    AbstractProgram,
    BatchRead,
    EntityProgram,
    MethodCall,
    ResolvedCall,
)

if TYPE_CHECKING:
    from graphgw.subgraphs.local.program import ChildProgram

__all__ = ["count_calls"]


def count_calls(program: ChildProgram) -> int:
    """Return the calls of loaders and functions at all levels of a program.

    Methods that do not wait for anything are not counted.
    """
    if isinstance(program, EntityProgram):
        return len(program.keys) + count_calls(program.program)
    if isinstance(program, AbstractProgram):
        return sum(count_calls(found) for found in program.programs.values())
    total = 0
    for field in program.fields:
        source = field.source
        is_method = isinstance(source, MethodCall) and source.is_async
        if is_method or isinstance(source, BatchRead | ResolvedCall):
            total += 1
        if field.child is not None:
            total += count_calls(field.child)
    return total
