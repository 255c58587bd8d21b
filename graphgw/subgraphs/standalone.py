"""A subgraph served alone: also answers ``_service`` and ``_entities``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from graphql import (
    GraphQLObjectType,
    is_abstract_type,
    parse_value,
    value_from_ast_untyped,
)

from graphgw.errors import PlanningError
from graphgw.federation.selection import TYPENAME, Field, Fragment
from graphgw.operations.cache import BoundedCache
from graphgw.planning.plan import EntityInput, PathStep
from graphgw.subgraphs.protocol import FetchError, FetchResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphql import GraphQLSchema

    from graphgw.context import RequestContext
    from graphgw.federation.selection import Selection, Selections
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.subgraphs.local.subgraph import Subgraph
    from graphgw.subgraphs.protocol import PreparedFetch
    from graphgw.types import JSON, JSONObject

__all__ = ["StandaloneSubgraph"]

_SERVICE: Final = "_service"
_ENTITIES: Final = "_entities"
_SHAPES: Final = 200

_Shape: TypeAlias = "tuple[str, Selections]"
"""A type and the fields that a representation of it has."""


class StandaloneSubgraph:
    """Answers what a federation router asks of a local subgraph.

    Policies, limits and plans are the gateway's: to it the two fields are like others.
    """

    def __init__(self, subgraph: Subgraph) -> None:
        self._subgraph = subgraph
        self.name = subgraph.name

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> PreparedFetch:
        """Compile the fetch's own fields; entities are compiled as they come."""
        if fetch.kind != "query" or fetch.inputs:
            return self._subgraph.prepare(fetch, variables)
        roots = [found for found in fetch.selections if isinstance(found, Field)]
        asked = [found for found in roots if found.name == _ENTITIES]
        service = [found for found in roots if found.name == _SERVICE]
        rest = tuple(
            found
            for found in fetch.selections
            if not (isinstance(found, Field) and found.name in {_ENTITIES, _SERVICE})
        )
        own = replace(fetch, selections=rest)
        return _Prepared(
            self._subgraph.prepare(own, variables) if rest else None,
            {
                found.response_key: _read_service(found, self._subgraph.sdl)
                for found in service
            },
            tuple(_EntityField(self._subgraph, fetch, found) for found in asked),
        )


def _read_service(field: Field, sdl: str) -> JSONObject:
    return {
        found.response_key: "_Service" if found == TYPENAME else sdl
        for found in field.selections
        if isinstance(found, Field)
    }


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A root fetch in three parts."""

    own: PreparedFetch | None
    service: JSONObject
    entities: tuple[_EntityField, ...]

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        """Run the parts together; none of them depends on another."""
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(found.run(context, variables))
                for found in self.entities
            ]
            data: JSONObject = {key: dict(v) for key, v in self.service.items()}
            errors: tuple[FetchError, ...] = ()
            if self.own is not None:
                result = await self.own.run(context, variables, representations)
                errors = result.errors
                if result.data is None:
                    data = {}
                else:
                    data |= result.data
        for field, task in zip(self.entities, asked, strict=True):
            data[field.key], found = task.result()
            errors += found
        return FetchResult(data, errors)

    def code(self) -> str:
        """Return the code of the fetch's own fields."""
        return "" if self.own is None else self.own.code()


class _EntityField:
    """One selection of ``_entities``."""

    def __init__(self, subgraph: Subgraph, fetch: Fetch, field: Field) -> None:
        self.key = field.response_key
        self._subgraph = subgraph
        self._fetch = fetch
        self._selections = field.selections
        self._argument = parse_value(field.arguments[0].value)
        self._prepared: BoundedCache[_Shape, PreparedFetch] = BoundedCache(
            max_entries=_SHAPES, max_bytes=_SHAPES
        )

    async def run(
        self, context: RequestContext, variables: JSONObject
    ) -> tuple[list[JSON], tuple[FetchError, ...]]:
        """Return an entity for each representation, and their errors."""
        given: list[JSON] = value_from_ast_untyped(self._argument, variables)
        data: list[JSON] = [None] * len(given)
        errors: list[FetchError] = []
        groups: dict[_Shape, list[int]] = {}
        for index, representation in enumerate(given):
            shape = self._shape(representation)
            if shape is None:
                errors.append(self._refuse(index, "names no entity of this subgraph"))
            else:
                groups.setdefault(shape, []).append(index)
        running = []
        async with asyncio.TaskGroup() as tasks:
            for shape, at in groups.items():
                try:
                    prepared = self._prepare(shape)
                except PlanningError:
                    why = "has no key, or not what the selection requires"
                    errors += [self._refuse(index, why) for index in at]
                    continue
                rows = [given[index] for index in at]
                task = tasks.create_task(prepared.run(context, variables, rows))
                running.append((at, task))
        for at, task in running:
            result = task.result()
            for index, entity in zip(at, result.data or [None] * len(at), strict=True):
                data[index] = entity
            errors += [self._place(error, at) for error in result.errors]
        return data, tuple(errors)

    def _refuse(self, index: int, why: str) -> FetchError:
        message = f"the representation {why}"
        return FetchError(message, (self.key, index), "BAD_USER_INPUT")

    def _place(self, error: FetchError, at: Sequence[int]) -> FetchError:
        """Return an error of some of the entities with its path in the answer."""
        if not error.path:
            return replace(error, path=(self.key,))
        index, *rest = error.path
        return replace(error, path=(self.key, at[int(index)], *rest))

    def _shape(self, representation: JSON) -> _Shape | None:
        """Return type and fields of a representation; ``None`` if it is none."""
        if not isinstance(representation, dict):
            return None
        core = self._subgraph.schema.core
        name = representation.get("__typename")
        found = core.get_type(name) if isinstance(name, str) else None
        if found is None or not _applies(core, "_Entity", found.name):
            return None
        if not isinstance(found, GraphQLObjectType):
            return None
        return found.name, _fields(core, found, representation)

    def _prepare(self, shape: _Shape) -> PreparedFetch:
        prepared = self._prepared.get(shape)
        if prepared is None:
            name, given = shape
            core = self._subgraph.schema.core
            selections = (
                Fragment(name, tuple(_selected(core, name, self._selections))),
            )
            prepared = self._subgraph.prepare(
                replace(
                    self._fetch,
                    selections=selections,
                    path=(PathStep(_ENTITIES, 1),),
                    inputs=(EntityInput((name,), name, given),),
                ),
                (),
            )
            self._prepared.put(shape, prepared, 1)
        return prepared


def _fields(core: GraphQLSchema, declared: GraphQLObjectType, row: Any) -> Selections:
    """Return the fields of an object that its type knows, in the type's order."""
    return tuple(
        Field(name, selections=_nested(core, found.type, row[name]))
        for name, found in declared.fields.items()
        if name in row
    )


def _nested(core: GraphQLSchema, declared: Any, value: Any) -> Selections:
    while hasattr(declared, "of_type"):
        declared = declared.of_type
    while isinstance(value, list):
        value = value[0] if value else None
    if isinstance(declared, GraphQLObjectType) and isinstance(value, dict):
        return _fields(core, declared, value)
    return ()


def _selected(
    core: GraphQLSchema, name: str, selections: Selections
) -> list[Selection]:
    """Return what is selected of the entities of one type."""
    found: list[Selection] = []
    for selection in selections:
        if isinstance(selection, Field):
            found.append(selection)
        elif _applies(core, selection.type_condition, name):
            found += _selected(core, name, selection.selections)
    return found


def _applies(core: GraphQLSchema, condition: str, name: str) -> bool:
    declared, own = core.get_type(condition), core.get_type(name)
    if declared is own:
        return True
    return (
        is_abstract_type(declared)
        and isinstance(own, GraphQLObjectType)
        and core.is_sub_type(declared, own)
    )
