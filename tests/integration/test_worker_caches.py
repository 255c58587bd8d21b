"""Workers without a Redis keep rows each for itself, and forget them together."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import ExitStack

import httpx
import pytest
from conftest import RunningGateway
from integration.test_shop import mint
from support.integration_gateways import serving
from support.processes import ROOT

from graphgw.cli.token import ensure_key_pair

SCHEMA = """
import os
import strawberry
from graphgw import Subgraph, resolved
from graphgw.directives import CacheControl, CacheInvalidation, CacheScope, CacheTag

CALLS = []

async def call(_context, *, of: str):
    CALLS.append(of)
    return f"call {CALLS.count(of)} of {of}"

async def worker(_context):
    return os.getpid()

async def change(_context, *, of: str):
    return of

@strawberry.type
class Query:
    call: str = resolved(call, directives=[
        CacheControl(max_age=3600, scope=CacheScope.PUBLIC),
        CacheTag(format="thing-{$args.of}"),
    ])
    worker: int = resolved(worker)

@strawberry.type
class Mutation:
    change: str = resolved(change, directives=[
        CacheInvalidation(tags=["thing-{$args.of}"]),
    ])

subgraph = Subgraph("thing", query=Query, mutation=Mutation)
"""
WORKERS = 3


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    ensure_key_pair(ROOT / ".graphgw")
    folder = tmp_path_factory.mktemp("workers")
    (folder / "thing_schema.py").write_text(SCHEMA)
    config = folder / "graphgw.yaml"
    config.write_text(
        "subgraphs: {thing: thing_schema:subgraph}\n"
        "auth: {issuers: [{issuer: graphgw-dev, algorithms: [RS256],"
        f" key_file: {ROOT}/.graphgw/dev-public.pem}}]}}\n"
    )
    options = ("--config", str(config), "--workers", str(WORKERS))
    with serving(*options, environment={"PYTHONPATH": str(folder)}) as found:
        yield found


@pytest.fixture
def clients(gateway: RunningGateway):
    with ExitStack() as stack:
        yield list(clients_by_worker(gateway, stack).values())


def clients_by_worker(
    gateway: RunningGateway, stack: ExitStack
) -> dict[int, httpx.Client]:
    """Return a client for each worker, on a connection that it has accepted."""
    found: dict[int, httpx.Client] = {}
    ends = time.monotonic() + 30
    while len(found) < WORKERS:
        assert time.monotonic() < ends, "some worker accepts nothing"
        client = httpx.Client(base_url=gateway.url, timeout=20)
        stack.callback(client.close)
        if found.setdefault(ask(client, "{ worker }")["worker"], client) is not client:
            client.close()
            time.sleep(0.01)
    return found


def ask(client: httpx.Client, query: str) -> dict:
    answer = client.post("/graphql", json={"query": query}).json()
    assert "errors" not in answer
    return answer["data"]


def calls(client: httpx.Client, of: str) -> int:
    """Return how many calls the worker of a client has needed for a thing."""
    text = ask(client, f'{{ call(of: "{of}") }}')["call"]
    found = re.fullmatch(rf"call (\d+) of {of}", text)
    assert found is not None
    return int(found[1])


def test_each_worker_calls_once_until_something_changes(clients):
    assert [calls(client, "a") for client in clients * 3] == [1] * 3 * WORKERS


@pytest.mark.parametrize("teller", range(WORKERS))
def test_a_mutation_through_one_worker_lets_every_worker_call_anew(clients, teller):
    of, other = f"m{teller}", f"o{teller}"
    for client in clients:
        assert (calls(client, of), calls(client, other)) == (1, 1)

    ask(clients[teller], f'mutation {{ change(of: "{of}") }}')

    assert [calls(client, of) for client in clients * 2] == [2] * 2 * WORKERS
    assert [calls(client, other) for client in clients] == [1] * WORKERS


def test_whatever_worker_is_told_to_drop_rows_all_drop_them(clients):
    assert [calls(client, "d") for client in clients] == [1] * WORKERS
    token = mint("cache:invalidate", "--subject", "ops")

    answer = clients[0].post(
        "/cache/invalidate",
        json={"tags": ["thing-d"]},
        headers={"authorization": f"Bearer {token}"},
    )

    assert answer.json() == {"data": {"invalidated": ["thing-d"]}}
    assert [calls(client, "d") for client in clients] == [2] * WORKERS


def test_many_changes_reach_every_worker(clients):
    for round_ in range(1, 30):
        for client in clients:
            assert calls(client, "many") == round_
        ask(clients[round_ % WORKERS], 'mutation { change(of: "many") }')


def test_who_replaces_a_dead_worker_tells_and_hears(gateway: RunningGateway):
    with ExitStack() as stack:
        victim, *old = clients_by_worker(gateway, stack)
        os.kill(victim, signal.SIGKILL)

    with ExitStack() as stack:
        found = clients_by_worker(gateway, stack)
        assert victim not in found
        (young,) = set(found) - set(old)
        for teller in (young, old[0]):
            of = f"r{young}from{teller}"
            assert {calls(client, of) for client in found.values()} == {1}
            ask(found[teller], f'mutation {{ change(of: "{of}") }}')
            assert {calls(client, of) for client in found.values()} == {2}
