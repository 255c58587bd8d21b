"""Properties of operations: verdicts, normal form, meaning."""

from __future__ import annotations

import json
import re
import zlib
from contextlib import suppress
from typing import Any

import pytest
from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    OperationDefinitionNode,
    execute,
    get_named_type,
    is_abstract_type,
    is_enum_type,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.generate_operations import operations
from support.pet_schema import PET_SCHEMA

from graphgw.errors import BadUserInputError, InvalidDocumentError, RequestError
from graphgw.operations.budget import Budget
from graphgw.operations.cut import cut, walk_selections
from graphgw.operations.normalize import normalize
from graphgw.operations.operation import Document, Operation
from graphgw.operations.print_operation import print_operation
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document, validate_document
from graphgw.operations.variables import build_variable_coercion, read_conditions

slow = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
any_operation = st.sampled_from(["query", "mutation"]).flatmap(
    lambda kind: operations(PET_SCHEMA, kind=kind)
)


def prepare(text: str) -> Document:
    return prepare_document(text, None, PET_SCHEMA, LimitSettings(), Budget(30))


def reparse(operation: Operation) -> Document:
    """Read a printed operation, which may hold the gateway's own aliases."""
    text = print_operation(operation, PET_SCHEMA)
    node = parse(text)
    assert validate(PET_SCHEMA, node) == []
    (definition,) = node.definitions
    assert isinstance(definition, OperationDefinitionNode)
    return Document("", node, definition, (), len(text))


def resolve(_source: Any, info: Any, **arguments: Any) -> Any:
    """Make a value of the place and the arguments it is asked for."""
    keys = [step for step in info.path.as_list() if isinstance(step, int)]
    seed = zlib.crc32(repr((info.field_name, keys, sorted(arguments.items()))).encode())
    return make(info.return_type, seed)


def make(type_: Any, seed: int) -> Any:
    if isinstance(type_, GraphQLNonNull):
        return make(type_.of_type, seed)
    if isinstance(type_, GraphQLList):
        return [make(type_.of_type, seed + index) for index in range(seed % 3)]
    if is_enum_type(type_):
        return sorted(type_.values)[seed % len(type_.values)]
    if is_abstract_type(type_):
        names = sorted(found.name for found in PET_SCHEMA.get_possible_types(type_))
        return {"__typename": names[seed % len(names)]}
    if isinstance(type_, GraphQLObjectType):
        return {"__typename": type_.name}
    return seed % 2 == 0 if type_.name == "Boolean" else seed % 1000


def run(node: Any, variables: dict[str, Any]) -> Any:
    result = execute(
        PET_SCHEMA, node, variable_values=variables, field_resolver=resolve
    )
    assert not isinstance(result, list)
    return result


def without_hidden(value: Any) -> Any:
    if isinstance(value, list):
        return [without_hidden(item) for item in value]
    if isinstance(value, dict):
        return {
            key: without_hidden(item)
            for key, item in value.items()
            if not key.startswith("__gw_")
        }
    return value


def without_hidden_keys(keys: list[str]) -> list[str]:
    return [key for key in keys if not key.startswith("__gw_")]


@slow
@given(any_operation)
def test_a_generated_operation_is_valid_here_and_in_graphql_core(drawn):
    text, variables = drawn
    document = prepare(text)

    coercion = build_variable_coercion(document, PET_SCHEMA)

    assert validate(PET_SCHEMA, document.node) == []
    coercion.coerce(variables)


@slow
@given(any_operation)
def test_normalizing_a_normalized_operation_changes_nothing(drawn):
    text, variables = drawn
    document = prepare(text)
    coerced = build_variable_coercion(document, PET_SCHEMA).coerce(variables)
    once = normalize(document, read_conditions(document, coerced), PET_SCHEMA)
    assume(once.selections)

    twice = normalize(reparse(once), {}, PET_SCHEMA)

    assert twice.selections == once.selections
    assert twice.variables == once.variables
    assert twice.fingerprint == once.fingerprint


@slow
@given(any_operation)
def test_a_normalized_operation_means_the_same(drawn):
    text, variables = drawn
    document = prepare(text)
    coerced = build_variable_coercion(document, PET_SCHEMA).coerce(variables)
    operation = normalize(document, read_conditions(document, coerced), PET_SCHEMA)
    assume(operation.selections)
    expected = run(document.node, variables)

    actual = run(reparse(operation).node, {**coerced, **operation.literals})

    assert without_hidden(actual.data) == expected.data
    assert json.dumps(without_hidden(actual.data)) == json.dumps(expected.data)
    assert [error.path for error in actual.errors or ()] == [
        error.path for error in expected.errors or ()
    ]


@slow
@given(any_operation, st.data())
def test_a_cut_operation_lacks_what_was_refused_and_nothing_else(drawn, data):
    text, variables = drawn
    document = prepare(text)
    coerced = build_variable_coercion(document, PET_SCHEMA).coerce(variables)
    operation = normalize(document, read_conditions(document, coerced), PET_SCHEMA)
    places = [place for place, *_ in walk_selections(operation, PET_SCHEMA)]
    assume(places)
    refused = data.draw(st.lists(st.sampled_from(places), max_size=3, unique=True))

    left = cut(operation, refused)

    assert set(left.literals) <= {definition.name for definition in left.variables}
    kept = [
        field.response_key
        for place, _, field, _ in walk_selections(operation, PET_SCHEMA)
        if not any(place[: len(other)] == other for other in refused)
    ]
    found = [field.response_key for _, _, field, _ in walk_selections(left, PET_SCHEMA)]
    assert without_hidden_keys(found) == without_hidden_keys(kept)
    if left.selections:
        reparse(left)


BROKEN = st.sampled_from(
    [
        (r"id", "nope"),
        (r"name", "id: name"),
        (r"name", "name(upper: true) name(upper: false)"),
        (r"id", "id: __typename"),
        (r"on Dog", "on Cat"),
        (r"on Pet", "on Query"),
        (r"size", "size { id }"),
        (r"F0", "F1"),
        (r"\$v0", "$v1"),
        (r"ASC", '"ASC"'),
        (r"true", "1"),
        (r"weight", "lives: weight"),
        (r"weight", "size: weight"),
        (r"owner", "x: owner { id } x: owner"),
        (r"friend", "pets: friend"),
    ]
)


@slow
@given(operations(PET_SCHEMA), st.lists(BROKEN, min_size=1, max_size=2), st.data())
def test_a_broken_operation_has_graphql_cores_verdict(drawn, breaks, data):
    text, _ = drawn
    for pattern, replacement in breaks:
        found = list(re.finditer(rf"{pattern}(?!\w)", text))
        if found:
            match = data.draw(st.sampled_from(found))
            text = text[: match.start()] + replacement + text[match.end() :]
    try:
        node = parse(text)
    except GraphQLError:
        with pytest.raises(InvalidDocumentError):
            prepare(text)
        return

    actual = validate_document(node, PET_SCHEMA, Budget(30), max_errors=10)

    assert bool(actual) == bool(validate(PET_SCHEMA, node))


TOKENS = st.sampled_from(
    [
        *'{}()[]:=!$@&|,.?"#\\\n ',
        *("...", '"""', "on", "query", "mutation", "subscription", "fragment", "F0"),
        *("id", "name", "user", "pets", "count", "Dog", "User", "Query", "$v", "true"),
        *("@skip(if:", "@include(if: true)", "__typename", "__schema", "null", "1e9"),
        *("-1", '"x"', "{ user(id: 1) {", "fragment F0 on User {", "...F0", "\ud800"),
        *("\ufeff", "\0", "é", "if", "filter: {raw: [", "query ($v: ID!) {"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(TOKENS, max_size=40).map(" ".join))
def test_any_text_is_prepared_or_refused_with_a_reason(text):
    with suppress(RequestError):
        document = prepare(text)
        normalize(document, dict.fromkeys(document.conditions, True), PET_SCHEMA)


@slow
@given(any_operation, st.data())
def test_a_text_with_changed_tokens_is_prepared_or_refused(drawn, data):
    words = drawn[0].split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words)))
        if data.draw(st.booleans()):
            words.insert(place, data.draw(TOKENS))
        else:
            del words[place : place + 1]
    with suppress(RequestError):
        document = prepare(" ".join(words))
        normalize(document, dict.fromkeys(document.conditions, True), PET_SCHEMA)


JSON_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**33), 2**33),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["ASC", "x", "", 1.0]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["text", "ids", "from", "to", "range", "or", "id", "zzz"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
INPUT_TYPES = [
    "Int",
    "Float!",
    "String",
    "ID",
    "Boolean!",
    "Order",
    "Any",
    "Filter",
    "Range!",
    "Pick",
    "[Int]",
    "[[ID!]]!",
    "[Filter!]",
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(INPUT_TYPES), JSON_VALUES)
def test_variables_have_graphql_cores_verdict(type_name, value):
    text = f"query ($x: {type_name}) {{ __typename @include(if: true) }}"
    node = parse(text)
    (definition,) = node.definitions
    assert isinstance(definition, OperationDefinitionNode)
    document = Document("", node, definition, (), 0)
    expected = get_variable_values(
        PET_SCHEMA,
        definition.variable_definitions or (),
        {"x": value},
        hide_suggestions=True,
    )
    coercion = build_variable_coercion(document, PET_SCHEMA, hide_suggestions=True)

    if isinstance(expected, list):
        with pytest.raises(BadUserInputError) as caught:
            coercion.coerce({"x": value})
        messages = [error.message for error in expected]
        assert caught.value.message in messages
    else:
        actual = coercion.coerce({"x": value})
        assert actual == expected.coerced
        assert coercion.coerce(actual) == actual


def test_every_named_type_of_the_schema_is_selected_somewhere():
    named = {
        get_named_type(field.type) for field in PET_SCHEMA.query_type.fields.values()
    }

    assert {found.name for found in named} >= {"User", "Node", "Thing", "Animal", "Pet"}
