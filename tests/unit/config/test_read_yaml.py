"""YAML text to values with lines; what must not be read is refused."""

from __future__ import annotations

import time

import pytest

from graphgw.config.read_yaml import read_yaml
from graphgw.errors import ConfigurationError


def problems_of(text: str) -> list[str]:
    try:
        problems = read_yaml(text, "f.yaml", {}).problems
    except ConfigurationError as error:
        problems = error.problems
    return [str(problem).replace("\n    ", " | ") for problem in problems]


def test_places_are_known_by_their_lines():
    values = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - y\n", "f.yaml", {})

    assert values.data == {"a": {"b": 1, "c": ["x", "y"]}}
    assert values.where(("a", "c", 1)) == "f.yaml:5 a.c.1"
    assert values.where(("a", "missing")) == "f.yaml:1 a.missing"
    assert values.where(()) == "f.yaml:1"


def test_values_and_variables_do_not_print():
    values = read_yaml("secret: hunter2", "f.yaml", {})

    assert "hunter2" not in repr(values)


def test_anchors_and_aliases_may_be_used():
    values = read_yaml("a: &x {k: 1}\nb: *x\n", "f.yaml", {})

    assert values.data == {"a": {"k": 1}, "b": {"k": 1}}


def bomb(levels: int, width: int) -> str:
    lines = ["l0: &l0 [" + ", ".join(["x"] * width) + "]"]
    for level in range(1, levels):
        items = ", ".join([f"*l{level - 1}"] * width)
        lines.append(f"l{level}: &l{level} [{items}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(bomb(9, 10), id="a-billion-values"),
        pytest.param("a: &a [*a, *a, *a, *a, *a, *a, *a, *a]", id="an-alias-of-itself"),
        pytest.param("[" * 50_000, id="deep-brackets"),
        pytest.param("a: " + "[" * 60 + "]" * 60, id="deep-lists"),
    ],
)
def test_what_grows_without_end_is_refused_at_once(text: str):
    began = time.monotonic()

    [problem] = problems_of(text)

    assert "too many values" in problem or "nested too deeply" in problem
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a: 1\na: 2\n", 'f.yaml:2: "a" stands here twice', id="twice"),
        pytest.param("? [a]\n: 1\n", "a setting's name must be a text", id="list-key"),
        pytest.param("x: &x {a: 1}\ny: {<<: *x}\n", "merged with <<", id="merge"),
        pytest.param("a: !!python/name:os.system ''\n", "cannot be read", id="object"),
        pytest.param("a: !!int abc\n", "cannot be read", id="wrong-tag"),
        pytest.param("a: [1\n", "f.yaml:2: this is not YAML", id="syntax"),
        pytest.param("a: 1\n--- \nb: 2\n", "this is not YAML", id="two-documents"),
        pytest.param("a: *nobody\n", "this is not YAML", id="unknown-alias"),
        pytest.param(
            "a: {b: ${B}}\n", 'inside braces, put "${NAME}" in quotes', id="quotes"
        ),
    ],
)
def test_what_is_no_settings_file_is_told_with_its_line(text: str, told: str):
    [problem] = problems_of(text)

    assert told in problem


def test_tags_build_no_objects():
    values = read_yaml("a: !!python/object:os.system {}\n", "f.yaml", {})

    assert values.data == {"a": {}}


@pytest.mark.parametrize("word", ["off", "Off", "on", "yes", "no"])
def test_words_that_yaml_takes_for_booleans_are_texts(word: str):
    assert read_yaml(f"switch: {word}", "x.yaml", {}).data == {"switch": word}
