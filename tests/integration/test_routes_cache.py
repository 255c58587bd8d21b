"""Answers at routes that a gateway process keeps, and those that it must not keep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
import yaml
from support.gateways import SDL, running_gateway
from support.integration_gateways import wait_for
from support.streaming_backend import MIB, StreamingBackend
from support.tokens import claims_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEAD = "http://127.0.0.1:1"
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
    (folder / "slow.graphql").write_text(SDL)
    config = folder / "graphgw.yaml"
    settings = {
        "subgraphs": {"slow": {"url": DEAD, "sdl": "slow.graphql"}},
        "services": {"backend": backend.url},
        "auth": {
            "issuers": [{"issuer": "me", "algorithms": ["HS256"], "secret": SECRET}]
        },
        "routes": ROUTES,
    }
    config.write_text(yaml.safe_dump(settings))
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


def test_hits_are_counted_by_route(client: httpx.Client):
    client.get("/public/l")
    client.get("/public/l")

    metrics = client.get("/metrics").text
    assert 'cache_keys_total{coordinate="route:public",result="hit"}' in metrics
