import pytest

from graphgw.errors import ConfigurationError
from graphgw.federation.field_sets import parse_field_set, print_field_set
from graphgw.federation.selection import Argument, Field, Fragment


def test_nested_fields_are_parsed():
    selections = parse_field_set("id org { id name }")

    assert selections == (
        Field("id"),
        Field("org", selections=(Field("id"), Field("name"))),
    )


def test_outer_braces_are_optional():
    assert parse_field_set("{ id }") == parse_field_set("id")


def test_arguments_become_canonical_text():
    selections = parse_field_set('price(currency: "EUR", in: {b: [1,2], a: X})')

    assert selections[0].arguments == (
        Argument("currency", '"EUR"'),
        Argument("in", "{b: [1, 2], a: X}"),
    )


def test_fragments_keep_their_type():
    selections = parse_field_set("media { ... on Book { isbn } ... { id } }")

    assert selections[0].selections == (
        Fragment("Book", (Field("isbn"),)),
        Field("id"),
    )


def test_equal_fields_are_joined():
    selections = parse_field_set("a { b } c a { d }")

    assert print_field_set(selections) == "a { b d } c"


def test_fields_with_other_arguments_stay_apart():
    selections = parse_field_set("a(x: 1) a(x: 2)")

    assert len(selections) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("a: b", "alias", id="alias"),
        pytest.param("a(x: $y)", "variables", id="variable"),
        pytest.param("a(x: [{y: $z}])", "variables", id="nested-variable"),
        pytest.param("...F", "inline", id="spread"),
        pytest.param("a @skip(if: true)", "directives", id="directive"),
        pytest.param("", "names no field", id="empty"),
        pytest.param("a { }", "names no field", id="empty-nested"),
        pytest.param("a {", "Syntax Error", id="syntax"),
        pytest.param("a } fragment F on X { b", "one list", id="two-definitions"),
    ],
)
def test_what_is_not_a_field_set_is_refused_with_its_place(text, reason):
    with pytest.raises(ConfigurationError, match=reason) as error:
        parse_field_set(text, "User")

    assert error.value.problems[0].where == "User"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("id", id="one"),
        pytest.param("a { b ... on C { d(e: [1, {f: null}]) } }", id="nested"),
    ],
)
def test_printing_and_parsing_is_the_identity(text):
    selections = parse_field_set(text)

    assert parse_field_set(print_field_set(selections)) == selections
    assert print_field_set(selections) == text
