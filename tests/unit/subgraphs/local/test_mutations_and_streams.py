import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from graphgw import ResolverError, Subgraph, batched, resolved

CALLS = []
STATE = {"n": 0}


async def totals(ids, _context):
    CALLS.append(ids)
    return [STATE["n"] for _ in ids]


@strawberry.type
class Counter:
    id: strawberry.ID
    n: int
    total: int = batched(totals, key="id")


async def add_to(_context, *, by: int):
    STATE["n"] += by
    if by < 0:
        raise ResolverError("cannot add less than nothing", code="NEGATIVE")
    return {"id": "c", "n": STATE["n"]}


async def ticks(_context, *, to: int) -> AsyncGenerator[dict, None]:
    try:
        for n in range(to):
            STATE["n"] = n
            yield {"id": "c", "n": n} if n != 3 else {"id": "c"}
        if to > 4:
            raise ResolverError("the clock broke")
    finally:
        CALLS.append("closed")


async def hello_to(_context):
    return "x"


@strawberry.type
class Query:
    hello: str = resolved(hello_to)


@strawberry.type
class Mutation:
    add: Counter | None = resolved(add_to)
    must_add: Counter = resolved(add_to)


@strawberry.type
class Subscription:
    tick: Counter | None = resolved(ticks)

    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        for n in range(to):
            yield n


SUBGRAPH = Subgraph(
    "counter", query=Query, mutation=Mutation, subscription=Subscription
)


def start():
    CALLS.clear()
    STATE["n"] = 0


async def test_root_mutation_fields_run_in_order_each_with_empty_loaders(ask):
    start()

    result = await ask(
        SUBGRAPH,
        "{ a: add(by: 1) { n total } b: add(by: $by) { n total } }",
        kind="mutation",
        variables={"by": 2},
    )

    assert result.data == {"a": {"n": 1, "total": 1}, "b": {"n": 3, "total": 3}}
    assert CALLS == [["c"], ["c"]]


async def test_a_failed_mutation_does_not_stop_the_next(ask):
    start()

    result = await ask(
        SUBGRAPH, "{ a: add(by: -1) { n } b: add(by: 1) { n } }", kind="mutation"
    )

    assert result.data == {"a": None, "b": {"n": 0}}
    assert [(e.path, e.code) for e in result.errors] == [(("a",), "NEGATIVE")]


async def test_a_non_null_mutation_that_fails_nulls_everything(ask):
    start()

    result = await ask(
        SUBGRAPH, "{ a: add(by: 1) { n } b: mustAdd(by: -1) { n } }", kind="mutation"
    )

    assert result.data is None
    assert [e.path for e in result.errors] == [("b",)]


async def collect(prepared, context, variables):
    return [result async for result in prepared.subscribe(context, variables)]


async def test_each_event_is_answered_with_empty_loaders(prepare, open_context):
    start()
    prepared = prepare(
        SUBGRAPH, "{ t: tick(to: $to) { n total } }", kind="subscription"
    )

    results = await collect(prepared, open_context(), {"to": 2})

    assert [r.data for r in results] == [
        {"t": {"n": 0, "total": 0}},
        {"t": {"n": 1, "total": 1}},
    ]
    assert CALLS == [["c"], ["c"], "closed"]


async def test_an_event_may_have_errors(prepare, open_context):
    start()
    prepared = prepare(SUBGRAPH, "{ tick(to: 4) { n } }", kind="subscription")

    results = await collect(prepared, open_context(), {})

    assert results[3].data == {"tick": None}
    assert [e.path for e in results[3].errors] == [("tick", "n")]


async def test_a_source_that_fails_ends_with_its_error(prepare, open_context):
    start()
    prepared = prepare(SUBGRAPH, "{ tick(to: 5) { id } }", kind="subscription")

    results = await collect(prepared, open_context(), {})

    assert len(results) == 6
    assert results[-1].data is None
    assert [(e.message, e.path) for e in results[-1].errors] == [
        ("the clock broke", ("tick",))
    ]


async def test_leaving_a_subscription_closes_its_source(prepare, open_context):
    start()
    prepared = prepare(SUBGRAPH, "{ tick(to: 4) { n } }", kind="subscription")

    async with aclosing(prepared.subscribe(open_context(), {})) as results:
        async for _ in results:
            break

    assert CALLS == ["closed"]


async def test_strawberrys_own_subscriptions_are_streamed(prepare, open_context):
    prepared = prepare(SUBGRAPH, "{ count(to: 2) }", kind="subscription")

    results = await asyncio.wait_for(collect(prepared, open_context(), {}), 5)

    assert [r.data for r in results] == [{"count": 0}, {"count": 1}]
