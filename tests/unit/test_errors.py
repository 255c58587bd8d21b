"""The table of error codes: what the code raises, what the documentation tells."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from graphgw import errors
from graphgw.errors import ERROR_CODES, GraphGWError, RequestError

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "graphgw"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (\d*) ?\| (.+) \|$", re.MULTILINE)
DOCUMENTED = ROW.findall((ROOT / "docs" / "errors.md").read_text())
CODE = re.compile(r"""\b(?:\w*code)["']?\s*[:=]\s*["']([A-Z][A-Z_]{3,})["']""")


def exceptions() -> list[type[GraphGWError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, GraphGWError)
    ]


def test_the_documentation_lists_every_code_with_its_meaning():
    assert {code: meaning for code, meaning, _, _ in DOCUMENTED} == ERROR_CODES
    assert len(DOCUMENTED) == len(ERROR_CODES)


def test_every_exception_has_a_code_of_the_table():
    assert {kind.code for kind in exceptions()} <= ERROR_CODES.keys()


def test_every_code_that_is_written_anywhere_is_in_the_table():
    written = {
        code
        for path in ENGINE.rglob("*.py")
        for code in CODE.findall(path.read_text())
        if "_pb2" not in path.name
    }

    assert written - ERROR_CODES.keys() == set()


def test_every_code_of_the_table_is_used_by_the_engine():
    strings = {
        node.value
        for path in ENGINE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and not (path.name == "errors.py" and node.col_offset == 4)
    }

    assert ERROR_CODES.keys() - strings == set()


def test_documented_statuses_are_those_of_the_exceptions():
    statuses: dict[str, int] = {}
    for kind in exceptions():
        if issubclass(kind, RequestError):
            statuses.setdefault(kind.code, kind.status)

    for code, _, status, _ in DOCUMENTED:
        if code in statuses:
            assert status == str(statuses[code]), code


def test_the_tree_in_the_module_s_docstring_names_every_exception():
    tree = set(re.findall(r"(\w+Error)\b", errors.__doc__ or ""))

    assert tree == {kind.__name__ for kind in exceptions()}
    assert tree <= set(errors.__all__)
