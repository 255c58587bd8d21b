"""Turn a fetch graph into the plan's fetches, numbered in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphgw.planning.output import build_output
from graphgw.planning.plan import Fetch, PathStep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.federation.supergraph import OperationKind
    from graphgw.planning.fetch_graph import FetchNode

__all__ = ["PlanBuilder"]


class PlanBuilder:
    """Collects the fetches of a plan; each group added waits for the one before."""

    def __init__(self, kind: OperationKind) -> None:
        self.fetches: list[Fetch] = []
        self._kind: OperationKind = kind
        self._barrier: tuple[int, ...] = ()
        self._alike: dict[object, list[int]] = {}

    def add(self, nodes: Iterable[FetchNode]) -> None:
        """Add fetches; each must stand behind those that it waits for."""
        ids: dict[FetchNode, int] = {}
        first = len(self.fetches)
        for node in nodes:
            after = _nearest({ids[parent] for parent in node.parents}, self.fetches)
            fetch = self._fetch(node, after or self._barrier)
            ids[node] = self._fold(fetch)
        done = self.fetches[first:]
        waited = {id_ for fetch in done for id_ in fetch.after}
        self._barrier = tuple(fetch.id for fetch in done if fetch.id not in waited)

    def _fetch(self, node: FetchNode, after: tuple[int, ...]) -> Fetch:
        selections, renames = build_output(node)
        return Fetch(
            id=len(self.fetches),
            graph=node.graph_id,
            kind=self._kind if node.is_root else "query",
            selections=selections,
            path=node.path,
            inputs=node.inputs,
            after=after,
            renames=renames,
            contexts=node.contexts,
        )

    def _fold(self, fetch: Fetch) -> int:
        """Add a fetch, or widen one that differs in the types on its path only."""
        keys = tuple((step.key, step.list_depth) for step in fetch.path)
        alike = self._alike.setdefault(
            (replace(fetch, id=0, path=()), keys) if keys else object(), []
        )
        for id_ in alike:
            path = _widened(self.fetches[id_].path, fetch.path)
            if path is not None:
                self.fetches[id_] = replace(self.fetches[id_], path=path)
                return id_
        alike.append(fetch.id)
        self.fetches.append(fetch)
        return fetch.id


def _widened(
    one: tuple[PathStep, ...], other: tuple[PathStep, ...]
) -> tuple[PathStep, ...] | None:
    """Join two paths that differ in the types of one step; else ``None``."""
    differing = [i for i, step in enumerate(one) if step != other[i]]
    if len(differing) > 1:
        return None
    path = list(one)
    for index in differing:
        types = {*one[index].types, *other[index].types}
        if not one[index].types or not other[index].types:
            types = set()
        path[index] = replace(one[index], types=tuple(sorted(types)))
    return tuple(path)


def _nearest(direct: set[int], fetches: list[Fetch]) -> tuple[int, ...]:
    """Leave out the fetches that others wait for already."""
    implied: set[int] = set()
    todo = [id_ for parent in direct for id_ in fetches[parent].after]
    while todo:
        current = todo.pop()
        if current not in implied:
            implied.add(current)
            todo.extend(fetches[current].after)
    return tuple(sorted(direct - implied))
