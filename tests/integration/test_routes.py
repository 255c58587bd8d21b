"""Requests through the routes of a gateway process, to a backend that notes all."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.gateways import DEAD, running_gateway, write_settings
from support.integration_gateways import wait_for
from support.streaming_backend import MIB, StreamingBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.processes import RunningProcess


def routes() -> dict[str, Any]:
    """Return the routes of the gateway under test."""
    return {
        "echo": {"path": "/echo/*", "service": "backend", "max_body_bytes": "1MiB"},
        "user": {
            "path": "/api/users/{id}",
            "methods": ["GET", "POST"],
            "service": "backend",
            "rewrite": "/users/{id}/echo",
            "request": {"query": {"source": "gateway"}},
        },
        "stream": {
            "path": "/stream/*",
            "service": "backend",
            "strip_prefix": "/stream",
            "max_body_bytes": "4GiB",
            "timeouts": {"first_byte": "60s"},
        },
        "open": {
            "path": "/open/*",
            "service": "backend",
            "forward_cookies": True,
            "forward_set_cookie": True,
            "forward_authorization": True,
            "preserve_host": True,
        },
        "hosted": {
            "path": "/echo/host",
            "host": "*.example.com",
            "service": "backend",
            "rewrite": "/for/host/echo",
        },
        "impatient": {
            "path": "/impatient/*",
            "service": "backend",
            "max_body_bytes": "64MiB",
            "timeouts": {"first_byte": "300ms", "idle": "300ms"},
        },
        "dead": {"path": "/dead", "service": "dead"},
        "known": {"path": "/known", "service": "backend", "authenticated": True},
        "denied": {
            "path": "/denied",
            "service": "backend",
            "deny_ips": ["127.0.0.0/8"],
        },
        "shadowed": {
            "path": "/shadowed",
            "service": "backend",
            "authenticated": True,
            "switch": "shadow",
        },
        "limited": {
            "path": "/limited",
            "service": "backend",
            "rate_limit": {"limit": 3, "window": "1h"},
        },
        "narrow": {"path": "/narrow/*", "service": "backend", "concurrency": 1},
    }


@pytest.fixture(scope="module")
def backend() -> Iterator[StreamingBackend]:
    with StreamingBackend() as running:
        yield running


@pytest.fixture(scope="module")
def running(
    backend: StreamingBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningProcess, str]]:
    folder: Path = tmp_path_factory.mktemp("routes")
    settings = {
        "services": {
            "backend": {"url": backend.url, "retries": {"max_retries": 0}},
            "dead": {"url": DEAD},
        },
        "routes": routes(),
        "server": {"body_timeout": "1s"},
    }
    config = write_settings(folder, settings)
    with running_gateway(config) as found:
        yield found


@pytest.fixture
def url(running: tuple[RunningProcess, str]) -> str:
    return running[1]


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as made:
        yield made


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def raw(url: str, data: bytes, *, seconds: float = 5.0) -> bytes:
    """Send bytes as they are; return all that comes until the connection ends."""
    with socket.create_connection(_address(url), seconds) as sock:
        sock.sendall(data)
        found = b""
        while True:
            try:
                part = sock.recv(65536)
            except (TimeoutError, ConnectionError):
                return found
            if not part:
                return found
            found += part


# Where requests go


def test_a_path_is_rewritten_with_its_parameters(client: httpx.Client):
    answer = client.get("/api/users/a%20b", params={"x": "1", "source": "client"})

    assert answer.json()["target"] == "/users/a%20b/echo?x=1&source=gateway"


def test_a_prefix_is_stripped(client: httpx.Client):
    assert client.get("/stream/a/echo").json()["target"] == "/a/echo"


def test_a_host_wins_over_none(client: httpx.Client):
    answer = client.get("/echo/host", headers={"host": "api.example.com"})

    assert answer.json()["target"] == "/for/host/echo"


def test_another_method_is_refused_with_those_that_are_right(client: httpx.Client):
    answer = client.delete("/api/users/1")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_no_route_has_is_not_found(client: httpx.Client):
    assert client.get("/nowhere").status_code == 404


def test_the_gateways_own_paths_stay_its_own(client: httpx.Client):
    assert client.get("/health").json() == {"status": "ready"}
    assert client.post("/graphql", json={"query": "{ __typename }"}).json() == {
        "data": {"__typename": "Query"}
    }


@pytest.mark.parametrize(
    "path",
    [
        "/echo/../known",
        "/echo/%2e%2e/known",
        "/echo/.%2E/known",
        "/echo/a%2f..%2fknown",
        "/echo//known",
        "/echo/%5c..%5cknown",
        "/echo/a%00b",
        "/echo/a%zz",
        "/echo/a%2fb",
    ],
)
def test_an_ambiguous_path_is_refused(url: str, backend: StreamingBackend, path: str):
    seen = len(backend.requests)

    answer = raw(
        url, f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode()
    )

    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"application/problem+json" in answer
    assert len(backend.requests) == seen


def test_another_spelling_of_a_path_does_not_go_round_its_route(client: httpx.Client):
    assert client.get("/%6bnown").status_code == 401


# Headers


def test_headers_of_the_connection_and_identity_do_not_go_on(
    url: str, backend: StreamingBackend
):
    answer = raw(
        url,
        b"GET /echo/x HTTP/1.1\r\nhost: shop.example\r\n"
        b"connection: close, x-mine\r\nx-mine: 1\r\nkeep-alive: 5\r\nte: trailers\r\n"
        b"proxy-authorization: Basic x\r\nupgrade: h2c\r\nhttp2-settings: x\r\n"
        b"x-user-id: admin\r\nx-auth-request-user: admin\r\nx_user_id: admin\r\n"
        b"cookie: session=1\r\nauthorization: Basic x\r\nx-api-key: k\r\n"
        b"x-forwarded-for: 6.6.6.6\r\nx-forwarded-host: evil\r\nx-real-ip: 6.6.6.6\r\n"
        b"forwarded: for=6.6.6.6\r\nvia: 1.0 evil\r\nx-kept: yes\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 200 "), answer
    names = sorted(line.split(":")[0].lower() for line in backend.last.lines)
    assert names == [
        "host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
        "x-kept", "x-request-id",
    ]  # fmt: skip
    assert backend.last.values("host") == [backend.url.removeprefix("http://")]
    assert backend.last.values("x-forwarded-for") == ["127.0.0.1"]
    assert backend.last.values("x-forwarded-host") == ["shop.example"]
    assert backend.last.values("x-forwarded-proto") == ["http"]
    assert backend.last.values("via") == ["1.1 graphgw"]


def test_headers_of_the_connection_do_not_come_back(client: httpx.Client):
    answer = client.get("/echo/hops")

    assert answer.text == "ok"
    assert answer.headers["x-kept"] == "yes"
    for name in ("x-private", "keep-alive", "proxy-authenticate", "set-cookie"):
        assert name not in answer.headers, name


def test_credentials_and_cookies_pass_where_the_route_says_so(
    client: httpx.Client, backend: StreamingBackend
):
    answer = client.get(
        "/open/hops",
        headers={"cookie": "a=1", "authorization": "Basic eA==", "host": "my.host"},
    )

    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert backend.last.values("cookie") == ["a=1"]
    assert backend.last.values("authorization") == ["Basic eA=="]
    assert backend.last.values("host") == ["my.host"]


def test_the_request_id_goes_on(client: httpx.Client, backend: StreamingBackend):
    client.get("/echo/x", headers={"x-request-id": "mine-1"})

    assert backend.last.values("x-request-id") == ["mine-1"]


def test_trailers_are_dropped_both_ways(url: str, backend: StreamingBackend):
    answer = raw(
        url,
        b"POST /echo/trailers HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
        b"transfer-encoding: chunked\r\ntrailer: x-user-id\r\n\r\n"
        b"2\r\nab\r\n0\r\nx-late: smuggled\r\nx-forwarded-for: 6.6.6.6\r\n\r\n",
    )

    assert b"x-late" not in answer
    assert backend.last.body == b"ab"
    assert not backend.last.values("x-late")
    assert backend.last.values("x-forwarded-for") == ["127.0.0.1"]


# Framing


def test_a_head_request_has_the_length_and_no_body(client: httpx.Client):
    answer = client.head("/echo/x")

    assert int(answer.headers["content-length"]) > 50
    assert answer.content == b""


@pytest.mark.parametrize(("path", "status"), [("none", 204), ("unchanged", 304)])
def test_answers_without_a_body_keep_the_connection(
    client: httpx.Client, path: str, status: int
):
    answers = [client.get(f"/echo/{path}") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status] * 3
    assert "content-length" not in answers[0].headers


def test_requests_that_come_at_once_are_answered_in_order(url: str):
    asked = [f"GET /echo/{n} HTTP/1.1\r\nhost: a\r\n\r\n" for n in range(3)]
    last = "GET /echo/last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"

    answer = raw(url, "".join([*asked, last]).encode())

    places = [answer.index(f"/echo/{name}".encode()) for name in (0, 1, 2, "last")]
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 200 ") == 4


def test_a_client_of_http_1_0_is_answered_without_chunks(url: str):
    answer = raw(url, b"GET /stream/chunked?mb=1 HTTP/1.0\r\nhost: a\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in answer.partition(b"\r\n\r\n")[0]
    assert len(answer.partition(b"\r\n\r\n")[2]) == MIB


def test_interim_answers_are_passed_over(client: httpx.Client):
    assert client.get("/echo/interim").text == "ok"


@pytest.mark.parametrize("path", ["two-lengths", "both", "garbage", "upgrade", "split"])
def test_an_answer_that_is_not_one_answer_is_refused(client: httpx.Client, path: str):
    answer = client.get(f"/echo/{path}")

    assert answer.status_code == 502
    assert answer.json()["code"] == "SOURCE_BAD_ANSWER"


def test_what_comes_after_an_answer_answers_nobody(client: httpx.Client):
    answers = [client.get("/echo/extra").text, client.get("/echo/interim").text]

    assert answers == ["ok", "ok"]


@pytest.mark.parametrize("path", ["cut", "cut-chunk"])
def test_a_part_of_an_answer_never_passes_for_the_whole(
    client: httpx.Client, path: str
):
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/echo/{path}")


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
        b"content-length: 4\r\ncontent-length: 5\r\n",
        b"transfer-encoding: identity, chunked\r\ncontent-length: 4\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding : chunked\r\n",
        b"content-length: +4\r\n",
        b"content-length: 0x4\r\n",
        b"host: b\r\n",
        b"x-a: b\r\n folded\r\n",
        b"bad header\r\n",
    ],
)
def test_a_request_that_two_servers_may_read_in_two_ways_is_refused(
    url: str, backend: StreamingBackend, head: bytes
):
    seen = len(backend.requests)

    answer = raw(
        url,
        b"POST /echo/x HTTP/1.1\r\nhost: a\r\n" + head + b"\r\n0\r\n\r\n",
        seconds=3,
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(backend.requests) == seen


def test_an_early_answer_comes_before_the_body_is_read(url: str):
    answer = raw(
        url,
        b"POST /stream/early HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc",
    )

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"no")


def test_a_body_is_asked_for_only_when_it_is_wanted(
    url: str, backend: StreamingBackend
):
    head = b"host: a\r\nconnection: close\r\nexpect: 100-continue\r\n"
    refused = raw(
        url, b"POST /known HTTP/1.1\r\n" + head + b"content-length: 9\r\n\r\n"
    )
    taken = raw(
        url,
        b"POST /echo/x HTTP/1.1\r\n" + head + b"content-length: 2\r\n\r\nab",
    )

    assert refused.startswith(b"HTTP/1.1 401 ")
    assert taken.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert not backend.last.values("expect")


# Streams


def rss(process: RunningProcess) -> int:
    """Return the bytes of memory that a process holds."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.parametrize("kind", ["big", "chunked", "endless"])
def test_answers_larger_than_memory_pass(
    running: tuple[RunningProcess, str], kind: str
):
    process, url = running
    before = highest = rss(process)
    received = 0

    with httpx.stream("GET", f"{url}/stream/{kind}?mb=256", timeout=60) as answer:
        for number, chunk in enumerate(answer.iter_raw(1 << 20)):
            received += len(chunk)
            if number % 16 == 0:
                highest = max(highest, rss(process))

    assert received == 256 * MIB
    assert highest - before < 24 * MIB


@pytest.mark.parametrize("is_chunked", [False, True])
def test_request_bodies_larger_than_memory_pass(
    running: tuple[RunningProcess, str], backend: StreamingBackend, *, is_chunked: bool
):
    process, url = running
    before = highest = rss(process)
    piece = b"y" * MIB

    def body() -> Iterator[bytes]:
        nonlocal highest
        for number in range(256):
            if number % 16 == 0:
                highest = max(highest, rss(process))
            yield piece

    headers = {} if is_chunked else {"content-length": str(256 * MIB)}
    answer = httpx.post(
        f"{url}/stream/echo", content=body(), headers=headers, timeout=60
    )

    assert answer.json()["bytes"] == 256 * MIB
    assert highest - before < 24 * MIB
    assert bool(backend.last.values("transfer-encoding")) is is_chunked


def test_a_slow_client_slows_the_service(
    running: tuple[RunningProcess, str], backend: StreamingBackend
):
    process, url = running
    before, sent = rss(process), backend.sent_bytes
    with socket.create_connection(_address(url)) as sock:
        sock.sendall(b"GET /stream/big?mb=512 HTTP/1.1\r\nhost: a\r\n\r\n")
        wait_for(lambda: backend.sent_bytes > sent)
        time.sleep(1)
        held = backend.sent_bytes
        time.sleep(0.5)

        assert backend.sent_bytes == held
        assert held - sent < 32 * MIB
        assert rss(process) - before < 24 * MIB
    wait_for(lambda: backend.in_flight == 0)


def test_a_slow_service_slows_the_client(
    running: tuple[RunningProcess, str], backend: StreamingBackend
):
    process, url = running
    before = rss(process)
    backend.hold.clear()
    with socket.create_connection(_address(url)) as sock:
        sock.sendall(
            b"POST /stream/held HTTP/1.1\r\nhost: a\r\ncontent-length: 67108864\r\n\r\n"
        )
        sock.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * MIB:
                sent += sock.send(b"z" * 65536)

        assert sent < 32 * MIB
        assert rss(process) - before < 24 * MIB
        time.sleep(2.5)  # longer than a whole body may take elsewhere
        backend.hold.set()
        sock.settimeout(20)
        while sent < 64 * MIB:
            sent += sock.send(b"z" * min(65536, 64 * MIB - sent))
        answer = b""
        while b"}" not in answer:
            answer += sock.recv(65536)
    assert b'"bytes": 67108864' in answer


def test_events_pass_as_they_come(url: str):
    came = []
    with httpx.stream("GET", f"{url}/stream/events?n=4", timeout=10) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        came = [time.monotonic() for chunk in answer.iter_raw() if chunk]

    assert len(came) >= 3
    assert came[-1] - came[0] > 0.1


def test_a_client_that_leaves_ends_the_call(url: str, backend: StreamingBackend):
    backend.hold.clear()
    with socket.create_connection(_address(url)) as sock:
        sock.sendall(b"GET /stream/held HTTP/1.1\r\nhost: a\r\n\r\n")
        wait_for(lambda: backend.in_flight == 1)
    backend.hold.set()

    wait_for(lambda: backend.in_flight == 0)


# Limits


def test_a_body_is_counted_while_it_streams(url: str):
    def body() -> Iterator[bytes]:
        for _ in range(20):
            yield b"a" * 100_000

    answer = httpx.post(f"{url}/echo/x", content=body(), timeout=10)

    assert answer.status_code == 413
    assert answer.json()["code"] == "LIMIT_EXCEEDED"


def test_a_declared_body_that_is_too_large_is_refused_unread(
    url: str, backend: StreamingBackend
):
    seen = len(backend.requests)

    answer = raw(
        url, b"POST /echo/x HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert len(backend.requests) == seen


def test_a_service_that_is_silent_is_given_up(
    client: httpx.Client, backend: StreamingBackend
):
    backend.hold.clear()
    answer = client.get("/impatient/held")
    backend.hold.set()

    assert answer.status_code == 504
    assert answer.json()["code"] == "SOURCE_TIMEOUT"


def test_a_slow_client_is_not_taken_for_a_slow_service(url: str):
    def body() -> Iterator[bytes]:
        for _ in range(6):
            time.sleep(0.15)
            yield b"a"

    answer = httpx.post(f"{url}/impatient/x", content=body(), timeout=10)

    assert answer.json()["bytes"] == 6


@pytest.mark.parametrize("path", ["/impatient/x", "/impatient/held"])
@pytest.mark.parametrize("framing", ["content-length: 9", "transfer-encoding: chunked"])
def test_a_body_that_comes_too_slowly_is_a_problem(url: str, path: str, framing: str):
    start = b"2\r\nab\r\n" if "chunked" in framing else b"ab"
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n"

    answer = raw(url, head.encode() + start)

    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b"content-type: application/problem+json" in answer
    assert b"connection: close" in answer
    assert b'"detail":"the body came too slowly"' in answer
    assert answer.count(b"HTTP/1.1") == 1


# Requests that were seen before, byte for byte


def known(url: str, request: bytes, *, source: str = "127.0.0.1") -> bytes:
    """Send a request three times over one connection; return the last answer."""
    answer = b""
    with socket.create_connection(_address(url), 5, (source, 0)) as sock:
        for _ in range(3):
            sock.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer or not _is_whole(answer):
                part = sock.recv(65536)
                if not part:
                    return answer
                answer += part
    return answer


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    return len(body) == lengths[0] if lengths else body.endswith(b"\r\n0\r\n\r\n")


def test_a_request_that_was_seen_before_is_answered_as_before(
    url: str, backend: StreamingBackend
):
    request = b"GET /echo/again?a=1 HTTP/1.1\r\nhost: a\r\nx-kept: 1\r\n\r\n"

    answer = known(url, request)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert backend.last.target == "/echo/again?a=1"
    assert backend.last.values("x-kept") == ["1"]


def test_a_request_that_was_seen_before_streams_its_answer(url: str):
    request = b"GET /stream/chunked?mb=4 HTTP/1.1\r\nhost: a\r\n\r\n"

    assert len(known(url, request)) > 4 * MIB


def test_headers_that_were_seen_before_go_with_any_request_line(
    url: str, backend: StreamingBackend
):
    rest = b" HTTP/1.1\r\nhost: a\r\nx-lines: 1\r\n\r\n"
    lines = [
        b"GET /echo/first",
        b"GET /echo/second?b=%20&c=/?",
        b"DELETE /echo/third",
        b"GET /stream/a/echo",
        b"GET /echo/%6c?",
    ]
    seen = len(backend.requests)

    answers = [known(url, line + rest) for line in lines]

    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    asked = [f"{found.method} {found.target}" for found in backend.requests[seen:]]
    assert asked == [
        name
        for name in (
            "GET /echo/first",
            "GET /echo/second?b=%20&c=/?",
            "DELETE /echo/third",
            "GET /a/echo",
            "GET /echo/l",
        )
        for _ in range(3)
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"GET /echo/a b HTTP/1.1",
        b"GET /echo/\x01 HTTP/1.1",
        b"GET /echo/../known HTTP/1.1",
        b"GET /echo//x HTTP/1.1",
        b"GET /echo/x HTTP/1.2",
        b"GOT /echo/x HTTP/1.1",
        b"GET /echo/x HTTP/1.1 ",
    ],
)
def test_headers_that_were_seen_before_make_no_line_right(
    url: str, backend: StreamingBackend, line: bytes
):
    rest = b"\r\nhost: a\r\nx-wrong-lines: 1\r\n\r\n"
    known(url, b"GET /echo/right HTTP/1.1" + rest)
    seen = len(backend.requests)

    answer = raw(url, line + rest, seconds=0.5)

    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert len(backend.requests) == seen


def test_who_sends_what_another_sent_before_is_told_apart(
    url: str, backend: StreamingBackend
):
    request = b"GET /echo/peer HTTP/1.1\r\nhost: a\r\n\r\n"

    known(url, request)
    known(url, request, source="127.0.0.2")

    assert backend.last.values("x-forwarded-for") == ["127.0.0.2"]


def test_what_was_seen_before_is_decided_on_anew(url: str):
    request = b"GET /limited/again HTTP/1.1\r\nhost: a\r\n\r\n"
    refused = b"GET /known?again HTTP/1.1\r\nhost: a\r\n\r\n"

    assert known(url, request).startswith(b"HTTP/1.1 404 ")
    assert known(url, refused).startswith(b"HTTP/1.1 401 ")


def test_a_known_request_and_the_next_may_come_at_once(url: str):
    request = b"GET /echo/one HTTP/1.1\r\nhost: a\r\n\r\n"
    last = b"GET /echo/two HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    known(url, request)

    answer = raw(url, request + request + last)

    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.index(b"/echo/one") < answer.index(b"/echo/two")


def test_a_known_request_may_be_followed_before_its_answer(
    url: str, backend: StreamingBackend
):
    request = b"GET /echo/held HTTP/1.1\r\nhost: a\r\n\r\n"
    last = b"GET /echo/next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    backend.hold.set()
    known(url, request)
    backend.hold.clear()
    with socket.create_connection(_address(url), 5) as sock:
        sock.sendall(request)
        time.sleep(0.1)
        sock.sendall(last)
        time.sleep(0.1)
        backend.hold.set()
        answer = b""
        while part := sock.recv(65536):
            answer += part

    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.rindex(b"/echo/next") > answer.rindex(b"HTTP/1.1 200 ")


# Requests with bodies whose headers were seen before


def post(path: str, body: bytes, *lines: str, method: str = "POST") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "host: a", *lines]
    head.append(f"content-length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_a_body_goes_with_a_head_that_was_seen_before(
    url: str, backend: StreamingBackend, method: str
):
    seen = len(backend.requests)

    for number in range(4):
        body = b'{"number": %d}' % number
        known(url, post("/echo/body", body, "x-bodies: 1", method=method))

    found = backend.requests[seen:]
    assert [one.body for one in found] == [
        b'{"number": %d}' % number for number in range(4) for _ in range(3)
    ]
    for one in found:
        assert (one.method, one.target) == (method, "/echo/body")
        assert one.values("content-length") == ["13"]
        assert one.values("transfer-encoding") == []


@pytest.mark.parametrize("cut", [1, 30, -14, -13, -5, -1], ids=lambda cut: f"at {cut}")
def test_a_known_head_may_come_without_all_of_its_body(
    url: str, backend: StreamingBackend, cut: int
):
    request = post("/echo/cut", b'{"number": 1}')
    known(url, request)
    seen = len(backend.requests)

    with socket.create_connection(_address(url), 5) as sock:
        sock.sendall(request[:cut])
        time.sleep(0.05)
        sock.sendall(request[cut:])
        answer = sock.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [one.body for one in backend.requests[seen:]] == [b'{"number": 1}']


def test_a_known_request_with_a_body_and_the_next_may_come_at_once(
    url: str, backend: StreamingBackend
):
    request = post("/echo/one", b"12345")
    last = post("/echo/two", b"67890", "connection: close")
    known(url, request)
    seen = len(backend.requests)

    answer = raw(url, request + request + last)

    assert answer.count(b"HTTP/1.1 200 ") == 3
    found = [(one.target, one.body) for one in backend.requests[seen:]]
    assert found == [
        ("/echo/one", b"12345"),
        ("/echo/one", b"12345"),
        ("/echo/two", b"67890"),
    ]


def test_a_body_that_looks_like_a_request_is_a_body(
    url: str, backend: StreamingBackend
):
    inner = b"GET /echo/smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
    request = post("/echo/outer", inner)
    seen = len(backend.requests)

    known(url, request)
    known(url, post("/echo/outer", b"\r\n\r\n" + inner[4:]))

    found = backend.requests[seen:]
    assert {one.target for one in found} == {"/echo/outer"}
    assert [one.body for one in found] == [inner] * 3 + [b"\r\n\r\n" + inner[4:]] * 3


@pytest.mark.parametrize(
    "head",
    [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: +5",
        "content-length: 5, 5",
        "content-length: -5",
    ],
)
def test_an_ambiguous_length_is_refused_however_often_it_comes(
    url: str, backend: StreamingBackend, head: str
):
    known(url, post("/echo/length", b"12345"))
    seen = len(backend.requests)
    request = f"POST /echo/length HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n12345"

    answers = [raw(url, request.encode(), seconds=0.5) for _ in range(3)]

    assert all(answer.startswith(b"HTTP/1.1 400 ") for answer in answers)
    assert len(backend.requests) == seen


def test_chunks_and_expectations_go_the_usual_way(url: str, backend: StreamingBackend):
    chunked = (
        b"POST /echo/chunks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n"
    )
    seen = len(backend.requests)

    known(url, chunked)
    expecting = ("connection: close", "expect: 100-continue")
    for _ in range(3):
        raw(url, post("/echo/expects", b"ab", *expecting))

    bodies = [one.body for one in backend.requests[seen:]]
    assert bodies == [b"abc"] * 3 + [b"ab"] * 3


def test_a_known_head_is_decided_on_anew_before_its_body_goes_on(
    url: str, backend: StreamingBackend
):
    seen = len(backend.requests)

    assert known(url, post("/known", b"abc")).startswith(b"HTTP/1.1 401 ")
    large = post("/echo/large", b"x" * 60_000)
    assert known(url, large).startswith(b"HTTP/1.1 200 ")
    longer = post("/echo/large", b"x" * 70_000)
    assert known(url, longer).startswith(b"HTTP/1.1 200 ")

    sizes = [one.body_bytes for one in backend.requests[seen:]]
    assert sizes == [60_000] * 3 + [70_000] * 3


def test_a_post_is_never_sent_twice(url: str, backend: StreamingBackend):
    request = post("/echo/reset", b"abc")
    known(url, post("/echo/warm", b"abc"))
    seen = len(backend.requests)

    answer = known(url, request)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(backend.requests) == seen + 3
    # The service closes after each answer, which the next request may meet.
    early = known(url, post("/stream/early", b"abc"))
    assert early.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 502 "))
    assert len(backend.requests) <= seen + 6


def test_a_service_that_takes_nothing_is_given_up(url: str, backend: StreamingBackend):
    backend.hold.clear()
    with socket.create_connection(_address(url)) as sock:
        sock.settimeout(5)
        sock.sendall(
            b"POST /impatient/held HTTP/1.1\r\nhost: a\r\n"
            b"content-length: 33554432\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):
            for _ in range(512):
                sock.sendall(b"z" * 65536)
        answer = sock.recv(100)
    backend.hold.set()

    assert answer.startswith(b"HTTP/1.1 504 ")


def test_a_service_that_is_not_there_is_told_as_a_problem(client: httpx.Client):
    answer = client.get("/dead", headers={"x-request-id": "r-1"})

    assert answer.status_code == 502
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Gateway",
        "status": 502,
        "detail": 'service "dead" could not be reached',
        "instance": "r-1",
        "code": "SOURCE_UNREACHABLE",
    }


# Policies


def test_an_unknown_caller_is_refused_before_any_call(
    client: httpx.Client, backend: StreamingBackend
):
    seen = len(backend.requests)

    answer = client.get("/known")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "UNAUTHENTICATED"
    assert len(backend.requests) == seen


def test_a_denied_address_is_refused(client: httpx.Client):
    assert client.get("/denied").status_code == 403


def test_a_shadow_rule_refuses_nobody(client: httpx.Client):
    assert client.get("/shadowed").status_code == 200


def test_a_rate_limit_is_told_and_kept(client: httpx.Client):
    answers = [client.get("/limited") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"route:limited";q=3;w=3600'
    assert answers[0].headers["ratelimit"].startswith('"route:limited";r=2;')
    assert int(answers[3].headers["retry-after"]) > 1
    assert answers[3].json()["code"] == "RATE_LIMITED"


def test_more_requests_than_there_are_places_are_refused(
    url: str, client: httpx.Client, backend: StreamingBackend
):
    backend.hold.clear()
    with socket.create_connection(_address(url)) as sock:
        sock.sendall(b"GET /narrow/held HTTP/1.1\r\nhost: a\r\n\r\n")
        wait_for(lambda: backend.in_flight == 1)
        refused = client.get("/narrow/x")
        backend.hold.set()
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert client.get("/narrow/x").status_code == 200


# Telemetry


def test_requests_are_counted_and_logged_by_the_routes_name(
    running: tuple[RunningProcess, str], client: httpx.Client
):
    process, _ = running
    client.get("/api/users/secret-path", headers={"x-request-id": "logged-1"})

    metrics = client.get("/metrics").text
    assert 'graphgw_routed_requests_total{method="GET",route="user"' in metrics
    assert "secret-path" not in metrics
    wait_for(lambda: any("logged-1" in line for line in process.lines))
    line = json.loads(next(line for line in process.lines if "logged-1" in line))
    assert line["event"] == "request"
    assert line["route"] == "user"
    assert line["status"] == 200
    assert "secret-path" not in json.dumps(line)
