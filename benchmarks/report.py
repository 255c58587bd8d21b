"""Samples to a table for people, and to JSON for machines."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import orjson

from benchmarks.measure import Sample
from benchmarks.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["print_table", "summarize", "to_json"]

_LIMIT = "by_hand"
_THOUSAND = 1000


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
    """Return the table; ratios are to the answer written by hand."""
    limits = {s.operation: s.cpu_ms for s in summary if s.target == _LIMIT}
    lines = []
    shown = ""
    for sample in summary:
        if sample.operation != shown:
            shown = sample.operation
            size = _size(sample.answer_bytes)
            title = OPERATIONS[shown].title
            lines += [
                "",
                f"{shown.upper()}  {title}; answers of {size}",
                _HEAD,
            ]
        limit = limits.get(shown)
        ratio = f"{sample.cpu_ms / limit:7.2f}x" if limit else "       -"
        failed = f"  {sample.failures} FAILED" if sample.failures else ""
        lines.append(
            f"  {sample.target:<17}{sample.cpu_ms:>9.3f}{ratio}"
            f"{sample.requests_per_second:>11,.0f}{sample.p50_ms:>9.1f}"
            f"{sample.p99_ms:>9.1f}{sample.calls:>8.2f}{failed}"
        )
    memory = {sample.target: 0 for sample in summary}
    for sample in summary:
        memory[sample.target] = max(memory[sample.target], sample.resident_bytes)
    listed = ", ".join(f"{name} {_size(size)}" for name, size in memory.items())
    return "\n".join([*lines, "", f"resident memory: {listed}"])


_HEAD = (
    f"  {'target':<17}{'CPU ms':>9}{'ratio':>8}{'requests/s':>11}"
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
