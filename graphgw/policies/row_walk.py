"""A walk over an operation: the row rules in it, and what they read.

What is read is added under aliases of the gateway's own, which clients never see.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from graphql import GraphQLList, GraphQLNonNull, get_named_type

from graphgw.federation.selection import TYPENAME, Field, Fragment
from graphgw.operations.schema_lookup import field_definition
from graphgw.policies.arguments import argument_readers
from graphgw.policies.decision import RowRule, RowStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphql import GraphQLNamedType, GraphQLOutputType

    from graphgw.federation.selection import Selection, Selections
    from graphgw.federation.supergraph import Supergraph
    from graphgw.policies.row_decisions import Demand

__all__ = ["Demands", "RowWalk", "fields_of"]

_PREFIX: Final = "__gw_row_"


class Demands(Protocol):
    """What is demanded of the rows of a supergraph."""

    @property
    def supergraph(self) -> Supergraph:
        """The graph that has the rules."""
        ...

    @property
    def is_shadow(self) -> bool:
        """Whether the rules are only reported."""
        ...

    def of_field(self, type_name: str, field_name: str) -> tuple[Demand, ...]:
        """Return the demands on a field of an object type."""
        ...

    def of_type(self, type_name: str) -> tuple[Demand, ...]:
        """Return the demands on the objects of a type."""
        ...


def fields_of(selections: Iterable[Selection]) -> Iterator[Field]:
    """Return the fields of one level, those in fragments included."""
    for selection in selections:
        if isinstance(selection, Field):
            yield selection
        else:
            yield from fields_of(selection.selections)


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


class RowWalk:
    """One walk over an operation: collects rules, returns longer selections."""

    def __init__(self, rules: Demands) -> None:
        self._of = rules
        self._schema = rules.supergraph.schema
        self._seen: set[RowRule] = set()
        self.rules: list[RowRule] = []

    def root(self, selections: Selections, root: GraphQLNamedType) -> Selections:
        """Return an operation's selections with what the rules in them read."""
        return self._level(selections, root, _Level(types=(root.name,)))

    def _level(
        self,
        selections: Selections,
        parent: GraphQLNamedType,
        level: _Level,
        extra: _Extra | None = None,
    ) -> Selections:
        extra = extra or _Extra()
        kept: list[Selection] = []
        for selection in selections:
            if isinstance(selection, Field):
                kept.append(self._field(selection, parent, level, extra))
                continue
            type_ = self._schema.type_map[selection.type_condition]
            inner = self._level(selection.selections, type_, self._narrow(level, type_))
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
            selections=self._level(selection.selections, named, below, inner),
        )

    def _narrow_to(self, level: _Level, type_name: str) -> _Level:
        return self._narrow(level, self._schema.type_map[type_name])

    def _add(self, rule: RowRule) -> None:
        if rule not in self._seen:
            self._seen.add(rule)
            self.rules.append(rule)


def _hidden(reads: Selections) -> Iterator[tuple[str, Field]]:
    for selection in fields_of(reads):
        alias = _PREFIX + selection.name
        yield alias, replace(selection, alias=alias)


def _reads(reads: Selections) -> tuple[tuple[str, str], ...]:
    return tuple((_PREFIX + found.name, found.name) for found in fields_of(reads))


def _depth(type_: GraphQLOutputType) -> int:
    depth = 0
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        depth += isinstance(type_, GraphQLList)
        type_ = type_.of_type
    return depth
