"""Answers at routes that a gateway process keeps, and those that it must not keep."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from support.gateways import running_gateway, write_settings
from support.integration_gateways import wait_for
from support.streaming_backend import MIB, StreamingBackend
from support.tokens import claims_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "a secret that is long enough for HMAC 256"  # noqa: S105 - a test's own
FOREVER = "cache-control: max-age=60"


def route(path: str, **settings: Any) -> dict[str, Any]:
    return {"path": path, "service": "backend", **settings}


ROUTES = {
    "private": route("/private/*", cache={}),
    "public": route("/public/*", cache={"scope": "PUBLIC", "max_age": "60s"}),
    "short": route("/short/*", cache={"scope": "PUBLIC", "max_age": "1s"}),
    "known": route("/known/*", cache={"scope": "PUBLIC"}, authenticated=True),
    "small": route("/small/*", cache={"max_age": "60s", "max_body_bytes": "1KiB"}),
    "large": route("/large/*", cache={"max_age": "60s", "max_body_bytes": "4MiB"}),
}


@pytest.fixture(scope="module")
def backend() -> Iterator[StreamingBackend]:
    with StreamingBackend() as running:
        yield running


@pytest.fixture(scope="module")
def client(
    backend: StreamingBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("kept")
    settings = {
        "services": {"backend": backend.url},
        "auth": {
            "issuers": [{"issuer": "me", "algorithms": ["HS256"], "secret": SECRET}]
        },
        "routes": ROUTES,
    }
    config = write_settings(folder, settings)
    with running_gateway(config) as (_, url), httpx.Client(base_url=url) as made:
        yield made


def bearer(subject: str) -> dict[str, str]:
    claims = claims_at(time.time(), iss="me", sub=subject)
    return {"authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}


def test_an_answer_is_given_again_while_it_may_be_kept(
    client: httpx.Client, backend: StreamingBackend
):
    first = client.get("/private/a", params={"header": FOREVER})
    seen = len(backend.requests)
    second = client.get("/private/a", params={"header": FOREVER})

    assert second.headers["cache-status"].startswith("graphgw; hit; ttl=")
    assert int(second.headers["age"]) <= 2
    assert second.content == first.content
    assert len(backend.requests) == seen


def test_an_answer_that_says_nothing_is_kept_only_if_the_route_says_so(
    client: httpx.Client,
):
    kept = [client.get("/public/b").headers.get("cache-status") for _ in range(2)]
    free = [client.get("/private/b").headers.get("cache-status") for _ in range(2)]

    assert kept[1] is not None
    assert "hit" in kept[1]
    assert free == [None, None]


@pytest.mark.parametrize(
    "header",
    [
        "cache-control: no-store",
        "cache-control: private, max-age=60",
        "cache-control: max-age=60|set-cookie: a=1",
        "cache-control: max-age=60|vary: *",
    ],
)
def test_what_is_not_for_all_is_not_kept_for_all(client: httpx.Client, header: str):
    answers = [client.get("/public/c", params={"header": header}) for _ in range(2)]

    assert all("cache-status" not in answer.headers for answer in answers)
    assert answers[0].content != answers[1].content


def test_no_principal_is_given_what_another_was_answered(client: httpx.Client):
    path = "/private/d"
    found = [
        client.get(path, params={"header": FOREVER}, headers=headers).content
        for headers in (bearer("ada"), bearer("bob"), {}, bearer("ada"))
    ]

    assert found[0] == found[3]
    assert len(set(found)) == 3


def test_who_may_not_ask_is_not_given_what_is_kept(client: httpx.Client):
    params = {"header": FOREVER}
    client.get("/known/e", params=params, headers=bearer("ada"))

    assert client.get("/known/e", params=params).status_code == 401
    shared = client.get("/known/e", params=params, headers=bearer("bob"))
    assert "hit" in shared.headers["cache-status"]


def test_answers_that_vary_are_kept_apart(client: httpx.Client):
    params = {"header": f"{FOREVER}|vary: accept-language"}
    found = [
        client.get("/public/f", params=params, headers={"accept-language": language})
        for language in ("de", "fr", "de")
    ]

    assert found[0].content == found[2].content != found[1].content
    assert "hit" in found[2].headers["cache-status"]


def test_a_client_that_has_the_answer_is_not_sent_it_again(client: httpx.Client):
    client.get("/public/g")
    tag = client.get("/public/g").headers["etag"]

    answer = client.get("/public/g", headers={"if-none-match": tag})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == tag


def test_a_condition_does_not_keep_an_answer_from_being_kept(
    client: httpx.Client, backend: StreamingBackend
):
    client.get("/public/h", headers={"if-none-match": '"x"'})

    assert not backend.last.values("if-none-match")
    assert "hit" in client.get("/public/h").headers["cache-status"]


def test_a_client_may_ask_for_a_fresh_answer(client: httpx.Client):
    before = client.get("/public/i").content
    fresh = client.get("/public/i", headers={"cache-control": "no-cache"}).content

    assert fresh != before
    assert client.get("/public/i").content == fresh


def test_what_is_kept_goes_away_in_time(client: httpx.Client):
    first = client.get("/short/j").content

    wait_for(lambda: client.get("/short/j").content != first)


def test_other_methods_and_parts_are_not_kept(client: httpx.Client):
    client.get("/public/k")

    posted = client.post("/public/k", content=b"x").json()
    part = client.get("/public/k", headers={"range": "bytes=0-1"})

    assert posted["method"] == "POST"
    assert "cache-status" not in part.headers


def test_a_long_answer_passes_and_is_not_kept(client: httpx.Client):
    answers = [client.get("/small/chunked?mb=1") for _ in range(2)]

    assert [len(answer.content) for answer in answers] == [MIB, MIB]
    assert "cache-status" not in answers[1].headers


def test_a_streamed_answer_is_kept_once_it_is_whole(
    client: httpx.Client, backend: StreamingBackend
):
    first = client.get("/large/chunked?mb=2")
    seen = len(backend.requests)
    second = client.get("/large/chunked?mb=2")

    assert first.content == second.content
    assert second.headers["content-length"] == str(2 * MIB)
    assert len(backend.requests) == seen


def ask_at_once(
    client: httpx.Client, backend: StreamingBackend, asked: list[dict[str, Any]]
) -> list[httpx.Response]:
    """Ask while the service holds its answers back; let go once it is asked."""
    backend.hold.clear()
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = [pool.submit(client.get, timeout=20, **each) for each in asked]
        wait_for(lambda: backend.in_flight > 0)
        time.sleep(0.3)  # for those that would be sent on beside it
        backend.hold.set()
        return [answer.result() for answer in answers]


def test_of_equal_requests_that_come_at_once_one_is_sent_on(
    client: httpx.Client, backend: StreamingBackend
):
    seen = len(backend.requests)

    answers = ask_at_once(client, backend, [{"url": "/public/once/held"}] * 8)

    assert len(backend.requests) == seen + 1
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    hits = ["hit" in answer.headers["cache-status"] for answer in answers]
    assert sum(hits) == 7


def test_who_asks_at_once_as_somebody_else_is_answered_alone(
    client: httpx.Client, backend: StreamingBackend
):
    asked = [
        {
            "url": "/private/held",
            "params": {"header": FOREVER},
            "headers": bearer(subject),
        }
        for subject in ("ada", "bob")
    ]

    answers = ask_at_once(client, backend, asked * 2)

    found = [answer.content for answer in answers]
    assert found[0] == found[2] != found[1] == found[3]


def test_nobody_waits_for_what_is_not_kept(
    client: httpx.Client, backend: StreamingBackend
):
    asked = {
        "url": "/public/held?free",
        "params": {"header": "cache-control: no-store"},
    }
    ask_at_once(client, backend, [asked])
    seen = len(backend.requests)
    backend.hold.clear()
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(client.get, timeout=20, **asked) for _ in range(4)]
        wait_for(lambda: len(backend.requests) == seen + 4)
        backend.hold.set()

    assert len({answer.result().content for answer in answers}) == 4


def test_another_asks_where_the_first_left(
    client: httpx.Client, backend: StreamingBackend
):
    backend.hold.clear()
    seen = len(backend.requests)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.get, "/public/left/held", timeout=1)
        wait_for(lambda: len(backend.requests) == seen + 1)
        second = pool.submit(client.get, "/public/left/held", timeout=20)
        with pytest.raises(httpx.ReadTimeout):
            first.result()
        wait_for(lambda: len(backend.requests) == seen + 2)
        backend.hold.set()

    assert second.result().headers["cache-status"] == "graphgw; fwd=miss; stored"


def test_hits_are_counted_by_route(client: httpx.Client):
    client.get("/public/l")
    client.get("/public/l")

    metrics = client.get("/metrics").text
    assert 'cache_keys_total{coordinate="route:public",result="hit"}' in metrics
