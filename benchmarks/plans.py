"""How long it takes to plan operations that were never seen before."""

from __future__ import annotations

import asyncio
import random
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from benchmarks.operations import OPERATIONS
from graphgw.config.load import load_settings
from graphgw.execution.compile import compile_plan
from graphgw.gateway import Gateway
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document
from graphgw.operations.variables import build_variable_coercion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphql import GraphQLField, GraphQLSchema

    from graphgw.snapshot import Snapshot

__all__ = ["Stages", "generate_operation", "open_example", "prepare", "time_plans"]

_SEED: Final = 4
_DEPTH: Final = 6
_SECONDS: Final = 5.0
_NOWHERE: Final = {
    "USER_URL": "http://127.0.0.1:1",
    "PRODUCT_URL": "http://127.0.0.1:1",
    "ORDER_URL": "grpc://127.0.0.1:1",
    "NOTIFICATION_URL": "grpc://127.0.0.1:1",
}
"""Planning asks no backend, so that there need not be one."""

Stages = dict[str, float]
"""CPU milliseconds by stage."""


def open_example() -> Gateway:
    """Return the example's gateway, not started, over backends that are not there."""
    path = Path(__file__).with_name("graphgw.yaml")
    return Gateway(settings=load_settings(path, _NOWHERE))


def time_plans(count: int) -> str:
    """Plan generated operations, each once, and return the times as a table."""
    return asyncio.run(_time_plans(count))


async def _time_plans(count: int) -> str:
    rng = random.Random(_SEED)
    async with open_example() as gateway:
        snapshot = gateway.snapshot
        schema = snapshot.supergraph.api_schema
        texts = [generate_operation(schema, rng) for _ in range(count)]
        generated = [prepare(snapshot, text) for text in texts]
        named = {
            name: _best([prepare(snapshot, operation.query) for _ in range(5)])
            for name, operation in OPERATIONS.items()
        }
    heads = ("parse", "normalize", "plan", "compile", "total")
    lines = [f"CPU ms of {count} generated operations, each seen for the first time"]
    lines.append(f"  {'':<8}" + "".join(f"{head:>11}" for head in heads))
    for label, share in (("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
        figures = [_quantile([run[head] for run in generated], share) for head in heads]
        lines.append(f"  {label:<8}" + "".join(f"{value:>11.2f}" for value in figures))
    lines += ["", "the five operations, median of 5"]
    for name, stages in named.items():
        lines.append(f"  {name:<8}" + "".join(f"{stages[h]:>11.2f}" for h in heads))
    return "\n".join(lines)


def prepare(snapshot: Snapshot, text: str) -> Stages:
    """Take an operation from its text to a compiled plan, past every cache."""
    supergraph = snapshot.supergraph
    schema = supergraph.api_schema
    marks = [time.process_time()]
    document = prepare_document(text, None, schema, LimitSettings(), Budget(_SECONDS))
    build_variable_coercion(document, schema)
    marks.append(time.process_time())
    values = dict.fromkeys(document.conditions, True)
    operation = normalize(document, values, schema, budget=Budget(_SECONDS))
    marks.append(time.process_time())
    plan = snapshot.plan(operation)
    marks.append(time.process_time())
    compile_plan(plan, operation, supergraph, snapshot.subgraphs, frozenset())
    marks.append(time.process_time())
    spans = [(b - a) * 1000 for a, b in pairwise(marks)]
    parse, normalizing, planning, compiling = spans
    return {
        "parse": parse,
        "normalize": normalizing,
        "plan": planning,
        "compile": compiling,
        "total": sum(spans),
    }


def _best(runs: Sequence[Stages]) -> Stages:
    return {head: median(run[head] for run in runs) for head in runs[0]}


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def generate_operation(schema: GraphQLSchema, rng: random.Random) -> str:
    """Write a valid query of random fields; arguments only where they must be."""
    query = schema.query_type
    if query is None:
        raise ValueError("the schema has no query type")
    return f"query {_selections(query, schema, rng, _DEPTH, wanted=2)}"


def _selections(
    type_: GraphQLObjectType | GraphQLInterfaceType,
    schema: GraphQLSchema,
    rng: random.Random,
    depth: int,
    *,
    wanted: int | None = None,
) -> str:
    names = [
        name
        for name, field in type_.fields.items()
        if depth > 1 or is_leaf_type(get_named_type(field.type))
    ]
    count = min(len(names), wanted or rng.randint(1, 5))
    parts = [
        _field(name, type_.fields[name], schema, rng, depth)
        for name in rng.sample(names, count)
    ]
    return "{ " + " ".join(parts or ["__typename"]) + " }"


def _field(
    name: str,
    field: GraphQLField,
    schema: GraphQLSchema,
    rng: random.Random,
    depth: int,
) -> str:
    required = [
        f'{key}: "x{rng.randint(1, 99)}"'
        for key, argument in field.args.items()
        if is_required_argument(argument)
    ]
    text = name + (f"({', '.join(required)})" if required else "")
    inner = get_named_type(field.type)
    if isinstance(inner, GraphQLObjectType | GraphQLInterfaceType):
        text += " " + _selections(inner, schema, rng, depth - 1)
    return text
