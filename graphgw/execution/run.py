"""Run a compiled plan: every fetch starts as soon as its inputs are there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import field, replace
from time import perf_counter
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import (
    DeadlineExceededError,
    GraphGWError,
    InternalError,
    SourceBadAnswerError,
    SourceError,
)
from graphgw.execution.merge import apply_renames, fold, merge_entities
from graphgw.execution.row_watch import RowWatch
from graphgw.execution.time_limit import TimeLimit
from graphgw.subgraphs.protocol import FetchResult
from graphgw.subgraphs.told_ages import read_max_age
from graphgw.telemetry.events import FetchFinished, InternalFailure
from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.context import AnswerParts, RequestContext
    from graphgw.execution.compile import CompiledFetch, CompiledPlan
    from graphgw.execution.contexts import ContextGroups
    from graphgw.execution.representations import Entities
    from graphgw.types import JSON, JSONObject

__all__ = ["ExecutionResult", "run_event", "run_plan"]

_GRACE: Final = 0.05
"""Seconds past the deadline in which a source may still say itself that it is late."""

_AT_ONCE: Final = 16
"""Requests of one fetch in flight, where it needs several."""

_ENTITY_TYPES: Final = frozenset({dict, NoneType})


@record
class ExecutionResult:
    """What came of an operation: the client's data and its errors, ready to send.

    ``headers`` come from subgraphs, in the order of the plan.
    """

    data: JSON
    errors: list[JSONObject] = field(default_factory=list)
    headers: tuple[tuple[str, str], ...] = ()
    refused_rows: tuple[str, ...] = ()
    """Coordinates whose values some rows were refused."""


async def run_plan(
    compiled: CompiledPlan,
    context: RequestContext,
    variables: JSONObject,
    *,
    names_subgraphs: bool = False,
) -> ExecutionResult:
    """Run a plan once.

    A fetch that fails nulls its own fields and is recorded; nothing else is lost.
    What is not there at the context's deadline is given up.

    Args:
        compiled: The plan.
        context: The request's context.
        variables: JSON input values by name, hoisted literals among them.
        names_subgraphs: Whether ``extensions.subgraph`` names who failed.
    """
    roots = compiled.roots
    if not roots:
        run = _Run(compiled, context, variables)
        first = [found.index for found in compiled.fetches if not found.waits_for]
        await run.execute(first)
        result = await run.result(names_subgraphs=names_subgraphs)
    else:
        answers = (
            [await _ask(roots[0], context, variables)]
            if len(roots) == 1
            else await _ask_at_once(roots, context, variables)
        )
        tree = _join_plain(answers)
        if tree is not None:
            data, found = compiled.projection.run(tree, [], is_sound=True)
            result = ExecutionResult(data, found)
        else:
            run = _Run(compiled, context, variables)
            for root, answer in zip(roots, answers, strict=True):
                run.take_answer(root, answer)
            result = await run.result(names_subgraphs=names_subgraphs)
    context.forget_rows()  # so that they go before the answer is encoded
    return result


async def run_event(
    compiled: CompiledPlan,
    context: RequestContext,
    variables: JSONObject,
    event: FetchResult,
    *,
    names_subgraphs: bool = False,
) -> ExecutionResult:
    """Answer one subscription event: the answer of the plan's first fetch is given."""
    run = _Run(compiled, context, variables)
    await run.take_event(event)
    await run.execute(run.settle(0))
    return await run.result(names_subgraphs=names_subgraphs)


async def _ask(
    root: CompiledFetch, context: RequestContext, variables: JSONObject
) -> FetchResult | Exception:
    """Return the answer of a root fetch, or how it failed, until the deadline."""
    began = perf_counter()
    limit = TimeLimit(context.deadline.remaining() + _GRACE)
    answer: FetchResult | Exception
    try:
        with limit:
            answer = await root.prepared.run(context, variables, ())
        if context.parts is not None:
            _note_age(answer, context.parts)
        if answer.data.__class__ is not dict and answer.data is not None:
            answer = _bad_answer(root)
    except TimeoutError as error:
        answer = _late(root) if limit.is_over else error
    except Exception as error:  # noqa: BLE001 - the outer edge of a fetch
        answer = error
    code = _code_of(answer) if isinstance(answer, Exception) else None
    _observe(root, context, began, code)
    return answer


def _note_age(result: FetchResult, parts: AnswerParts) -> None:
    """Note how long what a subgraph answered may be kept, as it says itself."""
    parts.cap(read_max_age(result.cache_control, is_private=False))
    if result.headers:
        parts.forbid()


async def _ask_at_once(
    roots: Sequence[CompiledFetch], context: RequestContext, variables: JSONObject
) -> list[FetchResult | Exception]:
    """Ask the first fetch here and each other one in a task; none outlives this."""
    loop = asyncio.get_running_loop()
    others = [loop.create_task(_ask(root, context, variables)) for root in roots[1:]]
    try:
        answers = [await _ask(roots[0], context, variables)]
        for other in others:
            answers.append(await other)  # noqa: PERF401 - a comprehension costs more
    except BaseException:
        await _cancel(others)
        raise
    return answers


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until all have ended, also when cancelled meanwhile."""
    for task in tasks:
        task.cancel()
    while not all(task.done() for task in tasks):
        with suppress(asyncio.CancelledError):
            await asyncio.wait(tasks)


def _join_plain(answers: Sequence[FetchResult | Exception]) -> JSONObject | None:
    """Return the tree of root fetches where there is nothing to them but data."""
    tree: JSONObject = {}
    for answer in answers:
        if (
            answer.__class__ is not FetchResult
            or answer.data.__class__ is not dict
            or not answer.is_vouched
            or answer.errors
            or answer.headers
        ):
            return None
        tree = {**tree, **answer.data} if tree else answer.data
    return tree


def _late(compiled: CompiledFetch) -> DeadlineExceededError:
    message = f'subgraph "{compiled.subgraph}" did not answer in time'
    return DeadlineExceededError(message)


def _code_of(error: Exception) -> str:
    """Return the code that tells clients why a fetch failed."""
    if isinstance(error, SourceError | DeadlineExceededError):
        return error.code
    return InternalError.code


def _observe(
    compiled: CompiledFetch,
    context: RequestContext,
    began: float,
    code: str | None,
    entities: int = 0,
) -> None:
    seconds = perf_counter() - began
    event = FetchFinished(compiled.subgraph, seconds, entities, code)
    context.observer.observe(event)


class _Run:
    """One run of a plan: the response tree, and which fetches are done."""

    __slots__ = (
        "_compiled",
        "_context",
        "_errors",
        "_headers",
        "_highest",
        "_is_sound",
        "_rows",
        "_running",
        "_variables",
        "_waits",
        "tree",
    )

    def __init__(
        self, compiled: CompiledPlan, context: RequestContext, variables: JSONObject
    ) -> None:
        self.tree: JSONObject = {}
        self._compiled = compiled
        self._context = context
        self._variables = variables
        self._waits = [found.waits_for for found in compiled.fetches]
        self._errors: dict[tuple[int, int], list[JSONObject]] = {}
        self._headers: dict[tuple[int, int], tuple[tuple[str, str], ...]] = {}
        self._running: dict[int, float] = {}
        self._highest = -1
        self._is_sound = True
        """Whether every fetch so far answered all that it was asked."""
        self._rows: RowWatch | None = None
        if compiled.row_rules:
            rules, inputs = compiled.row_rules, compiled.row_inputs
            self._rows = RowWatch(rules, inputs, context, variables)

    async def execute(self, ready: list[int]) -> None:
        """Run the fetches that are ready, and all that follow, until the deadline."""
        if not ready:
            return
        seconds = self._context.deadline.remaining() + _GRACE
        limit = TimeLimit(seconds)
        try:
            with limit:
                await self._run_all(ready)
        except TimeoutError:
            if not limit.is_over:
                raise
            self._is_sound = False
            for index, began in sorted(self._running.items()):
                late = self._compiled.fetches[index]
                error = _late(late)
                self._fail(late, error.message, error.code)
                _observe(late, self._context, began, error.code)

    async def _run_all(self, ready: list[int]) -> None:
        while len(ready) == 1:
            await self._run_fetch(self._compiled.fetches[ready[0]])
            ready = self.settle(ready[0])
        if ready:
            async with asyncio.TaskGroup() as group:
                await self._run_several(ready, group)

    async def _run_several(self, ready: list[int], group: asyncio.TaskGroup) -> None:
        """Run the first fetch here and each other one in a task, then what follows."""
        while ready:
            for index in ready[1:]:
                group.create_task(self._run_several([index], group))
            await self._run_fetch(self._compiled.fetches[ready[0]])
            ready = self.settle(ready[0])

    def settle(self, index: int) -> list[int]:
        """Note that a fetch is done; return those that waited for nothing else."""
        ready = []
        for follower in self._compiled.fetches[index].followers:
            self._waits[follower] -= 1
            if not self._waits[follower]:
                ready.append(follower)
        return ready

    async def _run_fetch(self, compiled: CompiledFetch) -> None:
        self._running[compiled.index] = perf_counter()
        if compiled.contexts is None:
            await self._request(compiled, self._variables)
        else:
            await self._request_by_context(compiled, compiled.contexts)
        if self._rows is not None:
            await self._rows.after(compiled.index, self.tree)
        del self._running[compiled.index]
        if compiled.is_root_mutation:
            self._reset_loaders()

    async def _request_by_context(
        self, compiled: CompiledFetch, contexts: ContextGroups
    ) -> None:
        """Send one request for each combination of values taken from ancestors."""
        try:
            groups = contexts.run(self.tree)
        except Exception as error:  # noqa: BLE001 - the outer edge of a fetch
            self._report(compiled, error)
            return
        left = enumerate(groups)

        async def send() -> None:
            for part, group in left:
                variables = {**self._variables, **group.variables}
                await self._request(compiled, variables, group.entities, part)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(len(groups), _AT_ONCE) - 1):
                tasks.create_task(send())
            await send()

    async def _request(
        self,
        compiled: CompiledFetch,
        variables: JSONObject,
        objects: list[JSONObject] | None = None,
        part: int = 0,
    ) -> None:
        """Send a fetch's request, or one part of it, and merge what comes.

        ``objects`` are the entities to ask for, where not all at the fetch's path.
        """
        began = perf_counter()
        representations: Sequence[JSONObject] = ()
        code: str | None = None
        try:
            entities: Entities | None = None
            if compiled.collector is not None:
                if self._rows is not None and compiled.rules:
                    if objects is None:
                        objects = compiled.collector.collect(self.tree)
                    objects = self._rows.keep_allowed(objects, compiled.rules)
                entities = compiled.collector.run(self.tree, objects)
                representations = entities.representations
                self._is_sound = self._is_sound and entities.is_whole
                if not representations:
                    return
                if not compiled.fetch.inputs:
                    representations = ()
            result = await compiled.prepared.run(
                self._context, variables, representations
            )
            if self._context.parts is not None:
                _note_age(result, self._context.parts)
            if entities is not None and not compiled.fetch.inputs:
                result = _as_entity(result)
            self._take(compiled, result, entities, part)
        except Exception as error:  # noqa: BLE001 - the outer edge of a fetch
            code = self._note(compiled, error, part)
        _observe(compiled, self._context, began, code, len(representations))

    def take_answer(
        self, compiled: CompiledFetch, answer: FetchResult | Exception
    ) -> None:
        """Take the answer of a root fetch, or how it failed."""
        if not isinstance(answer, Exception):
            try:
                self._take(compiled, answer, None)
            except Exception as error:  # noqa: BLE001 - the outer edge of a fetch
                answer = error
        if isinstance(answer, Exception):
            self._note(compiled, answer)

    async def take_event(self, event: FetchResult) -> None:
        """Take a subscription event for the answer of the first fetch."""
        first = self._compiled.fetches[0]
        try:
            self._take(first, event, None)
        except SourceError as error:
            self._fail(first, error.message, error.code)
        if self._rows is not None:
            await self._rows.after(0, self.tree)

    def _take(
        self,
        compiled: CompiledFetch,
        result: FetchResult,
        entities: Entities | None,
        part: int = 0,
    ) -> None:
        """Merge a fetch's answer into the tree and record its errors.

        Raises:
            SourceBadAnswerError: The answer is not of the kind that was asked for.
        """
        data = result.data
        if data is None or not result.is_vouched:
            self._is_sound = False
        if data is not None:
            if result.is_shared:
                data = compiled.merge.own(data)
            self._merge(compiled, data, entities)
        self._highest = max(self._highest, compiled.index)
        if result.headers:
            self._headers[compiled.index, part] = result.headers
        if result.errors:
            self._errors[compiled.index, part] = compiled.errors.entries(
                result.errors, self.tree, entities, has_data=data is not None
            )

    def _merge(
        self, compiled: CompiledFetch, data: JSON, entities: Entities | None
    ) -> None:
        rule, wins = compiled.merge, compiled.index < self._highest
        if entities is None:
            if data.__class__ is not dict:
                raise _bad_answer(compiled)
            if rule.renames:
                apply_renames((data,), rule.renames)
            if rule.is_deep:
                fold(self.tree, data, wins=wins)
            else:
                self.tree.update(data)
        else:
            if data.__class__ is not list or len(data) != len(entities.representations):
                raise _bad_answer(compiled)
            types = set(map(type, data))
            if not _ENTITY_TYPES.issuperset(types):
                raise _bad_answer(compiled)
            if NoneType in types:
                self._is_sound = False
            if rule.renames:
                apply_renames(data, rule.renames)
            merge_entities(entities.targets, entities.positions, data, rule, wins=wins)

    async def result(self, *, names_subgraphs: bool) -> ExecutionResult:
        """Project the tree to what the client asked for."""
        errors: list[JSONObject] = []
        if self._errors:
            found_at = sorted(self._errors)
            errors = [error for index in found_at for error in self._errors[index]]
        if not names_subgraphs:
            for error in errors:
                del error["extensions"]["subgraph"]
        refused_rows: tuple[str, ...] = ()
        if self._rows is not None:
            await self._rows.finish(self.tree)
            refusals, refused_rows = self._rows.errors()
            errors = refusals + errors
        is_sound = self._is_sound and not self._errors
        data, found = self._compiled.projection.run(
            self.tree, errors, is_sound=is_sound
        )
        introspection = self._compiled.introspection
        if introspection is not None and data is not None:
            data = {**data, **await introspection.run(self._variables)}
            order = self._compiled.key_order or ()
            data = {key: data[key] for key in order if key in data}
        headers: tuple[tuple[str, str], ...] = ()
        if self._headers:
            places = sorted(self._headers)
            headers = tuple(pair for index in places for pair in self._headers[index])
        return ExecutionResult(data, errors + found, headers, refused_rows)

    def _note(self, compiled: CompiledFetch, error: Exception, part: int = 0) -> str:
        """Record why a request failed; return the code that says so."""
        if isinstance(error, SourceError | DeadlineExceededError):
            self._fail(compiled, error.message, error.code, part)
        else:
            self._report(compiled, error, part)
        return _code_of(error)

    def _fail(
        self, compiled: CompiledFetch, message: str, code: str, part: int = 0
    ) -> None:
        """Record a failed request; its other parts may have failed alike."""
        found = compiled.errors.whole(message, code)
        known = [
            error
            for (index, _), errors in self._errors.items()
            if index == compiled.index
            for error in errors
        ]
        new = [error for error in found if error not in known]
        self._errors.setdefault((compiled.index, part), []).extend(new)

    def _report(self, compiled: CompiledFetch, error: Exception, part: int = 0) -> None:
        where = f'fetch from subgraph "{compiled.subgraph}"'
        context = self._context
        context.observer.observe(InternalFailure(context.request_id, where, error))
        self._fail(compiled, "Internal server error.", InternalError.code, part)

    def _reset_loaders(self) -> None:
        """Let the next mutation field read anew what this one may have changed."""
        with suppress(InternalError):
            reset = getattr(self._context.loaders, "reset", None)
            if reset is not None:
                reset()


def _as_entity(result: FetchResult) -> FetchResult:
    """Read a root fetch's answer as that of an entity fetch with one entity."""
    errors = tuple(
        replace(error, path=(0, *error.path)) if error.path else error
        for error in result.errors
    )
    data = None if result.data is None else [result.data]
    return replace(result, data=data, errors=errors)


def _bad_answer(compiled: CompiledFetch) -> GraphGWError:
    return SourceBadAnswerError(
        f'subgraph "{compiled.subgraph}" did not answer what was asked',
        source=compiled.subgraph,
    )
