"""The public names: what a release promises."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphgw

NAMES = [
    "ConfigurationError",
    "Gateway",
    "GraphGWError",
    "JSONText",
    "Principal",
    "RequestContext",
    "ResolverError",
    "RouteRequest",
    "RouteResponse",
    "SourceError",
    "Subgraph",
    "batched",
    "by",
    "computed",
    "create_app",
    "embedded",
    "grpc_source",
    "loader",
    "reference",
    "resolved",
    "rest_source",
    "row_policy",
    "sourced",
]


def test_the_public_names_are_these_and_no_others():
    assert graphgw.__all__ == NAMES
    assert dir(graphgw) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_can_be_had_and_says_what_it_is(name: str):
    value = getattr(graphgw, name)

    assert value.__doc__
    assert value.__module__.startswith("graphgw.")


def test_what_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'Planner'"):
        _ = graphgw.Planner


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("strawberry", "graphql", "grpc", "httpx", "starlette", "typer", "pydantic")
    script = (
        f"import sys, graphgw;print(*(name for name in {heavy} if name in sys.modules))"
    )

    done = subprocess.run(  # noqa: S603 - our own command
        (sys.executable, "-c", script),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == ""
