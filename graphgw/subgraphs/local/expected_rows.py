"""The classes of rows that a program will most likely meet.

Their readers are made ahead, in the thread that prepares, and shown to people. A
guess that is wrong costs a reader that is made when the row is first seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, get_origin, get_type_hints

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from graphgw.subgraphs.local.fields import RowOf
from graphgw.subgraphs.local.program import (
    AbstractProgram,
    BatchRead,
    ComputedCall,
    EntityProgram,
    PlainRead,
    ResolvedCall,
)

if TYPE_CHECKING:
    from graphgw.subgraphs.local.program import (
        ChildProgram,
        FieldProgram,
        ObjectProgram,
    )
    from graphgw.subgraphs.local.schema import LocalSchema

__all__ = ["Expected", "expected_rows", "promised_rows"]

Expected: TypeAlias = "tuple[ObjectProgram, type | None]"
"""A program and a class of its rows; ``None`` for representations."""


def expected_rows(
    program: ChildProgram, schema: LocalSchema, classes: Iterable[type | None]
) -> Iterator[Expected]:
    """Yield each object program with each class of rows that it may meet.

    Args:
        program: Where to begin.
        schema: Its schema.
        classes: The classes of its own rows; for entities they are found.
    """
    if isinstance(program, EntityProgram):
        yield from _entity(program, schema)
    elif isinstance(program, AbstractProgram):
        for name, inner in program.programs.items():
            fitting = [c for c in classes if _may_be(c, name, schema)]
            yield from expected_rows(inner, schema, fitting)
    else:
        found = list(dict.fromkeys(classes))
        yield from ((program, row_class) for row_class in found)
        for field in program.fields:
            if field.child is not None:
                inner_classes = _below(field, found)
                yield from expected_rows(field.child, schema, inner_classes)


def promised_rows(function: Callable[..., Any]) -> list[type]:
    """Return the classes of rows that a function's annotation promises."""
    if isinstance(function, RowOf):
        return [dict]
    try:
        annotation = get_type_hints(function).get("return")
    except Exception:  # noqa: BLE001 - names that only a type checker knows
        return []
    found: dict[type, None] = {}
    stack = [annotation]
    while stack:
        part = stack.pop()
        origin = get_origin(part)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            found[dict] = None
        elif get_args(part):
            stack += reversed(get_args(part))
        elif isinstance(part, type) and _is_row_class(part):
            found[part] = None
    return list(found)


def _is_row_class(cls: type) -> bool:
    if cls is dict:
        return True
    if cls in {object, NoneType} or issubclass(cls, Exception | Mapping):
        return False
    return cls.__module__ != "builtins"


def _entity(program: EntityProgram, schema: LocalSchema) -> Iterator[Expected]:
    if not program.keys:
        yield from expected_rows(program.program, schema, [None])
        return
    functions = [key.loader.function for key in program.keys]
    yield from expected_rows(program.program, schema, _rows_of(*functions))
    inner = program.program
    if not isinstance(inner, AbstractProgram) and any(
        field.is_given for field in inner.columns
    ):
        yield inner, None


def _rows_of(*functions: Callable[..., Any]) -> list[type]:
    """Return promised classes, dicts where nothing is promised."""
    return [c for function in functions for c in promised_rows(function)] or [dict]


def _below(field: FieldProgram, classes: list[type | None]) -> list[type | None]:
    """Return the classes of the rows that a field of such rows leads to."""
    match field.source:
        case BatchRead(loader):
            return [*_rows_of(loader.function)]
        case ResolvedCall(function) | ComputedCall(function):
            return [*_rows_of(function)]
        case PlainRead(path):
            found = (_inside(row_class, path.row) for row_class in classes)
            if field.is_given:
                return [None]
            return [c for known in found for c in known]
        case _:
            return []


def _inside(row_class: type | None, path: tuple[str, ...]) -> list[type | None]:
    if row_class is None or issubclass(row_class, Mapping):
        return [row_class]
    if not issubclass(row_class, Message):
        return []
    descriptor: Any = row_class.DESCRIPTOR
    for name in path:
        step = None if descriptor is None else descriptor.fields_by_name.get(name)
        descriptor = None if step is None else step.message_type
    return [] if descriptor is None else [GetMessageClass(descriptor)]


def _may_be(row_class: type | None, type_name: str, schema: LocalSchema) -> bool:
    if row_class is None or issubclass(row_class, Mapping):
        return True
    return schema.type_name_of(row_class) in {type_name, None}
