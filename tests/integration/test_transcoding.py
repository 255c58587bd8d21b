"""JSON over HTTP for a gRPC service, through a gateway process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from conftest import RunningGateway
from google.rpc import error_details_pb2, status_pb2
from integration.test_shop import mint
from support.annotated import SERVICE, LibraryService, library_files
from support.gateways import running_gateway

STATUSES = {
    "CANCELLED": 502,
    "UNKNOWN": 502,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 502,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 502,
    "UNAUTHENTICATED": 401,
}


@asynccontextmanager
async def served(
    folder: Path, *, has_file: bool = True, is_up: bool = True
) -> AsyncIterator[tuple[httpx.AsyncClient, LibraryService]]:
    """Run the library's service, and a gateway with all of it and one method."""
    library = LibraryService(has_reflection=True)
    async with library:
        if not is_up:
            await library.stop()
        config = write(folder, library.port, has_file=has_file)
        running = running_gateway(config)
        _, url = await asyncio.to_thread(running.__enter__)
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                yield client, library
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


def write(folder: Path, port: int, *, has_file: bool) -> Path:
    (folder / "library.binpb").write_bytes(library_files().SerializeToString())
    (folder / "a.graphql").write_text("type Query { ok: Boolean }")
    target: dict[str, Any] = {"service": "library"}
    if has_file:
        target["descriptors"] = "library.binpb"
    told = {**target, "method": f"{SERVICE}/GetBook", "shows_details": True}
    settings = {
        "subgraphs": {"a": {"url": "http://127.0.0.1:1", "sdl": "a.graphql"}},
        "services": {
            "library": {
                "url": f"grpc://127.0.0.1:{port}",
                "breaker": {"is_enabled": False},
                "retries": {"max_retries": 0},
                "forward_headers": ["x-from", "x-old", "x-secret"],
            }
        },
        "routes": {
            "all": {"path": "/api/*", "grpc": {**target, "interface": [SERVICE]}},
            "told": {
                "path": "/told/{name}",
                "grpc": told,
                "request": {
                    "headers": {
                        "set": {"x-from": "a route"},
                        "remove": ["x-secret"],
                        "rename": {"x-old": "x-new"},
                    }
                },
                "timeouts": {"first_byte": "700ms"},
            },
        },
    }
    config = folder / "graphgw.yaml"
    config.write_text(json.dumps(settings))
    return config


async def ask(client: httpx.AsyncClient, path: str, **options: Any) -> Any:
    answer = await client.request(options.pop("method", "GET"), path, **options)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("has_file", [True, False], ids=["file", "reflection"])
async def test_annotated_methods_answer_json(tmp_path: Path, *, has_file: bool):
    async with served(tmp_path, has_file=has_file) as (client, library):
        status, book = await ask(client, "/api/v1/shelves/a/books/b%20c")
        _, books = await ask(client, "/api/v1/books?tags=x&tags=y&author.fullName=A")
        created = await client.post("/api/v1/shelves/s/books", json={"copies": "4"})
        await client.post("/api/v1/books/b:move", json={"to": "t"})

    assert status == 200
    assert book["name"] == "shelves/a/books/b c"
    assert book["copies"] == "0"
    assert [found["name"] for found in books] == ["ListBooks"]
    assert created.status_code == 200
    asked = dict(library.asked)
    assert list(asked["ListBooks"].tags) == ["x", "y"]
    assert asked["ListBooks"].author.full_name == "A"
    assert (asked["CreateBook"].shelf, asked["CreateBook"].book.copies) == ("s", 4)
    assert (asked["MoveBook"].name, asked["MoveBook"].to) == ("b", "t")


async def test_a_service_that_is_down_at_the_start_is_asked_later(tmp_path: Path):
    async with served(tmp_path, has_file=False, is_up=False) as (client, library):
        status, problem = await ask(client, "/api/v1/books")
        await library.start()
        ends = asyncio.get_running_loop().time() + 10
        while (await client.get("/api/v1/books")).status_code != 200:
            assert asyncio.get_running_loop().time() < ends
            await asyncio.sleep(0.1)

    assert status in {502, 503}
    assert problem["code"].startswith("SOURCE_") or problem["code"] == "UNAVAILABLE"


async def test_a_service_that_turns_out_not_to_fit_is_told_of(tmp_path: Path):
    library = LibraryService(has_reflection=True)
    async with library:
        await library.stop()
        config = write(tmp_path, library.port, has_file=False)
        settings = json.loads(config.read_text())
        target = {"service": "library", "method": f"{SERVICE}/Missing"}
        settings["routes"]["unfit"] = {"path": "/unfit", "grpc": target}
        config.write_text(json.dumps(settings))
        running = running_gateway(config)
        process, url = await asyncio.to_thread(running.__enter__)
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                await library.start()
                ends = asyncio.get_running_loop().time() + 10
                while (await client.get("/api/v1/books")).status_code != 200:
                    assert asyncio.get_running_loop().time() < ends
                    await asyncio.sleep(0.1)
                answers = [
                    await client.get("/unfit", headers={"x-request-id": f"r-{number}"})
                    for number in range(3)
                ]
                ends = asyncio.get_running_loop().time() + 10
                while not any("r-2" in line for line in process.lines):
                    assert asyncio.get_running_loop().time() < ends
                    await asyncio.sleep(0.05)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)

    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["code"] == "CONFIGURATION_INVALID"
        assert "Missing" not in answer.text
    logged = [line for line in process.lines if "r-0" in line and "failure" in line]
    assert len(logged) == 1
    assert f"{SERVICE}/Missing" in logged[0]
    assert "routes.unfit.grpc.method" in logged[0]
    assert "Traceback" not in "".join(process.lines)


async def test_what_is_not_there_or_wrong_is_a_problem(tmp_path: Path):
    async with served(tmp_path) as (client, library):
        found = {
            path: await ask(client, path, method=method)
            for method, path in [
                ("GET", "/api/v1/hidden"),
                ("DELETE", "/api/v1/books"),
                ("GET", "/api/v1/books?nope=1"),
            ]
        }
        large = await client.post("/api/v1/books/b:move", json={"to": "x" * 2_000_000})

    assert [status for status, _ in found.values()] == [404, 405, 400]
    assert large.status_code == 413
    assert found["/api/v1/books?nope=1"][1]["detail"] == "query: there is no field nope"
    assert library.asked == []


async def test_a_status_of_grpc_has_one_of_http(tmp_path: Path):
    async with served(tmp_path) as (client, library):
        found, told = {}, {}
        for name in STATUSES:
            library.fails["GetBook"] = (grpc.StatusCode[name], "the secret reason")
            found[name] = await ask(client, "/api/v1/books/b")
            told[name] = await ask(client, "/told/b")

    assert {name: status for name, (status, _) in found.items()} == STATUSES
    for name, (_, problem) in found.items():
        assert problem["code"] in {name, "SOURCE_TIMEOUT"}
        assert "secret" not in problem["detail"]
    shown = {name for name, (_, p) in told.items() if "secret" in p["detail"]}
    assert shown == {name for name, status in STATUSES.items() if status < 500}


async def test_a_route_s_headers_and_time_go_on_to_the_service(tmp_path: Path):
    async with served(tmp_path) as (client, library):
        await client.get("/told/b", headers={"x-from": "a client"})

    (metadata,) = library.metadata
    assert metadata["x-from"] == "a route"


async def test_headers_that_a_route_removes_do_not_go_on(tmp_path: Path):
    headers = {"x-secret": "s", "x-old": "o", "x-from": "a client", "x-other": "n"}
    async with served(tmp_path) as (client, library):
        await client.get("/told/b", headers=headers)
        await client.get("/api/v1/books/b", headers=headers)

    changed, plain = (
        {name: value for name, value in metadata.items() if name.startswith("x-")}
        for metadata in library.metadata
    )
    for found in (changed, plain):
        found.pop("x-request-id", None)
    assert changed == {"x-from": "a route", "x-new": "o"}
    assert plain == {"x-from": "a client", "x-old": "o", "x-secret": "s"}


async def test_details_of_a_failure_are_shown_as_json(tmp_path: Path):
    status = status_pb2.Status(code=8, message="a secret")
    details = [
        error_details_pb2.ErrorInfo(reason="TOO_MANY", domain="library.example"),
        error_details_pb2.RetryInfo(retry_delay={"seconds": 2, "nanos": 500_000_000}),
        error_details_pb2.DebugInfo(stack_entries=["a secret"]),
    ]
    for detail in details:
        status.details.add().Pack(detail)
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    fails = (grpc.StatusCode.RESOURCE_EXHAUSTED, "a secret", trailers)
    async with served(tmp_path) as (client, library):
        library.fails = {"GetBook": fails, "Watch": fails, "Watch:end": fails}
        unary = await client.get("/api/v1/books/b")
        refused = await client.get("/api/v1/news?first=1")
        del library.fails["Watch"]
        broken = await client.get("/api/v1/news?first=1")

    expected = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "TOO_MANY",
            "domain": "library.example",
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.500s"},
    ]
    last = json.loads(broken.text.splitlines()[-1])["error"]
    for answer in (unary, refused):
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "3"
        assert answer.json()["details"] == expected
    assert last["details"] == expected
    assert "secret" not in unary.text + refused.text + broken.text


async def test_a_stream_is_lines_or_events(tmp_path: Path):
    async with served(tmp_path) as (client, library):
        lines = await client.get("/api/v1/news?first=2")
        accept = {"accept": "text/event-stream"}
        events = await client.get("/api/v1/news?first=2", headers=accept)
        library.fails["Watch:end"] = (grpc.StatusCode.DATA_LOSS, "a secret")
        broken = await client.get("/api/v1/news?first=1")
        cut = await client.get("/api/v1/news?first=1", headers=accept)
        library.fails["Watch"] = (grpc.StatusCode.NOT_FOUND, "a secret")
        refused = await client.get("/api/v1/news?first=1")

    assert lines.headers["content-type"] == "application/x-ndjson"
    names = [json.loads(line)["name"] for line in lines.text.splitlines()]
    assert names == ["book-1", "book-2"]
    assert events.headers["content-type"] == "text/event-stream"
    blocks = events.text.strip().split("\n\n")
    data = [json.loads(block.removeprefix("data: ")) for block in blocks]
    assert [book["name"] for book in data] == names
    assert json.loads(broken.text.splitlines()[-1])["error"]["code"] == "DATA_LOSS"
    assert "event: error\ndata: {" in cut.text
    assert refused.status_code == 404
    assert "secret" not in broken.text + cut.text + refused.text


async def test_a_client_that_leaves_ends_its_stream_at_the_service(tmp_path: Path):
    async with served(tmp_path) as (client, library):
        async with client.stream("GET", "/api/v1/news") as answer:
            received = answer.aiter_lines()
            first = [json.loads(await anext(received))["name"] for _ in range(3)]
            assert library.cancelled == 0

        ends = asyncio.get_running_loop().time() + 5
        while not library.cancelled:
            assert asyncio.get_running_loop().time() < ends
            await asyncio.sleep(0.02)

    assert first == ["book-1", "book-2", "book-3"]


def test_the_example_translates_for_who_may(gateway: RunningGateway):
    url = f"{gateway.url}/api/orders?ids=o1&ids=o2"
    headers = {"authorization": f"Bearer {mint('orders:read')}"}

    allowed = httpx.get(url, headers=headers)
    refused = httpx.get(url)

    assert [order["id"] for order in allowed.json()] == ["o1", "o2"]
    assert allowed.json()[0]["totalCents"].isdecimal()
    assert refused.status_code == 401
