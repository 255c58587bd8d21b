"""``python -m benchmarks growth``: CPU per row of answers from ten rows to 10,000."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from benchmarks.measure import DisagreementError, Options, measure
from benchmarks.operations import GROWTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.measure import Sample

__all__ = ["fit_exponent", "main", "print_growth"]

_TARGETS: Final = ("gateway", "gateway_remote")
_FIT_FROM: Final = 100
"""Below that, what every request costs weighs more than its rows."""
_NAMES: Final = {operation.name: size for size, operation in GROWTH.items()}

Costs = dict[str, dict[int, float]]
"""CPU milliseconds of an answer, by target and rows."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each size in turn, some rounds, and print how the cost of a row grows.

    Raises:
        SystemExit: Requests failed, or the two series answered differently.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks growth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each round")
    parser.add_argument("--connections", type=int, default=2)
    given = parser.parse_args(arguments)
    options = Options(
        targets=_TARGETS,
        operations=tuple(_NAMES),
        rounds=given.rounds,
        seconds=given.seconds,
        connections=given.connections,
        rows=max(GROWTH),
    )
    samples = []
    try:
        for sample in measure(options):
            samples.append(sample)
            text = f"{sample.operation} {sample.target}: {sample.cpu_ms:.2f} ms\n"
            sys.stderr.write(text)
    except DisagreementError as error:
        raise SystemExit(str(error)) from error
    if any(sample.failures for sample in samples):
        raise SystemExit("there were failures: the figures mean nothing")
    print(print_growth(_middle(samples)))


def _middle(samples: Sequence[Sample]) -> Costs:
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for sample in samples:
        found[sample.target, _NAMES[sample.operation]].append(sample.cpu_ms)
    costs: Costs = defaultdict(dict)
    for (target, size), values in found.items():
        costs[target][size] = statistics.median(values)
    return costs


def print_growth(costs: Costs) -> str:
    """Return the table: each size beside the one before, and a fitted exponent."""
    head = "".join(f"{name:>16}{'us a row':>10}{'growth':>8}" for name in costs)
    lines = ["CPU ms of an answer; growth: a row's cost beside that of the size before"]
    lines += ["", f"{'rows':>8}{head}"]
    sizes = sorted({size for cost in costs.values() for size in cost})
    before = {larger: size for size, larger in pairwise(sizes)}
    for size in sizes:
        cells = [f"{size:>8,}"]
        for cost in costs.values():
            each = cost[size] / size
            cells.append(f"{cost[size]:>16.2f}{each * 1000:>10.1f}")
            last = before.get(size)
            ratio = "-" if last is None else f"{each / (cost[last] / last):.2f}x"
            cells.append(f"{ratio:>8}")
        lines.append("".join(cells))
    lines += ["", f"exponent of the cost, fitted from {_FIT_FROM} rows on; 1 is linear"]
    lines += [f"  {name:<16}{fit_exponent(cost):.3f}" for name, cost in costs.items()]
    return "\n".join(lines)


def fit_exponent(cost: Mapping[int, float]) -> float:
    """Return the power of the rows that their cost grows with, by least squares."""
    fitted = [size for size in cost if size >= _FIT_FROM]
    rows = [math.log(size) for size in fitted]
    spent = [math.log(cost[size]) for size in fitted]
    return statistics.linear_regression(rows, spent).slope
