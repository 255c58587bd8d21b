"""Texts become what the type of a variable wants."""

import pytest
from graphql import build_schema, parse_type, type_from_ast

from graphgw.endpoints.values import UnreadableError, read_texts

SCHEMA = build_schema(
    """
    type Query { a(f: Float, b: Boolean, p: Point, d: Date, i: ID): Int }
    enum Colour { RED }
    scalar Date
    input Point { x: Int }
    """
)


def read(type_text, *texts):
    return read_texts(type_from_ast(SCHEMA, parse_type(type_text)), texts)


@pytest.mark.parametrize(
    ("type_text", "texts", "value"),
    [
        ("Int", ["7"], 7),
        ("Int!", ["-7"], -7),
        ("Float", ["1.5e3"], 1500.0),
        ("Float!", ["2"], 2.0),
        ("Boolean", ["true"], True),
        ("Boolean!", ["false"], False),
        ("ID!", ["7"], "7"),
        ("String", [""], ""),
        ("Colour", ["RED"], "RED"),
        ("Date", ["2026-01-31"], "2026-01-31"),
        ("[Int!]!", ["1", "2"], [1, 2]),
        ("[Int!]", ["1,2"], [1, 2]),
        ("[ID!]", ["a,b", "c"], ["a,b", "c"]),
        ("[ID!]", [""], []),
        ("Point", ['{"x": 1}'], {"x": 1}),
    ],
)
def test_a_text_is_read_as_its_type(type_text, texts, value):
    assert read(type_text, *texts) == value


@pytest.mark.parametrize(
    ("type_text", "texts"),
    [
        ("Int", ["seven"]),
        ("Int", ["1.0"]),
        ("Int", [" 1"]),
        ("Int", ["1" * 100_000]),
        ("Int", ["\u0661"]),
        ("Float", ["nan"]),
        ("Float", ["1" * 100_000]),
        ("Boolean", ["1"]),
        ("Boolean", ["True"]),
        ("Point", ["{"]),
        ("Int", ["1", "2"]),
        ("[Int]", ["1,b"]),
    ],
)
def test_a_text_that_is_nothing_of_the_type_is_refused(type_text, texts):
    with pytest.raises(UnreadableError):
        read(type_text, *texts)
