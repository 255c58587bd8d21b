"""``graphgw plan --stage code``: what runs, as text that can be read and compiled."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from graphql import parse
from support.command import graphgw_in_process

SHOP = Path(__file__).parents[2] / "cases" / "planning" / "shop"
QUERY = """{ users(first: 2) { nodes {
  name
  orders(first: 2) { nodes { items { quantity product { name } } } }
} } }"""
_FUNCTION = re.compile(r"^def \w+\(.*\n(?:[ ].*\n|\n(?=[ ]))+", re.MULTILINE)
_HEAD = re.compile(r"^# fetch (\d+): (\w+)(?:, after ([\d, ]+))?$", re.MULTILINE)
_DOCUMENT = re.compile(r"^query \w+.*?^\}$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> str:
    file = tmp_path_factory.mktemp("code") / "query.graphql"
    file.write_text(QUERY)
    done = graphgw_in_process("plan", str(file), "--stage", "code")
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def remote() -> str:
    done = graphgw_in_process(
        "plan", str(SHOP / "dashboard.graphql"), "--stage", "code",
        "--supergraph", str(SHOP / "supergraph.graphql"),
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def functions(text: str) -> list[str]:
    """Return the generated functions; each must be Python."""
    found = _FUNCTION.findall(text)
    for source in found:
        ast.parse(source)
    assert len(found) == len(re.findall(r"^def ", text, re.MULTILINE))
    return found


def test_local_subgraphs_show_what_is_called_and_how_rows_are_read(local: str):
    names = {source.split("(")[0] for source in functions(local)}

    assert {"def collect", "def represent", "def assemble"} <= names
    assert "orders: batch orders_by_user by id" in local
    assert "# UserConnection from JSON text" in local
    assert "# Order from shop.order.v1.Order" in local
    assert "row5.product_id" in local, "attributes of messages are read, not copied"


def test_remote_subgraphs_show_what_is_sent(remote: str):
    assert {source.split("(")[0] for source in functions(remote)} >= {
        "def collect",
        "def represent",
    }
    documents = _DOCUMENT.findall(remote)
    assert len(documents) == remote.count("# fetch ")
    for document in documents:
        parse(document)


@pytest.mark.parametrize("series", ["local", "remote"])
def test_every_fetch_says_what_it_waits_for(series: str, request):
    text = request.getfixturevalue(series)

    heads = re.findall(
        r"^# fetch (\d+): (\w+)(?:, after ([\d, ]+))?$", text, re.MULTILINE
    )

    assert [int(number) for number, _, _ in heads] == list(range(len(heads)))
    assert len(heads) > 1
    assert "# projection" in text
