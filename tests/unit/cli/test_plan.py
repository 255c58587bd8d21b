"""``graphgw plan`` as a process: no backend, no server, the same text each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command import graphgw, graphgw_in_process

CASES = Path(__file__).parents[2] / "cases" / "planning"


def test_a_plan_over_a_ready_supergraph_equals_the_planner_s():
    case = CASES / "shop"

    done = graphgw(
        "plan", str(case / "dashboard.graphql"),
        "--supergraph", str(case / "supergraph.graphql"),
    )  # fmt: skip

    assert done.stderr == ""
    assert done.stdout == (case / "dashboard.plan").read_text()


def test_the_document_comes_from_standard_input_and_its_hash_seed_does_not_matter():
    query = "query A { users { totalCount } } query B { products { totalCount } }"
    command = ("plan", "-", "--operation", "B", "--stage", "paths")

    texts = {
        graphgw(*command, stdin=query, PYTHONHASHSEED=seed).stdout for seed in "123"
    }

    assert len(texts) == 1
    assert "* product: Query.products\n" in texts.pop()


def test_scopes_and_subject_are_those_of_the_caller():
    query = '{ order(id: "o1") { total { cents } note } }'
    command = ("plan", "-", "--stage", "decide")

    anonymous = graphgw_in_process(*command, stdin=query)
    scoped = graphgw_in_process(
        *command, "--scopes", "orders:read a", "--subject", "u7", stdin=query
    )

    assert anonymous.stdout.count("refused") == 2
    assert scoped.stdout.startswith("principal: u7, scopes a orders:read\n")
    assert "refused" not in scoped.stdout


@pytest.mark.parametrize(
    ("arguments", "query", "told"),
    [
        pytest.param(
            ("-",), "{ nope }", "GRAPHQL_VALIDATION_FAILED: Cannot query", id="wrong"
        ),
        pytest.param(
            ("-",), "{", "GRAPHQL_PARSE_FAILED: Syntax Error", id="no-graphql"
        ),
        pytest.param(
            ("missing.graphql",), "", "missing.graphql: cannot read", id="no-file"
        ),
        pytest.param(
            ("-", "--config", "missing.yaml"),
            "{a}",
            "missing.yaml: cannot",
            id="no-config",
        ),
        pytest.param(
            ("-", "--supergraph", "missing.graphql"),
            "{a}",
            "missing.graphql",
            id="no-sdl",
        ),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(
    arguments: tuple[str, ...], query: str, told: str
):
    done = graphgw_in_process("plan", *arguments, stdin=query)

    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("-", "--stage", "nope"), "normalize, decide, graph", id="stage"),
        pytest.param(("-", "--variables", "[1]"), "must be a JSON object", id="list"),
        pytest.param(("-", "--variables", "{"), "is not JSON", id="no-json"),
        pytest.param((), "Missing argument", id="no-document"),
    ],
)
def test_wrong_use_ends_with_code_two(arguments: tuple[str, ...], told: str):
    done = graphgw_in_process("plan", *arguments, stdin="{ __typename }")

    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_variant_s_operation_must_fit_its_graph():
    query = "{ user(id: 1) { bio } }"

    whole = graphgw_in_process("plan", "-", stdin=query)
    mobile = graphgw_in_process("plan", "-", "--variant", "mobile", stdin=query)

    assert whole.returncode == 0
    assert mobile.returncode == 1
    assert "Cannot query field 'bio'" in mobile.stderr
