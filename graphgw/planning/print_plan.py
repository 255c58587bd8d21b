"""Print a query plan in the field's notation: Sequence, Parallel, Fetch, Flatten."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphgw.federation.selection import TYPENAME, print_selections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.federation.supergraph import Supergraph
    from graphgw.planning.plan import EntityInput, Fetch, PathStep, QueryPlan, Rename

__all__ = ["print_path", "print_plan"]

_Tree: TypeAlias = "Fetch | tuple[str, list[_Tree]]"


def print_plan(plan: QueryPlan, supergraph: Supergraph) -> str:
    """Print a plan as a tree; equal plans print alike.

    A fetch that waits for several others stands behind all of them in a Sequence.
    """
    lines = ["QueryPlan {"]
    tree = _tree(plan.fetches)
    if tree is not None:
        lines += _tree_lines(tree, supergraph, "  ")
    lines.append("}")
    return "\n".join(lines) + "\n"


def print_path(path: Iterable[PathStep]) -> str:
    """Print a response path: ``users.@.friends.@|[Person]``."""
    steps = []
    for step in path:
        types = f"|[{', '.join(step.types)}]" if step.types else ""
        steps.append(step.key + ".@" * step.list_depth + types)
    return ".".join(steps)


# From waiting fetches to a tree


def _tree(fetches: tuple[Fetch, ...]) -> _Tree | None:
    """Nest fetches: each behind the last of those it waits for."""
    return _parallel(_chains(list(fetches), frozenset()))


def _chains(fetches: list[Fetch], done: frozenset[int]) -> list[_Tree]:
    """Split fetches into independent parts, each a tree of its own."""
    return [_chain(part, done) for part in _components(fetches, done)]


def _chain(fetches: list[Fetch], done: frozenset[int]) -> _Tree:
    ready = [fetch for fetch in fetches if done.issuperset(fetch.after)]
    rest = [fetch for fetch in fetches if not done.issuperset(fetch.after)]
    now = done.union(fetch.id for fetch in ready)
    first = _parallel(list(ready))
    assert first is not None  # noqa: S101 - the first fetch waits for nothing
    if not rest:
        return first
    then = _parallel(_chains(rest, now))
    assert then is not None  # noqa: S101 - there is a rest
    after = then[1] if isinstance(then, tuple) and then[0] == "Sequence" else [then]
    return ("Sequence", [first, *after])


def _components(fetches: list[Fetch], done: frozenset[int]) -> list[list[Fetch]]:
    """Group fetches that wait for one another, directly or not."""
    groups: list[list[Fetch]] = []
    for fetch in fetches:
        waits = set(fetch.after) - done
        joined = [g for g in groups if any(other.id in waits for other in g)]
        if joined:
            merged = [other for group in joined for other in group]
            groups = [group for group in groups if group not in joined]
            groups.append([*merged, fetch])
        else:
            groups.append([fetch])
    groups = [sorted(group, key=lambda fetch: fetch.id) for group in groups]
    return sorted(groups, key=lambda group: group[0].id)


def _parallel(trees: list[_Tree]) -> _Tree | None:
    if len(trees) > 1:
        return ("Parallel", trees)
    return trees[0] if trees else None


# From a tree to text


def _tree_lines(tree: _Tree, supergraph: Supergraph, margin: str) -> Iterator[str]:
    if isinstance(tree, tuple):
        kind, children = tree
        yield f"{margin}{kind} {{"
        for child in children:
            yield from _tree_lines(child, supergraph, margin + "  ")
        yield margin + "}"
    elif tree.path:
        yield f'{margin}Flatten(path: "{print_path(tree.path)}") {{'
        yield from _fetch_lines(tree, supergraph, margin + "  ")
        yield margin + "}"
    else:
        yield from _fetch_lines(tree, supergraph, margin)


def _fetch_lines(fetch: Fetch, supergraph: Supergraph, margin: str) -> Iterator[str]:
    name = supergraph.graphs[fetch.graph].name
    yield f'{margin}Fetch(service: "{name}") {{'
    inner = margin + "  "
    depth = len(inner) // 2
    if fetch.inputs:
        yield inner + "{"
        for item in fetch.inputs:
            yield from _input_lines(item, depth + 1)
        yield inner + "} => {"
        yield print_selections(fetch.selections, depth + 1)
        yield inner + "}"
    else:
        yield inner + "{"
        yield print_selections(fetch.selections, depth + 1)
        yield inner + "}"
    for value in fetch.contexts:
        selected = " ".join(print_selections(value.selections).split())
        where = print_path(fetch.path[: value.level]) or "the root"
        yield f"{inner}context ${value.variable} <= {{ {selected} }} at {where}"
    for rename in fetch.renames:
        yield inner + _rename_line(rename)
    yield margin + "}"


def _input_lines(item: EntityInput, depth: int) -> Iterator[str]:
    margin = "  " * depth
    told = "" if item.types == (item.typename,) else f" as {item.typename}"
    types = " | ".join(item.types) or "any"
    yield f"{margin}... on {types}{told} {{"
    yield print_selections((TYPENAME, *item.selections), depth + 1)
    yield margin + "}"


def _rename_line(rename: Rename) -> str:
    types = f" on {' | '.join(rename.types)}" if rename.types else ""
    path = print_path(rename.path)
    where = f" at {path}" if path else ""
    return f"rename {rename.source} => {rename.target}{where}{types}"
