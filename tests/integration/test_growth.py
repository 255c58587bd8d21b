"""Ten times the rows cost ten times as much, over local and over remote subgraphs."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import pytest
from support.growing_local import PEOPLE, SHELF
from support.growing_remote import PEOPLE as PEOPLE_SDL
from support.growing_remote import SHELF as SHELF_SDL
from support.growth import FEW, MANY, MOST, measure_growth
from support.policies import HEADER
from support.processes import start_process

from graphgw import Gateway, row_policy
from graphgw.config.settings import Settings, SubgraphReference
from graphgw.operations.request import GraphQLRequest
from graphgw.operations.settings import LimitSettings
from graphgw.policies.settings import (
    AuthSettings,
    CacheSettings,
    CostSettings,
    PolicySettings,
)
from graphgw.types import Principal

ADA = Principal("ada")
CASES = {
    "objects-and-lists": "books(count: $count) "
    "{ id title pages size { width height } tags }",
    "aliases": "books(count: $count) { key: id size { width } again: size { width } }",
    "interface": "mixed(count: $count) "
    "{ __typename id ... on Film { minutes } ... on Book { pages } }",
    "lists-of-a-loader": "books(count: $count) { id notes { text } }",
    "each-its-own-entity": "books(count: $count) { editor { name letters { text } } }",
    "few-entities-for-many": "books(count: $count) { author { name } }",
    "two-joins": "books(count: $count) { author { name } editor { letters { text } } }",
    "errors-in-rows": "books(count: $count) { id broken }",
    "null-instead-of-rows": "sparse(count: $count) { id must }",
    "errors-in-entities": "books(count: $count) { editor { name late } }",
    "owner-of-rows": "books(count: $count) { id secret }",
    "policy-of-rows": "books(count: $count) { id draft { text } }",
}
KEPT = """query($count: Int!, $start: Int!) {
  books(count: $count, start: $start) { editor { name letters { text } } }
}"""


def has_errors(name, count, found):
    """Tell whether an answer has as many errors as it must, of a fetch a thousand."""
    if name.startswith(("errors", "null")):
        return min(count // 2, 1000) <= found <= count // 2
    return found == (1 if name.endswith("-of-rows") else 0)


@row_policy(reads="number")
async def even(_context, rows, _arguments):
    return [row["number"] % 2 == 0 for row in rows]


@pytest.fixture(scope="module")
def remote_url():
    command = (sys.executable, "tests/support/growing_remote.py")
    process = start_process("growing", *command)
    try:
        yield f"http://127.0.0.1:{process.wait_for_port()}/graphql"
    finally:
        process.stop()


@pytest.fixture(params=["local", "remote"])
def open_gateway(request, tmp_path):
    """Open a gateway over subgraphs of this process, or of another one."""

    def open_gateway(cache=None, cost=None):
        policies = PolicySettings(
            cache=cache or CacheSettings(is_enabled=False), cost=cost or CostSettings()
        )
        settings = Settings(
            auth=AuthSettings(row_policies={"even": even}),
            policies=policies,
            limits=LimitSettings(errors=MANY),
            deadline=60,
        )
        if request.param == "local":
            return Gateway(subgraphs=[SHELF, PEOPLE], settings=settings)
        url = request.getfixturevalue("remote_url")
        found = []
        for name, sdl in (("shelf", SHELF_SDL), ("people", PEOPLE_SDL)):
            path = tmp_path / f"{name}.graphql"
            path.write_text(HEADER + sdl)
            found.append(SubgraphReference(name=name, url=url, sdl=path))
        return Gateway(settings=replace(settings, subgraphs=tuple(found)))

    return open_gateway


async def answer(gateway, query, **variables):
    """Ask as the server does, and encode the answer."""
    request = GraphQLRequest(query, None, variables)
    response = await gateway.handle(request, {}, principal=ADA, takes_bytes=True)
    return response.encode(), response


@pytest.mark.parametrize("name", CASES)
async def test_a_row_costs_no_more_among_many(open_gateway, name):
    query = f"query($count: Int!) {{ {CASES[name]} }}"
    async with open_gateway() as gateway:

        async def ask(count):
            _, response = await answer(gateway, query, count=count)
            (rows,) = response.plain_data.values()
            assert len(rows) == count
            assert has_errors(name, count, len(response.errors))

        assert await measure_growth(ask) < MOST


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith(("err", "null"))])
async def test_an_error_costs_no_more_among_as_many_as_are_told(open_gateway, name):
    query = f"query($count: Int!) {{ {CASES[name]} }}"
    async with open_gateway() as gateway:

        async def ask(count):
            _, response = await answer(gateway, query, count=count)
            assert len(response.errors) == count // 2

        assert await measure_growth(ask, 100, 2000) < MOST


async def test_an_entity_that_is_kept_costs_no_more_among_many(open_gateway):
    """It is read from the store, though no answer is."""
    cache = CacheSettings(answers=False, max_bytes=1024**3)
    async with open_gateway(cache) as gateway:

        async def ask(count):
            encoded, response = await answer(gateway, KEPT, count=count, start=0)
            assert not response.errors
            assert encoded.count(b'"name"') == count

        await ask(MANY)

        assert await measure_growth(ask) < MOST


async def test_an_entity_that_is_to_be_kept_costs_no_more_among_many(open_gateway):
    cache = CacheSettings(answers=False, max_bytes=1024**3)
    starts = itertools.count(0, MANY)
    async with open_gateway(cache) as gateway:

        async def ask(count):
            start = next(starts)
            _, response = await answer(gateway, KEPT, count=count, start=start)
            assert not response.errors

        assert await measure_growth(ask) < MOST


async def test_an_entity_among_many_that_push_others_out_costs_no_more(open_gateway):
    """The store is full all the time."""
    cache = CacheSettings(answers=False, max_bytes=FEW * 100)
    starts = itertools.count(0, MANY)
    async with open_gateway(cache) as gateway:

        async def ask(count):
            start = next(starts)
            _, response = await answer(gateway, KEPT, count=count, start=start)
            assert not response.errors

        assert await measure_growth(ask) < MOST


async def test_counting_what_an_answer_cost_costs_no_more_among_many(open_gateway):
    query = f"query($count: Int!) {{ {CASES['each-its-own-entity']} }}"
    cost = CostSettings(budget=1_000_000_000, window="1s")
    async with open_gateway(cost=cost) as gateway:

        async def ask(count):
            _, response = await answer(gateway, query, count=count)
            assert not response.errors

        assert await measure_growth(ask) < MOST
