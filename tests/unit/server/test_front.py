"""The front under an ASGI server that is not our own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import strawberry

from graphgw import Gateway, Subgraph, create_app
from graphgw.config.settings import ServerSettings, Settings

BODY = b'{"query":"{ slow }"}'


class Calls:
    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.cancelled = False


def gateway_of(calls: Calls) -> Gateway:
    @strawberry.type
    class Query:
        @strawberry.field
        async def slow(self) -> str:
            calls.began.set()
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                calls.cancelled = True
                raise
            return "late"

    settings = replace(Settings(), server=ServerSettings(body_timeout=0.05))
    return Gateway(subgraphs=[Subgraph("slow", query=Query)], settings=settings)


def scope(*headers: tuple[bytes, bytes], method: str = "POST") -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": "/graphql",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
        "client": None,
    }


class Sent:
    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return self.messages[0]["status"]


async def test_a_disconnect_takes_the_operation_along():
    calls, sent = Calls(), Sent()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": BODY})

    async with gateway_of(calls) as gateway:
        task = asyncio.create_task(create_app(gateway)(scope(), messages.get, sent))
        await calls.began.wait()
        messages.put_nowait({"type": "http.disconnect"})
        async with asyncio.timeout(5):
            await task

    assert calls.cancelled
    assert sent.messages == []


async def test_a_body_that_does_not_come_is_given_up():
    calls, sent = Calls(), Sent()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async with gateway_of(calls) as gateway:
        async with asyncio.timeout(5):
            await create_app(gateway)(scope(), messages.get, sent)

    assert sent.status == 408


async def test_a_client_that_leaves_before_its_body_is_sent_gets_no_answer():
    sent = Sent()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
    messages.put_nowait({"type": "http.disconnect"})

    async with gateway_of(Calls()) as gateway:
        await create_app(gateway)(scope(), messages.get, sent)

    assert sent.messages == []


async def test_a_header_in_two_lines_is_one_list():
    sent = Sent()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b'{"query":"{ __typename }"}'})
    accept = ((b"accept", b"text/plain"), (b"accept", b"application/json"))

    async with gateway_of(Calls()) as gateway:
        await create_app(gateway)(scope(*accept), messages.get, sent)

    assert sent.status == 200
