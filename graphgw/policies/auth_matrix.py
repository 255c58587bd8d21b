"""Who may have which field: a table to be read, and compared, in review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.policies.auth_rules import FieldRules
from graphgw.policies.row_decisions import has_any_scopes
from graphgw.types import Principal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.federation.supergraph import Supergraph
    from graphgw.policies.auth_rules import AuthRule

__all__ = ["print_auth_matrix"]

_ANONYMOUS: Final = "anonymous"
_KNOWN: Final = "authenticated"
_YES, _NO, _MAYBE = "yes", "-", "asks"


def print_auth_matrix(supergraph: Supergraph) -> str:
    """Print every guarded field with who may have it, one a line.

    The columns are anonymous and authenticated callers, and callers with each set of
    scopes that the schema names. ``asks`` stands where Python code, the address or
    the row decides. Rules of types, interfaces and required fields are in it.
    """
    rules = FieldRules(supergraph)
    guarded = list(_guarded(supergraph, rules))
    if not guarded:
        return "No field has an auth rule.\n"
    roles = [
        (_ANONYMOUS, None),
        (_KNOWN, frozenset[str]()),
        *((" + ".join(sorted(s)), s) for s in _scope_sets(r for _, r in guarded)),
    ]
    rows = [["field", *(name for name, _ in roles)]]
    rows += [
        [coordinate, *(_answer(found, scopes) for _, scopes in roles)]
        for coordinate, found in guarded
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines) + "\n"


def _guarded(
    supergraph: Supergraph, rules: FieldRules
) -> Iterator[tuple[str, frozenset[AuthRule]]]:
    for type_name in sorted(supergraph.types):
        definition = supergraph.types[type_name]
        if not definition.is_composite or definition.is_inaccessible:
            continue
        for field_name in sorted(definition.fields):
            found = rules.of(type_name, field_name)
            if found and not definition.fields[field_name].is_inaccessible:
                yield f"{type_name}.{field_name}", found


def _scope_sets(guarded: Iterable[frozenset[AuthRule]]) -> list[frozenset[str]]:
    sets = {
        frozenset(names)
        for rules in guarded
        for rule in rules
        for names in _scopes_of(rule)
        if names
    }
    return sorted(sets, key=sorted)


def _scopes_of(rule: AuthRule) -> tuple[tuple[str, ...], ...]:
    if rule.name == "requiresScopes":
        return rule.alternatives
    return rule.alternatives[1:] if rule.name == "owner" else ()


def _answer(rules: frozenset[AuthRule], scopes: frozenset[str] | None) -> str:
    """Say whether a caller with these scopes (``None``: anonymous) may pass."""
    may_ask = False
    for rule in rules:
        if rule.name == "authenticated":
            if scopes is None:
                return _NO
        elif rule.name == "requiresScopes":
            if not any(
                (scopes or frozenset()).issuperset(s) for s in rule.alternatives
            ):
                return _NO
        elif rule.name == "owner":
            known = Principal(scopes=scopes or frozenset())
            if has_any_scopes(known, rule.alternatives[1:]):
                continue
            if scopes is None:
                return _NO
            may_ask = True
        else:
            may_ask = True
    return _MAYBE if may_ask else _YES
