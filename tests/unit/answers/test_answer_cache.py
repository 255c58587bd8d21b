"""How long an answer counts, and what is known of its parts."""

from __future__ import annotations

import pytest
from support.clock import ManualClock
from support.graphs import new_context

from graphgw.answers.answer_cache import AnswerCache
from graphgw.answers.place import AnswerKey, AnswerPlace
from graphgw.context import AnswerParts
from graphgw.stores.memory import MemoryStore
from graphgw.subgraphs.cache_rules import CacheRule
from graphgw.subgraphs.entity_cache import AgedRow, EntityCache
from graphgw.subgraphs.loaders import loader


def place(*, for_known: bool = False, variables: bytes = b"{}") -> AnswerPlace:
    return AnswerPlace(
        AnswerKey("graph", "plan", for_known, variables, ()), 60.0, "Query"
    )


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock, max_bytes=20_000)


@pytest.fixture
def answers(store, clock):
    return AnswerCache(store.objects, clock)


def make(answers, at=None, *, text=b"1", tags=(), caps=(), is_known=True, told=()):
    at, context = at or place(), new_context()
    with answers.fill(at, context) as filling:
        context.parts.tags.update(dict.fromkeys(tags))
        context.parts.is_known = is_known
        for seconds in caps:
            context.parts.cap(seconds)
        context.noted_ages.extend(told)
        if filling.may_keep():
            filling.keep(text)
    return at


async def left(answers, at) -> float | None:
    found = await answers.find(at, new_context())
    return None if found is None else found.max_age


async def test_the_part_that_is_too_old_first_ends_an_answer(answers, clock):
    at = make(answers, caps=[30.0, 7.0, 50.0])
    clock.advance(6.5)
    assert await left(answers, at) == pytest.approx(0.5)

    clock.advance(0.5)

    assert await left(answers, at) is None


async def test_what_a_service_says_of_its_answers_counts(answers):
    at = make(answers, told=[("max-age=20", "5"), ("max-age=40", None)])

    assert await left(answers, at) == 15.0


@pytest.mark.parametrize("control", ["no-store", "private, max-age=60", "max-age=0"])
async def test_what_a_service_forbids_is_left_alone_for_a_while(
    answers, clock, control
):
    at = make(answers, told=[(control, None)])

    assert await left(answers, at) is None
    assert answers.is_hopeless(at.key)
    clock.advance(10)
    assert not answers.is_hopeless(at.key)


async def test_callers_that_are_known_get_what_has_all_tags(answers):
    assert (
        await left(answers, make(answers, place(for_known=True), is_known=False))
        is None
    )
    assert await left(answers, make(answers, place(), is_known=False)) == 60.0


async def test_answers_are_bounded_together_with_rows(answers, store):
    for number in range(100):
        make(answers, place(variables=b"%d" % number), text=b"x" * 1000)

    assert store.size <= 20_000
    too_large = make(answers, text=b"x" * 30_000)
    assert await left(answers, too_large) is None


async def test_rows_tell_how_old_they_are_already(store, clock):
    cache = EntityCache(store, clock=clock)
    rule = CacheRule("Book", 60.0, is_private=False, key_names=("id",))

    @loader(shared=True)
    async def books(keys, _context):
        return [AgedRow(key, 40.0) if key == "short" else key for key in keys]

    async def load(keys):
        context = new_context()
        context.parts = parts = AnswerParts(1000.0)

        async def fetch(missing):
            return await books.function(missing, context)

        await cache.load(rule, keys, fetch, context=context, loader=books, arguments={})
        return parts

    assert (await load(["a"])).max_age == 60.0
    clock.advance(25)
    parts = await load(["a", "b"])
    assert parts.max_age == 35.0
    assert set(parts.tags) == {"Book", "Book:id=a", "Book:id=b"}
    assert (await load(["short"])).max_age == 40.0
    clock.advance(10)
    assert (await load(["short"])).max_age == 30.0
