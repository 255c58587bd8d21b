import pytest

from graphgw.errors import BadRequestError
from graphgw.operations.operation import GraphQLRequest
from graphgw.operations.request import (
    build_graphql_request,
    hash_document,
    parse_graphql_parameters,
    parse_graphql_request,
)


def test_a_full_request_is_read():
    body = b"""{"query": "{ a }", "operationName": "Q", "variables": {"x": 1},
      "extensions": {"y": 2}, "unknown": true}"""

    assert parse_graphql_request(body) == GraphQLRequest(
        "{ a }", "Q", {"x": 1}, {"y": 2}
    )


def test_null_members_are_absent():
    body = b"""{"query": "{a}", "operationName": null, "variables": null,
      "extensions": null}"""

    assert parse_graphql_request(body) == GraphQLRequest("{a}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "invalid JSON", id="empty"),
        pytest.param(b"{", "invalid JSON", id="cut-off"),
        pytest.param(b'{"query": NaN}', "invalid JSON", id="nan"),
        pytest.param(b'{"query": "\xff"}', "invalid JSON", id="not-utf-8"),
        pytest.param(b'{"query": "\\ud800"}', "invalid JSON", id="lone-surrogate"),
        pytest.param(b"[" * 100_000, "invalid JSON", id="deep"),
        pytest.param(b'"{a}"', "must be a JSON object", id="string"),
        pytest.param(b"null", "must be a JSON object", id="null"),
        pytest.param(b'[{"query": "{a}"}]', "Batched requests", id="batch"),
        pytest.param(b"{}", "Must provide query string", id="no-query"),
        pytest.param(b'{"query": null}', "Must provide query string", id="null-query"),
        pytest.param(b'{"query": 1}', "query parameter must be a string", id="query"),
        pytest.param(
            b'{"query": "{a}", "operationName": 1}',
            "operationName parameter must be a string",
            id="operation-name",
        ),
        pytest.param(
            b'{"query": "{a}", "variables": []}',
            "variables parameter must be a JSON object",
            id="variables",
        ),
        pytest.param(
            b'{"query": "{a}", "variables": "{}"}',
            "variables parameter must be a JSON object",
            id="variables-as-text",
        ),
        pytest.param(
            b'{"query": "{a}", "extensions": 0}',
            "extensions parameter must be a JSON object",
            id="extensions",
        ),
    ],
)
def test_what_is_not_a_request_is_refused(body, message):
    with pytest.raises(BadRequestError) as caught:
        parse_graphql_request(body)

    assert message in caught.value.message
    assert caught.value.http_status == 400


def test_a_persisted_query_needs_no_text():
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "x"}}

    request = build_graphql_request({"extensions": extensions})

    assert request == GraphQLRequest(None, extensions=extensions)


def test_query_parameters_are_read():
    request = parse_graphql_parameters(
        {
            "query": "{ a }",
            "operationName": "Q",
            "variables": '{"x": 1}',
            "extensions": '{"y": 2}',
            "other": "z",
        }
    )

    assert request == GraphQLRequest("{ a }", "Q", {"x": 1}, {"y": 2})


def test_blank_query_parameters_are_absent():
    blank = {"query": "{a}", "operationName": "", "variables": "", "extensions": ""}

    assert parse_graphql_parameters(blank) == GraphQLRequest("{a}")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param({}, "Must provide query string.", id="no-query"),
        pytest.param(
            {"query": "{a}", "variables": "{"},
            "The variables parameter is invalid JSON.",
            id="not-json",
        ),
        pytest.param(
            {"query": "{a}", "variables": '"\udcff"'},
            "The variables parameter is invalid JSON.",
            id="surrogate",
        ),
        pytest.param(
            {"query": "{a}", "extensions": "[]"},
            "The extensions parameter must be a JSON object.",
            id="not-an-object",
        ),
    ],
)
def test_bad_query_parameters_are_refused(parameters, message):
    with pytest.raises(BadRequestError) as caught:
        parse_graphql_parameters(parameters)

    assert caught.value.message == message


def test_documents_hash_as_persisted_queries_do():
    assert hash_document("{__typename}") == (
        "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"
    )


def test_variables_do_not_print():
    request = GraphQLRequest("{a}", variables={"password": "secret"})

    assert "secret" not in repr(request)
