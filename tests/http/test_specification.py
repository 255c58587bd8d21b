"""GraphQL over HTTP, as its draft specification has it, against a real process.

See https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

import json

import httpx
import pytest
from conftest import RunningGateway

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
MEDIA_TYPES = [pytest.param(JSON, id="json"), pytest.param(RESPONSE, id="response")]
NOT_TEXT = [
    pytest.param({"a": 1}, id="object"),
    pytest.param(0, id="number"),
    pytest.param(False, id="boolean"),
    pytest.param(["a"], id="array"),
]
NOT_OBJECTS = [
    pytest.param("a", id="string"),
    pytest.param(0, id="number"),
    pytest.param(False, id="boolean"),
    pytest.param(["a"], id="array"),
]
TYPE_NAME = {"data": {"__typename": "Query"}}


@pytest.fixture
def client(gateway: RunningGateway):
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client


def post(client: httpx.Client, body, accept: str | None = RESPONSE, **headers: str):
    sent = {"content-type": JSON, "accept": accept, **headers}
    if accept is None:
        del client.headers["accept"]
        del sent["accept"]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post("/graphql", content=content, headers=sent)


def codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(RESPONSE, RESPONSE, id="response"),
        pytest.param(JSON, JSON, id="json"),
        pytest.param("*/*", JSON, id="anything"),
        pytest.param(None, JSON, id="missing"),
        pytest.param("", JSON, id="empty"),
        pytest.param("application/*", RESPONSE, id="any-application"),
        pytest.param(f"{RESPONSE}; charset=utf-8, {JSON};q=0.9", RESPONSE, id="usual"),
        pytest.param(f"{RESPONSE};q=0.1, {JSON}", JSON, id="prefers-json"),
        pytest.param(f"text/html;q=0.9, {RESPONSE}", RESPONSE, id="html-too"),
        pytest.param(f"APPLICATION/JSON, {RESPONSE};q=0", JSON, id="upper-case"),
        pytest.param(f"{JSON};q=wrong, */*", JSON, id="wrong-quality"),
    ],
)
def test_the_answer_has_the_media_type_that_the_client_prefers(
    client: httpx.Client, accept, expected
):
    answer = post(client, {"query": "{ __typename }"}, accept)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{expected}; charset=utf-8"
    assert answer.json() == TYPE_NAME


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("text/plain", id="text"),
        pytest.param("image/*, text/html", id="images"),
        pytest.param(f"{JSON};q=0", id="refuses-json"),
        pytest.param("nonsense", id="nonsense"),
    ],
)
def test_a_client_that_accepts_no_answer_is_told_so(client: httpx.Client, accept):
    answer = post(client, {"query": "{ __typename }"}, accept)

    assert answer.status_code == 406
    assert codes(answer) == ["BAD_REQUEST"]


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"query": "{ __typename }"}, id="query"),
        pytest.param(
            {"query": "query A { __typename } query B { b: __typename }",
             "operationName": "A"},
            id="operation-name",
        ),
        pytest.param({"query": "{ __typename }", "operationName": None}, id="no-name"),
        pytest.param({"query": "{ __typename }", "variables": None}, id="no-variables"),
        pytest.param({"query": "{ __typename }", "extensions": None}, id="no-exts"),
        pytest.param({"query": "{ __typename }", "extensions": {"a": 1}}, id="exts"),
        pytest.param({"query": "{ __typename }", "unknown": 1}, id="unknown-member"),
        pytest.param(
            {"query": "query A($a: Boolean!) { __typename @include(if: $a) }",
             "variables": {"a": True}},
            id="variables",
        ),
    ],
)  # fmt: skip
def test_a_well_formed_request_is_answered(client: httpx.Client, body, accept):
    answer = post(client, body, accept)

    assert answer.status_code == 200
    assert answer.json() == TYPE_NAME


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"query": "{ __typename }"}, id="query"),
        pytest.param({"query": "{ __typename }", "operationName": ""}, id="blank-name"),
        pytest.param(
            {"query": "query A($a: Boolean!) { __typename @include(if: $a) }",
             "variables": '{"a":true}', "operationName": "A", "extensions": "{}"},
            id="everything",
        ),
    ],
)  # fmt: skip
def test_a_get_is_answered(client: httpx.Client, parameters, accept):
    answer = client.get("/graphql", params=parameters, headers={"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert answer.json() == TYPE_NAME


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(pytest.param("query", p.values[0], id=f"query-{p.id}") for p in NOT_TEXT),
        *(
            pytest.param("operationName", p.values[0], id=f"name-{p.id}")
            for p in NOT_TEXT
        ),
        *(
            pytest.param("variables", p.values[0], id=f"variables-{p.id}")
            for p in NOT_OBJECTS
        ),
        *(
            pytest.param("extensions", p.values[0], id=f"extensions-{p.id}")
            for p in NOT_OBJECTS
        ),
    ],
)
def test_a_parameter_of_the_wrong_type_is_a_bad_request(
    client: httpx.Client, name, value, accept
):
    answer = post(client, {"query": "{ __typename }", name: value}, accept)

    assert answer.status_code == 400
    assert codes(answer) == ["BAD_REQUEST"]
    assert name in answer.json()["errors"][0]["message"]
    assert "data" not in answer.json()


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="no-query"),
        pytest.param(b'{"qeury":"{ __typename }"}', id="misspelt-query"),
        pytest.param(b'{"query":null}', id="null-query"),
        pytest.param(b'{"query"', id="cut"),
        pytest.param(b"not JSON", id="not-json"),
        pytest.param(b"null", id="null"),
        pytest.param(b"1", id="number"),
        pytest.param(b'"{ __typename }"', id="string"),
        pytest.param(b'[{"query":"{ __typename }"}]', id="batch"),
        pytest.param(b"[]", id="empty-batch"),
        pytest.param(b'{"query":"{ __typename }","variables":{"a":NaN}}', id="nan"),
        pytest.param(b'{"query":"{ a }","variables":{"a":-Infinity}}', id="infinity"),
        pytest.param(b'{"query":"{ __typename } #\xff\xfe"}', id="invalid-utf8"),
        pytest.param(b'{"query":"{ __typename } #\\ud800"}', id="lone-surrogate"),
        pytest.param("\ufeff{}".encode(), id="byte-order-mark"),
        pytest.param('{"query":"{a}"}'.encode("utf-16"), id="utf-16"),
        pytest.param(b"[" * 100_000, id="deep-open"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep-closed"),
        pytest.param(b"9" * 100_000, id="digits"),
        pytest.param(b'{"query":"{ __typename }"} {}', id="two-values"),
    ],
)
def test_a_body_that_is_no_request_is_a_bad_request(client: httpx.Client, body, accept):
    answer = post(client, body, accept)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert codes(answer) == ["BAD_REQUEST"]
    assert "data" not in answer.json()


def test_the_last_of_two_equal_keys_counts(client: httpx.Client):
    answer = post(client, b'{"query":"{ nothing }","query":"{ __typename }"}')

    assert answer.json() == TYPE_NAME


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"query": "{"}, "GRAPHQL_PARSE_FAILED", id="does-not-parse"),
        pytest.param({"query": ""}, "GRAPHQL_PARSE_FAILED", id="empty"),
        pytest.param(
            {"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED", id="does-not-fit"
        ),
        pytest.param(
            {"query": "query A($a: Int!) { products(first: $a) { nodes { id } } }",
             "variables": {"a": "many"}},
            "BAD_USER_INPUT",
            id="variable-of-the-wrong-type",
        ),
        pytest.param(
            {"query": "query A($a: Int!) { products(first: $a) { nodes { id } } }"},
            "BAD_USER_INPUT",
            id="variable-is-missing",
        ),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_run_has_the_status_of_its_media_type(
    client: httpx.Client, body, code
):
    response, plain = post(client, body, RESPONSE), post(client, body, JSON)

    assert (response.status_code, plain.status_code) == (400, 200)
    assert codes(response) == codes(plain) == [code]
    assert "data" not in response.json()
    assert "data" not in plain.json()


@pytest.mark.parametrize("accept", MEDIA_TYPES)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"query": "query A { __typename } query B { __typename }"}, id="no-name"
        ),
        pytest.param(
            {"query": "query A { __typename }", "operationName": "B"}, id="wrong-name"
        ),
    ],
)
def test_the_operation_must_be_known(client: httpx.Client, body, accept):
    answer = post(client, body, accept)

    assert answer.status_code in ({400} if accept == RESPONSE else {200, 400})
    assert "data" not in answer.json()


@pytest.mark.parametrize("accept", MEDIA_TYPES)
def test_a_mutation_by_get_is_not_allowed(client: httpx.Client, accept):
    query = 'mutation { markNotificationRead(id: "n1") { id } }'

    answer = client.get("/graphql", params={"query": query}, headers={"accept": accept})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({}, id="no-query"),
        pytest.param({"query": "{ __typename }", "variables": "{"}, id="no-json"),
        pytest.param({"query": "{ __typename }", "variables": "[]"}, id="no-object"),
        pytest.param({"query": "{ __typename }", "extensions": "1"}, id="number"),
        pytest.param({"query": "{ __typename }", "variables": "NaN"}, id="nan"),
    ],
)
def test_a_get_with_wrong_parameters_is_a_bad_request(client: httpx.Client, parameters):
    answer = client.get("/graphql", params=parameters, headers={"accept": RESPONSE})

    assert answer.status_code == 400
    assert codes(answer) == ["BAD_REQUEST"]


def test_the_document_is_read_as_utf_8(client: httpx.Client):
    body = {"query": "query A { __typename @include(if: true) } # ünïcödé ☃"}

    for content_type in (JSON, f"{JSON}; charset=utf-8", f'{JSON};charset="UTF-8"'):
        answer = post(client, body, **{"content-type": content_type})

        assert answer.json() == TYPE_NAME


@pytest.mark.parametrize("accept", MEDIA_TYPES)
def test_a_subscription_is_refused_in_words(client: httpx.Client, accept):
    query = 'subscription { notificationAdded(userId: "u1") { id } }'

    answer = post(client, {"query": query}, accept)

    assert answer.status_code in {400, 405}
    assert "subscriptions are not answered" in answer.json()["errors"][0]["message"]


def test_a_hash_without_a_document_asks_for_the_document(client: httpx.Client):
    hashed = {"version": 1, "sha256Hash": "0" * 64}

    posted = post(client, {"extensions": {"persistedQuery": hashed}})
    got = client.get(
        "/graphql",
        params={"extensions": json.dumps({"persistedQuery": hashed})},
        headers={"accept": RESPONSE},
    )

    for answer in (posted, got):
        assert answer.status_code == 200
        assert codes(answer) == ["PERSISTED_QUERY_NOT_FOUND"]
        assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"
