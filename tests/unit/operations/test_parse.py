import pytest
from graphql import parse

from graphgw.errors import BadRequestError, InvalidDocumentError, Location
from graphgw.operations.parse import choose_operation, parse_document
from graphgw.operations.settings import LimitSettings


def test_a_syntax_error_has_its_place():
    with pytest.raises(InvalidDocumentError) as caught:
        parse_document("{ a\n  b( }", LimitSettings())

    assert caught.value.error_code == "GRAPHQL_PARSE_FAILED"
    assert caught.value.errors == (
        ("Syntax Error: Expected Name, found '}'.", (Location(2, 6),)),
    )


@pytest.mark.parametrize(
    "text", ["", "  ", "{}", "{ a {} }", "query", "\0", "{ a(x: ) }"]
)
def test_what_is_not_graphql_is_refused(text):
    with pytest.raises(InvalidDocumentError) as caught:
        parse_document(text, LimitSettings())

    assert caught.value.error_code == "GRAPHQL_PARSE_FAILED"


def test_the_limit_of_tokens_is_the_gates_own():
    parse_document("{ a b c }", LimitSettings(tokens=5))


@pytest.mark.parametrize(
    ("text", "name", "index"),
    [
        pytest.param("{ a }", None, 0, id="anonymous"),
        pytest.param("query A { a }", None, 0, id="only-one"),
        pytest.param("query A { a }", "", 0, id="empty-name"),
        pytest.param("query A { a } query B { b }", "B", 1, id="by-name"),
        pytest.param("fragment F on Q { a } query B { b }", None, 1, id="fragment"),
    ],
)
def test_the_operation_is_chosen(text, name, index):
    node = parse(text)

    assert choose_operation(node, name) == (index, node.definitions[index])


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        pytest.param(
            "query A { a } query B { b }",
            None,
            "Must provide operation name if query contains multiple operations.",
            id="ambiguous",
        ),
        pytest.param(
            "query A { a }", "B", "Unknown operation named 'B'.", id="unknown"
        ),
        pytest.param("{ a }", "B", "Unknown operation named 'B'.", id="anonymous"),
        pytest.param(
            "fragment F on Q { a }", None, "Must provide an operation.", id="none"
        ),
    ],
)
def test_an_operation_that_is_not_there_is_a_bad_request(text, name, message):
    with pytest.raises(BadRequestError) as caught:
        choose_operation(parse(text), name)

    assert caught.value.message == message
