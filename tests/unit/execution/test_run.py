import asyncio

import pytest
from support.graphs import new_context

from graphgw.errors import SourceTimeoutError, SourceUnreachableError
from graphgw.execution.run import run_event, run_plan
from graphgw.subgraphs.protocol import FetchError, FetchResult
from graphgw.telemetry.events import FetchFinished, InternalFailure
from graphgw.types import Deadline

EVERYTHING = "{ users { name orders { id product { title } } } count }"


class Recorder:
    def __init__(self):
        self.events = []

    def observe(self, event):
        self.events.append(event)


async def test_answers_of_all_subgraphs_become_one(shop):
    result = await shop.run("{ users { name total orders { product { title } } } }")

    assert result.errors == []
    assert result.data == {
        "users": [
            {
                "name": "Ada",
                "total": 10,
                "orders": [
                    {"product": {"title": "Apple"}},
                    {"product": {"title": "Bread"}},
                ],
            },
            None,
            {
                "name": "Bob",
                "total": 2.5,
                "orders": [{"product": {"title": "Apple"}}],
            },
        ]
    }


async def test_equal_entities_are_fetched_once(shop, products):
    await shop.run("{ users { orders { product { title } } } }")

    assert products.calls == [
        [{"__typename": "Product", "sku": "a"}, {"__typename": "Product", "sku": "b"}]
    ]


async def test_independent_fetches_start_before_any_of_them_ends(shop, users, orders):
    users.gate = orders.gate = asyncio.Event()
    running = asyncio.create_task(shop.run(EVERYTHING))

    await asyncio.wait_for(users.started.wait(), 5)
    await asyncio.wait_for(orders.started.wait(), 5)
    users.gate.set()

    assert (await running).data["count"] == 3


async def test_a_chain_of_fetches_makes_no_task(shop, users):
    before = asyncio.all_tasks()
    seen = []
    users.change = lambda result: seen.append(asyncio.all_tasks() - before) or result

    await shop.run("{ user { name orders { product { title } } } }")

    assert seen == [set()]


async def test_data_does_not_depend_on_which_fetch_ends_first(shop, users, orders):
    expected = await shop.run(EVERYTHING)
    for late in (users, orders):
        late.gate = asyncio.Event()
        running = asyncio.create_task(shop.run(EVERYTHING))
        other = orders if late is users else users
        await other.started.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        late.gate.set()
        assert await running == expected
        late.gate = None


async def test_a_failing_root_fetch_nulls_its_own_fields_only(shop, users):
    users.fails = SourceUnreachableError('source "users" could not be reached')

    result = await shop.run("{ user { name } users { name } count }")

    assert result.data == {"user": None, "users": None, "count": 3}
    assert result.errors == [
        {
            "message": 'source "users" could not be reached',
            "path": [key],
            "extensions": {"code": "SOURCE_UNREACHABLE"},
        }
        for key in ("user", "users")
    ]


async def test_a_failing_entity_fetch_has_one_error_at_the_first_list(shop, products):
    products.fails = SourceTimeoutError('source "products" is late')

    result = await shop.run("{ users { name orders { product { title sku } } } }")

    assert result.data["users"][0]["orders"][0] == {
        "product": {"title": None, "sku": "a"}
    }
    assert result.errors == [
        {
            "message": 'source "products" is late',
            "path": ["users"],
            "extensions": {"code": "SOURCE_TIMEOUT"},
        }
    ]


async def test_a_failing_entity_fetch_outside_lists_names_the_fields(shop, orders):
    orders.fails = SourceTimeoutError("late")

    result = await shop.run("{ user { name orders { id } } }")

    assert result.data == {"user": {"name": "Ada", "orders": None}}
    assert [error["path"] for error in result.errors] == [["user", "orders"]]


async def test_a_null_that_a_failed_fetch_explains_has_no_second_error(shop, orders):
    orders.fails = SourceTimeoutError("late")

    result = await shop.run("{ user { total } users { total } strict { name total } }")

    assert result.data is None
    assert {error["message"] for error in result.errors} == {"late"}


async def test_what_is_not_a_source_error_is_masked_and_reported(shop, users):
    users.fails = ValueError("secret")
    recorder = Recorder()

    result = await shop.run("{ user { name } }", context=new_context(observer=recorder))

    assert result.errors[0]["message"] == "Internal server error."
    assert result.errors[0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    failures = [e for e in recorder.events if isinstance(e, InternalFailure)]
    assert [failure.error for failure in failures] == [users.fails]


async def test_every_fetch_is_told_to_the_observer(shop, orders):
    orders.fails = SourceTimeoutError("late")
    recorder = Recorder()

    await shop.run("{ users { total } }", context=new_context(observer=recorder))

    found = [e for e in recorder.events if isinstance(e, FetchFinished)]
    assert [(e.subgraph, e.entities, e.error_code) for e in found] == [
        ("users", 0, None),
        ("orders", 2, "SOURCE_TIMEOUT"),
    ]


async def test_a_fetch_without_entities_is_not_sent(shop, users, orders):
    users.data = {"users": [None]}

    result = await shop.run("{ users { total } }")

    assert result.data == {"users": [None]}
    assert orders.calls == []


async def test_what_is_late_at_the_deadline_is_null_and_the_rest_returns(shop, users):
    users.gate = asyncio.Event()

    result = await shop.run(
        EVERYTHING, context=new_context(deadline=Deadline.after(0.01))
    )

    assert result.data == {"users": None, "count": 3}
    assert result.errors == [
        {
            "message": 'subgraph "users" did not answer in time',
            "path": ["users"],
            "extensions": {"code": "DEADLINE_EXCEEDED"},
        }
    ]
    assert users.cancelled == 1


async def test_cancelling_the_run_cancels_every_fetch(shop, users, orders):
    users.gate = orders.gate = asyncio.Event()
    running = asyncio.create_task(shop.run(EVERYTHING))
    await users.started.wait()
    await orders.started.wait()

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert (users.cancelled, orders.cancelled) == (1, 1)


async def test_entity_errors_stand_at_every_place_of_the_entity(shop, products):
    products.change = lambda result: FetchResult(
        [{**result.data[0], "price": None}, result.data[1]],
        (FetchError("no price", (0, "price"), "NO_PRICE", {"hint": 1}),),
    )

    result = await shop.run("{ users { orders { product { price } } } }")

    extensions = {"hint": 1, "code": "NO_PRICE"}
    assert result.errors == [
        {
            "message": "no price",
            "path": ["users", user, "orders", 0, "product", "price"],
            "extensions": extensions,
        }
        for user in (0, 2)
    ]


async def test_an_error_without_path_and_data_concerns_the_whole_fetch(shop, users):
    users.change = lambda _: FetchResult(None, (FetchError("no"),))

    result = await shop.run("{ user { name } count }")

    assert result.data == {"user": None, "count": 3}
    assert [(e["message"], e["path"]) for e in result.errors] == [("no", ["user"])]


async def test_an_error_without_path_beside_data_has_none(shop, users):
    users.change = lambda result: FetchResult(result.data, (FetchError("hm"),))

    result = await shop.run("{ user { name } }")

    assert result.data == {"user": {"name": "Ada"}}
    assert result.errors == [{"message": "hm", "extensions": {"code": "SOURCE_ERROR"}}]


async def test_error_paths_end_before_fields_that_the_client_did_not_ask_for(
    shop, users
):
    error = FetchError("no id", ("users", 0, "id"))
    users.change = lambda result: FetchResult(result.data, (error,))

    result = await shop.run("{ users { total } }")

    assert result.errors[0]["path"] == ["users", 0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param([], id="too-few"),
        pytest.param({"orders": []}, id="no-list"),
        pytest.param([1, 2], id="no-objects"),
    ],
)
async def test_an_entity_answer_of_the_wrong_kind_is_a_bad_answer(shop, orders, data):
    orders.change = lambda _: FetchResult(data)

    result = await shop.run("{ users { name orders { id } } }")

    assert result.data["users"][0] == {"name": "Ada", "orders": None}
    assert [e["extensions"]["code"] for e in result.errors] == ["SOURCE_BAD_ANSWER"]


async def test_subgraphs_are_named_where_wanted(shop, users):
    users.fails = SourceTimeoutError("late")
    compiled = shop.compile(shop.prepare("{ user { name } }"))

    result = await run_plan(compiled, new_context(), {}, names_subgraphs=True)

    assert result.errors[0]["extensions"]["subgraph"] == "users"


async def test_variables_and_hoisted_literals_reach_the_subgraph(shop, products):
    seen = []
    products.data = {"grade": lambda _row, of=None: seen.append(of) or of}

    await shop.run(
        "query ($g: Grade) { a: grade(of: $g) b: grade(of: BAD) }", {"g": "GOOD"}
    )

    assert seen == ["GOOD", "BAD"]


async def test_an_event_stands_for_the_answer_of_the_first_fetch(shop):
    compiled = shop.compile(shop.prepare("{ user { name total } }"))
    event = FetchResult({"user": {"name": "Eve", "id": "2"}})

    result = await run_event(compiled, new_context(), {}, event)

    assert result.data == {"user": {"name": "Eve", "total": 2.5}}


async def test_an_event_of_the_wrong_kind_is_a_bad_answer(shop):
    compiled = shop.compile(shop.prepare("{ user { name total } }"))

    result = await run_event(compiled, new_context(), {}, FetchResult([]))

    assert result.data == {"user": None}
    assert [e["extensions"]["code"] for e in result.errors] == ["SOURCE_BAD_ANSWER"]


async def test_headers_of_subgraphs_come_in_the_order_of_the_plan(shop, users, orders):
    for subgraph in (users, orders):
        header = (("x-from", subgraph.name),)
        subgraph.change = lambda result, header=header: FetchResult(
            result.data, result.errors, header
        )

    result = await shop.run("{ user { name total } }")

    assert result.headers == (("x-from", "users"), ("x-from", "orders"))


async def test_one_run_of_a_plan_leaves_nothing_for_the_next(shop, users):
    compiled = shop.compile(shop.prepare(EVERYTHING))
    first = await run_plan(compiled, new_context(), {})
    users.data = {"users": []}

    second = await run_plan(compiled, new_context(), {})

    assert first.data["users"] != []
    assert second.data == {"users": [], "count": 3}


async def test_a_compiled_plan_shows_its_code(shop):
    compiled = shop.compile(shop.prepare("{ user { name total } }"))

    code = compiled.code()

    assert "# fetch 1: orders, after 0" in code
    assert "def represent(objects):" in code
    assert "_entities(representations: $representations)" in code
    assert code == shop.compile(shop.prepare("{ user { name total } }")).code()
