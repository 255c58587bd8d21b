"""What the benchmarks compute, and that their operations fit the example graph."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import orjson
import pytest
from graphql import parse, validate

from backends.protos import order_pb2
from benchmarks.backends import rows
from benchmarks.backends.counter import CallCounter, read_count
from benchmarks.cpu import cpu_seconds, find_tree, parse_stat
from benchmarks.growth import fit_exponent, print_growth
from benchmarks.measure import Sample
from benchmarks.operations import GROWTH, OPERATIONS, find_operation, http_request
from benchmarks.plans import generate_operation, open_example, prepare
from benchmarks.report import print_table, summarize, to_json
from benchmarks.rules import build_subgraph, measure_rules
from benchmarks.targets import PEERS, TARGETS, find_default_targets


def _sample(target: str, cpu_ms: float) -> Sample:
    return Sample(target, "q1", cpu_ms, 100.0, 1.0, 2.0, 1.0, 0, 52, 1000)


def test_the_middle_round_is_reported():
    samples = [_sample("gateway", value) for value in (0.3, 0.1, 0.2)]

    summary = summarize(samples)

    assert [sample.cpu_ms for sample in summary] == [0.2]


def test_ratios_are_to_the_answer_by_hand():
    table = print_table([_sample("by_hand", 0.1), _sample("gateway", 0.25)])

    assert "2.50x" in table


def test_remote_ratios_are_to_the_cheapest_peer():
    table = print_table(
        [
            _sample("gateway_remote", 0.3),
            _sample("apollo_gateway", 0.9),
            _sample("mercurius", 0.6),
        ]
    )

    assert "0.50x" in table
    assert "Q1 0.50x of 1.00x reached" in table


def test_without_a_yardstick_there_is_no_ratio():
    table = print_table([_sample("gateway_remote", 0.3), _sample("by_hand", 0.1)])

    assert "goals" not in table


def test_a_goal_that_is_missed_is_said():
    table = print_table([_sample("by_hand", 0.1), _sample("gateway", 0.3)])

    assert "Q1 3.00x of 2.50x MISSED" in table


def test_peers_are_measured_only_where_they_are_asked_for():
    assert set(find_default_targets(with_peers=True)) == set(TARGETS)
    assert not set(PEERS) & set(find_default_targets(with_peers=False))


def test_growth_is_told_beside_the_size_before():
    table = print_growth({"gateway": {100: 1.0, 1_000: 10.0, 10_000: 150.0}})

    assert [line.split()[-1] for line in table.splitlines()[3:6]] == [
        "-",
        "1.00x",
        "1.50x",
    ]


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_exponent_is_that_of_the_cost(power):
    cost = {size: size**power for size in (100, 300, 1_000)}

    assert fit_exponent({10: 5.0, **cost}) == pytest.approx(power)


def test_growing_operations_are_found_by_name():
    assert all(find_operation(o.name) is o for o in GROWTH.values())
    assert GROWTH[300].variants[0]["first"] == 300


def test_backends_have_as_many_rows_as_are_asked_for():
    assert len(rows.encode_users(3)) == len(rows.encode_orders(3)) == 3
    assert list(rows.encode_products(2)) == ["p1", "p2"]


def test_figures_are_written_with_their_day():
    found = orjson.loads(to_json([_sample("gateway", 0.25)]))

    assert found["samples"][0]["cpu_ms"] == 0.25
    assert found["date"]


def test_ticks_are_read_behind_any_process_name():
    fields = ["S", *["1"] * 10, "70", "5", "0", "0"]

    assert parse_stat(f"12 (a) name)) {' '.join(fields)}") == 75


def test_children_that_have_ended_are_counted():
    fields = ["S", *["1"] * 10, "70", "5", "20", "4"]

    assert parse_stat(f"12 (node) {' '.join(fields)}") == 99


def test_children_of_children_belong_to_the_tree():
    inner = "import time; print(1, flush=True); time.sleep(60)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", outer], stdout=subprocess.PIPE, process_group=0
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()

        tree = find_tree(process.pid)

        os.killpg(process.pid, signal.SIGKILL)
    assert tree[0] == process.pid
    assert len(tree) == 2


def test_a_process_has_used_cpu():
    assert cpu_seconds(os.getpid()) > 0


def test_another_process_reads_the_count_while_it_grows(tmp_path):
    counter = CallCounter(tmp_path / "calls")

    counter.add()
    counter.add()

    assert read_count(tmp_path / "calls") == 2


def test_joined_messages_are_one_answer():
    encoded = rows.encode_orders()

    answer = order_pb2.ListByUsersResponse.FromString(encoded["u1"] + encoded["u2"])

    assert [listed.user_id for listed in answer.lists] == ["u1", "u2"]
    assert [len(order.items) for order in answer.lists[1].orders] == [3] * 5


@pytest.mark.parametrize("name", OPERATIONS)
def test_variables_change_from_request_to_request(name):
    operation = OPERATIONS[name]

    requests = {
        http_request(operation, variables, is_graphql=True)
        for variables in operation.variants
    }

    assert len(requests) == len(operation.variants)


async def test_operations_fit_the_example_graph():
    rng = random.Random(1)  # noqa: S311 - no secret
    async with open_example() as gateway:
        schema = gateway.snapshot.supergraph.api_schema
        texts = [generate_operation(schema, rng) for _ in range(20)]
        texts += [operation.query for operation in OPERATIONS.values()]
        texts.append(GROWTH[10].query)

        errors = [error for text in texts for error in validate(schema, parse(text))]
        stages = prepare(gateway.snapshot, texts[0])

    assert errors == []
    assert stages["total"] >= stages["plan"]


async def test_an_operation_without_rules_is_asked_of_graphs_that_differ_in_rules():
    plain, ruled, ratio = await measure_rules(fields=10, rounds=2, count=3)

    assert plain > 0
    assert ruled > 0
    assert ratio > 0


@pytest.mark.parametrize(("has_rules", "is_found"), [(True, True), (False, False)])
def test_every_other_field_has_a_rule_in_one_of_them(has_rules, is_found):
    sdl = build_subgraph(5, has_rules=has_rules).sdl

    for name in ("authenticated", "requiresScopes", "rateLimit", "allowIps"):
        assert (f"@{name}" in sdl.partition("type Query")[2]) is is_found
