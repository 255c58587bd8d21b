"""Names of kept rows: another loader, other rows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from graphgw.subgraphs.row_names import version_of


def written(text: str):
    scope: dict[str, object] = {}
    exec(text, scope)  # noqa: S102 - functions that differ in one place
    return scope["load"]


PLAIN = "async def load(keys, context):\n    return await context.get('/v1', keys)\n"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(PLAIN.replace("/v1", "/v2"), id="path"),
        pytest.param(PLAIN.replace(".get", ".post"), id="call"),
        pytest.param(PLAIN.replace("context)", "context) -> list[int]"), id="type"),
        pytest.param(PLAIN.replace("await", "list() or await"), id="code"),
        pytest.param(
            PLAIN.replace("keys)\n", "[k for k in keys if k in {1, 2}])\n"), id="inner"
        ),
    ],
)
def test_a_loader_that_is_written_otherwise_has_other_rows(other):
    assert version_of(written(other)) != version_of(written(PLAIN))
    assert version_of(written(other)) == version_of(written(other))


def test_a_loader_s_rows_are_the_same_in_every_process():
    text = PLAIN.replace("keys)\n", "keys) if keys in {'a', 'b', 'c', 'd'} else 0\n")
    program = (
        "from graphgw.subgraphs.row_names import version_of\n"
        f"scope = {{}}\nexec({text!r}, scope)\nprint(version_of(scope['load']))"
    )

    found = {
        subprocess.run(  # noqa: S603 - a fixed command
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(found) == 1


def test_what_is_no_function_has_a_version_too():
    assert version_of(object()) == version_of(object())
