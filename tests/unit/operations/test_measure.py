import pytest
from graphql import parse

from graphgw.errors import LimitError
from graphgw.operations.measure import check_measures, measure_document
from graphgw.operations.settings import LimitSettings


def measure(text: str):
    operations, _ = measure_document(parse(text))
    return operations[0]


def test_aliases_are_counted_with_fragments_expanded():
    text = "{ ...A ...A } fragment A on Q { x: a ...B ...B } fragment B on Q { y: b }"

    assert measure(text).aliases == 6


def test_selections_of_a_fragment_bomb_are_counted_without_expanding():
    text = "{ ...F0 }" + "".join(
        f"fragment F{i} on Q {{ ...F{i + 1} ...F{i + 1} }}" for i in range(300)
    )

    assert measure(text + "fragment F300 on Q { a }").selections > 2**300


def test_depth_adds_up_through_fragments():
    text = "{ a { ...A } } fragment A on Q { b { ... on Q { c { ...B } } } }"

    assert measure(text + "fragment B on Q { d { __typename } }").depth == 4


def test_introspection_is_not_deep():
    text = "{ __schema { types { fields { type { ofType { name } } } } } a { b } }"

    assert measure(text).depth == 2


def test_fields_named_like_introspection_elsewhere_are_deep():
    assert measure("{ a { __schema { b { c } } } }").depth == 4


def test_root_fields_are_counted_by_response_key():
    text = "{ a a b: a ...F } fragment F on Q { a c ... { d { e f g } } }"

    assert sorted(measure(text).root_keys) == ["a", "b", "c", "d"]


def test_directives_are_counted_expanded():
    text = "query @q { ...A @x ...A } fragment A on Q @f { a @y @z }"

    assert measure(text).directives == 8


def test_conditions_are_variables_in_skip_and_include():
    text = """query { a @skip(if: $s) b @include(if: true) @x(if: $n) ...A }
      fragment A on Q { c { d @include(if: $t) } }
      fragment Unused on Q { c @include(if: $u) }"""

    assert measure(text).conditions == {"s", "t"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{ ...A } fragment A on Q { a ...A }", id="self"),
        pytest.param(
            "{ ...A } fragment A on Q { a ...B } fragment B on Q { b { ...A } }",
            id="pair",
        ),
        pytest.param("{ ...Missing }", id="missing"),
    ],
)
def test_fragment_cycles_end(text):
    assert measure(text).selections >= 1


def test_a_chain_of_5000_fragments_needs_no_recursion():
    text = "{ ...F0 }" + "".join(
        f"fragment F{i} on Q {{ a {{ ...F{i + 1} }} }}" for i in range(5000)
    )

    assert measure(text).depth == 5000


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        pytest.param("depth", "{a{b{c{d}}}}", id="depth"),
        pytest.param("aliases", "{a:x b:x c:x d:x}", id="aliases"),
        pytest.param("root_fields", "{a b c d}", id="root-fields"),
        pytest.param("directives", "{a @x @x @x @x}", id="directives"),
        pytest.param(
            "directives", "{a} fragment F on Q {a @x @x @x @x}", id="unused-directives"
        ),
        pytest.param("expanded_selections", "{a{b c d}}", id="selections"),
        pytest.param(
            "conditions",
            "{a @skip(if:$a) b @skip(if:$b) c @skip(if:$c) d @skip(if:$d)}",
            id="conditions",
        ),
        pytest.param("depth", "query A {a} query B {a{b{c{d}}}}", id="any-operation"),
        pytest.param(
            "expanded_selections", "query A {a b} query B {c d}", id="all-operations"
        ),
    ],
)
def test_each_limit_names_itself_and_what_was_found(setting, text):
    node = parse(text)
    check_measures(node, LimitSettings(**{setting: 4}))

    with pytest.raises(LimitError) as caught:
        check_measures(node, LimitSettings(**{setting: 3}))

    assert f"limits.{setting}" in caught.value.message
    assert "has 4 " in caught.value.message
