"""The pages beside GraphQL: GraphiQL, health and metrics."""

from __future__ import annotations

import re

import httpx
import pytest
from conftest import RunningGateway
from support.gateways import running_gateway, write_config

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PAGES = ["/", "/graphiql", "/graphql"]


@pytest.fixture(scope="module")
def client(gateway: RunningGateway):
    headers = {"accept": BROWSER}
    with httpx.Client(base_url=gateway.url, headers=headers) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_gets_the_page(client: httpx.Client, path):
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
def test_the_page_runs_no_script_but_its_own(client: httpx.Client, path):
    answer = client.get(path)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text)


def test_a_page_that_is_known_is_not_sent_again(client: httpx.Client):
    tag = client.get("/").headers["etag"]

    answer = client.get("/", headers={"if-none-match": tag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_the_files_of_the_page_never_change(client: httpx.Client):
    page = client.get("/").text
    paths = re.findall(r'(?:src|href)="(/[^"]*assets/[^"]+)"', page)

    answers = [client.get(path) for path in paths]

    assert answers
    for answer in answers:
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_is_told_where_to_ask_and_what(client: httpx.Client):
    answer = client.get("/graphiql/config.json")

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.json()["endpoint"] == "/graphql"
    assert all(tab["title"] and tab["query"] for tab in answer.json()["tabs"])


@pytest.mark.parametrize("path", ["/", "/graphiql", "/graphiql/config.json", "/health"])
def test_a_page_has_a_head(client: httpx.Client, path):
    head, page = client.head(path), client.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == page.headers["content-length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/graphiql", "/graphiql/config.json", "/health"])
def test_pages_can_only_be_read(client: httpx.Client, path, method):
    answer = client.request(method, path)

    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/graphiql/../front.py",
        "/graphiql/%2e%2e/front.py",
        "/graphiql/assets/..%2f..%2f..%2ffront.py",
        "/graphiql/%00",
        "/graphiql/assets",
        "/graphiql/assets/none.js",
    ],
)
def test_no_other_file_can_be_had(client: httpx.Client, path):
    answer = client.get(path)

    assert answer.status_code == 404


def test_a_failed_look_for_a_file_is_not_kept(client: httpx.Client):
    answer = client.get("/graphiql/assets/none.js")

    assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/nothing", "/health/", "/graphql/x"])
def test_a_path_that_is_not_there_is_a_problem(client: httpx.Client, method, path):
    answer = client.request(method, path, headers={"x-request-id": "r-404"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is nothing at this path",
        "instance": "r-404",
        "code": "BAD_REQUEST",
    }


@pytest.mark.parametrize("path", ["/health", "/metrics", "/graphiql"])
def test_a_method_that_a_page_does_not_have_is_a_problem(client: httpx.Client, path):
    answer = client.post(path, content=b"x")

    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.json()["detail"] == "POST is not supported here"
    assert answer.json()["code"] == "BAD_REQUEST"


def test_head_of_what_is_not_there_has_no_body(client: httpx.Client):
    answer = client.head("/nothing")

    assert (answer.status_code, answer.content) == (404, b"")


def test_health_is_never_cached(client: httpx.Client):
    answer = client.get("/health")

    assert answer.json() == {"status": "ready"}
    assert answer.headers["cache-control"] == "no-store"


def test_metrics_are_in_the_text_format(client: httpx.Client, gateway: RunningGateway):
    gateway.ask("{ __typename }")

    answer = client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'graphgw_operations_total{kind="query",status="200"}' in answer.text


def test_no_page_is_served_where_it_is_switched_off(tmp_path):
    config = write_config(tmp_path, "http://127.0.0.1:9", has_graphiql=False)
    with running_gateway(config) as (_, url):
        browser = {"accept": BROWSER}
        page = httpx.get(url, headers=browser)
        answer = httpx.get(
            f"{url}/graphql", params={"query": "{ __typename }"}, headers=browser
        )

    assert page.status_code == 404
    assert answer.json() == {"data": {"__typename": "Query"}}
