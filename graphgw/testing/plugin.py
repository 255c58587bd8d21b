"""The pytest plugin: a gateway in process over fake services.

Installed with graphgw; pytest finds it by itself::

    async def test_users_are_loaded_in_one_call(graph, fake_service):
        users = fake_service("user")
        users.on("GET", "/users", {"items": [{"id": "u1", "name": "Ada"}]})

        async with graph(subgraph, services=[users]) as gateway:
            answer = await gateway.execute('{ user(id: "u1") { name } }')

        assert answer.to_json() == {"data": {"user": {"name": "Ada"}}}
        assert len(users.calls) == 1

How coroutine tests run is up to the project: pytest-asyncio or anyio.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw import Gateway, Subgraph
    from graphgw.config.settings import Settings
    from graphgw.telemetry.observer import Observer
    from graphgw.testing.fake_service import FakeService

__all__ = ["FakeServiceFactory", "GraphFactory", "fake_service", "graph"]

# Everything else of graphgw is imported by the fixtures: pytest starts no slower.


class GraphFactory(Protocol):
    """Makes gateways; each is entered with ``async with``."""

    def __call__(
        self,
        *subgraphs: Subgraph,
        services: Sequence[FakeService] | Mapping[str, str] = (),
        settings: Settings | None = None,
        observers: Sequence[Observer] = (),
    ) -> Gateway:
        """Return a gateway that was not started yet.

        Args:
            subgraphs: What it composes.
            services: Fake services, or URLs by the names that resolvers use.
            settings: All other settings.
            observers: Who is told of every event.
        """
        ...


class FakeServiceFactory(Protocol):
    """Makes fake services, which end with the test."""

    def __call__(self, name: str) -> FakeService:
        """Return a service under the name that resolvers use."""
        ...


@pytest.fixture
def graph() -> GraphFactory:
    """Make gateways in process from subgraphs and services."""

    def make(
        *subgraphs: Subgraph,
        services: Sequence[FakeService] | Mapping[str, str] = (),
        settings: Settings | None = None,
        observers: Sequence[Observer] = (),
    ) -> Gateway:
        from graphgw.gateway import Gateway  # noqa: PLC0415 - only tests that ask

        urls = (
            services
            if isinstance(services, Mapping)
            else {service.name: service.url for service in services}
        )
        return Gateway(
            subgraphs=subgraphs,
            services=urls,
            settings=settings,
            observers=observers,
        )

    return make


@pytest.fixture
def fake_service() -> Iterator[FakeServiceFactory]:
    """Make HTTP services on loopback that record what they are asked."""
    from graphgw.testing.fake_service import FakeService  # noqa: PLC0415

    with ExitStack() as services:
        yield lambda name: services.enter_context(FakeService(name))
