import pytest
from graphql import parse_type

from graphgw.composition.type_refs import (
    is_output_of,
    join_types,
    meet_types,
    read_type_ref,
)

SUBTYPES = {("Cat", "Pet"), ("Dog", "Pet")}


def is_subtype(inner, outer):
    return (inner, outer) in SUBTYPES


def refs(*texts):
    return [read_type_ref(parse_type(text), {}) for text in texts]


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        pytest.param(["Int!", "Int"], "Int", id="nullable-wins"),
        pytest.param(["Int!", "Int!"], "Int!", id="equal"),
        pytest.param(["[Int!]", "[Int]!"], "[Int]", id="at-each-level"),
        pytest.param(["Cat!", "Pet!"], "Pet!", id="covariant"),
        pytest.param(["[Cat]", "[Pet!]"], "[Pet]", id="covariant-in-list"),
        pytest.param(["Cat", "Dog"], "None", id="no-common-one-given"),
        pytest.param(["Cat", "Dog", "Pet"], "Pet", id="common-one-given"),
        pytest.param(["Int", "[Int]"], "None", id="list-and-name"),
        pytest.param(["Int", "String"], "None", id="other-names"),
    ],
)
def test_output_types_join_to_the_most_general(texts, joined):
    assert str(join_types(refs(*texts), is_subtype)) == joined


@pytest.mark.parametrize(
    ("texts", "met"),
    [
        pytest.param(["Int!", "Int"], "Int!", id="required-wins"),
        pytest.param(["[Int!]", "[Int]!"], "[Int!]!", id="at-each-level"),
        pytest.param(["Cat", "Pet"], "None", id="names-must-be-equal"),
        pytest.param(["[Int]", "Int"], "None", id="list-and-name"),
    ],
)
def test_input_types_meet_in_the_strictest(texts, met):
    assert str(meet_types(refs(*texts))) == met


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        pytest.param("Int!", "Int", True, id="required-for-nullable"),
        pytest.param("Int", "Int!", False, id="nullable-for-required"),
        pytest.param("[Cat!]!", "[Pet]", True, id="covariant-list"),
        pytest.param("Int", "[Int]", False, id="name-for-list"),
    ],
)
def test_a_type_fits_another_where_all_its_values_do(inner, outer, expected):
    first, second = refs(inner, outer)

    assert is_output_of(first, second, is_subtype) is expected


def test_root_types_are_renamed():
    ref = read_type_ref(parse_type("[Root!]"), {"Root": "Query"})

    assert str(ref) == "[Query!]"
    assert ref.named_type == "Query"
