"""graphql-core's executor serves introspection, and is the tests' oracle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INTROSPECTION = "graphgw/execution/introspection.py"
EXECUTORS = {
    "execute",
    "execute_sync",
    "experimental_execute_incrementally",
    "graphql",
    "graphql_sync",
    "subscribe",
    "create_source_event_stream",
    "ExecutionContext",
}
HARMLESS = {"graphql.execution.values"}
FOLDERS = ("graphgw", "schema", "resolvers", "backends", "benchmarks")


def find_executors(path: Path) -> set[str]:
    """Return what a module takes of graphql-core or Strawberry to run operations."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = str(node.module)
            names = {alias.name for alias in node.names}
            if module == "graphql":
                found |= names & EXECUTORS | names & {"execution"}
            elif module.startswith("graphql.execution") and module not in HARMLESS:
                found |= names
        elif isinstance(node, ast.Import):
            found |= {
                alias.name
                for alias in node.names
                if alias.name.split(".")[0] == "graphql"
            }
        elif isinstance(node, ast.Attribute):
            # A whole schema of Strawberry would run operations by itself.
            found |= {node.attr} & {"execute_sync", "graphql_sync"}
    return found


@pytest.mark.parametrize(
    "path",
    [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_nothing_but_introspection_runs_on_graphql_core(path: Path):
    place = str(path.relative_to(ROOT))
    if place.startswith("benchmarks/strawberry_app/"):
        return  # what the gateway is compared with

    found = find_executors(path)

    assert found == ({"execute_sync"} if place == INTROSPECTION else set())


@pytest.mark.parametrize(
    "text",
    [
        "from graphql import execute",
        "from graphql import graphql_sync as run",
        "from graphql.execution import ExecutionContext",
        "from graphql.execution.execute import execute",
        "from graphql import execution",
        "import graphql",
        "import graphql.execution as e",
        "def f(schema): return schema.execute_sync('{ a }')",
    ],
)
def test_every_way_to_the_executor_is_seen(text: str, tmp_path: Path):
    path = tmp_path / "module.py"
    path.write_text(text)

    assert find_executors(path)
