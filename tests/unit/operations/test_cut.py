from textwrap import dedent

import pytest
from support.pet_schema import PET_SCHEMA

from graphgw.federation.selection import print_selections
from graphgw.operations.budget import Budget
from graphgw.operations.cut import cut, walk_selections
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document

TEXT = """query ($u: ID!, $f: Int!) {
  user(id: $u) { id pets(first: $f) { name(upper: true) ... on Dog { barks } } }
  pets { owner { id } }
  count
  __schema { __typename }
}"""


def operation(text=TEXT):
    document = prepare_document(text, None, PET_SCHEMA, LimitSettings(), Budget(30))
    return normalize(document, {}, PET_SCHEMA)


def test_every_field_is_visited_with_its_type_and_path():
    visits = [
        (place, parent, field.name, path)
        for place, parent, field, path in walk_selections(operation(), PET_SCHEMA)
    ]

    assert visits == [
        ((0,), "Query", "user", ("user",)),
        ((0, 0), "User", "id", ("user", "id")),
        ((0, 1), "User", "pets", ("user", "pets")),
        ((0, 1, 0), "Pet", "name", ("user", "pets")),
        ((0, 1, 1, 0), "Dog", "barks", ("user", "pets")),
        ((1,), "Query", "pets", ("pets",)),
        ((1, 0), "Pet", "owner", ("pets",)),
        ((1, 0, 0), "User", "id", ("pets",)),
        ((2,), "Query", "count", ("count",)),
    ]


@pytest.mark.parametrize(
    ("refused", "left"),
    [
        pytest.param([(0, 1)], "user(id: $u) {\n  id\n}", id="field"),
        pytest.param(
            [(0, 0), (0, 1)], "user(id: $u) {\n  __gw_typename: __typename\n}", id="all"
        ),
        pytest.param(
            [(0, 1, 1, 0)],
            dedent("""\
                user(id: $u) {
                  id
                  pets(first: $f) {
                    name(upper: $_gw1)
                  }
                }"""),
            id="fragment-goes",
        ),
        pytest.param([(0,)], "", id="root"),
        pytest.param([(0,), (0, 1), (0, 1, 0)], "", id="below-what-is-refused"),
    ],
)
def test_refused_selections_are_left_out(refused, left):
    kept = cut(operation(), [*refused, (1,), (2,)])

    assert print_selections(kept.selections) == left


def test_variables_literals_and_fingerprint_follow():
    whole = operation()

    left = cut(whole, [(0, 1)])

    assert [v.name for v in whole.variables] == ["u", "f", "_gw1"]
    assert [v.name for v in left.variables] == ["u"]
    assert left.literals == {}
    assert left.fingerprint != whole.fingerprint
    assert left.introspection == whole.introspection


@pytest.mark.parametrize(
    ("refused", "places"),
    [
        pytest.param([(3,)], (1, 3), id="after"),
        pytest.param([(1,)], (1, 2), id="between"),
        pytest.param([(0,)], (0, 2), id="before"),
        pytest.param([(0,), (1,), (2,)], (0, 1), id="all-before"),
    ],
)
def test_introspection_moves_up(refused, places):
    schema = "__schema { __typename }"
    whole = operation(f"{{ count {schema} a: count s: {schema} b: count c: count }}")
    assert whole.introspection_places == (1, 3)

    assert cut(whole, refused).introspection_places == places


def test_nothing_refused_is_the_same_operation():
    whole = operation()

    assert cut(whole, []) is whole
