"""The work of an operation grows with its rows, not faster."""

from __future__ import annotations

import gc
from time import process_time

import pytest
from support.graphs import FakeGraph, new_context, supergraph_header

from graphgw.execution.run import run_plan
from graphgw.subgraphs.protocol import FetchResult

SUPERGRAPH = (
    supergraph_header("USERS", "ORDERS")
    + """
type Query @join__type(graph: USERS) @join__type(graph: ORDERS)
{ users: [User] @join__field(graph: USERS) }
type User @join__type(graph: USERS, key: "id") @join__type(graph: ORDERS, key: "id") {
  id: ID!
  name: String @join__field(graph: USERS)
  orders: [Order!] @join__field(graph: ORDERS)
}
type Order @join__type(graph: ORDERS, key: "id") { id: ID! total: Float buyer: User }
"""
)
QUERY = "{ users { __typename name orders { total buyer { name } } } }"
SLACK = 10


class Rows:
    """A subgraph that answers in no time with as many rows as it is told."""

    def __init__(self, name):
        self.name = name
        self.count, self.seconds = 0, 0.0

    def prepare(self, fetch, _variables):
        return _Prepared(self, bool(fetch.inputs))


class _Prepared:
    def __init__(self, rows, is_entity):
        self.rows = rows
        self.is_entity = is_entity

    def code(self):
        return ""

    async def run(self, _context, _variables, representations):
        began = process_time()
        data = list(map(self.answer, representations))
        if not self.is_entity:
            users = [{"name": "n", "id": f"{n}"} for n in range(self.rows.count)]
            data = {"users": users}
        self.rows.seconds += process_time() - began
        return FetchResult(data)

    def answer(self, representation):
        if self.rows.name == "users":
            return {"name": f"user {representation['id']}"}
        buyer = f"{int(representation['id']) // 3}"
        return {"orders": [{"total": 1.5, "buyer": {"id": buyer}}]}


@pytest.fixture
def measure():
    subgraphs = {"USERS": Rows("users"), "ORDERS": Rows("orders")}
    graph = FakeGraph.read(SUPERGRAPH, subgraphs)
    prepared = graph.prepare(QUERY)
    compiled = graph.compile(prepared)

    async def once(count):
        for subgraph in subgraphs.values():
            subgraph.count, subgraph.seconds = count, 0.0
        began = process_time()
        result = await run_plan(compiled, new_context(), prepared.variables)
        spent = process_time() - began
        assert len(result.data["users"]) == count
        return spent - sum(subgraph.seconds for subgraph in subgraphs.values())

    async def best(count, runs):
        gc.collect()
        gc.disable()
        try:
            return min([await once(count) for _ in range(runs)])
        finally:
            gc.enable()

    return best


async def test_ten_thousand_rows_cost_a_thousand_times_what_ten_cost(measure):
    few, many = await measure(10, 20), await measure(10_000, 3)

    assert many / 1000 < few * SLACK
