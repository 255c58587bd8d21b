"""Print the fetch graph: the fetches, and what each waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.selection import print_selections
from graphgw.planning.print_plan import print_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.federation.supergraph import Supergraph
    from graphgw.planning.plan import Fetch, QueryPlan

__all__ = ["print_fetches"]


def print_fetches(plan: QueryPlan, supergraph: Supergraph) -> str:
    """Print a plan's fetches as a list, each with its stage and its inputs.

    Stage 1 starts at once; a fetch of stage 3 has to wait for two answers.
    """
    stages: dict[int, int] = {}
    lines: list[str] = []
    for fetch in plan.fetches:
        stages[fetch.id] = 1 + max((stages[id_] for id_ in fetch.after), default=0)
        lines += _lines(fetch, stages[fetch.id], supergraph)
    count, depth = len(plan.fetches), max(stages.values(), default=0)
    return "\n".join([f"fetches: {count}, stages: {depth}", *lines]) + "\n"


def _lines(fetch: Fetch, stage: int, supergraph: Supergraph) -> Iterator[str]:
    name = supergraph.graphs[fetch.graph].name
    after = f", after {', '.join(map(str, fetch.after))}" if fetch.after else ""
    where = f" at {print_path(fetch.path)}" if fetch.path else f", {fetch.kind}"
    yield f"{fetch.id}: {name}{where}, stage {stage}{after}"
    for item in fetch.inputs:
        keys = " ".join(print_selections(item.selections).split())
        yield f"  sends {item.typename} {{ {keys} }}"
    for value in fetch.contexts:
        yield f"  sends ${value.variable}"
    yield print_selections(fetch.selections, 1)
