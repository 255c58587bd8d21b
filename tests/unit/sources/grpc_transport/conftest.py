"""Fixtures of the native gRPC client's tests: a peer of frames, and a channel to it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
import uvloop
from support.http2_peer import HTTP2Peer

from graphgw.sources.grpc_transport.channel import Channel
from graphgw.sources.grpc_transport.requests import GRPCRequest
from graphgw.sources.settings import ServiceSettings
from graphgw.types import Deadline


def pytest_asyncio_loop_factories(config, item):
    """Run the tests of connections on both event loops."""
    del config
    factories = {"asyncio": asyncio.new_event_loop}
    if item.path.name in {"test_channel.py", "test_connection.py", "test_faults.py"}:
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture
async def open_peer():
    """Start a server that speaks by script."""
    async with AsyncExitStack() as stack:

        async def start(*scripts, **options):
            return await stack.enter_async_context(HTTP2Peer(scripts, **options))

        yield start


@pytest.fixture
async def open_channel():
    """Make channels, and close them in the end."""
    made = []

    def make(*peers, resolver=None, **options):
        options.setdefault("addresses", tuple(peer.address for peer in peers))
        settings = ServiceSettings(name="order", kind="grpc", **options)
        made.append(Channel(settings, resolver=resolver))
        return made[-1]

    yield make
    for channel in made:
        async with asyncio.timeout(5):
            await channel.aclose()


@pytest.fixture
def ask():
    """Make a call."""

    async def call(channel, message=b"hello", *, seconds=2.0, **options):
        deadline = Deadline.after(seconds)
        return await channel.unary(GRPCRequest("/a.B/C", message, **options), deadline)

    return call
