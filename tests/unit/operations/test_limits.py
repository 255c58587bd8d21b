import time
from contextlib import suppress

import pytest

from graphgw.errors import InvalidDocumentError, LimitError
from graphgw.operations.limits import check_text
from graphgw.operations.parse import parse_document
from graphgw.operations.settings import LimitSettings

LIMITS = LimitSettings()


def refusal(text: str, limits: LimitSettings = LIMITS) -> LimitError:
    with pytest.raises(LimitError) as caught:
        check_text(text, limits)
    return caught.value


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("{ a }", 3, id="names"),
        pytest.param('{a(x:[1,-2.5e3],s:"q\\"}")@b...F}', 18, id="values"),
        pytest.param('{ a(s: """ " \\""" { """) }', 8, id="block-string"),
        pytest.param('{ a(s: "") }', 8, id="empty-string"),
        pytest.param("\ufeff{ a # b c d\n }", 4, id="comments-count"),
        pytest.param("query($a:[Int!]=1&|){a}", 17, id="punctuators"),
    ],
)
def test_tokens_are_counted_exactly(text, tokens):
    check_text(text, LimitSettings(tokens=tokens))

    error = refusal(text, LimitSettings(tokens=tokens - 1))

    assert error.code == "LIMIT_EXCEEDED"
    assert error.message == (
        f"The document has more than {tokens - 1} tokens;"
        f" at most {tokens - 1} are allowed (limits.tokens)."
    )


@pytest.mark.parametrize("bracket", ["{", "(", "[", "{a(x:[", "{a{b(c:{"])
def test_nesting_is_refused_without_recursion(bracket):
    error = refusal(bracket * 50_000)

    assert error.extensions == {"limit": "nesting", "maximum": 100}


def test_brackets_in_strings_and_comments_do_not_nest():
    text = '{ a(s: "' + "{" * 200 + '", t: """' + "[" * 200 + '""") #' + "{" * 200
    check_text(text + "\n}", LIMITS)


def test_closed_brackets_do_not_add_up():
    check_text("{" + "a{b}" * 1000 + "}", LIMITS)


def test_the_size_is_counted_in_bytes():
    error = refusal("é" * 600, LimitSettings(document_bytes=1000))

    assert "1200 bytes" in error.message


def test_a_number_of_many_digits_is_refused():
    error = refusal("{ a(x: " + "9" * 100_000 + ") }")

    assert "100000 digits" in error.message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{ a(s: """' + '\n\\"""' * 100_000, id="unterminated-block"),
        pytest.param('{ a(s: "' + "\\" * 100_000, id="backslashes"),
        pytest.param("{ a " + '"' * 100_000, id="quotes"),
        pytest.param("#\n" * 300_000 + "{a}", id="comments"),
        pytest.param("," * 900_000 + "{a}", id="commas"),
        pytest.param("?" * 900_000, id="garbage"),
        pytest.param("{ a(x: " + "1e" * 100_000, id="number"),
    ],
)
def test_reading_takes_linear_time(text):
    start = time.thread_time()

    with suppress(LimitError, InvalidDocumentError):
        parse_document(text, LIMITS)

    assert time.thread_time() - start < 2.5
