"""Subgraph schemas to one supergraph, or to all the problems at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import (
    NamedTypeNode,
    NameNode,
    OperationType,
    OperationTypeDefinitionNode,
    SchemaDefinitionNode,
    print_ast,
)

from graphgw.composition.check_subgraph import check_subgraph
from graphgw.composition.findings import Findings, Hint, quoted
from graphgw.composition.hint_protection import hint_at_protection
from graphgw.composition.merge_directives import merge_composed, merge_executable
from graphgw.composition.merge_types import (
    MergedType,
    add_interface_object_fields,
    merge_type,
)
from graphgw.composition.merging import Merging
from graphgw.composition.read_subgraph import read_subgraph
from graphgw.composition.satisfiability import MAX_PLACES, check_satisfiability
from graphgw.errors import CompositionError, ConfigurationError
from graphgw.federation.api_schema import build_schema_of, problems_of_schema
from graphgw.federation.print_supergraph import print_supergraph
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.federation.sunset import find_sunset_problems
from graphgw.federation.supergraph import Graph, Supergraph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graphgw.composition.subgraph import Subgraph, SubgraphSDL
    from graphgw.federation.supergraph import OperationKind

__all__ = ["Composed", "compose"]


@dataclass(frozen=True, slots=True)
class Composed:
    """A supergraph, and what is legal but doubtful about it."""

    supergraph: Supergraph
    hints: tuple[Hint, ...] = ()


def compose(subgraphs: Sequence[SubgraphSDL]) -> Composed:
    """Compose subgraphs into a supergraph.

    The result depends on the subgraphs alone, not on their order.

    Args:
        subgraphs: Schemas in either dialect of federation, as text.

    Raises:
        CompositionError: Holds every problem found.
    """
    findings = Findings()
    read = _read(subgraphs, findings)
    if len(read) < len(subgraphs) or not read:
        raise CompositionError(findings.problems)
    for subgraph in read:
        check_subgraph(subgraph, findings)
    merging = Merging.of(read, findings)
    merged = _merge(merging)
    if findings.problems:
        raise CompositionError(findings.problems)
    sdl = print_supergraph(_supergraph(merged, merging))
    try:
        supergraph = read_supergraph(sdl)
    except ConfigurationError as error:
        raise CompositionError(error.problems) from error
    check = check_satisfiability(supergraph)
    problems = [*find_sunset_problems(supergraph), *check.problems]
    if problems:
        raise CompositionError(problems)
    if not check.is_complete:
        findings.hint(
            f"whether every field can be had was checked at {MAX_PLACES} places of"
            " the graph, not at all of them"
        )
    hint_at_protection(supergraph, findings)
    return Composed(supergraph, tuple(findings.hints))


def _read(subgraphs: Sequence[SubgraphSDL], findings: Findings) -> tuple[Subgraph, ...]:
    ordered = sorted(subgraphs, key=lambda subgraph: subgraph.name)
    names = [subgraph.name for subgraph in ordered]
    for name in dict.fromkeys(names):
        if not name:
            findings.problem("a subgraph has no name")
        if names.count(name) > 1:
            findings.problem(f'more than one subgraph is named "{name}"')
    if not ordered:
        findings.problem("there are no subgraphs to compose")
    ids = _graph_ids(names)
    found = (read_subgraph(s, i, findings) for s, i in zip(ordered, ids, strict=True))
    return tuple(subgraph for subgraph in found if subgraph is not None)


def _graph_ids(names: Sequence[str]) -> list[str]:
    """Return a ``join__Graph`` value for each name, unique among them."""
    ids: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Z0-9_]", "_", name.upper())
        plain = f"_{plain}" if not plain or plain[0].isdigit() else plain
        unique, count = plain, 1
        while unique in ids:
            unique, count = f"{plain}_{count}", count + 1
        ids.append(unique)
    return ids


def _merge(merging: Merging) -> dict[str, MergedType]:
    names = sorted({name for s in merging.subgraphs for name in s.types})
    merged = {
        name: result
        for name in names
        if (result := merge_type(name, merging)) is not None
    }
    query = merged.get("Query")
    if query is None or not query.definition.fields:
        merging.findings.problem(
            "no subgraph has a query field",
            "Query",
            "Define a field on Query in one of them.",
        )
    completed = add_interface_object_fields(merged, merging)
    _check_implementations(completed, merging)
    return completed


def _check_implementations(merged: Mapping[str, MergedType], merging: Merging) -> None:
    """Report types that lack a field which another subgraph's interface demands."""
    for name, found in merged.items():
        for interface in sorted({*_all(found.definition.interfaces)}):
            other = merged.get(interface)
            for field in other.definition.fields.values() if other else ():
                if field.name in found.definition.fields:
                    continue
                stating = [
                    s.name for s, d in merging.having(name) if interface in d.interfaces
                ]
                demanding = [
                    s.name
                    for s, d in merging.having(interface)
                    if field.name in d.fields
                ]
                merging.findings.problem(
                    f'it implements "{interface}" in {quoted(stating)} and does not'
                    f' have the field "{field.name}" that {quoted(demanding)} demands',
                    name,
                    f'Add "{field.name}" to "{name}" in one subgraph.',
                )


def _all(by_graph: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for names in by_graph.values():
        yield from names


def _supergraph(merged: Mapping[str, MergedType], merging: Merging) -> Supergraph:
    """Assemble what the printer needs; the reader makes the complete model of it."""
    root_types: dict[OperationKind, str] = {}
    kinds: tuple[OperationKind, ...] = ("query", "mutation", "subscription")
    for kind in kinds:
        if kind.title() in merged:
            root_types[kind] = kind.title()
    schema = build_schema_of(
        [found.node for found in merged.values()],
        merge_executable(merging),
        _schema_definition(root_types),
    )
    problems = problems_of_schema(schema)
    composed = merge_composed(merging)
    if problems or merging.findings.problems:
        raise CompositionError([*merging.findings.problems, *problems])
    return Supergraph(
        graphs={s.id: Graph(s.id, s.name, s.url) for s in merging.subgraphs},
        types={name: found.definition for name, found in merged.items()},
        root_types=root_types,
        schema=schema,
        api_schema=schema,
        possible={
            name: found.members
            for name, found in merged.items()
            if found.definition.is_composite
        },
        rules={
            coordinate: applied
            for found in merged.values()
            for coordinate, applied in found.rules.items()
        },
        sdl="",
        directives={name: print_ast(node) for name, node in composed.items()},
    )


def _schema_definition(root_types: Mapping[OperationKind, str]) -> SchemaDefinitionNode:
    return SchemaDefinitionNode(
        operation_types=tuple(
            OperationTypeDefinitionNode(
                operation=OperationType(kind),
                type=NamedTypeNode(name=NameNode(value=name)),
            )
            for kind, name in root_types.items()
        )
    )
