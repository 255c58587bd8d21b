"""The comment above an operation is what its author says of it."""

import pytest
from graphql import parse

from graphgw.endpoints.read_comment import read_comment


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        pytest.param("# One.\n{ a }", "One.", id="one-line"),
        pytest.param(
            "# One.\n#\n#   Two.\nquery Q { a }", "One.\n\n  Two.", id="lines"
        ),
        pytest.param("#One.\r\n  # Two.\r\n{ a }", "One.\nTwo.", id="windows"),
        pytest.param("# Licence.\n\n# One.\n{ a }", "One.", id="the-last-block"),
        pytest.param("# One.\n\n{ a }", "", id="not-right-above"),
        pytest.param("{ a }", "", id="none"),
    ],
)
def test_the_lines_right_above_an_operation_are_its_comment(text, comment):
    (operation,) = parse(text).definitions

    assert read_comment(text, operation) == comment


def test_each_operation_of_a_file_has_its_own():
    text = "# One.\nquery A { a }\n\n# Two.\nquery B { a } query C { a }"

    found = [read_comment(text, node) for node in parse(text).definitions]

    assert found == ["One.", "Two.", ""]
