"""Count what a parsed document asks for, without expanding anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    VariableNode,
)

from graphgw.operations.limits import exceeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import DirectiveNode, DocumentNode, SelectionNode, SelectionSetNode

    from graphgw.operations.settings import LimitSettings

__all__ = ["Measures", "check_measures", "measure_document"]

_INTROSPECTION: Final = frozenset({"__schema", "__type"})


@dataclass(slots=True)
class Measures:
    """What one operation or fragment asks for, fragments expanded."""

    selections: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0
    conditions: frozenset[str] = frozenset()
    root_keys: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Definition:
    """What is in one definition's own text; spreads are still names."""

    own: Measures = field(default_factory=Measures)
    spreads: list[_Spread] = field(default_factory=list)
    conditions: set[str] = field(default_factory=set)
    root_keys: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Spread:
    name: str
    depth: int
    is_at_root: bool
    counts_depth: bool


def measure_document(
    node: DocumentNode,
) -> tuple[dict[int, Measures], Measures]:
    """Measure every operation, and the document as a whole.

    A fragment is measured once however often it is spread; where fragments form a
    cycle, the spread that closes it counts nothing (validation refuses it).

    Returns:
        The measures of each operation by its index among the document's
        definitions; and of the whole document the selections of all operations
        together, which validation looks at, and the directives as they stand.
    """
    scans = [
        (index, definition, _scan(definition))
        for index, definition in enumerate(node.definitions)
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    fragments: dict[str, _Definition] = {}
    for _, definition, scan in scans:
        if isinstance(definition, FragmentDefinitionNode):
            fragments.setdefault(definition.name.value, scan)
    expanded = _expand_fragments(fragments)
    operations = {
        index: _expand(scan, expanded)
        for index, definition, scan in scans
        if isinstance(definition, OperationDefinitionNode)
    }
    whole = Measures(
        selections=sum(found.selections for found in operations.values()),
        directives=sum(scan.own.directives for _, _, scan in scans),
    )
    return operations, whole


def check_measures(node: DocumentNode, limits: LimitSettings) -> None:
    """Refuse a document that asks for more than the limits allow.

    Raises:
        LimitError: A limit is exceeded by one of the operations, or by all together.
    """
    operations, whole = measure_document(node)
    for measures in (whole, *operations.values()):
        found = {
            "depth": measures.depth,
            "expanded_selections": measures.selections,
            "directives": measures.directives,
            "aliases": measures.aliases,
            "root_fields": len(measures.root_keys),
            "conditions": len(measures.conditions),
        }
        for setting, count in found.items():
            limit: int = getattr(limits, setting)
            if count > limit:
                raise exceeded(setting, limit, _readable(count))


def _readable(count: int) -> str | None:
    """Return the count, nothing where it is astronomical."""
    return str(count) if count < 10**9 else None


def _scan(definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Definition:
    scan = _Definition()
    own = scan.own
    own.directives += len(definition.directives or ())
    if isinstance(definition, OperationDefinitionNode):
        for variable in definition.variable_definitions or ():
            own.directives += len(variable.directives or ())
    stack: list[tuple[SelectionSetNode, int, bool]] = [
        (definition.selection_set, 0, True)
    ]
    while stack:
        selection_set, depth, counts_depth = stack.pop()
        for selection in selection_set.selections:
            own.selections += 1
            if selection.directives:
                own.directives += len(selection.directives)
                scan.conditions.update(_conditions(selection.directives))
            if isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                scan.spreads.append(_Spread(name, depth, depth == 0, counts_depth))
                continue
            child = _child(selection, depth, counts_depth, scan)
            if child is not None:
                stack.append(child)
    own.conditions = frozenset(scan.conditions)
    own.root_keys = frozenset(scan.root_keys)
    return scan


def _child(
    selection: SelectionNode,
    depth: int,
    counts_depth: bool,  # noqa: FBT001 - part of the walk's position
    scan: _Definition,
) -> tuple[SelectionSetNode, int, bool] | None:
    below = depth
    if isinstance(selection, FieldNode):
        name = selection.name.value
        if selection.alias is not None:
            scan.own.aliases += 1
        if depth == 0:
            scan.root_keys.add((selection.alias or selection.name).value)
        below = depth + 1
        if depth == 0 and name in _INTROSPECTION:
            counts_depth = False
        if counts_depth and not name.startswith("__"):
            scan.own.depth = max(scan.own.depth, below)
    nested: SelectionSetNode | None = getattr(selection, "selection_set", None)
    return None if nested is None else (nested, below, counts_depth)


def _conditions(directives: tuple[DirectiveNode, ...]) -> Iterator[str]:
    for directive in directives:
        if directive.name.value in {"skip", "include"}:
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    yield argument.value.name.value


def _expand_fragments(fragments: Mapping[str, _Definition]) -> dict[str, Measures]:
    """Measure fragments, those they spread before them, without recursion."""
    expanded: dict[str, Measures] = {}
    entered: set[str] = set()
    for start in fragments:
        stack = [start]
        while stack:
            name = stack[-1]
            if name in expanded:
                stack.pop()
            elif name in entered:
                expanded[name] = _expand(fragments[name], expanded)
                stack.pop()
            else:
                entered.add(name)
                stack.extend(
                    spread.name
                    for spread in fragments[name].spreads
                    if spread.name in fragments and spread.name not in entered
                )
    return expanded


def _expand(scan: _Definition, expanded: Mapping[str, Measures]) -> Measures:
    own = scan.own
    total = Measures(own.selections, own.aliases, own.directives, own.depth)
    conditions = set(own.conditions)
    root_keys = set(own.root_keys)
    seen: set[tuple[str, bool]] = set()
    for spread in scan.spreads:
        inner = expanded.get(spread.name)
        if inner is None:
            continue
        total.selections += inner.selections
        total.aliases += inner.aliases
        total.directives += inner.directives
        if spread.counts_depth:
            total.depth = max(total.depth, spread.depth + inner.depth)
        if (spread.name, spread.is_at_root) in seen:
            continue
        seen.add((spread.name, spread.is_at_root))
        conditions |= inner.conditions
        if spread.is_at_root:
            root_keys |= inner.root_keys
    total.conditions = frozenset(conditions)
    total.root_keys = frozenset(root_keys)
    return total
