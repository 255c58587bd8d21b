"""Fixtures of the source tests: a clock moved by hand, contexts, recorders."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
import uvloop

from graphgw.context import RequestContext
from graphgw.types import Deadline


def pytest_asyncio_loop_factories(config, item):
    """Run the transport's tests on both event loops."""
    del config
    factories = {"asyncio": asyncio.new_event_loop}
    if item.path.name == "test_http_transport.py":
        factories["uvloop"] = uvloop.new_event_loop
    return factories


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now

    def move(self, seconds: float) -> None:
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class RecordingObserver:
    events: list[object] = field(default_factory=list)

    def observe(self, event: object) -> None:
        self.events.append(event)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def observer():
    return RecordingObserver()


@pytest.fixture
def make_context():
    def make(*, seconds=5.0, **options):
        return RequestContext(deadline=Deadline.after(seconds), **options)

    return make
