import pytest

from graphgw.errors import SourceBadAnswerError, SourceError, SourceRateLimitedError
from graphgw.sources.protocol import HTTPResponse
from graphgw.subgraphs.protocol import FetchError, FetchResult
from graphgw.subgraphs.remote.answer import AnswerReader

READER = AnswerReader("users")
JSON = "application/json"
GRAPHQL = "application/graphql-response+json; charset=utf-8"


def read(body, *, kind=JSON, status=200, entities=None):
    headers = {} if kind is None else {"content-type": kind}
    return READER.read(HTTPResponse(status, headers, body), entities)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00garbage", id="garbage"),
        pytest.param(b"1", id="scalar"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"{}", id="no-data-no-errors"),
        pytest.param(b'{"data": null}', id="null-data-no-errors"),
        pytest.param(b'{"data": null, "errors": []}', id="null-data-empty-errors"),
        pytest.param(b'{"data": []}', id="data-not-object"),
        pytest.param(b'{"data": {}, "errors": {}}', id="errors-not-list"),
        pytest.param(b'{"data": {}, "errors": ["x"]}', id="error-not-object"),
        pytest.param(b'{"data": {}, "errors": [{"message": 1}]}', id="no-message"),
        pytest.param(b'{"data": {"a": NaN}}', id="nan"),
        pytest.param(b'{"data": {"a": Infinity}}', id="infinity"),
        pytest.param(b'{"data": {"a": "\xff"}}', id="invalid-utf8"),
        pytest.param(b'{"data": {"a": "\\ud800"}}', id="lone-surrogate"),
        pytest.param(b'{"data": {"a":' + b"[" * 100_000, id="deep"),
        pytest.param(
            b'{"data": {"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
            id="deep-closed",
        ),
        pytest.param(b'{"data": {"a": 1}', id="cut"),
    ],
)
def test_what_is_not_a_graphql_answer_is_refused(body):
    with pytest.raises(SourceBadAnswerError) as raised:
        read(body)

    assert raised.value.message.startswith('subgraph "users" answered ')


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"data": {"_entities": []}}', id="too-few"),
        pytest.param(b'{"data": {"_entities": [null, null]}}', id="too-many"),
        pytest.param(b'{"data": {"_entities": {}}}', id="not-a-list"),
        pytest.param(b'{"data": {"_entities": [1]}}', id="no-object"),
        pytest.param(b'{"data": {"_entities": null}}', id="null"),
        pytest.param(b'{"data": {}}', id="missing"),
    ],
)
def test_entities_must_be_those_asked_for(body):
    with pytest.raises(SourceBadAnswerError):
        read(body, entities=1)


@pytest.mark.parametrize(
    "kind", ["text/html", "application/xml", "text/json", "", None]
)
def test_other_content_types_are_refused_even_with_json_in_them(kind):
    with pytest.raises(SourceBadAnswerError, match="not JSON"):
        read(b'{"data": {}}', kind=kind)


@pytest.mark.parametrize("kind", [JSON, GRAPHQL, "Application/JSON;charset=utf-8"])
def test_both_content_types_of_graphql_are_read(kind):
    assert read(b'{"data": {"a": 1}}', kind=kind) == FetchResult({"a": 1})


def test_an_http_error_says_its_status_and_not_its_body():
    with pytest.raises(SourceError) as raised:
        read(b"<html>secret</html>", kind="text/html", status=503)

    assert raised.value.message == 'subgraph "users" answered 503'
    assert (raised.value.code, raised.value.status) == ("SOURCE_ERROR", 503)


def test_a_rate_limit_of_the_subgraph_is_told_apart():
    with pytest.raises(SourceRateLimitedError):
        read(b"{}", status=429)


def test_a_graphql_answer_counts_whatever_its_status():
    body = b'{"errors": [{"message": "no", "extensions": {"code": "X"}}]}'

    result = read(body, kind=GRAPHQL, status=400)

    assert result == FetchResult(None, (FetchError("no", (), "X"),))


def test_the_last_of_equal_keys_wins_and_further_members_are_ignored():
    result = read(b'{"data": {"a": 1, "a": 2, "__proto__": {}}, "x": 1}')

    assert result.data == {"a": 2, "__proto__": {}}


@pytest.mark.parametrize("path", ['"a"', "[true]", "[null]", "[1.5]", "{}"])
def test_an_error_path_of_the_wrong_kind_is_left_out(path):
    body = f'{{"data": {{}}, "errors": [{{"message": "m", "path": {path}}}]}}'

    assert read(body.encode()).errors == (FetchError("m"),)


@pytest.mark.parametrize("code", ["1", '""', "null", '"' + "x" * 101 + '"'])
def test_a_code_that_is_none_becomes_source_error(code):
    error = f'{{"message": "m", "extensions": {{"code": {code}}}}}'

    result = read(f'{{"data": {{}}, "errors": [{error}]}}'.encode())

    assert result.errors == (FetchError("m", (), "SOURCE_ERROR"),)
