import time
from contextlib import suppress

import pytest
from graphql import build_schema, parse, validate
from support.pet_schema import PET_SCHEMA

from graphgw.errors import (
    InvalidDocumentError,
    LimitError,
    Location,
    PlanningError,
    RequestError,
)
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document, validate_document

WIDE = LimitSettings(aliases=10**6, root_fields=10**6, directives=10**6)
HOSTILE_SCHEMA = build_schema(
    """
    type Query { f(n: Int, l: [Int]): Int me: User pet: Pet }
    type User { id: ID! me(n: Int): User }
    interface Pet { id: ID! me: User } type Dog implements Pet { id: ID! me: User }
    type Cat implements Pet { id: ID! me: User }
    """
)


def prepare(text, name=None, limits=None, **options):
    limits = limits or LimitSettings()
    return prepare_document(text, name, PET_SCHEMA, limits, Budget(30), **options)


def refusal(text, **options) -> InvalidDocumentError:
    with pytest.raises(InvalidDocumentError) as caught:
        prepare(text, **options)
    return caught.value


def test_a_document_knows_its_operation_hash_and_conditions():
    text = """query A { count }
      query B($y: Boolean!, $x: Boolean!) { count @skip(if: $y) ...F }
      fragment F on Query { __typename @include(if: $x) }"""

    document = prepare(text, "B", None)

    assert document.operation.name.value == "B"
    assert document.conditions == ("x", "y")
    assert document.size == len(text)
    assert len(document.hash) == 64


def test_errors_have_their_places():
    error = refusal("{ count\n xyzzy }")

    assert error.error_code == "GRAPHQL_VALIDATION_FAILED"
    assert error.errors == (
        ("Cannot query field 'xyzzy' on type 'Query'.", (Location(2, 2),)),
    )


def test_errors_are_capped():
    text = "{ count " + " ".join(f"x{n}" for n in range(1000)) + " }"

    assert len(refusal(text, limits=WIDE).errors) == 10


def test_messages_do_not_repeat_a_long_text():
    name = "x" * 500_000

    assert len(refusal(f"{{ {name} }}").message) < 1100
    assert len(refusal(f'{{ things(order: "{name}") {{ id }} }}').message) < 1100


def test_suggestions_can_be_hidden():
    assert "Did you mean" in refusal("{ counts }").message
    assert "Did you mean" not in refusal("{ counts }", hide_suggestions=True).message


def test_reserved_aliases_are_refused():
    assert "'__gw_x' is reserved" in refusal("{ __gw_x: count }").message


def test_a_budget_that_is_used_up_ends_the_work():
    with pytest.raises(PlanningError) as caught:
        prepare_document("{ count }", None, PET_SCHEMA, LimitSettings(), Budget(0))

    assert caught.value.error_code == "PLANNING_TIMEOUT"


CONFLICTS = [
    pytest.param("{ x: count x: __typename }", id="different-fields"),
    pytest.param("{ count(ids: [[1]]) count(ids: [[2]]) }", id="differing-arguments"),
    pytest.param("{ count count(ids: []) }", id="missing-argument"),
    pytest.param(
        "{ user(id: 1) { id } user(id: 1) { id: name } }", id="across-selection-sets"
    ),
    pytest.param(
        "{ user(id: 1) { ...A } user(id: 1) { ...B } }"
        " fragment A on User { id } fragment B on User { id: name }",
        id="across-fragments",
    ),
    pytest.param(
        "{ animal(pick: {id: 1}) { ... on Dog { weight } ... on Cat { weight } } }",
        id="differing-types-that-never-meet",
    ),
    pytest.param(
        "{ animal(pick: {id: 1}) {"
        " ... on Dog { owner { id } } ... on Cat { owner { id } } } }",
        id="differing-nullability",
    ),
    pytest.param(
        "{ animal(pick: {id: 1}) { ... on Dog { x: owner { id } }"
        " ... on Cat { x: friend { ... on User { id: name } } } } }",
        id="differing-shapes-below",
    ),
    pytest.param(
        "{ node(id: 1) { ... on Named { name } ... on Dog { name: id } } }",
        id="abstract-and-object",
    ),
    pytest.param(
        "{ node(id: 1) { ... on Dog { x: size }"
        " ... on Named { x: name(upper: true) } } }",
        id="object-and-abstract",
    ),
    pytest.param(
        "{ user(id: 1) { a: pets { id } a: pets(first: 1) { id } } }", id="nested"
    ),
    pytest.param(
        "{ things { ... on User { x: pets { id } } ... on Dog { x: owner { id } } } }",
        id="list-and-object",
    ),
]
HARMLESS = [
    pytest.param("{ count count count }", id="equal"),
    pytest.param(
        "{ animal(pick: {id: 1}) { ... on Dog { x: barks } ... on Cat { y: id } } }",
        id="other-keys",
    ),
    pytest.param(
        "{ animal(pick: {id: 1}) {"
        " ... on Dog { name(upper: true) } ... on Cat { name } } }",
        id="objects-that-never-meet",
    ),
    pytest.param(
        "{ animal(pick: {id: 1}) {"
        " ... on Dog { x: name } ... on Cat { x: name(upper: true) } } }",
        id="aliases-that-never-meet",
    ),
    pytest.param(
        '{ count(filter: {text: "a", order: ASC})'
        ' count(filter: {order: ASC, text: "a"}) }',
        id="input-fields-in-another-order",
    ),
    pytest.param(
        "query ($i: ID!) { user(id: $i) { id } user(id: $i) { name } }", id="variables"
    ),
]


@pytest.mark.parametrize("text", CONFLICTS)
def test_conflicting_fields_are_found_as_graphql_core_finds_them(text):
    node = parse(text)
    expected = validate(PET_SCHEMA, node)

    actual = validate_document(node, PET_SCHEMA, Budget(30), max_errors=10)

    assert actual
    assert {error.message for error in actual} <= {e.message for e in expected}


@pytest.mark.parametrize("text", HARMLESS)
def test_fields_that_can_be_merged_pass(text):
    node = parse(text)

    assert validate(PET_SCHEMA, node) == []
    assert validate_document(node, PET_SCHEMA, Budget(30), max_errors=10) == []


def chain(body: str, length: int) -> str:
    return "".join(
        f"fragment F{n} on {body.replace('@', f'F{n + 1}')}" for n in range(length)
    )


HOSTILE = {
    "copies-with-selection": "{" + "me{id}" * 2000 + "}",
    "copies-within-tokens": "{" + "me{id}" * 1200 + "}",
    "copies-20000": "{" + "f " * 20_000 + "}",
    "copies-of-a-leaf": "{" + "f " * 4900 + "}",
    "unknown-directives": "{f" + "@aa" * 10_000 + "}",
    "unknown-directives-within-tokens": "{f" + "@aa" * 2400 + "}",
    "inline-fragments": "{" + ("...{" + "f " * 100 + "}") * 200 + "}",
    "inline-fragments-within-tokens": "{" + ("...{" + "f " * 100 + "}") * 45 + "}",
    "inline-fragments-with-types": "{pet{"
    + ("...on Dog{me{id}}...on Cat{me{id}}" * 240)
    + "}}",
    "bomb": "{...F0}" + chain("Query{...@ ...@}", 30) + "fragment F30 on Query{f}",
    "bomb-of-fields": "{me{...F0}}"
    + chain("User{me{...@} x:me{...@}}", 12)
    + "fragment F12 on User{id}",
    "bomb-of-literals": "{me{...F0}}"
    + chain("User{a:me(n:1){...@} b:me(n:2){...@}}", 12)
    + "fragment F12 on User{id}",
    "chain-5000": "{...F0}" + chain("Query{...@}", 5000) + "fragment F5000 on Query{f}",
    "chain-500": "{...F0}" + chain("Query{...@}", 500) + "fragment F500 on Query{f}",
    "cycle": "{...A} fragment A on Query{f ...B} fragment B on Query{...A}",
    "nested-braces": "{" * 50_000,
    "nested-lists": "{f(l:" + "[" * 50_000,
    "nested-fields": "{" + "me{" * 98 + "id" + "}" * 99,
    "digits": "{f(n:" + "9" * 100_000 + ")}",
    "unknown-fields": "{" + "".join(f"x{n} " for n in range(4900)) + "}",
    "aliases": "{" + "".join(f"x{n}:f " for n in range(1600)) + "}",
    "list-literal": "{f(l:[" + "1," * 4900 + "])}",
    "variables": "query(" + "".join(f"$v{n}:Int " for n in range(1000)) + "){f}",
    "many-operations": "".join(f"query Q{n}{{f}}" for n in range(900)),
    "spreads": "{" + "...A " * 2400 + "}fragment A on Query{f}",
    "pairs-of-fragments": "{"
    + "".join(f"...F{n} " for n in range(300))
    + "}"
    + "".join(f"fragment F{n} on Query{{me{{id}}}}" for n in range(300)),
    "operations-that-share-a-fragment": "".join(
        f"query Q{n}{{me{{x{n}:id}} ...F}}" for n in range(160)
    )
    + "fragment F on Query{"
    + "me{id} " * 600
    + "}",
    "comments": "#x\n" * 300_000 + "{f}",
    "unterminated": '{f(s:"""' + '\n\\"""' * 100_000,
}


@pytest.mark.parametrize("limits", [LimitSettings(), WIDE], ids=["default", "wide"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_refused_or_prepared_in_time(text, limits):
    start = time.thread_time()

    name = "Q0" if "query Q0" in text else None
    with suppress(RequestError):
        document = prepare_document(text, name, HOSTILE_SCHEMA, limits, Budget(30))
        normalize(document, {}, HOSTILE_SCHEMA)

    assert time.thread_time() - start < 2.5  # ten times what a quiet machine needs


def test_a_bomb_is_refused_by_its_expanded_size():
    with pytest.raises(LimitError) as caught:
        prepare_document(
            HOSTILE["bomb"], None, HOSTILE_SCHEMA, LimitSettings(), Budget(30)
        )

    assert caught.value.extensions["limit"] == "expanded_selections"


def test_quadratic_merging_does_not_happen_when_limits_are_lifted():
    limits = LimitSettings(tokens=10**6, aliases=10**6, root_fields=10**6)
    times = []
    for count in (500, 4000):
        text = "{" + "me{id me{id}}" * count + "}"
        start = time.thread_time()
        prepare_document(text, None, HOSTILE_SCHEMA, limits, Budget(30))
        times.append(time.thread_time() - start)

    assert times[1] < times[0] * 24
