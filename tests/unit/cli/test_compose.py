"""``graphgw compose`` and ``graphgw check``: one graph, or every problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import print_schema
from support.command import graphgw

from graphgw.federation.read_supergraph import read_supergraph

SUBGRAPH = """
import strawberry
from graphgw import Subgraph, resolved

async def value(context) -> {type}:
    return {value}

@strawberry.type
class Query:
    value: {type} = resolved(value)

subgraph = Subgraph("{name}", query=Query)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a project whose two subgraphs do not fit together."""
    one = SUBGRAPH.format(name="one", type="str", value="'1'")
    two = SUBGRAPH.format(name="two", type="int", value="1")
    (tmp_path / "one.py").write_text(one)
    (tmp_path / "two.py").write_text(two)
    text = "subgraphs: {one: one:subgraph, two: two:subgraph}\n"
    (tmp_path / "graphgw.yaml").write_text(text)
    return tmp_path


def test_the_example_composes_and_prints_its_supergraph():
    done = graphgw("compose")

    assert done.returncode == 0
    graphs = read_supergraph(done.stdout).graphs.values()
    assert sorted(graph.name for graph in graphs) == [
        "notification",
        "order",
        "product",
        "user",
    ]


def test_the_supergraph_goes_to_a_file(tmp_path: Path):
    file = tmp_path / "supergraph.graphql"

    done = graphgw("compose", "-o", str(file))

    assert done.stdout == ""
    assert file.read_text() == graphgw("compose").stdout


@pytest.mark.parametrize("command", ["compose", "check", "serve"])
def test_subgraphs_that_do_not_fit_are_told_with_code_one(command: str, folder: Path):
    done = graphgw(command, folder=folder, PYTHONPATH=str(folder))

    assert done.returncode == 1
    assert "Query.value" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_of_the_working_folder_is_found(folder: Path):
    (folder / "graphgw.yaml").write_text("subgraphs: {one: one:subgraph}\n")

    done = graphgw("check", folder=folder)

    assert done.returncode == 0
    assert done.stdout == "graphgw.yaml is right: one\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("subgraphs: {a: nowhere:subgraph}", "cannot import", id="module"),
        pytest.param("subgraphs: {a: one:nothing}", "cannot import", id="attribute"),
        pytest.param("subgraphs: {a: one:Query}", "is not a Subgraph", id="class"),
        pytest.param("{}", "there is no subgraph", id="none"),
        pytest.param(
            "subgraphs: {a: {}}", 'needs either "python" or "url"', id="empty"
        ),
        pytest.param("server: {port: x}", "must be a whole number", id="setting"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(folder: Path, text: str, told: str):
    (folder / "graphgw.yaml").write_text(text)

    done = graphgw("check", folder=folder)

    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_does_not_fit_the_graph_is_told_with_file_and_line(
    folder: Path,
):
    (folder / "value.graphql").write_text("query ($a: Int) {\n  values(a: $a)\n}")
    (folder / "graphgw.yaml").write_text(
        "subgraphs: {one: one:subgraph}\n"
        "routes: {v: {path: '/v/{a}', operation: value.graphql}}\n"
    )

    done = graphgw("check", folder=folder)

    assert done.returncode == 1
    assert "routes.v.operation" in done.stderr
    assert "value.graphql:2): Cannot query field 'values'" in done.stderr


def test_a_key_file_that_is_missing_is_hinted_at(folder: Path):
    (folder / "graphgw.yaml").write_text(
        "subgraphs: {one: one:subgraph}\n"
        "auth: {issuers: [{issuer: i, key_file: keys/i.pem}]}\n"
    )

    done = graphgw("check", folder=folder)

    assert done.returncode == 0
    assert done.stderr.startswith("hint: keys/i.pem is not there; graphgw token makes")


def test_a_variant_prints_as_its_clients_see_it():
    whole = graphgw("compose", "--api").stdout
    mobile = graphgw("compose", "--api", "--variant", "mobile").stdout
    sdl = graphgw("compose", "--variant", "mobile").stdout

    assert "type UserConnection" in whole
    assert "type UserConnection" not in mobile
    assert print_schema(read_supergraph(sdl).api_schema) == mobile.rstrip("\n")


def test_a_variant_that_is_not_there_is_told_with_those_that_are():
    done = graphgw("compose", "--variant", "desktop")

    assert done.returncode == 1
    assert 'there is no variant "desktop"' in done.stderr
    assert "the variants are: mobile" in done.stderr


def test_a_filter_that_leaves_too_little_is_told_with_its_coordinate(folder: Path):
    (folder / "graphgw.yaml").write_text(
        "subgraphs: {one: one:subgraph}\nvariants: {small: {include: [small]}}\n"
    )

    done = graphgw("check", folder=folder)

    assert done.returncode == 1
    assert 'Query: variant "small": nothing is left of it' in done.stderr


def test_a_tag_that_stands_nowhere_is_hinted_at(folder: Path):
    (folder / "graphgw.yaml").write_text(
        "subgraphs: {one: one:subgraph}\nvariants: {most: {exclude: [internl]}}\n"
    )

    done = graphgw("check", folder=folder)

    assert done.returncode == 0
    assert 'the variant "most" names the tag "internl"' in done.stderr


def test_what_is_past_its_sunset_is_hinted_at(folder: Path):
    text = (folder / "one.py").read_text()
    dated = 'resolved(value, directives=[Sunset(on="2020-01-31")])'
    (folder / "one.py").write_text(
        "from graphgw.directives import Sunset\n"
        + text.replace("resolved(value)", dated)
    )
    (folder / "graphgw.yaml").write_text("subgraphs: {one: one:subgraph}\n")

    done = graphgw("check", folder=folder)

    assert done.returncode == 0
    assert done.stderr == (
        "hint: Query.value: the day of its @sunset is past; it can be removed\n"
    )
