"""Route and operation are checked against each other before anything is served."""

from pathlib import Path

import pytest
from graphql import build_schema

from graphgw.endpoints.open_endpoint import open_endpoint
from graphgw.errors import ConfigurationError
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.settings import LimitSettings
from graphgw.operations.validate import prepare_document
from graphgw.routes.settings import RouteSettings
from graphgw.routes.targets import OperationTarget

SCHEMA = build_schema(
    """
    type Query { user(id: ID!): User users(first: Int, filter: Filter): [User!] }
    type Mutation { rename(id: ID!, to: String!): User }
    type Subscription { ticks: Int }
    type User { id: ID! name: String }
    input Filter { name: String }
    """
)
USER = "query ($id: ID!) { user(id: $id) { name } }"
RENAME = "mutation ($id: ID!, $to: String!) { rename(id: $id, to: $to) { id } }"


def opened(text, path="/users/{id}", methods=("GET",), **target):
    route = RouteSettings(
        name="r",
        path=path,
        methods=methods,
        operation=OperationTarget(file=Path("a.graphql"), **target),
    )
    document = prepare_document(text, None, SCHEMA, LimitSettings(), Budget(5))
    values = dict.fromkeys(document.conditions, True)
    operation = normalize(document, values, SCHEMA, budget=Budget(5))
    return open_endpoint(route, text, document, operation, SCHEMA)


def problems(*arguments, **options):
    with pytest.raises(ConfigurationError) as caught:
        opened(*arguments, **options)
    return [(problem.where, problem.message) for problem in caught.value.problems]


def sources(endpoint):
    return {v.name: [str(source) for source in v.sources] for v in endpoint.variables}


def test_a_variable_is_the_parameter_of_its_name():
    text = (
        "query ($id: ID!, $first: Int)"
        " { user(id: $id) { id } users(first: $first) { id } }"
    )

    assert sources(opened(text)) == {"id": ["path.id"], "first": ["query.first"]}
    assert sources(opened(text, methods=("POST",))) == {
        "id": ["path.id"],
        "first": ["body.first", "query.first"],
    }


def test_an_input_object_comes_in_the_body_where_there_is_one():
    text = "query ($filter: Filter) { users(filter: $filter) { id } }"

    assert sources(opened(text, "/u", ("POST",))) == {"filter": ["body.filter"]}
    assert sources(opened(text, "/u")) == {"filter": ["query.filter"]}


def test_a_variable_comes_from_where_the_route_says():
    endpoint = opened(
        RENAME,
        "/me",
        ("PUT",),
        variables=(("id", "claim.sub"), ("to", "body.user.name")),
    )

    assert sources(endpoint) == {"id": ["claim.sub"], "to": ["body.user.name"]}
    assert [v.is_required for v in endpoint.variables] == [True, True]
    assert (
        opened(USER, "/me", variables=(("id", "header.X-User"),))
        .variables[0]
        .sources[0]
        .name
        == "x-user"
    )


def test_everything_that_does_not_fit_is_told_at_once():
    found = problems(
        USER,
        "/users/{key}/{id}",
        variables=(
            ("name", "query.name"),
            ("id", "cookie.id"),
        ),
        select="user.nome",
        status=302,
        statuses=(("NOT_FOUND", 200),),
    )

    where = "routes.r.operation"
    assert found == [
        (f"{where}.variables.name", "the operation has no variable $name"),
        (f"{where}.variables.id", '"cookie.id" is no source'),
        (where, "no variable takes the path's parameter {id}"),
        (where, "no variable takes the path's parameter {key}"),
        (f"{where}.select", 'the operation does not select "user.nome"'),
        (f"{where}.statuses.NOT_FOUND", "200 is no error"),
        (f"{where}.status", "302 is none of 200 to 204"),
    ]


def test_a_source_must_be_there():
    assert problems(USER, "/users", variables=(("id", "path.id"),)) == [
        ("routes.r.operation.variables.id", "the path has no parameter {id}")
    ]
    assert problems(USER, "/users", variables=(("id", "body.id"),)) == [
        ("routes.r.operation.variables.id", "requests of these methods have no body")
    ]


@pytest.mark.parametrize("methods", [(), ("GET",), ("POST", "GET"), ("HEAD", "POST")])
def test_a_mutation_is_never_sent_by_get(methods):
    options = {"variables": (("to", "query.to"),)}

    assert problems(RENAME, methods=methods, **options) == [
        ("routes.r.operation", "a mutation must not be sent by GET")
    ]


def test_a_subscription_is_no_endpoint():
    assert problems("subscription { ticks }", "/ticks") == [
        ("routes.r.operation", "a subscription cannot be answered at a route")
    ]
