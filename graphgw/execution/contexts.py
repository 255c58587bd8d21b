"""Group the entities of a fetch by what its arguments take from above them.

A field with ``@fromContext`` arguments gets their values from an ancestor of each
entity. One request can carry one value for each of them, so that a fetch is sent
once for every distinct combination of values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from graphgw.execution.shape import TYPENAME_KEY
from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import Supergraph
    from graphgw.planning.plan import ContextValue, Fetch, PathStep
    from graphgw.types import JSON, JSONObject

__all__ = ["ContextGroup", "ContextGroups", "build_context_groups"]

_CANONICAL: Final = orjson.OPT_SORT_KEYS


class ContextGroup(NamedTuple):
    """Entities that take the same values, which go into these variables."""

    variables: JSONObject
    entities: list[JSONObject]


@dataclass(frozen=True, slots=True)
class ContextGroups:
    """Compiled for one fetch: ``possible`` are the runtime types of fragments."""

    path: tuple[PathStep, ...]
    contexts: tuple[ContextValue, ...]
    possible: Mapping[str, frozenset[str]] = field(repr=False)

    def run(self, tree: JSONObject) -> list[ContextGroup]:
        """Find the fetch's entities in the tree, grouped by value, in order.

        An entity is left out where a value is not in the tree, because its fetch
        failed, or is null and must not be.
        """
        groups: dict[bytes, ContextGroup] = {}
        for entity, values in self._below(tree, {}, 0):
            key = orjson.dumps(values, option=_CANONICAL)
            group = groups.get(key)
            if group is None:
                group = groups[key] = ContextGroup(values, [])
            group.entities.append(entity)
        return list(groups.values())

    def _below(
        self, holder: JSONObject, values: JSONObject, level: int
    ) -> Iterator[tuple[JSONObject, JSONObject]]:
        """Yield the entities below an object, each with the values for it."""
        for context in self.contexts:
            if context.level != level:
                continue
            try:
                value = self._value(holder, context.selections)
            except KeyError:
                return
            if value is None and context.type.endswith("!"):
                return
            values = {**values, context.variable: value}
        if level == len(self.path):
            yield holder, values
            return
        step = self.path[level]
        for found in _spread(holder.get(step.key), step.list_depth):
            if not step.types or found.get(TYPENAME_KEY) in step.types:
                yield from self._below(found, values, level + 1)

    def _value(self, holder: JSON, selections: Selections) -> JSON:
        """Read the one leaf in ``selections``; KeyError where it is not there."""
        if isinstance(holder, list):
            return [self._value(item, selections) for item in holder]
        if not isinstance(holder, dict):
            return None
        for selection in selections:
            if isinstance(selection, Field):
                if selection.name == TYPENAME_KEY:
                    continue
                value = holder[selection.response_key]
                inner = selection.selections
                return self._value(value, inner) if inner else value
            types = self.possible[selection.type_condition]
            if holder.get(TYPENAME_KEY) in types:
                return self._value(holder, selection.selections)
        return None


def build_context_groups(fetch: Fetch, supergraph: Supergraph) -> ContextGroups | None:
    """Return how a fetch's entities are grouped; ``None`` where it takes no values."""
    if not fetch.contexts:
        return None
    conditions = {
        condition
        for context in fetch.contexts
        for condition in _conditions(context.selections)
    }
    possible = {
        name: frozenset((name, *supergraph.possible_types(name))) for name in conditions
    }
    return ContextGroups(fetch.path, fetch.contexts, possible)


def _conditions(selections: Selections) -> Iterator[str]:
    for selection in selections:
        if not isinstance(selection, Field):
            yield selection.type_condition
        yield from _conditions(selection.selections)


def _spread(value: JSON, depth: int) -> Iterator[JSONObject]:
    if depth and isinstance(value, list):
        for item in value:
            yield from _spread(item, depth - 1)
    elif not depth and isinstance(value, dict):
        yield value
