"""Print the stages before the plan: query graph, paths, fetch graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.field_sets import print_field_set
from graphgw.planning.merge import depths, sort_fetches
from graphgw.planning.print_plan import print_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.planning.fetch_graph import FetchNode
    from graphgw.planning.paths import Goal, Path
    from graphgw.planning.query_graph import Node, QueryGraph

__all__ = ["print_fetch_graph", "print_paths", "print_query_graph"]


def print_query_graph(graph: QueryGraph) -> str:
    """Print every type of every subgraph with its edges and the ways into it."""
    lines = []
    for name, definition in sorted(graph.supergraph.types.items()):
        if not definition.is_composite:
            continue
        for graph_id in sorted(definition.graphs):
            node = graph.node(name, graph_id)
            lines.append(f"{name} in {graph.supergraph.graphs[graph_id].name}")
            lines += (f"  {line}" for line in _edges(graph, node))
        for entry in graph.entries(name):
            keys = " | ".join(f"{{ {key.text} }}" for key in entry.keys)
            where = graph.supergraph.graphs[entry.node.graph_id].name
            as_what = f" as {entry.typename}" if entry.typename != name else ""
            lines.append(f"  => {where}{as_what} by {keys}")
    return "\n".join(lines) + "\n"


def _edges(graph: QueryGraph, node: Node) -> Iterator[str]:
    for name in graph.supergraph.types[node.type_name].fields:
        edge = node.edge(name)
        if edge is None:
            continue
        text = f"{name} -> {edge.type}"
        if edge.requires:
            text += f" requires {{ {print_field_set(edge.requires)} }}"
        if edge.head is not None and edge.head.provides:
            text += f" provides {{ {print_field_set(edge.head.provides)} }}"
        yield text


def print_paths(goals: Iterable[Goal]) -> str:
    """Print for each goal the path that was taken, and how many there were."""
    lines = []
    for goal in goals:
        if goal.path is None:
            continue
        count = len(goal.alternatives)
        taken = " ".join(_steps(goal.path))
        more = f" (of {count})" if count > 1 else ""
        lines.append(f"{taken} .{goal.name}{more}")
    return "\n".join(lines) + "\n"


def _steps(path: Path) -> Iterator[str]:
    if path.parent is not None:
        yield from _steps(path.parent)
    graph = path.place.slot.graph.supergraph.graphs[path.node.graph_id].name
    if path.kind == "root":
        yield f"[{graph}]"
    elif path.kind == "field":
        yield f".{path.place.slot.name}"
    elif path.kind == "cast":
        yield f"|{path.place.type_name}"
    else:
        yield f"{_where(path)} =>[{graph}]"


def _where(path: Path) -> str:
    names: list[str] = []
    slot = path.place.slot
    while slot.parent is not None:
        names.insert(0, slot.name)
        slot = slot.parent.slot
    return ".".join(names)


def print_fetch_graph(nodes: Iterable[FetchNode]) -> str:
    """Print the fetches by stage, with what each waits for."""
    ordered = sort_fetches(nodes)
    stages = depths(ordered)
    ids = {node: number for number, node in enumerate(ordered)}
    lines = []
    for node in ordered:
        waits = ", ".join(
            str(ids[parent]) for parent in ordered if parent in node.parents
        )
        path = f" at {print_path(node.path)}" if node.path else ""
        after = f" after {waits}" if waits else ""
        leaves = ", ".join(str(goal.key) for goal in node.goals)
        lines.append(
            f"{ids[node]}: stage {stages[node]} {node.graph_id}{path}{after}: {leaves}"
        )
    return "\n".join(lines) + "\n"
