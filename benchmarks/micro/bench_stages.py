"""Single stages of a request; run ``python -m pytest benchmarks/micro``.

They are no tests: they show which stage became slower, not whether it is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from graphgw.execution.compile import compile_plan
from graphgw.execution.merge import MergeRule, fold, merge_entities
from graphgw.operations.budget import Budget
from graphgw.operations.parse import parse_document
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from benchmarks.micro.conftest import Stage


def bench_parse(benchmark: BenchmarkFixture, stage: Stage) -> None:
    """Text to syntax tree."""
    benchmark(parse_document, stage.text, LimitSettings())


def bench_prepare(benchmark: BenchmarkFixture, stage: Stage) -> None:
    """Text to validated document."""
    schema = stage.snapshot.supergraph.api_schema

    benchmark(
        lambda: prepare_document(stage.text, None, schema, LimitSettings(), Budget(60))
    )


def bench_plan(benchmark: BenchmarkFixture, stage: Stage) -> None:
    """Operation to plan."""
    benchmark(stage.snapshot.plan, stage.operation)


def bench_compile(benchmark: BenchmarkFixture, stage: Stage) -> None:
    """Plan to generated functions."""
    snapshot = stage.snapshot

    benchmark(
        compile_plan,
        stage.plan,
        stage.operation,
        snapshot.supergraph,
        snapshot.subgraphs,
    )


@pytest.mark.parametrize("users", [10, 100, 1000])
def bench_project(benchmark: BenchmarkFixture, stage: Stage, users: int) -> None:
    """A tree with exactly the client's shape, checked in place."""
    tree = _answer(users)

    benchmark(lambda: stage.compiled.projection.run(tree, ()))


@pytest.mark.parametrize("entities", [10, 1000])
def bench_merge_entities(benchmark: BenchmarkFixture, entities: int) -> None:
    """An entity fetch's answer laid over its targets."""
    targets = [{"id": f"p{number}"} for number in range(entities)]
    rows = [{"name": "Bell", "price": {"cents": 1}} for _ in range(entities)]
    rule, positions = MergeRule(), range(entities)

    benchmark(lambda: merge_entities(targets, positions, rows, rule, wins=True))


def bench_fold(benchmark: BenchmarkFixture) -> None:
    """Two trees of 100 users folded by index."""
    first, second = _answer(100), _answer(100)

    benchmark(lambda: fold(first, second, wins=True))


def _answer(users: int) -> dict[str, Any]:
    return {"users": {"nodes": [_user(number) for number in range(users)]}}


def _user(number: int) -> dict[str, Any]:
    return {
        "id": f"u{number}",
        "name": "Ada Berg",
        "orders": {
            "nodes": [
                {
                    "id": f"o{order}",
                    "status": "PAID",
                    "items": [
                        {
                            "quantity": 2,
                            "product": {
                                "id": f"p{item}",
                                "name": "Bell",
                                "price": {"cents": 100},
                            },
                        }
                        for item in range(3)
                    ],
                }
                for order in range(5)
            ]
        },
        "notifications": {
            "nodes": [{"id": f"n{n}", "title": "News"} for n in range(3)]
        },
    }
