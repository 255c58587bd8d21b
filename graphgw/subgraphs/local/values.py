"""Where the values of a field come from, for a column of rows at once."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphgw.errors import InternalError
from graphgw.subgraphs.kept_answers import note_call
from graphgw.subgraphs.local.columns import attempt, is_hole, scatter, together
from graphgw.subgraphs.local.program import (
    BatchRead,
    ComputedCall,
    Constant,
    MethodCall,
    ReferenceRead,
    ResolvedCall,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from graphgw.context import RequestContext
    from graphgw.subgraphs.local.generate import Reader
    from graphgw.subgraphs.local.program import FieldProgram
    from graphgw.types import JSONObject

__all__ = ["LightInfo", "field_values", "load_rows"]


@dataclass(frozen=True, slots=True)
class LightInfo:
    """What Strawberry's ``Info`` reads, for resolvers that ask for it."""

    field_name: str
    parent_type: Any
    return_type: Any
    schema: Any = field(repr=False)
    context: RequestContext = field(repr=False)
    variable_values: Mapping[str, Any] = field(repr=False)
    root_value: None = None
    path: None = None
    operation: None = None
    fragments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    field_nodes: Sequence[Any] = ()


async def field_values(
    program: FieldProgram,
    reader: Reader,
    rows: list[Any],
    context: RequestContext,
    variables: JSONObject,
) -> list[Any]:
    """Return a field's raw values; exceptions stand where one failed."""
    source = program.source
    match source:
        case Constant():
            return [source.value] * len(rows)
        case BatchRead():
            return await _batch(program, source, reader, rows, context, variables)
        case ResolvedCall():
            arguments = source.arguments.evaluate(variables)
            if context.parts is not None:
                note_call(source.function, context.parts)
            value = source.function(context, **arguments)
            if inspect.isawaitable(value):
                value = await value
            return [value] * len(rows)
        case ComputedCall():
            return await _computed(program, source, reader, rows, variables)
        case MethodCall():
            return await _method(source, rows, context, variables)
        case ReferenceRead():
            return [
                r if is_hole(r) or None not in r.values() else None
                for r in _inputs(program, reader, rows)
            ]
        case _:
            return _inputs(program, reader, rows)


async def load_rows(
    context: RequestContext, source: Any, keys: list[Any], arguments: JSONObject
) -> list[Any]:
    """Load rows in key order; the failure of all is the value of each.

    ``source`` has the loader, and the rule of the cache where there is one.
    """
    loaders: Any = context.loaders
    rule = source.rule
    extra = () if rule is None else (rule,)
    try:
        rows: list[Any] = await loaders.load_many(
            source.loader, keys, arguments, *extra
        )
    except Exception as error:  # noqa: BLE001 - each row's value, told later
        return [error] * len(keys)
    return rows


async def _batch(
    program: FieldProgram,
    source: BatchRead,
    reader: Reader,
    rows: list[Any],
    context: RequestContext,
    variables: JSONObject,
) -> list[Any]:
    arguments = source.arguments.evaluate(variables)
    keys = _inputs(program, reader, rows)
    empty = _empty_keys(keys, is_tuple=source.is_tuple)
    if not empty:
        return await load_rows(context, source, keys, arguments)
    present = [i for i in range(len(keys)) if i not in empty]
    base = [k if isinstance(k, Exception) else None for k in keys]
    if not present:
        return base
    found = await load_rows(context, source, [keys[i] for i in present], arguments)
    return scatter([present], [found], base)


def _empty_keys(keys: list[Any], *, is_tuple: bool) -> set[int]:
    """Return where there is no key: ``None``, a failure, or a tuple without parts."""
    if is_tuple:
        return {
            i
            for i, key in enumerate(keys)
            if is_hole(key) or all(part is None for part in key)
        }
    return {i for i, key in enumerate(keys) if is_hole(key)}


def _inputs(program: FieldProgram, reader: Reader, rows: list[Any]) -> list[Any]:
    if program.column is None:
        raise InternalError(f"{program.coordinate} has no column")
    try:
        return reader.inputs[program.column](rows)
    except Exception:  # noqa: BLE001 - found out row by row
        single = reader.singles[program.number]
        return [attempt(single, row) for row in rows]


async def _computed(
    program: FieldProgram,
    source: ComputedCall,
    reader: Reader,
    rows: list[Any],
    variables: JSONObject,
) -> list[Any]:
    arguments = source.arguments.evaluate(variables)
    function = source.function

    def compute(values: Any) -> Any:
        if isinstance(values, Exception):
            return values
        return function(*values, **arguments)

    inputs = _inputs(program, reader, rows)
    return await _awaited([attempt(compute, values) for values in inputs])


async def _method(
    source: MethodCall, rows: list[Any], context: RequestContext, variables: JSONObject
) -> list[Any]:
    arguments = source.arguments.evaluate(variables)
    info = LightInfo(**source.info, context=context, variable_values=variables)
    if context.parts is not None:
        note_call(source.resolve, context.parts)

    def call(row: Any) -> Any:
        return source.resolve(row, info, **arguments)

    return await _awaited([attempt(call, row) for row in rows])


async def _awaited(values: list[Any]) -> list[Any]:
    """Await those that must be awaited, at once."""
    waiting = [i for i, value in enumerate(values) if inspect.isawaitable(value)]
    if not waiting:
        return values
    done = await together([_outcome(values[i]) for i in waiting])
    return scatter([waiting], [done], values)


async def _outcome(value: Awaitable[Any]) -> Any:
    try:
        return await value
    except Exception as error:  # noqa: BLE001 - a field's value, told later
        return error
