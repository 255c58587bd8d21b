"""Every rule of a route for every caller, at every kind of route, under every switch.

What must come is worked out by ``expect``, from what the documentation promises: it
shares nothing with the code that decides. Backends count what they are asked.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.annotated import SERVICE, LibraryService, library_files
from support.gateways import running_gateway
from support.policies import HEADER
from support.tokens import ISSUER, claims_at, private_key, public_pem, sign

from graphgw.policies.authenticate.api_keys import (
    ApiKey,
    create_api_key,
    hash_api_key,
    write_api_keys,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "S3CRET"  # noqa: S105 - a marker to be found in answers
MODES = ("off", "shadow", "enforce")
PLACES = ("operation", "service", "grpc")
INSIDE, OUTSIDE, BARRED = "10.1.2.3", "192.0.2.1", "203.0.113.9"


@dataclass(frozen=True)
class Caller:
    """Who asks, in the words of the documentation."""

    ip: str = OUTSIDE
    is_known: bool = False
    has_key: bool = False
    scopes: frozenset[str] = frozenset()
    is_wrong: bool = False
    """Whether the credentials are forged, expired or unknown."""


READ = frozenset({"read"})
CODES = {401: "UNAUTHENTICATED", 403: "UNAUTHORIZED_FIELD_OR_TYPE"}
CALLERS = {
    "anonymous": Caller(),
    "anonymous-inside": Caller(INSIDE),
    "token": Caller(is_known=True),
    "token-scope": Caller(is_known=True, scopes=READ),
    "token-scope-inside": Caller(INSIDE, is_known=True, scopes=READ),
    "key": Caller(is_known=True, has_key=True),
    "key-scope-inside": Caller(INSIDE, is_known=True, has_key=True, scopes=READ),
    "both": Caller(is_known=True, has_key=True),
    "expired": Caller(INSIDE, is_wrong=True),
    "forged": Caller(INSIDE, is_wrong=True),
    "unknown-key": Caller(INSIDE, is_wrong=True),
    "barred": Caller(BARRED, is_known=True, has_key=True, scopes=READ),
}

RULES: dict[str, dict[str, Any]] = {
    "none": {},
    "authenticated": {"authenticated": True},
    "scopes": {"scopes": ["read"]},
    "key": {"api_key": "required"},
    "allow": {"allow_ips": ["10.0.0.0/8"]},
    "deny": {"deny_ips": ["192.0.2.0/24"]},
    "all": {
        "authenticated": True,
        "scopes": ["read"],
        "api_key": "required",
        "allow_ips": ["10.0.0.0/8"],
    },
}


def expect(mode: str, rule: str, switch: str, caller: Caller) -> int:
    """Return the status that the documentation promises; 200 is the backend's own."""
    if caller.ip == BARRED and mode == "enforce":
        return 403
    if caller.is_wrong and mode == "enforce":
        return 401
    return 200 if switch != "enforce" else expect_of_rule(RULES[rule], caller)


def expect_of_rule(asked: dict[str, Any], caller: Caller) -> int:
    """Return the status where a route's own rules are enforced."""
    if "allow_ips" in asked and caller.ip != INSIDE:
        return 403
    if "deny_ips" in asked and caller.ip == OUTSIDE:
        return 403
    if {"authenticated", "scopes"} & asked.keys() and not caller.is_known:
        return 401
    if "api_key" in asked and not caller.has_key:
        return 401
    if "scopes" in asked and not caller.scopes >= READ:
        return 403
    return 200


def expect_field(mode: str, caller: Caller) -> int:
    """Return the status of an endpoint whose operation has a guarded field."""
    if mode != "enforce":
        return 200
    if caller.ip == BARRED:
        return 403
    if caller.is_wrong or not caller.is_known:
        return 401
    return 200 if caller.scopes >= READ else 403


class Backend(ThreadingHTTPServer):
    """Answers a subgraph's operations and everything else; counts both."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.count = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer({"text": SECRET})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/graphql":
            self._answer({"data": {"thing": SECRET, "secret": SECRET}})
        else:
            self._answer({"text": SECRET})

    def _answer(self, value: Any) -> None:
        self.server.count += 1  # type: ignore[attr-defined]
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running_library() -> Iterator[LibraryService]:
    """Run the gRPC service in a loop of its own."""
    loop, library = asyncio.new_event_loop(), LibraryService()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(library.start(), loop).result(10)
    try:
        yield library
    finally:
        asyncio.run_coroutine_threadsafe(library.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def routes() -> dict[str, Any]:
    """Return one route for each place, rule and switch, and one more for limits."""
    targets: dict[str, dict[str, Any]] = {
        "operation": {"operation": {"file": "thing.graphql", "select": "thing"}},
        "service": {"service": "backend"},
        "grpc": {"grpc": {"service": "library", "method": f"{SERVICE}/GetBook",
                          "descriptors": "library.binpb"}},
    }  # fmt: skip
    found = {
        f"{place}-{rule}-{switch}": {
            "path": f"/{place}/{rule}/{switch}",
            **target,
            **asked,
            "switch": switch,
        }
        for place, target in targets.items()
        for rule, asked in RULES.items()
        for switch in MODES
    }
    for place, target in targets.items():
        for switch in MODES:
            found[f"{place}-limited-{switch}"] = {
                "path": f"/{place}/limited/{switch}",
                **target,
                "rate_limit": {"limit": 2, "window": "1h", "switch": switch},
            }
    found["field"] = {
        "path": "/field",
        "operation": {"file": "secret.graphql", "select": "secret"},
    }
    return found


SDL = """
type Query {
  thing: String
  secret: String @requiresScopes(scopes: [["read"]])
}
"""


def write(folder: Path, mode: str, backend: Backend, library: LibraryService) -> Path:
    """Write the configuration of one gateway; ``mode`` is that of its own rules."""
    (folder / "a.graphql").write_text(HEADER + SDL)
    (folder / "thing.graphql").write_text("{ thing }")
    (folder / "secret.graphql").write_text("{ secret }")
    (folder / "issuer.pem").write_bytes(public_pem(private_key()))
    (folder / "library.binpb").write_bytes(library_files().SerializeToString())
    keys = {"key": frozenset[str](), "key-scope-inside": READ, "barred": READ}
    write_api_keys(
        folder / "keys.json",
        [ApiKey(n, hash_api_key(KEYS[n], "pepper"), s) for n, s in keys.items()],
    )
    settings = {
        "subgraphs": {"a": {"url": f"{backend.url}/graphql", "sdl": "a.graphql"}},
        "services": {
            "backend": {"url": backend.url},
            "library": {"url": f"grpc://127.0.0.1:{library.port}"},
        },
        "routes": routes(),
        "auth": {
            "switch": mode,
            "issuers": [{"issuer": ISSUER, "key_file": "issuer.pem"}],
            "api_keys": {"file": "keys.json", "secret": "pepper"},
            "addresses": {
                "deny": [f"{BARRED}/32"],
                "trusted_proxies": ["127.0.0.1/32"],
                "switch": mode,
            },
        },
        "policies": {"rate_limit": {"switch": mode}},
    }
    config = folder / "graphgw.yaml"
    config.write_text(json.dumps(settings))
    return config


KEYS = {name: create_api_key() for name in ("key", "key-scope-inside", "barred")}


def headers_of(name: str, subject: str = "u1") -> dict[str, str]:
    """Return what a caller sends."""
    caller, now = CALLERS[name], time.time()
    found = {"x-forwarded-for": caller.ip}
    scope = " ".join(caller.scopes) or None
    if name.startswith("token") or name in {"both", "barred"}:
        good = claims_at(now, sub=subject, scope=scope)
        found["authorization"] = f"Bearer {sign(good)}"
    elif name == "expired":
        found["authorization"] = f"Bearer {sign(claims_at(now, exp=1_000_000_000))}"
    elif name == "forged":
        key = private_key(name="another")
        found["authorization"] = f"Bearer {sign(claims_at(now, scope='read'), key)}"
    if caller.has_key:
        found["x-api-key"] = KEYS["key" if name == "both" else name]
    if name == "unknown-key":
        found["x-api-key"] = create_api_key()
    return found


@dataclass
class Gateway:
    """A gateway of one mode, and what its backends were asked."""

    client: httpx.Client
    backend: Backend
    library: LibraryService

    @property
    def calls(self) -> int:
        return self.backend.count + len(self.library.asked)

    def ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[Any, int]:
        """Return the answer, and how many backend calls it took."""
        before = self.calls
        body = {"json": {}} if method == "POST" else {}
        answer = self.client.request(method, path, headers=headers, **body)
        return answer, self.calls - before

    def reported(self, coordinate: str) -> float:
        """Return how many requests the metrics call refused, or nearly so."""
        return sum(
            float(line.rpartition(" ")[2])
            for line in self.client.get("/metrics").text.splitlines()
            if line.startswith("graphgw_refused_selections_total")
            and f'coordinate="{coordinate}"' in line
        )


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Gateway]]:
    with ExitStack() as stack:
        backend = stack.enter_context(Backend())
        thread = threading.Thread(target=backend.serve_forever, daemon=True)
        thread.start()
        stack.callback(backend.shutdown)
        library = stack.enter_context(running_library())
        found = {}
        for mode in MODES:
            folder = tmp_path_factory.mktemp(mode)
            config = write(folder, mode, backend, library)
            _, url = stack.enter_context(running_gateway(config))
            client = stack.enter_context(httpx.Client(base_url=url, timeout=30))
            found[mode] = Gateway(client, backend, library)
        yield found


CELLS = [
    pytest.param(mode, place, rule, switch, id=f"{mode}-{place}-{rule}-{switch}")
    for mode in MODES
    for place in PLACES
    for rule in RULES
    for switch in MODES
]


@pytest.mark.parametrize(("mode", "place", "rule", "switch"), CELLS)
def test_a_route_answers_who_may_and_asks_nobody_for_others(
    gateways: dict[str, Gateway], mode: str, place: str, rule: str, switch: str
):
    gateway, path = gateways[mode], f"/{place}/{rule}/{switch}"
    # The second of two equal requests goes past parser and ASGI.
    for name, caller in CALLERS.items():
        sent, expected = headers_of(name), expect(mode, rule, switch, caller)
        for method in ("GET", "GET", "POST"):
            answer, calls = gateway.ask(method, path, sent)

            seen = (name, method, answer.status_code, calls)
            assert seen == (name, method, expected, int(expected == 200)), answer.text
            if expected == 200:
                assert place == "grpc" or SECRET in answer.text
                continue
            assert SECRET not in answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            code = (
                "UNAUTHENTICATED" if expected == 401 else "UNAUTHORIZED_FIELD_OR_TYPE"
            )
            assert answer.json()["code"] == code
            assert ("www-authenticate" in answer.headers) is (expected == 401)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_rule_of_a_field_holds_at_an_endpoint(
    gateways: dict[str, Gateway], mode: str, caller: str
):
    expected = expect_field(mode, CALLERS[caller])
    for method in ("GET", "GET", "POST"):
        answer, calls = gateways[mode].ask(method, "/field", headers_of(caller))

        assert (answer.status_code, calls) == (expected, int(expected == 200))
        assert (SECRET in answer.text) is (expected == 200)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("switch", MODES)
def test_shadow_reports_at_a_route_whom_enforce_would_refuse(
    gateways: dict[str, Gateway], place: str, switch: str
):
    gateway, route = gateways["enforce"], f"route:{place}-scopes-{switch}"
    before = gateway.reported(route)

    gateway.ask("GET", f"/{place}/scopes/{switch}", headers_of("token"))
    gateway.ask("GET", f"/{place}/scopes/{switch}", headers_of("token-scope"))

    assert gateway.reported(route) - before == (1 if switch == "shadow" else 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("switch", MODES)
def test_the_third_of_two_requests_is_too_many_where_both_switches_say_so(
    gateways: dict[str, Gateway], mode: str, place: str, switch: str
):
    path = f"/{place}/limited/{switch}"
    for number, name in enumerate(("anonymous", "token", "key", "token-scope")):
        sent = headers_of(name, f"u{number}")
        found = [gateways[mode].ask("GET", path, sent) for _ in range(3)]
        other, _ = gateways[mode].ask("GET", path, headers_of("token", f"o{number}"))

        is_held = mode == switch == "enforce"
        statuses = [answer.status_code for answer, _ in found]
        assert statuses == [200, 200, 429 if is_held else 200], name
        assert [calls for _, calls in found] == [1, 1, 0 if is_held else 1], name
        assert ("retry-after" in found[2][0].headers) is is_held
        is_counted = "off" not in {mode, switch}
        assert ("ratelimit" in found[0][0].headers) is is_counted
        assert other.status_code == 200
