"""The entity cache: of a batch only what is missing is fetched, once for all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from support.clock import ManualClock
from support.graphs import new_context
from support.policies import Recorder

from backends.protos import order_pb2
from graphgw import directives as d
from graphgw.errors import ConfigurationError, SourceTimeoutError
from graphgw.sources.http_answers import JSONText
from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import StoreError
from graphgw.subgraphs.cache_rules import CacheRule, read_cache_rule
from graphgw.subgraphs.entity_cache import EntityCache
from graphgw.subgraphs.loaders import RequestLoaders, loader
from graphgw.telemetry.events import CacheRead
from graphgw.types import Principal

PUBLIC = CacheRule("Order", 60.0, is_private=False)
ANN, BOB = Principal("ann"), Principal("bob")


class Backend:
    """Answers batches, and remembers what it was asked."""

    def __init__(self, row=lambda key: {"id": key}):
        self.calls = []
        self.row = row
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = set()

        @loader(shared=True)
        async def rows_by_id(keys, _context, *, first=10):  # noqa: ARG001 - a key of the cache
            return await self.answer(keys)

        @loader
        async def own_rows_by_id(keys, _context):
            return await self.answer(keys)

        self.shared = rows_by_id
        self.own = own_rows_by_id

    async def answer(self, keys):
        self.calls.append(list(keys))
        await self.gate.wait()
        return [
            SourceTimeoutError("late") if key in self.fails else self.row(key)
            for key in keys
        ]


@pytest.fixture
def clock():
    return ManualClock()


class BytesStore:
    """Keeps bytes, as a store that is shared between processes does."""

    is_shared = True

    def __init__(self, clock):
        self.values = {}
        self.memory = MemoryStore(clock=clock)

    async def get_many(self, keys, tags=()):
        return await self.memory.get_many(keys, tags)

    async def set_many(self, values, ttl):
        self.values |= values
        await self.memory.set_many(values, ttl)

    async def invalidate(self, tags):
        await self.memory.invalidate(tags)


@pytest.fixture
def bytes_store(clock):
    return BytesStore(clock)


@pytest.fixture(params=["memory", "bytes"])
def store(request, clock):
    return MemoryStore(clock=clock) if request.param == "memory" else BytesStore(clock)


@pytest.fixture
async def cache(store, clock):
    made = EntityCache(store, clock=clock)
    yield made
    await made.aclose()


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def ask(cache, backend):
    """Each call is a request of its own."""

    async def load(
        keys, rule=PUBLIC, *, by=None, cache=cache, arguments=None, **context
    ):
        made = RequestLoaders.attach(new_context(**context), cache)
        return await made.loaders.load_many(
            by or backend.shared, keys, arguments or {}, rule
        )

    return load


async def settle():
    for _ in range(30):
        await asyncio.sleep(0)


async def test_only_missing_keys_are_fetched(ask, backend):
    await ask(["a", "b"])

    rows = await ask(["b", "c", "a"])

    assert rows == [{"id": "b"}, {"id": "c"}, {"id": "a"}]
    assert backend.calls == [["a", "b"], ["c"]]


async def test_rows_are_fetched_again_when_they_are_too_old(ask, backend, clock):
    await ask(["a"])
    clock.advance(59)
    await ask(["a"])
    assert len(backend.calls) == 1

    clock.advance(2)
    await ask(["a"])

    assert len(backend.calls) == 2


async def test_reads_are_events(ask):
    recorder = Recorder()
    await ask(["a"])

    await ask(["a", "b"], observer=recorder)

    assert [e for e in recorder.events if isinstance(e, CacheRead)] == [
        CacheRead("Order", 2, 1)
    ]


async def test_a_row_that_does_not_exist_is_kept_too(ask, backend):
    backend.row = lambda _: None

    assert await ask(["a"]) == [None]
    assert await ask(["a"]) == [None]

    assert len(backend.calls) == 1


async def test_a_failure_is_not_kept(ask, backend):
    backend.fails = {"a"}
    first = await ask(["a", "b"])
    backend.fails = set()

    second = await ask(["a", "b"])

    assert isinstance(first[0], SourceTimeoutError)
    assert second == [{"id": "a"}, {"id": "b"}]
    assert backend.calls == [["a", "b"], ["a"]]


async def test_a_row_that_one_request_changes_is_whole_for_the_next(ask, backend):
    rule = replace(PUBLIC, is_private=False)
    [row] = await ask(["a"], rule, by=backend.own)
    row["id"] = "changed"

    assert await ask(["a"], rule, by=backend.own) == [{"id": "a"}]
    assert len(backend.calls) == 1


async def test_in_memory_rows_of_shared_loaders_are_kept_as_they_are(clock, ask):
    cache = EntityCache(MemoryStore(clock=clock), clock=clock)
    [first] = await ask(["a"], cache=cache)

    [second] = await ask(["a"], cache=cache)

    assert second is first


class TestWhoMayShareARow:
    @pytest.mark.parametrize(
        ("rule", "by", "is_shared"),
        [
            pytest.param(PUBLIC, "shared", True, id="public"),
            pytest.param(PUBLIC, "own", True, id="public-though-not-shared"),
            pytest.param(
                replace(PUBLIC, is_private=True), "shared", False, id="private"
            ),
            pytest.param(
                replace(PUBLIC, is_private=None), "shared", True, id="shared-loader"
            ),
            pytest.param(
                replace(PUBLIC, is_private=None), "own", False, id="loader-of-a-request"
            ),
        ],
    )
    async def test_two_callers(self, ask, backend, rule, by, is_shared):
        by = getattr(backend, by)
        await ask(["a"], rule, by=by, principal=ANN)
        await ask(["a"], rule, by=by, principal=BOB)
        await ask(["a"], rule, by=by, principal=ANN)

        assert len(backend.calls) == (1 if is_shared else 2)

    async def test_a_private_row_of_an_anonymous_caller_is_not_kept(self, ask, backend):
        rule = replace(PUBLIC, is_private=True)

        await ask(["a"], rule)
        await ask(["a"], rule)

        assert len(backend.calls) == 2

    async def test_the_same_subject_of_two_issuers_is_two_callers(self, ask, backend):
        rule = replace(PUBLIC, is_private=True)

        await ask(["a"], rule, principal=Principal("ann", claims={"iss": "x"}))
        await ask(["a"], rule, principal=Principal("ann", claims={"iss": "y"}))

        assert len(backend.calls) == 2

    async def test_headers_that_the_rule_names_tell_rows_apart(self, ask, backend):
        rule = replace(PUBLIC, vary=("accept-language",))

        await ask(["a"], rule, headers={"accept-language": "de"})
        await ask(["a"], rule, headers={"accept-language": "en"})
        await ask(["a"], rule, headers={"accept-language": "de", "x-other": "1"})

        assert len(backend.calls) == 2


async def test_arguments_tell_rows_apart(ask, backend):
    await ask(["a"], arguments={"first": 1})
    await ask(["a"], arguments={"first": 2})
    await ask(["a"], arguments={"first": 1})

    assert len(backend.calls) == 2


async def test_keys_of_different_types_are_different(ask, backend):
    await ask(["1"])
    await ask([1])
    await ask([("1", "2")])

    assert len(backend.calls) == 3


async def test_equal_requests_at_once_are_one_fetch(ask, backend):
    backend.gate.clear()
    asking = [asyncio.create_task(ask(["a", "b"])) for _ in range(50)]
    await settle()
    backend.gate.set()

    answers = await asyncio.gather(*asking)

    assert all(answer == [{"id": "a"}, {"id": "b"}] for answer in answers)
    assert backend.calls == [["a", "b"]]


async def test_a_batch_fetches_only_what_nobody_fetches_already(ask, backend):
    backend.gate.clear()
    first = asyncio.create_task(ask(["a", "b"]))
    await settle()
    second = asyncio.create_task(ask(["b", "c"]))
    await settle()
    backend.gate.set()

    assert await second == [{"id": "b"}, {"id": "c"}]
    await first
    assert backend.calls == [["a", "b"], ["c"]]


async def test_when_the_fetching_request_goes_another_one_fetches(ask, backend):
    backend.gate.clear()
    first = asyncio.create_task(ask(["a"]))
    await settle()
    others = [asyncio.create_task(ask(["a"])) for _ in range(10)]
    await settle()

    first.cancel()
    await settle()
    backend.gate.set()

    assert await asyncio.gather(*others) == [[{"id": "a"}]] * 10
    assert backend.calls == [["a"], ["a"]]


async def test_a_waiter_that_goes_does_not_end_the_fetch(ask, backend):
    backend.gate.clear()
    first = asyncio.create_task(ask(["a"]))
    await settle()
    second = asyncio.create_task(ask(["a"]))
    await settle()

    second.cancel()
    await settle()
    backend.gate.set()

    assert await first == [{"id": "a"}]
    assert len(backend.calls) == 1


class TestStaleRows:
    async def test_they_serve_while_one_refresh_runs(self, ask, backend, clock):
        rule = replace(PUBLIC, swr=30.0)
        backend.row = lambda key: {"id": key, "v": len(backend.calls)}
        await ask(["a"], rule)
        clock.advance(70)
        backend.gate.clear()

        first = [await ask(["a"], rule) for _ in range(5)]
        await settle()
        backend.gate.set()
        await settle()

        assert all(rows == [{"id": "a", "v": 1}] for rows in first)
        assert len(backend.calls) == 2
        assert await ask(["a"], rule) == [{"id": "a", "v": 2}]

    async def test_they_do_not_serve_for_ever(self, ask, backend, clock):
        rule = replace(PUBLIC, swr=30.0)
        await ask(["a"], rule)

        clock.advance(91)
        await ask(["a"], rule)

        assert len(backend.calls) == 2

    async def test_they_serve_in_place_of_a_failure(self, ask, backend, clock):
        rule = replace(PUBLIC, stale_if_error=3600.0)
        await ask(["a"], rule)
        backend.fails = {"a"}
        clock.advance(600)

        assert await ask(["a"], rule) == [{"id": "a"}]
        clock.advance(3600)
        [late] = await ask(["a"], rule)

        assert isinstance(late, SourceTimeoutError)

    async def test_they_never_serve_without_leave(self, ask, backend, clock):
        await ask(["a"])
        backend.fails = {"a"}
        clock.advance(61)

        [late] = await ask(["a"])

        assert isinstance(late, SourceTimeoutError)


class TestInvalidation:
    RULE = replace(
        PUBLIC, tags=("order-{$key.id}", "orders-{$args.first}"), key_names=("id",)
    )

    @pytest.mark.parametrize(
        ("tag", "fetched"),
        [
            pytest.param("order-a", ["a"], id="of-one-key"),
            pytest.param("orders-10", ["a", "b"], id="of-the-arguments"),
            pytest.param("Order", ["a", "b"], id="of-the-type"),
            pytest.param("order-c", [], id="of-another-key"),
        ],
    )
    async def test_rows_with_the_tag_are_fetched_again(
        self, ask, cache, backend, tag, fetched
    ):
        await ask(["a", "b"], self.RULE)
        await cache.invalidate([tag])
        backend.calls.clear()

        await ask(["a", "b"], self.RULE)

        assert backend.calls == ([fetched] if fetched else [])

    async def test_a_fetch_that_began_before_is_not_read_after(
        self, ask, cache, backend
    ):
        backend.gate.clear()
        early = asyncio.create_task(ask(["a"], self.RULE))
        await settle()
        await cache.invalidate(["order-a"])
        backend.gate.set()
        await early

        await ask(["a"], self.RULE)

        assert backend.calls == [["a"], ["a"]]

    async def test_a_key_alone_drops_its_row(self, ask, store, backend):
        rule = replace(PUBLIC, key_names=("id",))
        await ask(["a", "b"], rule)

        await store.invalidate(["Order:id=a"])
        await ask(["a", "b"], rule)

        assert backend.calls == [["a", "b"], ["a"]]

    async def test_each_key_of_an_object_drops_its_row(self, ask, store, backend):
        rule = replace(PUBLIC, key_names=("x", "y", "z"), key_sets=(("x", "y"), ("z",)))
        keys = [(1, 2, 3), (1, 3, 4), (1, 4, None)]
        await ask(keys, rule)

        await store.invalidate(["Order:x=1,y=2", "Order:z=4"])
        await ask(keys, rule)

        assert backend.calls == [keys, keys[:2]]

    async def test_a_row_whose_tag_has_no_value_is_not_kept(self, ask, backend):
        rule = replace(PUBLIC, tags=("x-{$args.nothing}",))

        await ask(["a"], rule)
        await ask(["a"], rule)

        assert len(backend.calls) == 2


class TestSeveralKeys:
    """A row that was loaded by one key goes with each other key that stands in it."""

    RULE = replace(
        PUBLIC,
        key_names=("id",),
        row_keys=(
            (("id", ("id",)),),
            (("sku", ("code", "text")),),
            (("shop", ("shop",)), ("number", ("number",))),
        ),
    )

    @staticmethod
    def row(key):
        return {"id": key, "code": {"text": f"s{key}"}, "shop": "x", "number": 7}

    @pytest.fixture
    def backend(self):
        return Backend(self.row)

    @pytest.mark.parametrize(
        ("tag", "dropped"),
        [
            pytest.param("Order:id=a", ["a"], id="own"),
            pytest.param("Order:sku=sa", ["a"], id="other"),
            pytest.param("Order:number=7,shop=x", ["a", "b"], id="composite"),
            pytest.param("Order:sku=a", [], id="another-value"),
            pytest.param("Product:sku=sa", [], id="another-type"),
        ],
    )
    async def test_a_tag_drops_the_row(self, ask, store, backend, tag, dropped):
        await ask(["a", "b"], self.RULE)

        await store.invalidate([tag])
        for _ in range(2):
            found = await ask(["a", "b"], self.RULE)

        assert [row["id"] for row in found] == ["a", "b"]
        assert backend.calls == [["a", "b"], *([dropped] if dropped else [])]

    @pytest.mark.parametrize(
        "row",
        [
            pytest.param(lambda key: order_pb2.Order(id=key, user_id="u"), id="proto"),
            pytest.param(
                lambda key: JSONText(b'{"id": "%b", "user_id": "u"}' % key.encode()),
                id="json",
            ),
            pytest.param(lambda key: Held(key, "u"), id="object"),
        ],
    )
    async def test_rows_of_every_kind_are_read(self, ask, store, row):
        rule = replace(
            self.RULE, row_keys=((("id", ("id",)),), (("user", ("user_id",)),))
        )
        backend = Backend(row)
        await ask(["a"], rule, by=backend.shared)
        await ask(["a"], rule, by=backend.shared)

        await store.invalidate(["Order:user=u"])
        await ask(["a"], rule, by=backend.shared)

        assert len(backend.calls) == 2

    @pytest.mark.parametrize(
        "row", [None, {}, {"code": None}, {"code": {"text": [1]}}, JSONText(b"{")]
    )
    async def test_a_row_without_the_fields_is_kept_by_its_key_alone(
        self, ask, store, row
    ):
        backend = Backend(lambda _: row)
        await ask(["a"], self.RULE, by=backend.own)
        await store.invalidate(["Order:sku=sa"])

        await ask(["a"], self.RULE, by=backend.own)

        is_json = not isinstance(row, JSONText)  # what is none is not kept as bytes
        assert not is_json or len(backend.calls) == 1

    @pytest.mark.parametrize("tag", ["Order:sku=sa", "Order:id=a"])
    async def test_a_fetch_that_began_before_is_not_read_after(
        self, ask, store, backend, tag
    ):
        backend.gate.clear()
        waiting = asyncio.create_task(ask(["a"], self.RULE))
        await settle()
        await store.invalidate([tag])
        backend.gate.set()
        await waiting

        await ask(["a"], self.RULE)

        assert len(backend.calls) == 2

    async def test_without_stamps_nothing_is_kept_or_read(self, clock, ask, backend):
        class Failing(BytesStore):
            is_down = False

            async def get_many(self, keys, tags=()):
                if self.is_down and not keys:
                    raise StoreError("down")
                return await super().get_many(keys, tags)

        store = Failing(clock)
        cache = EntityCache(store, clock=clock)
        store.is_down = True
        await ask(["a"], self.RULE, cache=cache)
        assert store.values == {}

        store.is_down = False
        await ask(["a"], self.RULE, cache=cache)
        await store.invalidate(["something"])
        store.is_down = True
        await ask(["a"], self.RULE, cache=cache)

        assert len(backend.calls) == 3

    @pytest.mark.parametrize(
        "junk", [b"", b"x" * 16, b"\xff" * 60, b"\0" * 36 + b'{"a": 1}']
    )
    async def test_junk_is_a_miss(self, clock, ask, backend, junk):
        store = BytesStore(clock)
        cache = EntityCache(store, clock=clock)
        await ask(["a"], self.RULE, cache=cache)
        [(name, value)] = store.values.items()
        await store.memory.set_many({name: value[:16] + junk}, 60)

        await ask(["a"], self.RULE, cache=cache)

        assert len(backend.calls) == 2


@dataclass
class Held:
    id: str
    user_id: str


async def test_a_mutation_neither_reads_nor_fills(cache, backend, ask):
    await ask(["a"])
    context = RequestLoaders.attach(new_context(), cache)
    context.loaders.reset()

    await context.loaders.load_many(backend.shared, ["a", "b"], {}, PUBLIC)
    await ask(["b"])

    assert backend.calls == [["a"], ["a", "b"], ["b"]]


class TestKindsOfRows:
    async def test_protobuf_messages(self, ask, backend):
        backend.row = lambda key: order_pb2.Order(id=key)

        first, second = await ask(["a"]), await ask(["a"])

        assert second == first == [order_pb2.Order(id="a")]
        assert len(backend.calls) == 1

    async def test_lists_of_protobuf_messages(self, ask, backend):
        backend.row = lambda key: [order_pb2.Order(id=key), order_pb2.Order()]

        first, second = await ask(["a"]), await ask(["a"])

        assert second == first == [[order_pb2.Order(id="a"), order_pb2.Order()]]
        assert len(backend.calls) == 1

    async def test_a_kept_message_does_not_hold_its_whole_answer(self, clock, ask):
        cache = EntityCache(MemoryStore(clock=clock), clock=clock)
        answer = order_pb2.GetOrdersResponse(orders=[order_pb2.Order(id="a")])
        backend = Backend(lambda _: answer.orders[0])
        [first] = await ask(["a"], by=backend.shared, cache=cache)

        [second] = await ask(["a"], by=backend.shared, cache=cache)

        assert second == first
        assert second is not first

    async def test_objects_are_kept_in_this_process(self, ask, backend, bytes_store):
        @dataclass
        class Row:
            total: Decimal

        backend.row = lambda _: Row(Decimal("1.5"))
        cache = EntityCache(bytes_store)

        assert await ask(["a"], cache=cache) == await ask(["a"], cache=cache)
        assert len(backend.calls) == 1
        assert bytes_store.values == {}

    async def test_objects_are_bounded(self, bytes_store, clock, ask, backend):
        small = EntityCache(bytes_store, clock=clock, max_object_bytes=20_000)
        backend.row = lambda _: {"x": Decimal(1), "y": "z" * 1000}

        await ask([f"k{n}" for n in range(200)], cache=small)

        assert small.keeper.objects.size <= 20_000

    @pytest.mark.parametrize(
        "row",
        [
            pytest.param(lambda key: {"id": key, "text": "z" * 1000}, id="json"),
            pytest.param(lambda key: order_pb2.Order(id=key * 300), id="message"),
            pytest.param(lambda _: {"x": Decimal(1), "y": ["z" * 1000]}, id="object"),
        ],
    )
    async def test_memory_is_bounded(self, clock, ask, row):
        store = MemoryStore(max_bytes=20_000, clock=clock)
        cache, backend = EntityCache(store, clock=clock), Backend(row)

        await ask([f"k{n}" for n in range(200)], by=backend.shared, cache=cache)

        assert 10_000 < store.size <= 20_000

    async def test_keys_without_a_form_are_not_kept(self, ask, backend):
        await ask([Decimal(1)])
        await ask([Decimal(1)])

        assert len(backend.calls) == 2


class TestAStore:
    @pytest.mark.parametrize(
        "junk",
        [
            b"",
            b"junk",
            b"\0" * 16,
            b"\0" * 17,
            b"\xff" * 40,
            b"\0" * 16 + b"j{",
            b"\0" * 16 + b"m\0\0\0\x05os.PathX",
            b"\0" * 16 + b"m\xff\xff\xff\xff",
            b"\0" * 16 + b"l\0\0\0\0",
        ],
    )
    async def test_with_junk_is_a_miss(self, clock, ask, bytes_store, junk):
        cache = EntityCache(bytes_store, clock=clock)
        await ask(["a"], cache=cache)
        [name] = bytes_store.values
        head = bytes_store.values[name][:16]
        await bytes_store.set_many({name: head + junk[16:]}, 60)
        await ask(["a"], cache=cache)
        await bytes_store.set_many({name: junk}, 60)

        assert await ask(["a"], cache=cache) == [{"id": "a"}]

    async def test_that_is_down_is_empty(self, clock, ask):
        class Down(BytesStore):
            async def get_many(self, *_):
                raise StoreError("down")

            async def set_many(self, *_):
                raise StoreError("down")

        cache = EntityCache(Down(clock), clock=clock)

        assert await ask(["a"], cache=cache) == [{"id": "a"}]
        assert await ask(["a"], cache=cache) == [{"id": "a"}]

    async def test_that_cannot_be_written_is_no_error(self, clock, ask):
        class Full(BytesStore):
            async def set_many(self, *_):
                raise StoreError("full")

        assert await ask(["a"], cache=EntityCache(Full(clock), clock=clock))


class TestRules:
    def test_a_directive_makes_a_rule(self):
        rule = read_cache_rule(
            "Order",
            [
                d.CacheTag(format="order-{$key.id}"),
                d.CacheControl(
                    max_age=60,
                    scope=d.CacheScope.PRIVATE,
                    swr=5,
                    stale_if_error=7,
                    vary=["Accept-Language"],
                ),
            ],
            ("id",),
        )

        assert rule == CacheRule(
            "Order",
            60.0,
            is_private=True,
            swr=5.0,
            stale_if_error=7.0,
            tags=("order-{$key.id}",),
            vary=("accept-language",),
            key_names=("id",),
        )
        assert rule.kept_for == 67

    def test_a_scope_that_is_not_given_is_left_to_the_loader(self):
        rule = read_cache_rule("Order", [d.CacheControl(max_age=1)])

        assert rule.is_private is None

    @pytest.mark.parametrize("rule", [d.Owner(field="id"), d.RowPolicy(name="mine")])
    def test_what_has_a_row_rule_is_private(self, rule):
        kept = read_cache_rule("Order", [rule, d.CacheControl(max_age=1)])

        assert kept.is_private is True

    @pytest.mark.parametrize("rule", [d.Owner(field="id"), d.RowPolicy(name="mine")])
    def test_what_has_a_row_rule_cannot_be_public(self, rule):
        public = d.CacheControl(max_age=1, scope=d.CacheScope.PUBLIC)

        with pytest.raises(ConfigurationError) as caught:
            read_cache_rule("Order", [rule, public])

        assert "contradict" in str(caught.value)
        assert "Order" in str(caught.value)

    @pytest.mark.parametrize(
        "directives",
        [
            pytest.param([], id="none"),
            pytest.param([d.CacheControl(max_age=0)], id="zero"),
            pytest.param([d.CacheControl(scope=d.CacheScope.PRIVATE)], id="no-age"),
            pytest.param([d.CacheTag(format="x")], id="tag-alone"),
        ],
    )
    def test_nothing_is_kept_without_an_age(self, directives):
        assert read_cache_rule("Order", directives) is None
