"""Samples to a table for people, and to JSON for machines."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import orjson

from benchmarks.measure import Sample
from benchmarks.operations import OPERATIONS
from benchmarks.targets import PEERS, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["print_table", "summarize", "to_json"]

_LIMIT: Final = "by_hand"
_THOUSAND: Final = 1000
_GOALS: Final = {
    "local": {"q1": 2.5, "q2": 1.5, "q3": 1.5, "q4": 1.5, "q5": 2.5},
    "remote": {"q1": 1.0, "q2": 1 / 3, "q3": 1 / 3, "q4": 1 / 3, "q5": 1.0},
}
"""The most that the gateway may cost, as a multiple of its series' yardstick."""


def summarize(samples: Iterable[Sample]) -> list[Sample]:
    """Return one sample for each target and operation: the medians of its rounds."""
    rounds: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        rounds[sample.operation, sample.target].append(sample)
    return [_middle(group) for _, group in sorted(rounds.items(), key=_place)]


def _place(entry: tuple[tuple[str, str], list[Sample]]) -> int:
    return list(OPERATIONS).index(entry[0][0])


def _middle(group: Sequence[Sample]) -> Sample:
    return Sample(
        target=group[0].target,
        operation=group[0].operation,
        cpu_ms=median(sample.cpu_ms for sample in group),
        requests_per_second=median(sample.requests_per_second for sample in group),
        p50_ms=median(sample.p50_ms for sample in group),
        p99_ms=median(sample.p99_ms for sample in group),
        calls=median(sample.calls for sample in group),
        failures=sum(sample.failures for sample in group),
        answer_bytes=int(median(sample.answer_bytes for sample in group)),
        resident_bytes=max(sample.resident_bytes for sample in group),
    )


def print_table(summary: Sequence[Sample]) -> str:
    """Return the table, and how the gateway stands beside its goals.

    Ratios of the local series are to the answer written by hand, those of the remote
    series to the Node gateway that takes the least CPU for the operation.
    """
    lines = []
    shown = ""
    for sample in summary:
        if sample.operation != shown:
            shown = sample.operation
            size = _size(sample.answer_bytes)
            title = OPERATIONS[shown].title
            lines += ["", f"{shown.upper()}  {title}; answers of {size}", _HEAD]
        found = _ratio(sample, summary)
        ratio = f"{found:7.2f}x" if found else "       -"
        failed = f"  {sample.failures} FAILED" if sample.failures else ""
        lines.append(
            f"  {sample.target:<23}{sample.cpu_ms:>9.3f}{ratio}"
            f"{sample.requests_per_second:>11,.0f}{sample.p50_ms:>9.1f}"
            f"{sample.p99_ms:>9.1f}{sample.calls:>8.2f}{failed}"
        )
    memory = {sample.target: 0 for sample in summary}
    for sample in summary:
        memory[sample.target] = max(memory[sample.target], sample.resident_bytes)
    listed = ", ".join(f"{name} {_size(size)}" for name, size in memory.items())
    lines += ["", f"resident memory: {listed}", *_print_goals(summary)]
    return "\n".join(lines)


def _ratio(sample: Sample, summary: Sequence[Sample]) -> float | None:
    """Return a sample's CPU beside its yardstick's, if that was measured."""
    is_local = TARGETS[sample.target].series == "local"
    yardsticks = [
        other.cpu_ms
        for other in summary
        if other.operation == sample.operation
        and (other.target == _LIMIT if is_local else other.target in PEERS)
    ]
    least = min(yardsticks, default=0.0)
    return sample.cpu_ms / least if least else None


def _print_goals(summary: Sequence[Sample]) -> list[str]:
    rows: dict[str, list[str]] = {}
    for sample in summary:
        ratio = _ratio(sample, summary)
        if ratio is None or not sample.target.startswith("gateway"):
            continue
        if TARGETS[sample.target].has_callers:  # of whom no yardstick knows anything
            continue
        goal = _GOALS[TARGETS[sample.target].series][sample.operation]
        mark = "reached" if ratio <= goal else "MISSED"
        rows.setdefault(sample.target, []).append(
            f"{sample.operation.upper()} {ratio:.2f}x of {goal:.2f}x {mark}"
        )
    if not rows:
        return []
    lines = [f"  {name:<23}{', '.join(found)}" for name, found in rows.items()]
    return ["", "goals: local beside by_hand, remote beside the best peer", *lines]


_HEAD = (
    f"  {'target':<23}{'CPU ms':>9}{'ratio':>8}{'requests/s':>11}"
    f"{'p50 ms':>9}{'p99 ms':>9}{'calls':>8}"
)


def _size(count: int) -> str:
    for unit in ("B", "KB", "MB"):
        if count < _THOUSAND or unit == "MB":
            return f"{count:.0f} {unit}"
        count //= _THOUSAND
    return ""


def to_json(summary: Sequence[Sample]) -> bytes:
    """Return the summary with the day and the machine."""
    found: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "samples": [asdict(sample) for sample in summary],
    }
    return orjson.dumps(found, option=orjson.OPT_INDENT_2)
