"""The auth rules of every field, those of all that it leads to or reads included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import (
        AppliedDirective,
        ContextArgument,
        Supergraph,
        TypeDefinition,
    )

__all__ = ["AuthRule", "AuthRuleName", "FieldRules", "close_over_requirements"]

AuthRuleName: TypeAlias = Literal[
    "authenticated", "requiresScopes", "policy", "allowIps", "owner", "rowPolicy"
]

_ARGUMENTS: Final[dict[str, str]] = {
    "requiresScopes": "scopes",
    "policy": "policies",
    "allowIps": "cidrs",
}
_OTHERS: Final = frozenset(("authenticated", "owner", "rowPolicy"))
_CONTEXT_NAME: Final = re.compile(r"\s*\$\w+")
_Coordinate: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, order=True)
class AuthRule:
    """One demand on the caller; all rules of a field must hold.

    ``alternatives`` are the outer OR of the inner AND; none lets nobody pass, except
    for ``authenticated``, which has none. Row rules are here with what they demand of
    every caller: ``owner`` has its claim first, then the scopes that stand for it;
    ``rowPolicy`` names its function and demands nothing.
    """

    name: AuthRuleName
    alternatives: tuple[tuple[str, ...], ...] = ()


def close_over_requirements(supergraph: Supergraph) -> FieldRules:
    """Return the auth rules of every field, closed over what the fields require."""
    return FieldRules(supergraph)


class FieldRules:
    """Answers which auth rules a selection must keep.

    A field has its own rules, those of the type it is on, of its return type, of the
    interfaces that declare it, and of every field that it requires, through chains
    and contexts. On an interface or union it has the rules of every type that may be
    met there, so that no implementation is reached around its own rules.
    """

    def __init__(self, supergraph: Supergraph) -> None:
        self._supergraph = supergraph
        self._types = {
            name: self._read_type(definition)
            for name, definition in supergraph.types.items()
        }
        self._closed: dict[_Coordinate, frozenset[AuthRule]] = {}
        self._contexts = _context_types(supergraph)
        self.is_empty = not any(
            map(_is_auth, (a for rules in supergraph.rules.values() for a in rules))
        )

    def of(self, type_name: str, field_name: str) -> frozenset[AuthRule]:
        """Return the rules of a field as it is selected on a type."""
        key = (type_name, field_name)
        found = self._closed.get(key)
        if found is None:
            found = self._closed[key] = frozenset(self._collect(key))
        return found

    def of_type(self, type_name: str) -> frozenset[AuthRule]:
        """Return the rules of a type and of the interfaces that it implements."""
        return self._types.get(type_name, frozenset())

    def _read_type(self, definition: TypeDefinition) -> frozenset[AuthRule]:
        names = (definition.name, *_interfaces(definition))
        return frozenset(rule for name in names for rule in self._declared(name))

    def _declared(self, coordinate: str) -> Iterator[AuthRule]:
        for applied in self._supergraph.rules.get(coordinate, ()):
            if _is_auth(applied):
                yield _read(applied)

    def _collect(self, start: _Coordinate) -> Iterator[AuthRule]:
        seen: set[_Coordinate] = set()
        pending = [start]
        while pending:
            here = pending.pop()
            if here in seen:
                continue
            seen.add(here)
            type_name, field_name = here
            yield from self._own(type_name, field_name)
            definition = self._supergraph.types.get(type_name)
            if definition is None:
                continue
            if definition.is_abstract:
                possible = self._supergraph.possible_types(type_name)
                pending += ((name, field_name) for name in possible)
            pending += self._required(definition, field_name)

    def _own(self, type_name: str, field_name: str) -> Iterator[AuthRule]:
        yield from self.of_type(type_name)
        definition = self._supergraph.types.get(type_name)
        if definition is None:
            return
        yield from self._declared(f"{type_name}.{field_name}")
        for interface in _interfaces(definition):
            yield from self._declared(f"{interface}.{field_name}")
        field = definition.fields.get(field_name)
        if field is not None:
            yield from self.of_type(field.named_type)

    def _required(
        self, definition: TypeDefinition, field_name: str
    ) -> Iterator[_Coordinate]:
        for owner in (definition.name, *_interfaces(definition)):
            field = self._supergraph.field_of(owner, field_name)
            for graph, there in field.graphs.items() if field else ():
                if there.is_overridden and there.override_label is None:
                    continue
                yield from self._fields_in(definition.name, there.requires)
                for argument in there.context_arguments:
                    yield from self._read_by(argument, graph)

    def _read_by(self, argument: ContextArgument, graph: str) -> Iterator[_Coordinate]:
        text = _CONTEXT_NAME.sub("", argument.selection, count=1)
        selections = parse_field_set(text)
        for type_name in self._contexts.get((graph, argument.context), ()):
            yield from self._fields_in(type_name, selections)

    def _fields_in(
        self, type_name: str, selections: Selections
    ) -> Iterator[_Coordinate]:
        for selection in selections:
            if not isinstance(selection, Field):
                yield from self._fields_in(
                    selection.type_condition, selection.selections
                )
                continue
            yield type_name, selection.name
            field = self._supergraph.field_of(type_name, selection.name)
            if field is not None:
                yield from self._fields_in(field.named_type, selection.selections)


def _is_auth(applied: AppliedDirective) -> bool:
    return applied.name in _OTHERS or applied.name in _ARGUMENTS


def _read(applied: AppliedDirective) -> AuthRule:
    if applied.name == "authenticated":
        return AuthRule("authenticated")
    if applied.name == "owner":
        scopes = {tuple(sorted(s)) for s in applied.arguments.get("orScopes") or ()}
        claim = str(applied.arguments.get("claim") or "sub")
        return AuthRule("owner", ((claim,), *sorted(scopes)))
    if applied.name == "rowPolicy":
        return AuthRule("rowPolicy", ((str(applied.arguments.get("name")),),))
    given = applied.arguments.get(_ARGUMENTS[applied.name])
    if applied.name == "allowIps":
        return AuthRule("allowIps", (tuple(sorted(map(str, given or ()))),))
    alternatives = sorted({tuple(sorted(map(str, names))) for names in given or ()})
    name: AuthRuleName = "policy" if applied.name == "policy" else "requiresScopes"
    return AuthRule(name, tuple(alternatives))


def _interfaces(definition: TypeDefinition) -> tuple[str, ...]:
    names = (name for found in definition.interfaces.values() for name in found)
    return tuple(dict.fromkeys(names))


def _context_types(supergraph: Supergraph) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for definition in supergraph.types.values():
        for graph, names in definition.contexts.items():
            for name in names:
                found.setdefault((graph, name), []).append(definition.name)
    return found
