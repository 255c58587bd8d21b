"""The command line.

``python -m benchmarks`` measures whole processes, ``... plan`` times planning,
``... growth`` measures answers of ten rows to 10,000, ``... proxy`` proxied requests,
``... rules`` what rules cost operations that have none, and ``... micro`` runs the
micro benchmarks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.growth import main as measure_growth
from benchmarks.measure import DisagreementError, Options, measure
from benchmarks.operations import OPERATIONS
from benchmarks.plans import time_plans
from benchmarks.proxy.compare import main as measure_proxy
from benchmarks.report import print_table, summarize, to_json
from benchmarks.rules import main as measure_rules
from benchmarks.targets import TARGETS, find_default_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for.

    Raises:
        SystemExit: Something was measured that must not be.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["plan"]:
        print(time_plans(int(given[1]) if given[1:] else 1000))
        return
    if given[:1] == ["growth"]:
        measure_growth(given[1:])
        return
    if given[:1] == ["proxy"]:
        measure_proxy(given[1:])
        return
    if given[:1] == ["rules"]:
        measure_rules(given[1:])
        return
    if given[:1] == ["micro"]:
        raise SystemExit(_run_micro(given[1:]))
    values = _parser().parse_args(given)
    options = Options(
        targets=values.only or find_default_targets(with_peers=values.peers),
        operations=values.op,
        rounds=1 if values.quick else values.rounds,
        seconds=0.8 if values.quick else values.seconds,
        connections=values.connections,
    )
    samples = []
    try:
        for sample in measure(options):
            samples.append(sample)
            _show_progress(sample.target, sample.operation, sample.cpu_ms)
    except DisagreementError as error:
        raise SystemExit(str(error)) from error
    summary = summarize(samples)
    print(print_table(summary))
    if values.json:
        values.json.write_bytes(to_json(summary))
    if any(sample.failures for sample in summary):
        raise SystemExit("there were failures: the figures mean nothing")


def _run_micro(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", str(Path(__file__).with_name("micro"))]
    command += ["-q", "-o", "python_files=bench_*.py", "-o", "python_functions=bench_*"]
    command += ["--benchmark-columns=median,stddev,rounds", "--benchmark-max-time=0.5"]
    command += ["--benchmark-disable-gc", *arguments]
    return subprocess.run(command, check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="CPU per request of the gateway beside its yardsticks.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--only", type=_names(TARGETS), help=",".join(TARGETS))
    parser.add_argument("--op", type=_names(OPERATIONS), default=",".join(OPERATIONS))
    parser.add_argument("--peers", action="store_true", help="Node gateways, too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    return parser


def _names(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(","))
        wrong = [name for name in names if name not in known]
        if wrong:
            raise argparse.ArgumentTypeError(
                f"{wrong[0]} is none of {', '.join(known)}"
            )
        return names

    return read


def _show_progress(target: str, operation: str, cpu_ms: float) -> None:
    text = f"{operation} {target}: {cpu_ms:.3f} ms"
    if sys.stderr.isatty():
        text = f"\r\x1b[K{text}"
        sys.stderr.write(text)
    else:
        sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
