"""Queries whose fetches all start at once are asked without the state of a run."""

import asyncio
from dataclasses import replace

import pytest
from graphql import build_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fake_subgraph import FakeSubgraph
from support.graphs import FakeGraph, new_context, supergraph_header

from graphgw.errors import SourceTimeoutError, SourceUnreachableError
from graphgw.execution.run import run_plan
from graphgw.subgraphs.protocol import FetchError, FetchResult
from graphgw.telemetry.events import FetchFinished, InternalFailure
from graphgw.types import Deadline

ALONE = "{ user { name } }"
SEVERAL = "{ user { name } count products { title } }"
LIST = {"title": "Apple"}, {"title": "Bread"}


class Recorder:
    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)

    def fetches(self):
        found = [e for e in self.events if isinstance(e, FetchFinished)]
        return {e.subgraph: e.error_code for e in found}

    def failures(self):
        return [e.error for e in self.events if isinstance(e, InternalFailure)]


def compile_query(shop, query, refused=()):
    return shop.compile(shop.prepare(query, refused=refused))


async def run_both_ways(shop, query, **options):
    """Return the results and observed fetches of the short and of the general way."""
    prepared = shop.prepare(query)
    short = shop.compile(prepared)
    assert short.roots
    found = []
    for compiled in (short, replace(short, roots=())):
        recorder = Recorder()
        context = new_context(observer=recorder, **options)
        result = await run_plan(compiled, context, prepared.variables)
        failures = sorted(map(repr, recorder.failures()))  # told as fetches end
        found.append((result, recorder.fetches(), failures))
    return found


@pytest.mark.parametrize("query", [ALONE, SEVERAL])
def test_fetches_that_all_start_at_the_root_take_the_short_way(shop, query):
    compiled = compile_query(shop, query)

    assert compiled.roots == compiled.fetches


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{ user { name total } }", id="a fetch waits"),
        pytest.param("{ count user { total } }", id="one of several waits"),
        pytest.param("{ count __schema { queryType { name } } }", id="introspection"),
    ],
)
def test_other_plans_take_the_general_way(shop, query):
    assert compile_query(shop, query).roots == ()


def two_subgraphs():
    """Return a graph of which both subgraphs know one object, and change another."""
    sdl = (
        supergraph_header("LEFT", "RIGHT", has_mutation=True)
        + """
        type Query @join__type(graph: LEFT) @join__type(graph: RIGHT) { both: Both }
        type Mutation @join__type(graph: LEFT) @join__type(graph: RIGHT) {
          left: Int @join__field(graph: LEFT)
          right: Int @join__field(graph: RIGHT)
        }
        type Both @join__type(graph: LEFT) @join__type(graph: RIGHT) {
          left: Int @join__field(graph: LEFT)
          right: Int @join__field(graph: RIGHT)
        }
        """
    )

    def subgraph(name, value):
        fields = f"{{ {name}: Int }}"
        types = f"type Query {{ both: Both }} type Both {fields} type Mutation {fields}"
        return FakeSubgraph(name, types, {"both": {name: value}, name: value})

    subgraphs = {"LEFT": subgraph("left", 1), "RIGHT": subgraph("right", 2)}
    return FakeGraph.read(sdl, subgraphs)


async def test_fetches_that_share_an_object_take_the_general_way():
    graph = two_subgraphs()
    query = "{ both { left right } }"

    assert len(compile_query(graph, query).fetches) == 2
    assert compile_query(graph, query).roots == ()
    assert (await graph.run(query)).data == {"both": {"left": 1, "right": 2}}


@pytest.mark.parametrize("query", ["mutation { left }", "mutation { left right }"])
async def test_mutations_take_the_general_way(query):
    graph = two_subgraphs()

    assert compile_query(graph, query).roots == ()
    assert (await graph.run(query)).data["left"] == 1


async def test_answers_of_several_subgraphs_stand_in_the_order_of_the_client(shop):
    result = await shop.run("{ count products { title } user { name } again: count }")

    assert result.errors == []
    assert list(result.data) == ["count", "products", "user", "again"]
    assert result.data == {
        "count": 3,
        "products": list(LIST),
        "user": {"name": "Ada"},
        "again": 3,
    }


async def test_a_lone_fetch_makes_no_task(shop, users):
    before = asyncio.all_tasks()
    seen = []
    users.change = lambda result: seen.append(asyncio.all_tasks() - before) or result

    await shop.run(ALONE)

    assert seen == [set()]


async def test_all_start_before_any_of_them_ends(shop, users, orders, products):
    users.gate = orders.gate = products.gate = asyncio.Event()
    running = asyncio.create_task(shop.run(SEVERAL))
    for subgraph in (users, orders, products):
        await asyncio.wait_for(subgraph.started.wait(), 5)

    users.gate.set()

    assert (await running).data["count"] == 3


@pytest.mark.parametrize(
    ("query", "rest"),
    [(ALONE, {}), (SEVERAL, {"count": 3, "products": list(LIST)})],
)
async def test_what_is_late_at_the_deadline_is_null_and_is_ended(
    shop, users, query, rest
):
    users.gate = asyncio.Event()
    recorder = Recorder()
    context = new_context(deadline=Deadline.after(0.01), observer=recorder)

    result = await shop.run(query, context=context)

    assert result.data == {"user": None, **rest}
    assert result.errors == [
        {
            "message": 'subgraph "users" did not answer in time',
            "path": ["user"],
            "extensions": {"code": "DEADLINE_EXCEEDED"},
        }
    ]
    assert users.cancelled == 1
    assert recorder.fetches()["users"] == "DEADLINE_EXCEEDED"
    assert recorder.failures() == []


async def test_each_of_several_that_are_late_is_told(shop, users, products):
    users.gate = products.gate = asyncio.Event()

    result = await shop.run(SEVERAL, context=new_context(deadline=Deadline.after(0.01)))

    assert result.data == {"user": None, "count": 3, "products": None}
    assert {error["path"][0] for error in result.errors} == {"user", "products"}
    assert (users.cancelled, products.cancelled) == (1, 1)


@pytest.mark.parametrize("query", [ALONE, SEVERAL])
async def test_a_timeout_of_the_resolvers_own_is_no_late_answer(shop, users, query):
    users.fails = TimeoutError("secret")
    recorder = Recorder()

    result = await shop.run(query, context=new_context(observer=recorder))

    assert [error["message"] for error in result.errors] == ["Internal server error."]
    assert recorder.failures() == [users.fails]
    assert recorder.fetches()["users"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("query", [ALONE, SEVERAL])
async def test_a_failing_fetch_nulls_its_own_fields_only(shop, users, query):
    users.fails = SourceUnreachableError('source "users" could not be reached')
    recorder = Recorder()

    result = await shop.run(query, context=new_context(observer=recorder))

    assert result.data["user"] is None
    assert all(result.data[key] for key in result.data if key != "user")
    assert [error["path"] for error in result.errors] == [["user"]]
    assert recorder.fetches()["users"] == "SOURCE_UNREACHABLE"
    assert set(recorder.fetches().values()) <= {"SOURCE_UNREACHABLE", None}


@pytest.mark.parametrize("query", [ALONE, SEVERAL])
async def test_an_answer_of_another_kind_is_a_bad_answer(shop, users, query):
    users.change = lambda _: FetchResult([1])
    recorder = Recorder()

    result = await shop.run(query, context=new_context(observer=recorder))

    assert result.data["user"] is None
    codes = [error["extensions"]["code"] for error in result.errors]
    assert codes == ["SOURCE_BAD_ANSWER"]
    assert recorder.fetches()["users"] == "SOURCE_BAD_ANSWER"


@pytest.mark.parametrize("query", [ALONE, SEVERAL])
@pytest.mark.parametrize("is_vouched", [True, False])
async def test_only_vouched_answers_are_taken_without_a_look(
    shop, users, orders, products, query, is_vouched
):
    for subgraph in (users, orders, products):
        subgraph.vouched_schema = build_schema(subgraph.sdl)
        subgraph.keeps_order = True
    wrong = {"user": {"name": ["wrong"]}}
    users.change = lambda _: FetchResult(wrong, is_vouched=is_vouched)

    result = await shop.run(query)

    if is_vouched:
        assert (result.data["user"], result.errors) == ({"name": ["wrong"]}, [])
    else:
        assert result.data["user"] is None
        assert [error["path"] for error in result.errors] == [["user", "name"]]


async def test_headers_of_subgraphs_are_handed_on_in_the_order_of_the_plan(
    shop, users, orders, products
):
    def with_header(subgraph):
        headers = (("set-cookie", subgraph.name),)
        return lambda result: replace(result, headers=headers)

    for subgraph in (users, products):
        subgraph.change = with_header(subgraph)
    users.turns = lambda: 5
    named = [fetch.subgraph for fetch in compile_query(shop, SEVERAL).fetches]

    alone, several = await shop.run(ALONE), await shop.run(SEVERAL)

    assert alone.headers == (("set-cookie", "users"),)
    assert several.headers == tuple(
        ("set-cookie", name) for name in named if name != orders.name
    )
    assert several.data["count"] == 3


@pytest.mark.parametrize("query", [ALONE, SEVERAL])
async def test_who_leaves_ends_every_call(shop, users, orders, products, query):
    users.gate = orders.gate = products.gate = asyncio.Event()
    recorder = Recorder()
    before = asyncio.all_tasks()
    running = asyncio.create_task(
        shop.run(query, context=new_context(observer=recorder))
    )
    asked = (users,) if query is ALONE else (users, orders, products)
    for subgraph in asked:
        await subgraph.started.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert [subgraph.cancelled for subgraph in asked] == [1] * len(asked)
    assert asyncio.all_tasks() == before
    assert recorder.events == []


async def test_who_leaves_after_the_first_answer_ends_the_other_calls(
    shop, users, orders, products
):
    orders.gate = products.gate = asyncio.Event()
    answered = asyncio.Event()
    users.change = lambda result: answered.set() or result
    running = asyncio.create_task(shop.run(SEVERAL))
    for event in (answered, orders.started, products.started):
        await event.wait()
    await asyncio.sleep(0)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert (orders.cancelled, products.cancelled) == (1, 1)


async def test_calls_that_end_slowly_are_awaited_however_often_one_leaves(
    shop, users, products
):
    ended = []

    class Slow:
        async def wait(self):
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(20):
                    await asyncio.sleep(0)
                ended.append(True)

    users.gate = asyncio.Event()
    products.gate = Slow()
    running = asyncio.create_task(shop.run("{ user { name } products { title } }"))
    await users.started.wait()
    await products.started.wait()

    running.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
        running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == [True]


KEYS = ("user { name age }", "users { name }", "strict { name }", "count",
        "products { title price }", "items { title }", "grades", "grade")  # fmt: skip

CHANGES = {
    "none": lambda result: result,
    "no data": lambda _: FetchResult(None, (FetchError("no"),)),
    "nothing": lambda _: FetchResult(None),
    "empty": lambda _: FetchResult({}),
    "other kind": lambda _: FetchResult([]),
    "an error": lambda result: replace(result, errors=(FetchError("hm"),)),
    "header": lambda result: replace(result, headers=(("a", "b"),)),
    "not vouched": lambda result: replace(result, is_vouched=False),
    "shared": lambda result: replace(result, is_shared=True),
    "nulls": lambda result: replace(result, data=dict.fromkeys(result.data)),
}


def _fail(kind, message):
    def change(_):
        raise kind(message)

    return change


CHANGES["source"] = _fail(SourceTimeoutError, "late")
CHANGES["internal"] = _fail(ValueError, "secret")
CHANGES["timeout"] = _fail(TimeoutError, "own")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_both_ways_give_the_same(shop, users, orders, products, data):
    keys = data.draw(st.lists(st.sampled_from(KEYS), min_size=1, unique=True))
    for subgraph in (users, orders, products):
        subgraph.change = CHANGES[data.draw(st.sampled_from(sorted(CHANGES)))]
        turns = data.draw(st.integers(0, 3))
        subgraph.turns = lambda turns=turns: turns

    short, general = await run_both_ways(shop, "{ " + " ".join(keys) + " }")

    assert short == general
    if short[0].data is not None:
        assert list(short[0].data) == list(general[0].data)


@pytest.mark.parametrize(
    ("query", "is_small"),
    [
        pytest.param(ALONE, True, id="one object"),
        pytest.param("{ count user { name total } }", True, id="objects"),
        pytest.param(SEVERAL, False, id="a list"),
        pytest.param("{ count __schema { types { name } } }", False, id="the schema"),
    ],
)
def test_a_plan_is_small_where_no_list_can_be_in_its_answer(shop, query, is_small):
    assert compile_query(shop, query).is_small is is_small
