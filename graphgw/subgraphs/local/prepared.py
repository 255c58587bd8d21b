"""Fetches that were compiled for a local subgraph."""

from __future__ import annotations

import inspect
from contextlib import aclosing
from itertools import chain
from types import CoroutineType, NoneType
from typing import TYPE_CHECKING, Any

from graphgw.errors import InternalError
from graphgw.subgraphs.kept_answers import note_call
from graphgw.subgraphs.local.columns import group, is_hole, scatter, together
from graphgw.subgraphs.local.count_calls import count_calls
from graphgw.subgraphs.local.expected_rows import expected_rows
from graphgw.subgraphs.local.failures import Failures
from graphgw.subgraphs.local.print_program import print_program
from graphgw.subgraphs.local.program import MethodCall, ObjectProgram, ResolvedCall
from graphgw.subgraphs.local.readers import Readers
from graphgw.subgraphs.local.run import Run
from graphgw.subgraphs.local.settle import Settlement
from graphgw.subgraphs.local.values import LightInfo
from graphgw.subgraphs.protocol import FetchResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from graphgw.context import RequestContext
    from graphgw.subgraphs.local.program import EntityProgram
    from graphgw.subgraphs.local.schema import LocalSchema
    from graphgw.types import JSONObject

__all__ = ["PreparedEntities", "PreparedMutation", "PreparedQuery", "PreparedStream"]


class PreparedQuery:
    """The selections of the query type."""

    def __init__(self, schema: LocalSchema, program: ObjectProgram) -> None:
        self._schema = schema
        self._program = program
        self.calls = count_calls(program)
        self._expected = tuple(expected_rows(program, schema, [NoneType]))
        self._readers = Readers(self._expected)
        self._only = _only_call(program)

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        """Fetch once; failures become errors of their fields."""
        del representations
        if self._only is None:
            run = Run(self._schema, self._readers, context, variables)
            return _settled(run, await run.root(self._program), self._program)
        key, source, child = self._only
        value: Any
        if context.parts is not None:
            note_call(source.function, context.parts)
        try:
            value = source.function(context, **source.arguments.evaluate(variables))
            if value.__class__ is CoroutineType or inspect.isawaitable(value):
                value = await value
            if child is not None and not is_hole(value):
                made = self._readers.of(child, value.__class__).at_once([value])
                if made is not None:
                    return FetchResult({key: made[0]})
        except Exception as error:  # noqa: BLE001 - the field's value, told below
            value = error
        run = Run(self._schema, self._readers, context, variables)
        return _settled(run, await run.event(self._program, value), self._program)

    def code(self) -> str:
        """Return the program and its generated functions as text."""
        return print_program(self._program, self._expected, self._readers)


class PreparedMutation(PreparedQuery):
    """The selections of the mutation type: one field after another.

    Each field starts with empty loaders, so that none reads what was known before it.
    """

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        """Run once; failures become errors of their fields."""
        del representations
        loaders: Any = context.loaders
        run = Run(self._schema, self._readers, context, variables)
        data = await run.mutation(self._program, loaders.reset)
        return _settled(run, data, self._program)


class PreparedStream(PreparedQuery):
    """The selection of the subscription type."""

    async def subscribe(
        self, context: RequestContext, variables: JSONObject
    ) -> AsyncIterator[FetchResult]:
        """Yield a result for each event of the source stream.

        A source that fails yields one last result with its error.
        """
        (field,) = self._program.fields
        loaders: Any = context.loaders
        try:
            async with aclosing(self._source(context, variables)) as source:
                async for value in source:
                    loaders.forget()
                    run = Run(self._schema, self._readers, context, variables)
                    data = await run.event(self._program, value)
                    yield _settled(run, data, self._program)
        except Exception as error:  # noqa: BLE001 - the last result tells it
            failures = Failures(context)
            failures.add(error, (field.response_key,), field.coordinate)
            yield FetchResult(None, tuple(failures.errors))

    async def _source(self, context: RequestContext, variables: JSONObject) -> Any:
        (field,) = self._program.fields
        match field.source:
            case ResolvedCall(function, arguments):
                stream = function(context, **arguments.evaluate(variables))
            case MethodCall(resolve, about, arguments):
                info = LightInfo(**about, context=context, variable_values=variables)
                stream = resolve(None, info, **arguments.evaluate(variables))
            case _:
                raise InternalError(f"{field.coordinate} is no stream")
        if inspect.isawaitable(stream):
            stream = await stream
        async with aclosing(stream):
            async for value in stream:
                yield value


class PreparedEntities:
    """The selections of entities that are known by their representations."""

    def __init__(
        self, schema: LocalSchema, programs: Mapping[str, EntityProgram]
    ) -> None:
        self._schema = schema
        self._programs = programs
        self.calls = sum(map(count_calls, programs.values()))
        self._expected = {
            name: tuple(expected_rows(program, schema, []))
            for name, program in programs.items()
        }
        self._readers = Readers(chain.from_iterable(self._expected.values()))

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        """Fetch once; failures become errors of their fields."""
        run = Run(self._schema, self._readers, context, variables)
        programs = self._programs
        if len(programs) == 1:
            ((name, only),) = programs.items()
            if {r["__typename"] for r in representations} == {name}:
                data = await run.entities(only, representations)
                return self._settled(run, data, [only] * len(data))
        chosen = [programs.get(r["__typename"]) for r in representations]
        unknown = InternalError("a representation's type was not prepared")
        groups = [(p, indexes) for p, indexes in group(chosen) if p is not None]
        work = [
            run.entities(program, [representations[i] for i in indexes])
            for program, indexes in groups
        ]
        done = await together(work)
        data = scatter([i for _, i in groups], done, [unknown] * len(chosen))
        return self._settled(run, data, chosen)

    def _settled(
        self, run: Run, data: list[Any], chosen: Sequence[EntityProgram | None]
    ) -> FetchResult:
        """Make errors of what went wrong; ``chosen`` are the programs that ran."""
        if not (run.tainted or run.is_failed) and None not in chosen:
            return FetchResult(data)
        failures = Failures(run.context)
        settlement = Settlement(failures, run.tainted, run.programs)
        data = settlement.entities(data, chosen)
        return FetchResult(data, tuple(failures.errors))

    def code(self) -> str:
        """Return the programs and their generated functions as text."""
        return "\n\n".join(
            print_program(program, self._expected[name], self._readers)
            for name, program in self._programs.items()
        )


def _only_call(
    program: ObjectProgram,
) -> tuple[str, ResolvedCall, ObjectProgram | None] | None:
    """Return the key, source and plain object of a root field that stands alone."""
    if len(program.fields) != 1:
        return None
    (field,) = program.fields
    if not isinstance(field.source, ResolvedCall):
        return None
    child = field.child
    if field.is_deep or not isinstance(child, ObjectProgram):
        child = None
    return field.response_key, field.source, child


def _settled(run: Run, data: Any, program: ObjectProgram) -> FetchResult:
    if not run.tainted:
        return FetchResult(data)
    failures = Failures(run.context)
    settlement = Settlement(failures, run.tainted, run.programs)
    return FetchResult(settlement.root(data, program), tuple(failures.errors))
