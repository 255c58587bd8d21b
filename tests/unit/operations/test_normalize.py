from textwrap import dedent

import pytest
from support.pet_schema import PET_SCHEMA

from graphgw.errors import InvalidDocumentError
from graphgw.federation.selection import print_selections
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.operation import VariableDefinition
from graphgw.operations.print_operation import print_operation
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document


def normal(text, **conditions):
    limits = LimitSettings()
    document = prepare_document(text, None, PET_SCHEMA, limits, Budget(30))
    return normalize(document, conditions, PET_SCHEMA, budget=Budget(30))


def selected(text, **conditions):
    return print_selections(normal(text, **conditions).selections)


def lines(text):
    return dedent(text).strip()


def test_spreads_and_fragments_that_do_not_narrow_are_opened():
    text = """{ user(id: 1) { ...F ... { name } ... on Named { name } } }
      fragment F on Node { ... on User { id } }"""

    assert selected(text) == lines("""
        user(id: $_gw1) {
          id
          name
        }
    """)


def test_fragments_that_narrow_stay():
    text = "{ node(id: 1) { id ... on Dog { barks } ... on Named { name } } }"

    assert selected(text) == lines("""
        node(id: $_gw1) {
          id
          ... on Dog {
            barks
          }
          ... on Named {
            name
          }
        }
    """)


def test_fragments_that_cannot_apply_are_dropped():
    text = """{ animal(pick: {id: 1}) { ... on Pet { ... on Dog { ... on Pet {
      ... on Cat { id } } barks } } } }"""

    assert selected(text) == lines("""
        animal(pick: $_gw1) {
          ... on Pet {
            ... on Dog {
              barks
            }
          }
        }
    """)


def test_a_fragment_stays_where_the_outer_type_does_not_declare_the_field():
    text = "{ animal(pick: {id: 1}) { ... on Pet { id } } }"

    assert "... on Pet {" in selected(text)


def test_a_fragment_stays_where_its_fields_are_wider():
    text = "{ node(id: 1) { ... on Cat { ... on Pet { owner { id } } id } } }"

    assert selected(text) == lines("""
        node(id: $_gw1) {
          ... on Cat {
            ... on Pet {
              owner {
                id
              }
            }
            id
          }
        }
    """)


def test_equal_fields_merge_in_the_order_of_first_appearance():
    text = """{ user(id: 1) { id } count user(id: 1) { name pets { id } ...F } }
      fragment F on User { pets { name } id }"""

    assert selected(text) == lines("""
        user(id: $_gw1) {
          id
          name
          pets {
            id
            name
          }
        }
        count
    """)


def test_fragments_on_one_type_merge_where_the_order_allows_it():
    text = """{ animal(pick: {id: 1}) { ... on Dog { id } ... on Cat { id }
      ... on Dog { barks } __typename ... on Cat { lives(order: ASC) } } }"""

    assert selected(text) == lines("""
        animal(pick: $_gw1) {
          ... on Dog {
            id
            barks
          }
          ... on Cat {
            id
          }
          __typename
          ... on Cat {
            lives(order: $_gw2)
          }
        }
    """)


@pytest.mark.parametrize(
    ("text", "conditions", "expected"),
    [
        pytest.param("{ count x: count @skip(if: true) }", {}, "count", id="skip"),
        pytest.param(
            "{ count x: count @include(if: false) }", {}, "count", id="include"
        ),
        pytest.param(
            "query ($a: Boolean!) { count x: count @include(if: $a) }",
            {"a": True},
            "count\nx: count",
            id="variable",
        ),
        pytest.param(
            "query ($a: Boolean!) { count x: count @include(if: $a) @skip(if: $a) }",
            {"a": True},
            "count",
            id="both",
        ),
        pytest.param(
            "query ($a: Boolean!) { count ...F @skip(if: $a) ...F }"
            " fragment F on Query { x: count }",
            {"a": True},
            "count\nx: count",
            id="spread-again",
        ),
        pytest.param("{ count @skip(if: true) }", {}, "", id="nothing-left"),
    ],
)
def test_conditions_are_evaluated(text, conditions, expected):
    assert selected(text, **conditions) == expected


def test_an_emptied_selection_keeps_a_hidden_typename():
    text = "{ user(id: 1) { id @skip(if: true) ... on User @skip(if: true) { name } } }"

    assert selected(text) == lines("""
        user(id: $_gw1) {
          __gw_typename: __typename
        }
    """)


def test_an_alias_that_says_nothing_is_dropped():
    assert selected("{ count: count x: count }") == "count\nx: count"


def test_introspection_is_set_apart_and_keeps_its_literals():
    text = """{ __typename __schema { queryType { name } }
      u: __type(name: "User") { name } }"""

    operation = normal(text)

    assert print_selections(operation.selections) == "__typename"
    assert print_selections(operation.introspection) == lines("""
        __schema {
          queryType {
            name
          }
        }
        u: __type(name: "User") {
          name
        }
    """)
    assert operation.literals == {}


def test_the_places_of_introspection_are_kept():
    text = "{ __schema { __typename } count x: __schema { __typename } __typename }"

    operation = normal(text)

    assert operation.introspection_places == (0, 2)
    assert print_operation(operation, PET_SCHEMA).split() == ["query", *text.split()]
    assert operation.fingerprint != normal(f"{{ count {text[1:]}").fingerprint


def test_literals_become_variables_of_the_arguments_type():
    operation = normal(
        """{ things(order: ASC, filter: {text: "q", ids: 7, or: [{text: null}]}) {
          __typename } count(ids: [[1, "b"], null]) pets(size: 1, raw: {a: [1, X]}) {
          id } }"""
    )

    assert {v.name: v.type for v in operation.variables} == {
        "_gw1": "Order",
        "_gw2": "Filter",
        "_gw3": "[[ID]]",
        "_gw4": "Float",
        "_gw5": "Any",
    }
    assert operation.literals == {
        "_gw1": "ASC",
        "_gw2": {
            "text": "q",
            "ids": ["7"],
            "order": "ASC",
            "or": [{"text": None, "order": "ASC"}],
        },
        "_gw3": [["1", "b"], None],
        "_gw4": 1,
        "_gw5": {"a": [1, "X"]},
    }


def test_literals_around_variables_keep_their_shape():
    operation = normal(
        """query ($t: String, $i: ID!, $r: Any) {
          count(filter: {raw: [$r, {a: 1, b: \"""x\"""}], ids: [1, $i], text: $t,
            range: {to: 3}, or: {text: $t, order: DESC}}) }"""
    )

    assert print_selections(operation.selections) == (
        "count(filter: {text: $t, ids: [$_gw1, $i], range: $_gw2,"
        ' or: {text: $t, order: $_gw3}, raw: [$r, {a: 1, b: "x"}]})'
    )
    assert operation.literals == {
        "_gw1": "1",
        "_gw2": {"from": 0, "to": 3},
        "_gw3": "DESC",
    }
    assert [v.name for v in operation.variables] == [
        "t",
        "i",
        "r",
        "_gw1",
        "_gw2",
        "_gw3",
    ]


def test_null_stays_a_literal():
    assert selected("{ count(filter: null) }") == "count(filter: null)"


def test_arguments_stand_in_the_schemas_order_and_defaults_are_not_added():
    text = """query ($f: Filter) { things(filter: $f) { __typename }
      x: things(filter: $f, order: ASC) { __typename } }"""

    printed = selected(text)

    assert "things(filter: $f) {" in printed
    assert "x: things(order: $_gw1, filter: $f) {" in printed


def test_fields_that_meet_on_one_object_share_their_literals():
    text = """{ node(id: 1) { ... on Named { name(upper: true) }
      ... on User { name(upper: true) pets { name(upper: true) } } } }"""

    assert selected(text) == lines("""
        node(id: $_gw1) {
          ... on Named {
            name(upper: $_gw2)
          }
          ... on User {
            name(upper: $_gw2)
            pets {
              name(upper: $_gw3)
            }
          }
        }
    """)


def test_fields_that_never_meet_have_their_own_literals():
    text = """{ node(id: 1) { ... on Dog { name(upper: true) }
      ... on Cat { name(upper: false) } } }"""

    assert list(normal(text).literals.values()) == ["1", True, False]


def test_hoisted_names_leave_the_clients_alone():
    operation = normal(
        "query ($_gw1: ID!) { a: user(id: $_gw1) { id } user(id: 2) { id } }"
    )

    assert operation.literals == {"_gw2": "2"}


def test_unused_variables_go():
    text = "query ($s: Boolean!, $i: ID!) { count user(id: $i) @skip(if: $s) { id } }"

    assert normal(text, s=True).variables == ()
    assert [v.name for v in normal(text, s=False).variables] == ["i"]


def test_defaults_are_json_input():
    text = "query ($f: Filter = {ids: 1, order: DESC}) { count(filter: $f) }"

    (variable,) = normal(text).variables

    assert variable == VariableDefinition(
        "f", "Filter", has_default=True, default={"ids": ["1"], "order": "DESC"}
    )


def test_operations_that_differ_in_literals_and_layout_share_a_fingerprint():
    one = normal("{ user(id: 1) { id name(upper: true) } }")
    two = normal(
        'query Q { user(id: "x") { ...F } }'
        " fragment F on User { id name(upper: false) }"
    )

    assert one.fingerprint == two.fingerprint
    assert len(one.fingerprint) == 32
    assert one.literals != two.literals


@pytest.mark.parametrize(
    ("one", "two"),
    [
        pytest.param("{ count }", "{ x: count }", id="alias"),
        pytest.param("{ __typename }", "mutation { __typename }", id="kind"),
        pytest.param(
            "query ($a: ID!) { user(id: $a) { id } }",
            "query ($b: ID!) { user(id: $b) { id } }",
            id="variable",
        ),
        pytest.param(
            "query ($a: Filter) { count(filter: $a) }",
            "query ($a: Filter!) { count(filter: $a) }",
            id="type",
        ),
        pytest.param(
            "query ($a: Filter = {}) { count(filter: $a) }",
            "query ($a: Filter) { count(filter: $a) }",
            id="default",
        ),
        pytest.param(
            "{ __schema { __typename } }", "{ __typename }", id="introspection"
        ),
    ],
)
def test_other_operations_have_other_fingerprints(one, two):
    assert normal(one).fingerprint != normal(two).fingerprint


def test_a_number_that_is_no_double_is_refused():
    with pytest.raises(InvalidDocumentError) as caught:
        normal("{ pets(raw: 1e999) { id } }")

    assert caught.value.locations[0].column == 13


def test_big_integers_stay_whole():
    operation = normal("{ pets(raw: 123456789012345678901234567890) { id } }")

    assert operation.literals == {"_gw1": 123456789012345678901234567890}


def test_the_text_form_is_graphql():
    text = (
        "query Q($f: Filter = {order: DESC}) { count(filter: $f) user(id: 1) { id } }"
    )

    assert print_operation(normal(text), PET_SCHEMA) == (
        "query Q($f: Filter = { order: DESC }, $_gw1: ID!) {\n"
        "  count(filter: $f)\n  user(id: $_gw1) {\n    id\n  }\n}\n"
    )
    assert print_operation(normal("{ count }"), PET_SCHEMA) == "query {\n  count\n}\n"
