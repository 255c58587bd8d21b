"""A subgraph in memory: a schema and rows, executed by graphql-core."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import build_schema, graphql

from graphgw.planning.print_document import print_fetch_document
from graphgw.subgraphs.protocol import FetchError, FetchResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphql import GraphQLSchema

    from graphgw.context import RequestContext
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.types import JSONObject

__all__ = ["REPRESENTATION", "FakeSubgraph", "resolve_field", "run_document"]

REPRESENTATION = "__representation"
"""The key under which an entity's row holds what the subgraph was told of it."""


@dataclass
class FakeSubgraph:
    """Answers fetches from ``data`` (root values) and ``entities`` (rows by type).

    A row is a dict; a value may be an exception, which is raised, or a function of
    the row and the field's arguments. An entity's row lies over its representation,
    which stands in it as ``REPRESENTATION``. ``calls`` holds the representations (or
    the root document) of each fetch; ``fails`` makes the next fetches raise; with
    ``gate`` a fetch waits for it before it answers, and ``turns`` says for how many
    turns of the event loop.
    """

    name: str
    sdl: str
    data: Mapping[str, Any] = field(default_factory=dict)
    entities: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    fails: Exception | None = None
    gate: asyncio.Event | None = None
    turns: Callable[[], int] = lambda: 0
    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0
    change: Callable[[FetchResult], FetchResult] = lambda result: result

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> _PreparedFake:
        """Print the fetch once."""
        return _PreparedFake(self, fetch, print_fetch_document(fetch, variables))


@dataclass
class _PreparedFake:
    subgraph: FakeSubgraph
    fetch: Fetch
    document: str

    def code(self) -> str:
        return self.document

    async def run(
        self,
        context: RequestContext,  # noqa: ARG002 - the protocol's
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        subgraph = self.subgraph
        subgraph.documents.append(self.document)
        sent = list(representations) if self.fetch.inputs else self.document
        subgraph.calls.append(sent)
        subgraph.started.set()
        if subgraph.gate is not None:
            try:
                await subgraph.gate.wait()
            except asyncio.CancelledError:
                subgraph.cancelled += 1
                raise
        for _ in range(subgraph.turns()):
            await asyncio.sleep(0)
        if subgraph.fails is not None:
            raise subgraph.fails
        if self.fetch.inputs:
            variables = {**variables, "representations": list(representations)}
        schema = _federated(subgraph.sdl, subgraph.entities)
        answer = await run_document(
            schema,
            self.document,
            {**subgraph.data, "_entities": subgraph_entities(subgraph)},
            variables,
        )
        return subgraph.change(_to_result(answer, is_entity=bool(self.fetch.inputs)))


def subgraph_entities(subgraph: FakeSubgraph) -> Callable[..., list[Any]]:
    """Return a resolver of ``_entities`` over the subgraph's rows."""

    def resolve(_row: Any, representations: list[JSONObject]) -> list[Any]:
        return [_find(subgraph, representation) for representation in representations]

    return resolve


def _find(subgraph: FakeSubgraph, representation: JSONObject) -> Any:
    type_name = representation["__typename"]
    for row in subgraph.entities.get(type_name, ()):
        shared = [key for key in representation if key in row and key != "__typename"]
        if shared and all(_fits(row[key], representation[key]) for key in shared):
            known = {REPRESENTATION: representation, "__typename": type_name}
            return {**representation, **row, **known}
    return None


def _fits(row: Any, given: Any) -> bool:
    if isinstance(row, dict) and isinstance(given, dict):
        return all(_fits(row.get(key), value) for key, value in given.items())
    return bool(row == given)


async def run_document(
    schema: GraphQLSchema,
    document: str,
    data: Mapping[str, Any],
    variables: JSONObject,
) -> JSONObject:
    """Execute with graphql-core; return the answer as JSON."""
    result = await graphql(
        schema,
        document,
        data,
        variable_values=variables,
        field_resolver=resolve_field,
    )
    return dict(result.formatted)


def resolve_field(row: Mapping[str, Any], info: Any, **arguments: Any) -> Any:
    value = row.get(info.field_name)
    return value(row, **arguments) if callable(value) else value


_SCHEMAS: dict[tuple[str, tuple[str, ...]], GraphQLSchema] = {}


def _federated(sdl: str, entities: Mapping[str, Any]) -> GraphQLSchema:
    key = (sdl, tuple(entities))
    found = _SCHEMAS.get(key)
    if found is None:
        text = sdl
        if entities:
            text += (
                "\nscalar _Any\nunion _Entity = " + " | ".join(entities) + "\n"
                "extend type Query { _entities(representations: [_Any!]!): [_Entity]! }"
            )
        found = _SCHEMAS[key] = build_schema(text)
    return found


def _to_result(answer: JSONObject, *, is_entity: bool) -> FetchResult:
    data = answer["data"]
    skip = 1 if is_entity else 0
    errors = tuple(
        FetchError(error["message"], tuple(error.get("path", ())[skip:]))
        for error in answer.get("errors", ())
    )
    if is_entity and data is not None:
        data = data["_entities"]
    return FetchResult(data, errors)
