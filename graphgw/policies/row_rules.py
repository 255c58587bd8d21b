"""``@owner`` and ``@rowPolicy``: rules on rows, and the fields that they read.

The fields are added to the operation that is planned under aliases of the gateway's
own, which clients never see; see ``RowRule`` for what is made of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from graphql import GraphQLList, GraphQLNonNull, get_named_type

from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.selection import TYPENAME, Field, Fragment
from graphgw.operations.schema_lookup import field_definition
from graphgw.policies.arguments import argument_readers
from graphgw.policies.decision import RowRule, RowStep
from graphgw.policies.row_decisions import OwnerDemand, PolicyDemand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphql import GraphQLNamedType, GraphQLOutputType

    from graphgw.federation.selection import Selection, Selections
    from graphgw.federation.supergraph import (
        AppliedDirective,
        FieldInGraph,
        Supergraph,
    )
    from graphgw.operations.operation import Operation
    from graphgw.policies.row_decisions import Demand
    from graphgw.policies.row_functions import RowPolicyFunction

__all__ = ["ROW_RULES", "RowRules"]

ROW_RULES: Final = frozenset(("owner", "rowPolicy"))
_PREFIX: Final = "__gw_row_"
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
    """

    def __init__(
        self,
        supergraph: Supergraph,
        functions: Mapping[str, RowPolicyFunction],
        *,
        timeout: float,
        is_shadow: bool = False,
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
        walk = _Walk(self)
        selections = walk.level(operation.selections, parent, _Level(types=(root,)))
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
                    selection.name for selection in _flat(self._required(owner, name))
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
            owners = (type_name, *self.supergraph.possible_types(type_name))
            for demand in demands:
                if not any(self._has(owner, demand.reads) for owner in owners):
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


@dataclass(slots=True)
class _Level:
    """Where a walk stands: the way there, and the types that objects have there."""

    types: tuple[str, ...]
    steps: tuple[RowStep, ...] = ()
    path: tuple[str, ...] = ()
    is_open: bool = True
    all_types: tuple[str, ...] = ()


@dataclass(slots=True)
class _Extra:
    """What is added to one selection list."""

    fields: dict[str, Field] = field(default_factory=dict)
    fragments: dict[str, dict[str, Field]] = field(default_factory=dict)
    needs_typename: bool = False

    def add(self, reads: Selections, condition: str | None) -> None:
        held = self.fields
        if condition is not None:
            held = self.fragments.setdefault(condition, {})
            self.needs_typename = True
        for name, hidden in _hidden(reads):
            known = held.get(name, hidden)
            merged = dict.fromkeys((*known.selections, *hidden.selections))
            held[name] = replace(hidden, selections=tuple(merged))

    def selections(self) -> Iterator[Selection]:
        if self.needs_typename:
            yield TYPENAME
        yield from self.fields.values()
        for name, held in self.fragments.items():
            yield Fragment(name, tuple(held.values()))


class _Walk:
    """One walk over an operation: collects rules, returns longer selections."""

    def __init__(self, rules: RowRules) -> None:
        self._of = rules
        self._schema = rules.supergraph.schema
        self._seen: set[RowRule] = set()
        self.rules: list[RowRule] = []

    def level(
        self,
        selections: Selections,
        parent: GraphQLNamedType,
        level: _Level,
        extra: _Extra | None = None,
    ) -> Selections:
        """Return the selections with what the rules in them read."""
        extra = extra or _Extra()
        kept: list[Selection] = []
        for selection in selections:
            if isinstance(selection, Field):
                kept.append(self._field(selection, parent, level, extra))
                continue
            type_ = self._schema.type_map[selection.type_condition]
            inner = self.level(selection.selections, type_, self._narrow(level, type_))
            kept.append(replace(selection, selections=inner))
        present = set(kept)
        kept += (added for added in extra.selections() if added not in present)
        return tuple(kept)

    def _narrow(self, level: _Level, type_: GraphQLNamedType) -> _Level:
        possible = {type_.name, *self._of.supergraph.possible_types(type_.name)}
        types = tuple(name for name in level.types if name in possible)
        steps = level.steps
        if steps and len(types) < len(level.all_types):
            steps = (*steps[:-1], replace(steps[-1], types=types))
        return replace(level, types=types, steps=steps)

    def _field(
        self, selection: Field, parent: GraphQLNamedType, level: _Level, extra: _Extra
    ) -> Field:
        definition = field_definition(self._schema, parent, selection.name)
        if selection.name.startswith("__") or definition is None:
            return selection
        coordinate = f"{parent.name}.{selection.name}"
        key = selection.response_key
        path = (*level.path, key) if level.is_open else level.path
        readers = argument_readers(selection, definition)
        for type_name in level.types:
            for demand in self._of.of_field(type_name, selection.name):
                one = self._narrow_to(level, type_name)
                rule = RowRule(
                    path=one.steps,
                    key=key,
                    reads=_reads(demand.reads),
                    coordinate=coordinate,
                    error_path=path,
                    allow=demand.decider(readers),
                    identity=(type_name, demand.text),
                    is_shadow=self._of.is_shadow,
                )
                self._add(rule)
                is_plain = level.types == (parent.name,)
                extra.add(demand.reads, None if is_plain else type_name)
        if not selection.selections:
            return selection
        named = get_named_type(definition.type)
        types = self._of.supergraph.possible_types(named.name) or (named.name,)
        step = RowStep(key, _depth(definition.type))
        below = _Level(
            types=types,
            steps=(*level.steps, step),
            path=path,
            is_open=level.is_open and not step.list_depth,
            all_types=types,
        )
        inner = _Extra()
        for type_name in types:
            for demand in self._of.of_type(type_name):
                one = self._narrow_to(below, type_name)
                rule = RowRule(
                    path=one.steps,
                    key=None,
                    reads=_reads(demand.reads),
                    coordinate=coordinate,
                    error_path=path,
                    allow=demand.decider(readers),
                    identity=(type_name, demand.text),
                    is_shadow=self._of.is_shadow,
                )
                self._add(rule)
                is_plain = types == (named.name,)
                inner.add(demand.reads, None if is_plain else type_name)
        return replace(
            selection,
            selections=self.level(selection.selections, named, below, inner),
        )

    def _narrow_to(self, level: _Level, type_name: str) -> _Level:
        return self._narrow(level, self._schema.type_map[type_name])

    def _add(self, rule: RowRule) -> None:
        if rule not in self._seen:
            self._seen.add(rule)
            self.rules.append(rule)


def _hidden(reads: Selections) -> Iterator[tuple[str, Field]]:
    for selection in _flat(reads):
        alias = _PREFIX + selection.name
        yield alias, replace(selection, alias=alias)


def _reads(reads: Selections) -> tuple[tuple[str, str], ...]:
    return tuple((_PREFIX + found.name, found.name) for found in _flat(reads))


def _flat(selections: Iterable[Selection]) -> Iterator[Field]:
    """Return the fields of one level, those in fragments included."""
    for selection in selections:
        if isinstance(selection, Field):
            yield selection
        else:
            yield from _flat(selection.selections)


def _deep(selections: Iterable[Selection]) -> Iterator[Field]:
    for selection in selections:
        if isinstance(selection, Field):
            yield selection
        yield from _deep(selection.selections)


def _is_public_cache(applied: AppliedDirective) -> bool:
    is_cache = applied.name == "cacheControl"
    return is_cache and applied.arguments.get("scope") == "PUBLIC"


def _depth(type_: GraphQLOutputType) -> int:
    depth = 0
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        depth += isinstance(type_, GraphQLList)
        type_ = type_.of_type
    return depth
