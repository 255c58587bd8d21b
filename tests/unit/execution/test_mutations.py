"""Root mutation fields: strictly in order, and none reads what was known before."""

import pytest
import strawberry
from support.graphs import FakeGraph, new_context

from graphgw import Subgraph, batched, by, resolved
from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.subgraphs.loaders import RequestLoaders

LOG: list[str] = []
STOCK = {"n": 0}


async def levels(keys, _context):
    LOG.append(f"levels of {' '.join(keys)}")
    return [STOCK["n"] for _ in keys]


async def items(keys, _context):
    return [{"id": key} for key in keys]


async def add_to(_context, *, by: int):
    LOG.append(f"add {by}")
    STOCK["n"] += by
    return {"id": "i"}


async def audit_to(_context, *, note: str):
    LOG.append(f"note {note}")
    return {"id": "i"}


async def notes_of(keys, _context):
    LOG.append("notes")
    return [f"stock was {STOCK['n']}" for _ in keys]


async def hello_to(_context):
    return "x"


@strawberry.federation.type(name="Item", keys=["id"])
class StockItem:
    id: strawberry.ID
    level: int = batched(levels, key="id")


@strawberry.federation.type(name="Item", keys=["id"])
class AuditItem:
    id: strawberry.ID
    note: str = batched(notes_of, key="id")


@strawberry.type(name="Query")
class StockQuery:
    hello: str = resolved(hello_to)


@strawberry.type(name="Query")
class AuditQuery:
    hi: str = resolved(hello_to)


@strawberry.type(name="Mutation")
class StockMutation:
    add: StockItem | None = resolved(add_to)


@strawberry.type(name="Mutation")
class AuditMutation:
    audit: AuditItem | None = resolved(audit_to)


STOCK_SUBGRAPH = Subgraph(
    "stock",
    query=StockQuery,
    mutation=StockMutation,
    entities={StockItem: by("id", items)},
)
AUDIT_SUBGRAPH = Subgraph(
    "audit",
    query=AuditQuery,
    mutation=AuditMutation,
    entities={AuditItem: by("id", items)},
)


@pytest.fixture
def graph():
    LOG.clear()
    STOCK["n"] = 0
    subgraphs = {"AUDIT": AUDIT_SUBGRAPH, "STOCK": STOCK_SUBGRAPH}
    composed = compose([SubgraphSDL(s.name, "", s.sdl) for s in subgraphs.values()])
    return FakeGraph(composed.supergraph, subgraphs)


def context():
    return RequestLoaders.attach(new_context())


async def test_neighbours_of_one_subgraph_share_a_fetch_and_run_in_order(graph):
    query = "mutation { a: add(by: 1) { level } b: add(by: 2) { level } }"
    plan = graph.planner.plan(graph.prepare(query).operation)

    result = await graph.run(query, context=context())

    assert len(plan.fetches) == 1
    assert result.errors == []
    assert result.data == {"a": {"level": 1}, "b": {"level": 3}}
    assert LOG == ["add 1", "levels of i", "add 2", "levels of i"]


async def test_fields_of_two_subgraphs_wait_for_one_another(graph):
    query = """mutation {
      a: add(by: 1) { level note } x: audit(note: "x") { note level }
      b: add(by: 2) { level }
    }"""

    result = await graph.run(query, context=context())

    assert result.errors == []
    assert result.data == {
        "a": {"level": 1, "note": "stock was 1"},
        "x": {"note": "stock was 1", "level": 1},
        "b": {"level": 3},
    }
    assert LOG == [
        "add 1",
        "levels of i",
        "notes",
        "note x",
        "notes",
        "levels of i",
        "add 2",
        "levels of i",
    ]
