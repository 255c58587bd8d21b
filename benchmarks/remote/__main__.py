"""Run one subgraph: ``python -m benchmarks.remote user --port 9101 --calls FILE``."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.backends.counter import CallCounter
from benchmarks.backends.rows import COUNT
from benchmarks.remote.rows import NAMES, load_graph
from benchmarks.remote.server import run_server

__all__ = ["main"]


def main() -> None:
    """Serve the subgraph that the command line names until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remote")
    parser.add_argument("name", choices=NAMES, help="which one")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--calls", type=Path, required=True, help="where to count")
    parser.add_argument("--rows", type=int, default=COUNT, help="how many")
    given = parser.parse_args()
    graph = load_graph(given.name, given.rows)
    run_server(graph, given.port, CallCounter(given.calls))


if __name__ == "__main__":
    main()
