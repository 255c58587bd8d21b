"""The example graph, and an operation taken as far as a benchmark needs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from benchmarks.operations import OPERATIONS
from benchmarks.plans import open_example
from graphgw.execution.compile import compile_plan
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.execution.compile import CompiledPlan
    from graphgw.operations.operation import Operation
    from graphgw.planning.plan import QueryPlan
    from graphgw.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Stage:
    """Q2, taken to a compiled plan."""

    snapshot: Snapshot
    text: str
    operation: Operation
    plan: QueryPlan
    compiled: CompiledPlan


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Open one event loop for the session."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="session")
def stage(loop: asyncio.AbstractEventLoop) -> Iterator[Stage]:
    """Prepare Q2 once."""
    gateway = open_example()
    loop.run_until_complete(gateway.start())
    snapshot = gateway.snapshot
    supergraph = snapshot.supergraph
    text, budget = OPERATIONS["q2"].query, Budget(60.0)
    schema = supergraph.api_schema
    document = prepare_document(text, None, schema, LimitSettings(), budget)
    operation = normalize(document, {}, schema, budget=budget)
    plan = snapshot.plan(operation)
    compiled = compile_plan(plan, operation, supergraph, snapshot.subgraphs)
    yield Stage(snapshot, text, operation, plan, compiled)
    loop.run_until_complete(gateway.aclose())
