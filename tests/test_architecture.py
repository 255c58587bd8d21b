"""The layers: imports run downwards, third parties stay behind their fences."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    ("cli", "testing"),
    ("server",),
    ("gateway",),
    ("served_graph",),
    ("route_targets",),
    ("assemble", "resources"),
    ("pipeline", "explain", "variants"),
    ("warm_up",),
    ("snapshot",),
    ("config", "subscriptions"),
    ("openapi",),
    ("endpoints", "proxy", "transcoding"),
    ("answers", "composition", "execution", "routes"),
    ("subgraphs",),
    ("directives", "planning", "policies"),
    ("operations", "sources"),
    ("federation",),
    ("stores",),
    ("context",),
    ("telemetry",),
    ("errors",),
    ("turns", "types"),
)
"""Highest first; packages on one line do not import each other."""

FENCES = {
    "starlette": ("graphgw/server/",),
    "uvicorn": ("graphgw/server/",),
    "strawberry": ("graphgw/directives.py", "graphgw/subgraphs/local/"),
    "grpc": ("graphgw/sources/",),
    "httpx": ("graphgw/sources/", "graphgw/policies/authenticate/"),
    "httptools": ("graphgw/sources/", "graphgw/server/"),
    "jwt": ("graphgw/policies/authenticate/", "graphgw/cli/token.py"),
    "redis": ("graphgw/stores/",),
    "websockets": ("graphgw/proxy/",),
    "prometheus_client": ("graphgw/telemetry/",),
    "pydantic": ("graphgw/config/",),
    "yaml": ("graphgw/config/",),
    "typer": ("graphgw/cli/",),
    "rich": ("graphgw/cli/",),
}

EXAMPLE = {"schema", "resolvers", "backends"}


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _engine() -> list[Path]:
    return [
        path for path in _modules("graphgw") if path != ROOT / "graphgw/__init__.py"
    ]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield str(node.module)


def _layer_of(name: str) -> int | None:
    return next((i for i, layer in enumerate(LAYERS) if name in layer), None)


def _package(path: Path) -> str:
    return path.relative_to(ROOT / "graphgw").parts[0].removesuffix(".py")


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", _engine(), ids=_relative)
def test_imports_run_downwards(path: Path):
    own = _package(path)
    own_layer = _layer_of(own)
    assert own_layer is not None, f"{own} is in no layer"
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] != "graphgw" or len(parts) == 1 or parts[1] == own:
            continue
        layer = _layer_of(parts[1])
        assert layer is not None, f"{name} is in no layer"
        assert layer > own_layer, f"{_relative(path)} imports {name}"


@pytest.mark.parametrize("path", _engine(), ids=_relative)
def test_third_parties_stay_behind_their_fences(path: Path):
    place = _relative(path)
    for name in _imports(path):
        allowed = FENCES.get(name.split(".")[0])
        assert allowed is None or place.startswith(allowed), f"{place} imports {name}"


@pytest.mark.parametrize("path", _engine(), ids=_relative)
def test_the_engine_does_not_know_the_example(path: Path):
    assert not EXAMPLE & {name.split(".")[0] for name in _imports(path)}


@pytest.mark.parametrize("path", _modules("resolvers"), ids=_relative)
def test_resolvers_import_neither_the_schema_nor_the_backends(path: Path):
    for name in _imports(path):
        assert not name.startswith("schema"), name
        assert not name.startswith("backends") or name.startswith("backends.protos")


@pytest.mark.parametrize("path", _modules("schema"), ids=_relative)
def test_the_schema_reaches_backends_only_through_resolvers(path: Path):
    assert not any(name.startswith("backends") for name in _imports(path))


@pytest.mark.parametrize(
    "path",
    [p for f in ("graphgw", "schema", "resolvers", "backends") for p in _modules(f)],
    ids=_relative,
)
def test_every_module_says_what_it_holds(path: Path):
    if "_pb2" in path.name:
        return
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{_relative(path)} has no docstring"
    if path.name == "__init__.py":
        is_public = path == ROOT / "graphgw/__init__.py"
        assert is_public or len(tree.body) == 1, "a folder's __init__ is a docstring"
    elif path.name != "__main__.py":
        names = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        assert "__all__" in names, f"{_relative(path)} has no __all__"
