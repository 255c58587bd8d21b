"""``python -m benchmarks rules``: what the rules of other fields cost an operation."""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import strawberry

from graphgw import Subgraph, directives, resolved
from graphgw.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["QUERY", "build_subgraph", "main", "measure_rules"]

QUERY: Final = "{ open { id name } }"
"""An operation none of whose fields has a rule."""

_RULES: Final = (
    [directives.Authenticated()],
    [directives.RequiresScopes(scopes=[["read"], ["admin", "write"]])],
    [directives.RateLimit(limit=10, window="1m")],
    [directives.AllowIps(cidrs=["10.0.0.0/8"])],
    [directives.CacheControl(max_age=60), directives.CacheTag(format="kept")],
)


async def _read_open(_context: object) -> dict[str, str]:
    return {"id": "o1", "name": "Open"}


async def _read_number(_context: object) -> int:
    return 1


def build_subgraph(fields: int, *, has_rules: bool) -> Subgraph:
    """Return a subgraph with an open field beside ``fields`` others.

    Args:
        fields: How many other fields there are.
        has_rules: Whether each of these has a rule, all kinds in turn.
    """
    open_type = strawberry.type(
        type("Open", (), {"__annotations__": {"id": strawberry.ID, "name": str}})
    )
    members: dict[str, Any] = {"open": resolved(_read_open)}
    types: dict[str, Any] = {"open": open_type | None}
    for number in range(fields):
        name = f"other_{number}"
        rules = _RULES[number % len(_RULES)] if has_rules else []
        members[name] = resolved(_read_number, directives=rules)
        types[name] = int | None
    query = strawberry.type(type("Query", (), {**members, "__annotations__": types}))
    return Subgraph("open", query=query, entities={})


async def _spend(gateway: Gateway, count: int) -> float:
    """Return the CPU microseconds of one operation, out of ``count`` in a row."""
    began = time.process_time()
    for _ in range(count):
        await gateway.execute(QUERY)
    return (time.process_time() - began) * 1e6 / count


async def measure_rules(
    fields: int, rounds: int, count: int
) -> tuple[float, float, float]:
    """Ask both graphs in turn; return microseconds without, with, and their ratio.

    The ratio is the median of those of single rounds, whose halves change places.

    Args:
        fields: How many fields have a rule in one of the graphs.
        rounds: How often each graph is measured.
        count: Operations in each round.

    Raises:
        RuntimeError: The graphs answer differently, or with errors.
    """
    plain: list[float] = []
    ruled: list[float] = []
    async with AsyncExitStack() as stack:
        gateways = [
            await stack.enter_async_context(
                Gateway(subgraphs=[build_subgraph(fields, has_rules=has_rules)])
            )
            for has_rules in (False, True)
        ]
        answers = [await gateway.execute(QUERY) for gateway in gateways]
        if answers[0].errors or answers[0].data != answers[1].data:
            raise RuntimeError("the graph with rules answers differently")
        for gateway in gateways:
            await _spend(gateway, count)
        gc.collect()
        gc.freeze()
        for number in range(rounds):
            order = [(gateways[0], plain), (gateways[1], ruled)]
            for gateway, found in order if number % 2 else reversed(order):
                found.append(await _spend(gateway, count))
        gc.unfreeze()
    ratio = statistics.median(b / a for a, b in zip(plain, ruled, strict=True))
    return statistics.median(plain), statistics.median(ruled), ratio


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure graphs of some sizes and print microseconds and ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rules")
    parser.add_argument("--fields", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args(sys.argv[2:] if arguments is None else arguments)
    print("CPU of an operation without rules, beside fields that have one")
    print(f"{'fields':>8}{'no rules us':>14}{'rules us':>12}{'ratio':>9}")
    for fields in given.fields:
        plain, ruled, ratio = asyncio.run(
            measure_rules(fields, given.rounds, given.count)
        )
        print(f"{fields:>8}{plain:>14.2f}{ruled:>12.2f}{ratio:>9.3f}")
