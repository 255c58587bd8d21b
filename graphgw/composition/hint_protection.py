"""Hints on fields that can be had without what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.selection import Fragment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.composition.findings import Findings
    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import FieldInGraph, Supergraph

__all__ = ["hint_at_protection"]

_PROTECTING: Final = ("authenticated", "requiresScopes", "policy")


def hint_at_protection(supergraph: Supergraph, findings: Findings) -> None:
    """Point at fields that require protected ones and are not protected likewise.

    The gateway demands the rules of all that a field requires, so nothing leaks; but
    who reads the schema should see it.
    """
    for type_name, definition in supergraph.types.items():
        for field in definition.fields.values():
            coordinate = f"{type_name}.{field.name}"
            own = _protection(supergraph, type_name, coordinate)
            for there in field.graphs.values():
                for required_type, required in _required(supergraph, type_name, there):
                    demanded = _protection(supergraph, required_type, required)
                    for name in sorted(demanded - own):
                        findings.hint(
                            f'it requires "{required}", which is protected by @{name},'
                            " and does not say so itself",
                            coordinate,
                        )


def _protection(supergraph: Supergraph, type_name: str, coordinate: str) -> set[str]:
    """Return the names of the rules that protect a field or its type."""
    applied = (
        *supergraph.rules.get(type_name, ()),
        *supergraph.rules.get(coordinate, ()),
    )
    return {rule.name for rule in applied if rule.name in _PROTECTING}


def _required(
    supergraph: Supergraph, type_name: str, there: FieldInGraph
) -> Iterator[tuple[str, str]]:
    """Yield the type and coordinate of every field that another needs there."""
    yield from _named(supergraph, type_name, there.requires)
    for argument in there.context_arguments:
        selections = parse_field_set(argument.selection)
        for name, definition in supergraph.types.items():
            if any(argument.context in found for found in definition.contexts.values()):
                yield from _named(supergraph, name, selections)


def _named(
    supergraph: Supergraph, type_name: str, selections: Selections
) -> Iterator[tuple[str, str]]:
    for selection in selections:
        if isinstance(selection, Fragment):
            condition = selection.type_condition
            yield from _named(supergraph, condition, selection.selections)
            continue
        field = supergraph.field_of(type_name, selection.name)
        if field is not None:
            yield type_name, f"{type_name}.{field.name}"
            yield from _named(supergraph, field.named_type, selection.selections)
