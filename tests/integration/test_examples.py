"""The operations that the IDE opens: they fit the graph, and they run."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from functools import cache

import pytest
from graphql import GraphQLSchema, parse, validate
from support.processes import ROOT

from graphgw.assemble import compose_settings
from graphgw.config.load import load_settings
from graphgw.config.settings import ExampleOperation

EXAMPLES = load_settings(ROOT / "graphgw.yaml", {}).server.examples
RUNNABLE = [example for example in EXAMPLES if "mutation" not in example.query]


@cache
def api_schema() -> GraphQLSchema:
    settings = load_settings(ROOT / "graphgw.yaml", {})
    return asyncio.run(compose_settings(settings)).supergraph.api_schema


def by_title(examples):
    return [pytest.param(example, id=example.title) for example in examples]


def mint(scopes: str) -> str:
    command = (sys.executable, "-m", "graphgw.cli.main", "token", "--scopes", scopes)
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_there_are_five_with_titles_of_their_own():
    assert len({example.title for example in EXAMPLES}) == len(EXAMPLES) == 5
    assert all(example.title for example in EXAMPLES)


@pytest.mark.parametrize("example", by_title(EXAMPLES))
def test_an_example_is_one_named_operation_that_fits_the_graph(
    example: ExampleOperation,
):
    document = parse(example.query)

    named = re.findall(
        r"^(?:query|mutation|subscription) \w+", example.query, re.MULTILINE
    )
    assert len(named) == 1
    assert validate(api_schema(), document) == []
    assert isinstance(json.loads(example.variables or "{}"), dict)


@pytest.mark.parametrize("example", by_title(RUNNABLE))
def test_an_example_runs_without_errors(gateway, example: ExampleOperation):
    token = mint("users:contact orders:read")

    answer = gateway.ask(
        example.query, json.loads(example.variables or "{}"), token=token
    )

    assert "errors" not in answer
    assert all(answer["data"].values())
