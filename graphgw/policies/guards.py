"""The guarded selections of an operation, found once for each fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphgw.operations.cut import walk_selections
from graphgw.operations.normalize import HIDDEN_TYPENAME
from graphgw.operations.schema_lookup import field_definition
from graphgw.policies.arguments import argument_readers

if TYPE_CHECKING:
    from graphgw.federation.selection import Field
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.policies.arguments import ArgumentReader
    from graphgw.policies.auth_rules import AuthRule, FieldRules
    from graphgw.policies.rate_rules import RateRule, RateRules

__all__ = ["Guard", "Guards", "build_guards"]


@dataclass(frozen=True, slots=True)
class Guard:
    """One selection that has rules; ``parent`` is the guard around it, if any.

    ``auth`` are indexes of ``Guards.auth``; all of them must hold.
    """

    selection: SelectionPath
    coordinate: str
    path: tuple[str, ...]
    parent: int | None
    auth: tuple[int, ...]
    limits: tuple[RateRule, ...]
    arguments: tuple[ArgumentReader, ...]


@dataclass(frozen=True, slots=True)
class Guards:
    """What must be decided for one operation; parents stand before what is in them."""

    guards: tuple[Guard, ...] = ()
    auth: tuple[AuthRule, ...] = ()
    """The distinct auth rules, each decided once for an operation."""
    has_limits: bool = False


NO_GUARDS = Guards()


def build_guards(
    operation: Operation,
    supergraph: Supergraph,
    auth_rules: FieldRules,
    rate_rules: RateRules,
) -> Guards:
    """Find the selections of an operation that carry rules."""
    found: list[Guard] = []
    numbers: dict[AuthRule, int] = {}
    around: list[int] = []
    schema = supergraph.schema
    for place, type_name, field, path in walk_selections(operation, schema):
        while around and not _is_within(place, found[around[-1]].selection):
            around.pop()
        if field == HIDDEN_TYPENAME:
            continue
        auth = auth_rules.of(type_name, field.name)
        limits = rate_rules.of(type_name, field.name)
        if not auth and not limits:
            continue
        guard = Guard(
            selection=place,
            coordinate=f"{type_name}.{field.name}",
            path=path,
            parent=around[-1] if around else None,
            auth=tuple(numbers.setdefault(r, len(numbers)) for r in sorted(auth)),
            limits=limits,
            arguments=_arguments(supergraph, type_name, field)
            if _needs_arguments(auth, limits)
            else (),
        )
        around.append(len(found))
        found.append(guard)
    if not found:
        return NO_GUARDS
    return Guards(tuple(found), tuple(numbers), any(g.limits for g in found))


def _is_within(place: SelectionPath, outer: SelectionPath) -> bool:
    return place[: len(outer)] == outer


def _needs_arguments(auth: frozenset[AuthRule], limits: tuple[RateRule, ...]) -> bool:
    return any(rule.name == "policy" for rule in auth) or any(
        rule.needs_arguments for rule in limits
    )


def _arguments(
    supergraph: Supergraph, type_name: str, field: Field
) -> tuple[ArgumentReader, ...]:
    parent = supergraph.schema.get_type(type_name)
    definition = field_definition(supergraph.schema, parent, field.name)
    return argument_readers(field, definition)
