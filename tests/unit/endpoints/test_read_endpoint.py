"""What is selected of an operation must be able to be there."""

from pathlib import Path

import pytest
from graphql import build_schema

from graphgw.endpoints.read_endpoint import read_endpoint
from graphgw.errors import ConfigurationError
from graphgw.operations.settings import LimitSettings
from graphgw.routes.settings import RouteSettings
from graphgw.routes.targets import OperationTarget

SCHEMA = build_schema(
    """
    type Query { node: Node me: User }
    interface Node { id: ID! }
    type User implements Node { id: ID! friends: [User!]! best: User }
    """
)


@pytest.fixture
def read(tmp_path: Path):
    def read(text, **target):
        file = tmp_path / "a.graphql"
        file.write_text(text)
        operation = OperationTarget(file=file, **target)
        route = RouteSettings(
            name="r", path="/r", methods=("GET",), operation=operation
        )
        return read_endpoint(route, SCHEMA, LimitSettings())

    return read


def test_a_list_may_be_selected_and_nothing_in_it(read):
    text = "{ me { friends { id } } }"

    assert read(text, select="me.friends").select == ("me", "friends")
    with pytest.raises(ConfigurationError) as caught:
        read(text, select="me.friends.id")
    (problem,) = caught.value.problems
    assert problem.where == "routes.r.operation.select"
    assert problem.message == '"me.friends" is a list: nothing in it can be selected'
    assert problem.mend == "select me.friends"


def test_a_list_of_one_kind_of_an_interface_is_one_too(read):
    text = "{ node { ... on User { best { friends { id } } } } }"

    assert read(text, select="node.best").select == ("node", "best")
    with pytest.raises(ConfigurationError):
        read(text, select="node.best.friends.id")


def test_what_may_be_skipped_may_be_selected(read):
    text = "query ($a: Boolean!, $b: Boolean!) { me @skip(if: $a) { id } %s }"
    text %= "node @include(if: $b) { id }"

    assert read(text, select="me.id").has_conditions
    assert read(text, select="node.id").has_conditions
    assert not read("{ me { id } }").has_conditions
