import time

import orjson
import pytest
from graphql import build_schema
from support.pet_schema import PET_SCHEMA

from graphgw.errors import BadUserInputError, Location
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document
from graphgw.operations.variables import build_variable_coercion, read_conditions

SCHEMA = build_schema(
    """
    scalar Any
    enum Order { ASC DESC }
    input Range { from: Int! = 0, to: Int }
    input Filter { text: String, order: Order = ASC, range: Range!, or: [Filter!] }
    type Query {
      f(int: Int, float: Float, text: String, id: ID, bool: Boolean, order: Order,
        any: Any, ints: [Int], grid: [[Int!]], filter: Filter): Int
    }
    """
)


def coercion(declaration, schema=SCHEMA, **options):
    name = declaration.split(":")[0].lstrip("$")
    text = f"query ({declaration}) {{ f({name}: ${name}) }}"
    document = prepare_document(text, None, schema, LimitSettings(), Budget(30))
    return build_variable_coercion(document, schema, **options)


def coerce(declaration, value):
    name = declaration.split(":")[0].lstrip("$")
    return coercion(declaration).coerce({name: value})[name]


@pytest.mark.parametrize(
    ("declaration", "value", "expected"),
    [
        pytest.param("$int: Int", 3, 3, id="int"),
        pytest.param("$int: Int", -(2**31), -(2**31), id="int-min"),
        pytest.param("$int: Int", 3.0, 3, id="int-as-float"),
        pytest.param("$int: Int", None, None, id="null"),
        pytest.param("$float: Float", 3, 3, id="float-as-int"),
        pytest.param("$text: String", "", "", id="string"),
        pytest.param("$id: ID", "a", "a", id="id"),
        pytest.param("$id: ID", 7, "7", id="id-as-int"),
        pytest.param("$bool: Boolean", False, False, id="boolean"),
        pytest.param("$order: Order", "DESC", "DESC", id="enum"),
        pytest.param("$any: Any", {"a": [1, None]}, {"a": [1, None]}, id="custom"),
        pytest.param("$ints: [Int]", [1, None], [1, None], id="list"),
        pytest.param("$ints: [Int]", 1, [1], id="single-as-list"),
        pytest.param("$grid: [[Int!]]", [1, [2, 3]], [[1], [2, 3]], id="nested-list"),
        pytest.param("$grid: [[Int!]]", 1, [[1]], id="single-as-nested-list"),
        pytest.param(
            "$filter: Filter",
            {"range": {"to": None}, "or": {"range": {}}},
            {
                "order": "ASC",
                "range": {"from": 0, "to": None},
                "or": [{"order": "ASC", "range": {"from": 0}}],
            },
            id="input-object",
        ),
    ],
)
def test_values_that_fit_come_out_as_json_input(declaration, value, expected):
    actual = coerce(declaration, value)

    assert actual == expected
    assert type(actual) is type(expected)


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        pytest.param(
            "$int: Int", "3", ": Int cannot represent non-integer value: '3'", id="int"
        ),
        pytest.param(
            "$int: Int",
            2**31,
            ": Int cannot represent non 32-bit signed integer value: 2147483648",
            id="int-range",
        ),
        pytest.param(
            "$int: Int",
            orjson.loads("9" * 40),
            ": Int cannot represent non 32-bit signed integer value: 1e+40",
            id="int-huge",
        ),
        pytest.param(
            "$int: Int",
            True,
            ": Int cannot represent non-integer value: True",
            id="int-boolean",
        ),
        pytest.param(
            "$float: Float",
            "1",
            ": Float cannot represent non numeric value: '1'",
            id="float",
        ),
        pytest.param(
            "$text: String",
            1,
            ": String cannot represent a non string value: 1",
            id="string",
        ),
        pytest.param("$id: ID", 1.5, ": ID cannot represent value: 1.5", id="id"),
        pytest.param(
            "$bool: Boolean",
            1,
            ": Boolean cannot represent a non boolean value: 1",
            id="boolean",
        ),
        pytest.param(
            "$order: Order",
            "ASCE",
            ": Value 'ASCE' does not exist in 'Order' enum."
            " Did you mean the enum value 'ASC'?",
            id="enum",
        ),
        pytest.param(
            "$int: Int!",
            None,
            ": Expected value of non-null type 'Int!' not to be None.",
            id="null",
        ),
        pytest.param(
            "$grid: [[Int!]]",
            [[1], [2, "x"]],
            " at [1][1]: Int cannot represent non-integer value: 'x'",
            id="nested-list",
        ),
        pytest.param(
            "$filter: Filter",
            {"range": {}, "or": [{"range": {"to": "x"}}]},
            " at .or[0].range.to: Int cannot represent non-integer value: 'x'",
            id="nested-object",
        ),
        pytest.param(
            "$filter: Filter",
            {},
            ": Expected value of type 'Filter' to include required field 'range',"
            " found: {}.",
            id="required-field",
        ),
        pytest.param(
            "$filter: Filter",
            {"range": {}, "zz": 1},
            ": Expected value of type 'Filter' not to include unknown field 'zz',"
            " found: {'range': {}, 'zz': 1}.",
            id="unknown-field",
        ),
        pytest.param(
            "$filter: Filter",
            [],
            ": Expected value of type 'Filter' to be an object, found: [].",
            id="not-an-object",
        ),
    ],
)
def test_values_that_do_not_fit_are_named(declaration, value, message):
    with pytest.raises(BadUserInputError) as caught:
        coerce(declaration, value)

    name = declaration.split(":")[0]
    assert caught.value.message.startswith(f"Variable '{name}' has invalid value")
    assert caught.value.message == f"Variable '{name}' has invalid value{message}"
    assert caught.value.locations == (Location(1, 8),)


def test_every_variable_is_reported_at_once():
    text = (
        "query ($a: Int!, $b: Int, $c: ID!) { f(int: $a) x: f(int: $b) y: f(id: $c) }"
    )
    document = prepare_document(text, None, SCHEMA, LimitSettings(), Budget(30))

    with pytest.raises(BadUserInputError) as caught:
        build_variable_coercion(document, SCHEMA).coerce({"b": "x"})

    missing = (
        "Variable '${}' has invalid value:"
        " Expected a value of non-null type '{}' to be provided."
    )
    assert [message for message, _ in caught.value.errors] == [
        missing.format("a", "Int!"),
        "Variable '$b' has invalid value: Int cannot represent non-integer value: 'x'",
        missing.format("c", "ID!"),
    ]


def test_suggestions_can_be_hidden():
    with pytest.raises(BadUserInputError) as caught:
        coercion("$order: Order", hide_suggestions=True).coerce({"order": "ASCE"})

    assert "ASC'" not in caught.value.message.replace("ASCE", "")


def test_defaults_are_filled_in_and_the_rest_stays_absent():
    given = coercion("$filter: Filter = {range: {to: 2}}")

    assert given.coerce({}) == {
        "filter": {"order": "ASC", "range": {"from": 0, "to": 2}}
    }
    assert given.coerce({"filter": None}) == {"filter": None}
    assert coercion("$int: Int").coerce({}) == {}
    assert coercion("$int: Int! = 4").coerce({}) == {"int": 4}


def test_undeclared_variables_are_dropped():
    assert coercion("$int: Int").coerce({"int": 1, "other": 2}) == {"int": 1}


def test_one_of_inputs_have_exactly_one_member():
    text = "query ($p: Pick!) { animal(pick: $p) { __typename } }"
    document = prepare_document(text, None, PET_SCHEMA, LimitSettings(), Budget(30))
    checks = build_variable_coercion(document, PET_SCHEMA)

    assert checks.coerce({"p": {"id": 1}}) == {"p": {"id": "1"}}
    for value in ({}, {"id": 1, "name": "x"}, {"id": None}):
        with pytest.raises(BadUserInputError, match="exactly one field"):
            checks.coerce({"p": value})


def test_messages_do_not_repeat_a_long_value():
    with pytest.raises(BadUserInputError) as caught:
        coerce("$order: Order", "x" * 500_000)

    assert len(caught.value.message) < 1100


def test_values_nested_too_deeply_are_refused():
    value = {"range": {}}
    for _ in range(1000):
        value = {"range": {}, "or": [value]}

    with pytest.raises(BadUserInputError, match="nested too deeply"):
        coerce("$filter: Filter", value)


def test_a_megabyte_of_bad_values_is_refused_in_time():
    value = [1] * 500_000 + ["x"]
    start = time.thread_time()

    with pytest.raises(BadUserInputError, match=r"at \[500000\]"):
        coerce("$ints: [Int]", value)

    assert time.thread_time() - start < 2.5


def test_an_operations_own_variables_can_be_checked_too():
    text = "query ($i: Int) { f(int: $i, filter: {range: {}}) }"
    document = prepare_document(text, None, SCHEMA, LimitSettings(), Budget(30))
    operation = normalize(document, {}, SCHEMA)

    checks = build_variable_coercion(operation, SCHEMA)

    assert checks.coerce({**operation.literals, "i": 1}) == {
        "i": 1,
        "_gw1": {"order": "ASC", "range": {"from": 0}},
    }


def conditional(declaration):
    text = f"query ({declaration}) {{ f @skip(if: $s) }}"
    return prepare_document(text, None, SCHEMA, LimitSettings(), Budget(30))


def test_conditions_are_read_from_coerced_variables():
    assert read_conditions(conditional("$s: Boolean!"), {"s": True}) == {"s": True}
    assert read_conditions(conditional("$s: Boolean!"), {"s": False}) == {"s": False}


def test_a_condition_may_not_be_null():
    with pytest.raises(BadUserInputError, match=r"'\$s' is used as a condition"):
        read_conditions(conditional("$s: Boolean = true"), {"s": None})


def test_values_do_not_print():
    assert "secret" not in repr(coercion('$text: String = "secret"'))
