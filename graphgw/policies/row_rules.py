"""``@owner`` and ``@rowPolicy``: which rows have rules, and what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.selection import Field
from graphgw.policies.row_decisions import (
    OwnerDemand,
    PolicyDemand,
    UnreadableDemand,
)
from graphgw.policies.row_walk import RowWalk, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import (
        AppliedDirective,
        FieldInGraph,
        Supergraph,
    )
    from graphgw.operations.operation import Operation
    from graphgw.policies.decision import RowRule
    from graphgw.policies.row_decisions import Demand
    from graphgw.policies.row_functions import RowPolicyFunction

__all__ = ["ROW_RULES", "RowRules"]

ROW_RULES: Final = frozenset(("owner", "rowPolicy"))
_CONTEXT_NAME: Final = re.compile(r"\s*\$\w+")


class RowRules:
    """Answers which rows of an operation are ruled, and by what.

    A field has its own rules, those of the interfaces that declare it and those of
    the fields that it requires; a type's rules hold for its objects, wherever they
    stand.

    Args:
        supergraph: Has the rules.
        functions: Those of ``@rowPolicy`` by name; one that is unknown refuses.
        timeout: Seconds that a function may take.
        is_shadow: Whether the rules are only reported.
        is_alone: Whether this is one subgraph of a graph. A rule that reads a field
            of another then refuses, where it would be a mistake in a whole graph.
    """

    def __init__(
        self,
        supergraph: Supergraph,
        functions: Mapping[str, RowPolicyFunction],
        *,
        timeout: float,
        is_shadow: bool = False,
        is_alone: bool = False,
    ) -> None:
        self.problems: list[Problem] = []
        self.is_shadow = is_shadow
        self.supergraph = supergraph
        self._functions = functions
        self._timeout = timeout
        self._fields: dict[tuple[str, str], tuple[Demand, ...]] = {}
        self._types: dict[str, tuple[Demand, ...]] = {}
        self._declared = {
            coordinate: tuple(self._read(coordinate, rules))
            for coordinate, rules in supergraph.rules.items()
            if any(applied.name in ROW_RULES for applied in rules)
        }
        if is_alone:
            self._declared = {
                coordinate: tuple(self._as_read(coordinate, d) for d in demands)
                for coordinate, demands in self._declared.items()
            }
        self.problems += self._find_problems()

    @property
    def is_empty(self) -> bool:
        """Tell whether the schema has no row rule."""
        return not self._declared

    def guard(self, operation: Operation) -> tuple[Operation, tuple[RowRule, ...]]:
        """Return the operation that also asks for what its row rules read.

        Places of selections stay as they are: what is added comes last.
        """
        root = self.supergraph.root_types.get(operation.kind, "")
        parent = self.supergraph.schema.get_type(root)
        if self.is_empty or parent is None:
            return operation, ()
        walk = RowWalk(self)
        selections = walk.root(operation.selections, parent)
        if not walk.rules:
            return operation, ()
        return replace(operation, selections=selections), tuple(walk.rules)

    def of_field(self, type_name: str, field_name: str) -> tuple[Demand, ...]:
        """Return the demands on a field of an object type."""
        key = (type_name, field_name)
        found = self._fields.get(key)
        if found is None:
            found = self._fields[key] = tuple(self._collect(type_name, field_name))
        return found

    def of_type(self, type_name: str) -> tuple[Demand, ...]:
        """Return the demands on the objects of a type."""
        found = self._types.get(type_name)
        if found is None:
            names = (type_name, *self._interfaces(type_name))
            demands = (d for name in names for d in self._declared.get(name, ()))
            found = self._types[type_name] = tuple(dict.fromkeys(demands))
        return found

    def _collect(self, type_name: str, field_name: str) -> Iterator[Demand]:
        """Go from a field through those of the same type that it requires."""
        owners = (type_name, *self._interfaces(type_name))
        seen: set[str] = set()
        given: set[Demand] = set()
        pending = [field_name]
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            for owner in owners:
                for demand in self._declared.get(f"{owner}.{name}", ()):
                    if demand not in given:
                        given.add(demand)
                        yield demand
                pending += (
                    selection.name
                    for selection in fields_of(self._required(owner, name))
                )

    def _required(self, type_name: str, field_name: str) -> Selections:
        definition = self.supergraph.field_of(type_name, field_name)
        graphs = definition.graphs.values() if definition else ()
        return tuple(s for there in graphs for s in there.requires)

    def _interfaces(self, type_name: str) -> tuple[str, ...]:
        definition = self.supergraph.types.get(type_name)
        if definition is None:
            return ()
        names = (name for found in definition.interfaces.values() for name in found)
        return tuple(dict.fromkeys(names))

    def _read(
        self, coordinate: str, rules: Iterable[AppliedDirective]
    ) -> Iterator[Demand]:
        for applied in rules:
            if applied.name == "owner":
                demand = self._read_owner(coordinate, applied.arguments)
                if demand is not None:
                    yield demand
            elif applied.name == "rowPolicy":
                name = str(applied.arguments.get("name"))
                yield PolicyDemand(name, self._functions.get(name), self._timeout)

    def _read_owner(
        self, coordinate: str, given: Mapping[str, object]
    ) -> Demand | None:
        try:
            reads = parse_field_set(str(given.get("field")), coordinate)
        except ConfigurationError as error:
            self.problems += error.problems
            return None
        if len(reads) != 1 or not isinstance(reads[0], Field):
            problem = Problem("@owner(field:) names one field", coordinate)
            self.problems.append(problem)
            return None
        claim = given.get("claim")
        scopes = given.get("orScopes")
        return OwnerDemand(
            reads,
            claim if isinstance(claim, str) else "sub",
            tuple(
                frozenset(map(str, names))
                for names in (scopes if isinstance(scopes, list | tuple) else ())
            ),
        )

    def _find_problems(self) -> Iterator[Problem]:
        roots = set(self.supergraph.root_types.values())
        for coordinate, demands in self._declared.items():
            type_name = coordinate.partition(".")[0]
            if type_name in roots and demands:
                yield Problem(
                    "a root field has no row",
                    coordinate,
                    "put the rule on the type that it returns",
                )
                continue
            for demand in demands:
                if not self._is_readable(type_name, demand):
                    yield Problem(
                        f"there is no field {demand.text} to be read", coordinate
                    )
            if any(map(_is_public_cache, self.supergraph.rules[coordinate])):
                yield Problem(
                    "a row rule and a PUBLIC cache contradict each other",
                    coordinate,
                    "leave the scope out, or make it PRIVATE",
                )
        yield from self._nested_problems()

    def _as_read(self, coordinate: str, demand: Demand) -> Demand:
        if self._is_readable(coordinate.partition(".")[0], demand):
            return demand
        return UnreadableDemand(demand)

    def _is_readable(self, type_name: str, demand: Demand) -> bool:
        owners = (type_name, *self.supergraph.possible_types(type_name))
        return any(self._has(owner, demand.reads) for owner in owners)

    def _has(self, type_name: str, reads: Selections) -> bool:
        for selection in reads:
            if not isinstance(selection, Field):
                if not self._has(selection.type_condition, selection.selections):
                    return False
                continue
            found = self.supergraph.field_of(type_name, selection.name)
            if found is None or not self._has(found.named_type, selection.selections):
                return False
        return True

    def _nested_problems(self) -> Iterator[Problem]:
        """Refuse what no column's rows could decide: rules on what others hand on."""
        if self.is_empty:
            return
        for definition in self.supergraph.types.values():
            for name, found in definition.fields.items():
                hidden = {
                    coordinate
                    for graph, there in found.graphs.items()
                    if not there.is_overridden or there.override_label is not None
                    for coordinate in self._handed_on(definition.name, graph, there)
                }
                for coordinate in sorted(hidden):
                    yield Problem(
                        f"it is given {coordinate} of another object, which has a row"
                        " rule",
                        f"{definition.name}.{name}",
                        "give this field a row rule that reads a field beside it",
                    )

    def _handed_on(
        self, type_name: str, graph: str, there: FieldInGraph
    ) -> Iterator[str]:
        yield from self._ruled_in(type_name, there.requires, is_top=True)
        for argument in there.context_arguments:
            text = _CONTEXT_NAME.sub("", argument.selection, count=1)
            for holder in self.supergraph.types.values():
                if argument.context in holder.contexts.get(graph, ()):
                    selections = parse_field_set(text)
                    yield from self._ruled_in(holder.name, selections, is_top=False)

    def _ruled_in(
        self, type_name: str, selections: Selections, *, is_top: bool
    ) -> Iterator[str]:
        possible = self.supergraph.possible_types
        for selection in selections:
            if not isinstance(selection, Field):
                inner = selection.selections
                yield from self._ruled_in(
                    selection.type_condition, inner, is_top=is_top
                )
                continue
            for name in (type_name, *possible(type_name)):
                if not is_top and self.of_field(name, selection.name):
                    yield f"{name}.{selection.name}"
            found = self.supergraph.field_of(type_name, selection.name)
            if found is None or not selection.selections:
                continue
            for name in (found.named_type, *possible(found.named_type)):
                if self.of_type(name):
                    yield name
            yield from self._ruled_in(
                found.named_type, selection.selections, is_top=False
            )


def _is_public_cache(applied: AppliedDirective) -> bool:
    is_cache = applied.name == "cacheControl"
    return is_cache and applied.arguments.get("scope") == "PUBLIC"
