"""What the front refuses before it reads a document."""

from __future__ import annotations

import gzip
import json
import time

import httpx
import pytest
from conftest import RunningGateway
from support.gateways import running_gateway, write_config
from support.raw_http import RawConnection, exchange, post

JSON = "application/json"
BODY = b'{"query":"{ __typename }"}'
MIB = 1024 * 1024


@pytest.fixture
def client(gateway: RunningGateway):
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param("text/plain", id="text"),
        pytest.param("application/graphql", id="graphql"),
        pytest.param("application/x-www-form-urlencoded", id="form"),
        pytest.param("multipart/form-data; boundary=x", id="multipart"),
        pytest.param("application/jsonp", id="jsonp"),
        pytest.param("application/json, text/plain", id="two"),
        pytest.param("application/vnd.api+json", id="suffix"),
        *(
            pytest.param(f"{JSON}; charset={charset}", id=charset)
            for charset in (
                "idna", "unicode_escape", "zlib_codec", "utf-16", "utf-7", "latin-1",
                "utf-8-sig",
            )
        ),
    ],
)  # fmt: skip
def test_a_post_must_be_json_in_utf_8(client: httpx.Client, content_type):
    headers = {} if content_type is None else {"content-type": content_type}

    answer = client.post("/graphql", content=BODY, headers=headers)

    assert answer.status_code == 415


def test_thousands_of_parameters_of_a_content_type_cost_nothing(client: httpx.Client):
    began = time.monotonic()

    answer = client.post(
        "/graphql", content=BODY, headers={"content-type": JSON + ";a=b" * 7000}
    )

    assert answer.status_code == 200
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
def test_a_compressed_body_is_refused(client: httpx.Client, coding):
    answer = client.post(
        "/graphql",
        content=gzip.compress(BODY),
        headers={"content-type": JSON, "content-encoding": coding},
    )

    assert answer.status_code == 415


def test_an_identity_coding_is_none(client: httpx.Client):
    headers = {"content-type": JSON, "content-encoding": "identity"}

    answer = client.post("/graphql", content=BODY, headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_not_allowed(client: httpx.Client, method):
    answer = client.request(method, "/graphql")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert (answer.content == b"") == (method == "HEAD")


@pytest.mark.parametrize(
    "path",
    ["/graphql/", "/graphq", "/GraphQL", "/graphql/x", "//graphql", "/../etc/passwd"],
)
def test_there_is_nothing_elsewhere(client: httpx.Client, path):
    answer = client.post(path, json={"query": "{ __typename }"})

    assert answer.status_code in {404, 405}
    assert b"__typename" not in answer.content


# Size


def test_a_body_over_the_limit_is_refused_before_it_is_sent(gateway: RunningGateway):
    with RawConnection(gateway.url) as connection:
        connection.send(post(b"{", length=100 * MIB))

        answer = connection.read()

    assert answer.status == 413
    assert json.loads(answer.body)["errors"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED"
    }


def test_a_chunked_body_is_counted_while_it_comes(gateway: RunningGateway):
    head = post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with RawConnection(gateway.url) as connection:
        connection.send(head + chunk * 17)

        answer = connection.read()

    assert answer.status == 413


def test_a_body_of_exactly_the_limit_is_read(client: httpx.Client):
    body = BODY + b" " * (MIB - len(BODY))

    at, over = (
        client.post("/graphql", content=content, headers={"content-type": JSON})
        for content in (body, body + b" ")
    )

    assert (at.status_code, over.status_code) == (200, 413)


def test_a_client_that_asks_for_leave_to_send_too_much_gets_none(
    gateway: RunningGateway,
):
    answer = exchange(gateway.url, post(b"", b"expect: 100-continue", length=100 * MIB))

    assert (answer.status, answer.is_closed) == (413, True)
    assert answer.headers["connection"] == "close"


def test_a_connection_serves_on_after_a_body_that_was_not_wanted(
    gateway: RunningGateway,
):
    with RawConnection(gateway.url) as connection:
        connection.send(post(b" " * (2 * MIB)))
        refused = connection.read()
        connection.send(post(BODY))

        answer = connection.read()

    assert (refused.status, answer.status) == (413, 200)


def test_a_body_that_never_ends_is_cut_off(gateway: RunningGateway):
    with RawConnection(gateway.url) as connection:
        connection.send(post(b" " * (20 * MIB), length=10_000 * MIB))
        answer = connection.read()

        assert answer.status == 413
        assert connection.is_closed()


# Other sites


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, 200, id="no-browser"),
        pytest.param({"content-type": "text/plain"}, 200, id="no-browser-text"),
        pytest.param({"sec-fetch-site": "same-origin"}, 200, id="own-page"),
        pytest.param({"sec-fetch-site": "none"}, 200, id="address-bar"),
        pytest.param({"origin": "http://gateway.test"}, 200, id="own-origin"),
        pytest.param({"sec-fetch-site": "cross-site"}, 403, id="foreign-page"),
        pytest.param({"sec-fetch-site": "same-site"}, 403, id="sister-page"),
        pytest.param({"origin": "http://evil.test"}, 403, id="foreign-origin"),
        pytest.param({"origin": "null"}, 403, id="hidden-origin"),
        pytest.param({"origin": "http://gateway.test.evil.test"}, 403, id="lookalike"),
        pytest.param(
            {"sec-fetch-site": "cross-site", "content-type": "text/plain"},
            403,
            id="foreign-content-type",
        ),
        pytest.param(
            {"sec-fetch-site": "cross-site", "content-type": "application/jsonx"},
            403,
            id="nearly-json",
        ),
        pytest.param(
            {"sec-fetch-site": "cross-site", "apollo-require-preflight": "1"},
            200,
            id="preflight-header",
        ),
        pytest.param(
            {"sec-fetch-site": "cross-site", "content-type": JSON}, 200, id="json"
        ),
    ],
)
def test_a_foreign_page_cannot_make_a_browser_ask(
    client: httpx.Client, headers, expected
):
    answer = client.get(
        "/graphql",
        params={"query": "{ __typename }"},
        headers={"host": "gateway.test", **headers},
    )

    assert answer.status_code == expected


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_allowed_origins_nothing_is_said_of_origins(
    client: httpx.Client, method
):
    answer = client.options(
        "/graphql",
        headers={"origin": "http://a.test", "access-control-request-method": method},
    )

    assert answer.status_code == 204
    assert not [n for n in answer.headers if n.startswith("access-control")]


def test_pages_of_allowed_origins_may_ask(tmp_path):
    config = write_config(
        tmp_path, "http://127.0.0.1:9", allowed_origins=["https://shop.test"]
    )
    asked = {
        "origin": "https://shop.test",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, authorization",
    }
    with running_gateway(config) as (_, url), httpx.Client(base_url=url) as client:
        preflight = client.options("/graphql", headers=asked)
        foreign = client.options("/graphql", headers={**asked, "origin": "https://x"})
        answer = client.post(
            "/graphql",
            json={"query": "{ __typename }"},
            headers={"origin": "https://shop.test", "sec-fetch-site": "cross-site"},
        )

    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.test"
    assert preflight.headers["access-control-allow-methods"] == "GET, POST"
    assert (
        preflight.headers["access-control-allow-headers"]
        == "content-type, authorization"
    )
    assert "access-control-allow-origin" not in foreign.headers
    assert foreign.headers["vary"] == "Origin"
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.test"


def test_what_is_refused_before_it_is_read_is_counted_and_logged(
    gateway: RunningGateway,
):
    def count() -> float:
        lines = httpx.get(f"{gateway.url}/metrics").text.splitlines()
        name = 'graphgw_operations_total{kind="unknown",status="405"}'
        found = [line.split()[-1] for line in lines if line.startswith(name)]
        return float(found[0]) if found else 0.0

    before = count()

    answer = httpx.put(
        f"{gateway.url}/graphql", headers={"x-request-id": "refused-early"}
    )

    assert answer.status_code == 405
    assert count() == before + 1
    ends = time.monotonic() + 5
    while not any('"refused-early"' in line for line in list(gateway.process.lines)):
        assert time.monotonic() < ends
        time.sleep(0.02)
