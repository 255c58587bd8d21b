"""Whole answers: asked twice, made once, for whoever may have them."""

import asyncio

import pytest
import strawberry
from support.policies import Recorder

from graphgw import Subgraph, batched, by, loader, resolved
from graphgw import directives as d
from graphgw.config.settings import Settings
from graphgw.errors import SourceTimeoutError
from graphgw.gateway import Gateway
from graphgw.operations.operation import GraphQLRequest
from graphgw.policies.settings import CacheSettings, PolicySettings, RateLimitSettings
from graphgw.telemetry.events import CacheRead
from graphgw.types import Principal

ANN, BOB = Principal("ann"), Principal("bob")
PUBLIC = d.CacheControl(max_age=60, scope=d.CacheScope.PUBLIC)
VARYING = d.CacheControl(max_age=60, scope=d.CacheScope.PUBLIC, vary=["x-lang"])
PRIVATE = d.CacheControl(max_age=60, scope=d.CacheScope.PRIVATE)


class Shop:
    """A local subgraph that counts what it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False
        self.subgraph = self._build()

    async def read(self, name: str) -> None:
        self.calls.append(name)
        await self.gate.wait()
        if self.fails:
            raise SourceTimeoutError("late")

    def _build(self) -> Subgraph:
        async def shelf_of(_context, *, first: int = 2):
            await self.read("shelf")
            return [{"id": f"p{n}", "name": f"page {n}"} for n in range(first)]

        async def book_of(context, *, id: strawberry.ID):  # noqa: A002 - its GraphQL name
            self.calls.append("book")
            return await context.load(books_by_id, id)

        async def greeting_of(context):
            self.calls.append("greeting")
            return {"id": "g", "name": context.headers.get("x-lang", "en")}

        async def mine_of(context):
            self.calls.append("mine")
            return {"id": "m", "name": context.principal.subject or "nobody"}

        async def rename_of(_context, *, id: strawberry.ID):  # noqa: A002
            return f"renamed {id}"

        @loader(shared=True)
        async def books_by_id(keys, _context):
            await self.read("books")
            return [
                {"id": key, "name": f"book {key}", "note": f"for {key}"} for key in keys
            ]

        @loader(shared=True)
        async def stock_by_id(keys, _context):
            self.calls.append("stock")
            return [len(key) for key in keys]

        @strawberry.federation.type(
            keys=["id"], directives=[PUBLIC, d.CacheTag(format="book-{$key.id}")]
        )
        class Book:
            id: strawberry.ID
            name: str
            note: str | None = strawberry.field(directives=[d.Owner(field="id")])
            stock: int | None = batched(
                stock_by_id, key="id", directives=[d.CacheControl(max_age=60)]
            )

        @strawberry.type
        class Page:
            id: strawberry.ID
            name: str

        @strawberry.federation.type(directives=[PUBLIC])
        class Leaflet(Page):
            pass

        @strawberry.type
        class Query:
            shelf: list[Page] | None = resolved(
                shelf_of, directives=[PUBLIC, d.CacheTag(format="shelf")]
            )
            book: Book | None = resolved(book_of)
            greeting: Page | None = resolved(greeting_of, directives=[VARYING])
            loose: Leaflet | None = resolved(greeting_of, tags=["internal"])
            mine: Page | None = resolved(mine_of, directives=[PRIVATE])
            limited: Page | None = resolved(
                greeting_of, directives=[PUBLIC, d.RateLimit(limit=2, window="1h")]
            )
            guarded: Page | None = resolved(
                greeting_of, directives=[PUBLIC, d.Authenticated()]
            )

        @strawberry.type
        class Mutation:
            rename: str | None = resolved(
                rename_of, directives=[d.CacheInvalidation(tags=["book-{$args.id}"])]
            )

        return Subgraph(
            "shop",
            query=Query,
            mutation=Mutation,
            entities={Book: by("id", books_by_id)},
        )


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
async def gateway(shop, recorder):
    async with Gateway(subgraphs=[shop.subgraph], observers=[recorder]) as gateway:
        yield gateway


BOOK = "query($id: ID!) { book(id: $id) { name stock } }"


async def ask(gateway, query, variables=None, **options):
    answer = await gateway.execute(query, variables, **options)
    assert not answer.errors
    return answer.data


async def runs(gateway, shop, query, variables=None, **options) -> int:
    """Ask, and tell how many functions were called for it."""
    shop.calls.clear()
    await ask(gateway, query, variables, **options)
    return len(shop.calls)


async def invalidate(gateway, *tags: str) -> None:
    await gateway._served.resources.store.invalidate(tags)


async def test_an_answer_is_made_once(gateway, shop, recorder):
    first = await ask(gateway, BOOK, {"id": "a"})
    shop.calls.clear()
    recorder.events.clear()

    again = await ask(gateway, BOOK, {"id": "a"})

    assert again == first == {"book": {"name": "book a", "stock": 1}}
    assert shop.calls == []
    reads = [e for e in recorder.events if isinstance(e, CacheRead)]
    assert reads == [CacheRead("Query", 1, 1)]


async def test_the_answer_is_sent_as_it_was_encoded(gateway):
    request = GraphQLRequest(BOOK, None, {"id": "a"})
    await gateway.handle(request, {})

    answer = await gateway.handle(request, {}, takes_bytes=True)

    assert answer.encode() == b'{"data":{"book":{"name":"book a","stock":1}}}'
    assert answer.to_json() == {"data": {"book": {"name": "book a", "stock": 1}}}


async def test_who_reads_an_answer_in_process_may_change_it(gateway):
    for _ in range(3):
        data = await ask(gateway, BOOK, {"id": "a"})
        assert data["book"].pop("name") == "book a"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        pytest.param(BOOK, {"id": "b"}, id="variable"),
        pytest.param('{ book(id: "b") { name stock } }', None, id="literal"),
        pytest.param('{ book(id: "a") { name } }', None, id="selection"),
    ],
)
async def test_another_query_has_an_answer_of_its_own(gateway, shop, query, variables):
    await ask(gateway, BOOK, {"id": "a"})

    assert await runs(gateway, shop, query, variables) > 0


async def test_literals_that_differ_do_not_cross(gateway):
    a = await ask(gateway, '{ book(id: "a") { name } }')
    b = await ask(gateway, '{ book(id: "b") { name } }')

    assert (a["book"]["name"], b["book"]["name"]) == ("book a", "book b")
    assert await ask(gateway, '{ book(id: "a") { name } }') == a


async def test_headers_that_vary_do_not_cross(gateway, shop):
    query = "{ greeting { name } }"
    for language in ("de", "fr", "de", "fr"):
        data = await ask(gateway, query, headers={"x-lang": language})
        assert data["greeting"]["name"] == language
    assert len(shop.calls) == 2


async def test_what_is_private_is_not_kept(gateway):
    for principal, name in ((None, "nobody"), (ANN, "ann"), (BOB, "bob"), (ANN, "ann")):
        data = await ask(gateway, "{ mine { name } }", principal=principal)
        assert data["mine"]["name"] == name


async def test_who_can_be_told_apart_gets_no_answer_of_a_function(gateway, shop):
    query = "{ loose { name } }"
    await ask(gateway, query)

    assert await runs(gateway, shop, query, principal=ANN) == 1
    assert await runs(gateway, shop, query, principal=BOB) == 1
    assert await runs(gateway, shop, query, headers={"cookie": "a=1"}) == 1
    assert await runs(gateway, shop, query, headers={"x-forwarded-for": "::1"}) == 0


async def test_an_answer_of_shared_rows_is_for_all_who_are_known(
    gateway, shop, recorder
):
    query = "{ shelf { name } }"
    await ask(gateway, query, principal=ANN)
    recorder.events.clear()

    assert await runs(gateway, shop, query, principal=BOB) == 0
    reads = [e for e in recorder.events if isinstance(e, CacheRead)]
    assert reads == [CacheRead("Query", 1, 1)]


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("book-a", id="tag"),
        pytest.param("Book", id="type"),
        pytest.param("Book:id=a", id="key"),
        pytest.param("Book.stock:id=a", id="field"),
    ],
)
async def test_an_answer_goes_with_a_row_in_it(gateway, shop, tag):
    await ask(gateway, BOOK, {"id": "a"})
    await invalidate(gateway, tag)

    assert await runs(gateway, shop, BOOK, {"id": "a"}) > 1


async def test_a_mutation_drops_answers(gateway, shop):
    await ask(gateway, BOOK, {"id": "a"})
    await ask(gateway, 'mutation { rename(id: "a") }')

    assert await runs(gateway, shop, BOOK, {"id": "a"}) > 1


async def test_an_answer_of_kept_rows_outlives_other_tags(gateway, shop, recorder):
    query = "{ shelf { name } }"
    await ask(gateway, query)
    await invalidate(gateway, "book-a")
    recorder.events.clear()

    await ask(gateway, query)
    assert CacheRead("Query", 1, 1) in recorder.events

    await invalidate(gateway, "shelf")
    assert await runs(gateway, shop, query) == 1


async def test_an_answer_without_all_tags_goes_with_any(gateway, shop):
    query = "{ loose { name } }"
    await ask(gateway, query)
    await invalidate(gateway, "something")

    assert await runs(gateway, shop, query) == 1


async def test_what_was_invalidated_meanwhile_is_not_kept(gateway, shop):
    shop.gate.clear()
    asked = asyncio.create_task(ask(gateway, "{ shelf { name } }"))
    await asyncio.sleep(0.02)
    await invalidate(gateway, "shelf")
    shop.gate.set()
    await asked

    assert await runs(gateway, shop, "{ shelf { name } }") == 1


async def test_an_answer_with_errors_is_not_kept(gateway, shop):
    shop.fails = True
    failed = await gateway.execute(BOOK, {"id": "a"})
    shop.fails = False

    assert failed.errors
    assert await ask(gateway, BOOK, {"id": "a"}) == {
        "book": {"name": "book a", "stock": 1}
    }


async def test_what_a_row_rule_decides_is_decided_for_each_caller(gateway):
    query = '{ book(id: "ann") { name note } }'

    found = [await gateway.execute(query, principal=who) for who in (ANN, BOB, ANN)]

    assert [answer.data["book"]["note"] for answer in found] == [
        "for ann",
        None,
        "for ann",
    ]


async def test_limits_are_drawn_for_kept_answers(gateway):
    answers = [await gateway.execute("{ limited { name } }") for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]


async def test_authorization_comes_before_a_kept_answer(gateway):
    query = "{ guarded { name } }"
    await ask(gateway, query, principal=ANN)

    refused = await gateway.execute(query)

    assert refused.error_codes == ("UNAUTHORIZED_FIELD_OR_TYPE",)


async def test_equal_queries_at_one_time_are_one_run(gateway, shop):
    shop.gate.clear()
    asked = [asyncio.create_task(ask(gateway, BOOK, {"id": "a"})) for _ in range(500)]
    await asyncio.sleep(0.05)
    shop.gate.set()
    answers = await asyncio.gather(*asked)

    assert all(answer["book"]["name"] == "book a" for answer in answers)
    assert sorted(shop.calls) == ["book", "books", "stock"]


async def test_others_run_when_the_first_leaves(gateway, shop):
    shop.gate.clear()
    asked = [asyncio.create_task(ask(gateway, BOOK, {"id": "a"})) for _ in range(20)]
    await asyncio.sleep(0.02)
    asked[0].cancel()
    await asyncio.sleep(0.02)
    shop.gate.set()
    answers = await asyncio.gather(*asked[1:])

    assert all(answer["book"]["name"] == "book a" for answer in answers)
    assert shop.calls.count("book") == 2


async def test_nobody_waits_past_the_own_deadline(shop):
    shop.gate.clear()
    settings = Settings(deadline=0.2)
    async with Gateway(subgraphs=[shop.subgraph], settings=settings) as gateway:
        answers = await asyncio.gather(
            *(gateway.execute("{ shelf { name } }") for _ in range(3))
        )
        shop.gate.set()

    assert [a.error_codes for a in answers] == [("DEADLINE_EXCEEDED",)] * 3


async def test_an_answer_tells_what_is_left_of_it(gateway):
    first = await gateway.execute(BOOK, {"id": "a"})
    again = await gateway.execute(BOOK, {"id": "a"})

    assert ("cache-control", "max-age=60, public") in first.headers
    assert ("cache-control", "max-age=59, public") in again.headers


async def test_a_reload_forgets_answers(gateway, shop):
    await ask(gateway, "{ loose { name } }")
    await gateway.reload()

    assert await runs(gateway, shop, "{ loose { name } }") == 1


async def test_no_answer_is_kept_where_it_is_switched_off(shop):
    cache = CacheSettings(answers=False)
    settings = Settings(
        policies=PolicySettings(cache=cache, rate_limit=RateLimitSettings(switch="off"))
    )
    async with Gateway(subgraphs=[shop.subgraph], settings=settings) as gateway:
        await ask(gateway, "{ loose { name } }")

        assert await runs(gateway, shop, "{ loose { name } }") == 1
