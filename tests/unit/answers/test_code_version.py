"""The version of the code behind a graph."""

from __future__ import annotations

import sys
import types

import pytest

from graphgw.answers.code_version import code_version

SOURCE = """
import strawberry
from graphgw import Subgraph, resolved

PATH = "/v1"

def name_of(row):
    return row["name"]

class Reader:
    def read(self):
        return 1

async def read_page(context):
    return {"name": name_of({"name": PATH})}

@strawberry.type
class Page:
    name: str

@strawberry.type
class Query:
    page: Page | None = resolved(read_page)

class Odd:
    __module__ = None
    again = None

Odd.again = Odd
Reader.again = Reader
Reader.prefix = property(lambda self: PATH)
nothing = type("Nothing", (), {"__getattr__": lambda self, name: 1 / 0})()

subgraph = Subgraph("pages", query=Query)
"""


@pytest.fixture
def load():
    """Load a text as the module ``shop_of_a_test``, in place of the one before."""

    def run(text):
        module = types.ModuleType("shop_of_a_test")
        sys.modules["shop_of_a_test"] = module
        exec(text, module.__dict__)  # noqa: S102 - what a program would import
        return module.subgraph

    yield run
    del sys.modules["shop_of_a_test"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('"/v1"', '"/v2"', id="value"),
        pytest.param('row["name"]', 'row["title"]', id="what-a-resolver-calls"),
        pytest.param("return 1", "return 2", id="method"),
        pytest.param("name_of({", "str({", id="resolver"),
    ],
)
def test_other_code_is_another_version(load, before, after):
    assert before in SOURCE
    versions = [
        code_version([load(text)])
        for text in (SOURCE, SOURCE.replace(before, after), SOURCE)
    ]

    assert versions[0] == versions[2]
    assert versions[0] != versions[1]


def test_without_local_subgraphs_all_are_alike():
    assert code_version([]) == code_version(iter(()))
