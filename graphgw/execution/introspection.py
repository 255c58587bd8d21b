"""Answer ``__schema`` and ``__type`` from the API schema.

graphql-core does it; an answer is worked out once per operation and variables.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
from graphql import execute_sync, parse

from graphgw.federation.selection import print_selections, variables_in
from graphgw.operations.cache import BoundedCache

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from graphgw.operations.operation import Operation
    from graphgw.types import JSONObject

__all__ = ["Introspection", "build_introspection"]

_MAX_ANSWERS = 16
_MAX_BYTES = 4 * 1024 * 1024


class Introspection:
    """The introspection part of one operation, with a memo of its answers.

    Without variables the one answer is made when the operation is compiled.
    """

    def __init__(self, schema: GraphQLSchema, operation: Operation) -> None:
        self._schema = schema
        self._used = variables_in(operation.introspection)
        self._document = parse(_document(operation, self._used), no_location=True)
        self._answers: BoundedCache[bytes, JSONObject] = BoundedCache(
            max_entries=_MAX_ANSWERS, max_bytes=_MAX_BYTES
        )
        self._constant = None if self._used else self._answer({})

    async def run(self, variables: JSONObject) -> JSONObject:
        """Return the values of the introspection fields by response key.

        They are shared between requests: nobody may change them.
        """
        if self._constant is not None:
            return self._constant
        used = {name: variables[name] for name in self._used if name in variables}
        key = orjson.dumps(used)
        found = self._answers.get(key)
        if found is None:
            found = await asyncio.to_thread(self._answer, used)
            self._answers.put(key, found, len(orjson.dumps(found)))
        return found

    def _answer(self, variables: JSONObject) -> JSONObject:
        result = execute_sync(self._schema, self._document, variable_values=variables)
        return result.data or {}


def build_introspection(
    schema: GraphQLSchema, operation: Operation
) -> Introspection | None:
    """Return the introspection part of an operation, ``None`` where it has none."""
    return Introspection(schema, operation) if operation.introspection else None


def _document(operation: Operation, used: tuple[str, ...]) -> str:
    declared = ", ".join(
        f"${variable.name}: {variable.type}"
        for variable in operation.variables
        if variable.name in used
    )
    head = f"query ({declared})" if declared else "query"
    return f"{head} {{\n{print_selections(operation.introspection, 1)}\n}}"
