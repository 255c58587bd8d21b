"""Print the part of the query graph that an operation can move in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.selection import Field, print_selections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation
    from graphgw.planning.query_graph import Edge, QueryGraph

__all__ = ["print_graph"]


def print_graph(graph: QueryGraph, operation: Operation) -> str:
    """Print, for each type that is asked for, what each subgraph resolves of it.

    ``enter by`` tells the keys by which an entity fetch leads into a subgraph, and
    ``requires`` what it must be sent for a field beside them.
    """
    supergraph = graph.supergraph
    wanted: dict[str, list[str]] = {}
    root = supergraph.root_types[operation.kind]
    _collect(supergraph, root, operation.selections, wanted)
    lines: list[str] = []
    for type_name, fields in wanted.items():
        lines.append(type_name)
        lines += _type_lines(graph, type_name, fields)
    return "\n".join(lines) + "\n"


def _collect(
    supergraph: Supergraph,
    type_name: str,
    selections: Selections,
    wanted: dict[str, list[str]],
) -> None:
    fields = wanted.setdefault(type_name, [])
    for selection in selections:
        if not isinstance(selection, Field):
            name = selection.type_condition
            _collect(supergraph, name, selection.selections, wanted)
            continue
        found = supergraph.field_of(type_name, selection.name)
        if found is None:
            continue
        if selection.name not in fields:
            fields.append(selection.name)
        if selection.selections:
            _collect(supergraph, found.named_type, selection.selections, wanted)


def _type_lines(graph: QueryGraph, type_name: str, fields: list[str]) -> Iterator[str]:
    entries = {entry.node: entry for entry in graph.entries(type_name)}
    nodes = [
        graph.node(type_name, graph_id)
        for graph_id in sorted(graph.supergraph.types[type_name].graphs)
    ]
    nodes += [node for node in entries if node not in nodes]
    for node in nodes:
        edges = [(name, node.edge(name)) for name in fields]
        entry = entries.get(node)
        known = [(name, edge) for name, edge in edges if edge is not None]
        if not known and entry is None:
            continue
        place = graph.supergraph.graphs[node.graph_id].name
        if node.type_name != type_name:
            place += f", as {node.type_name}"
        keys = (_flat(key.fields) for key in entry.keys) if entry else ()
        how = " or ".join(keys)
        yield f"  {place}: enter by {how}" if how else f"  {place}"
        yield from (f"    {name}{_edge(edge)}" for name, edge in known)


def _edge(edge: Edge) -> str:
    text = ""
    if edge.head is not None:
        text += f" -> {edge.head.type_name}"
        if edge.head.provides:
            text += f", provides {_flat(edge.head.provides)}"
    if edge.requires:
        text += f", requires {_flat(edge.requires)}"
    for argument in edge.context_arguments:
        text += f", takes {argument.name} from context {argument.context}"
    return text


def _flat(selections: Selections) -> str:
    return f"{{ {' '.join(print_selections(selections).split())} }}"
