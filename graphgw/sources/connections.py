"""A gateway's connections: every configured service, by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import httpx

from graphgw.errors import ConfigurationError, Problem
from graphgw.sources.balancing.balancer import Balancer
from graphgw.sources.balancing.transport import BalancedTransport
from graphgw.sources.grpc_service import GRPCService
from graphgw.sources.http_service import HTTPService
from graphgw.sources.http_transport.settings import read_transport_settings
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.httpx_transport import HTTPXTransport
from graphgw.sources.settings import find_problems
from graphgw.sources.tls import build_tls_context
from graphgw.telemetry.observer import NO_OBSERVER
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from graphgw.sources.protocol import Transport
    from graphgw.sources.settings import ServiceSettings
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Clock

__all__ = [
    "Connections",
    "OpenTransport",
    "open_http_transport",
    "open_httpx_transport",
]

OpenTransport: TypeAlias = "Callable[[ServiceSettings], Transport]"


class _Shared:
    """A service and how many ``Connections`` hold it."""

    __slots__ = ("holders", "service")

    def __init__(self, service: HTTPService | GRPCService) -> None:
        self.service = service
        self.holders = 0


class Connections:
    """The services of one configuration; implements ``context.Sources``.

    Services live as long as any ``Connections`` holds them: ``replace`` makes the
    one for a new configuration, in which a service whose settings are the same keeps
    its connections, breaker and budget.
    """

    __slots__ = ("_clock", "_observer", "_open_transport", "_replaced", "_services")

    def __init__(
        self,
        services: Iterable[ServiceSettings] = (),
        *,
        open_transport: OpenTransport | None = None,
        clock: Clock = SYSTEM_CLOCK,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        """Prepare the services; nothing is connected before the first call.

        Args:
            services: The settings of each.
            open_transport: Makes the transport of an HTTP service.
            clock: Tells the time to breakers and budgets.
            observer: Is told what becomes of addresses.

        Raises:
            ConfigurationError: Settings are wrong; holds all problems.
        """
        self._open_transport = open_transport or open_http_transport
        self._clock = clock
        self._observer = observer
        self._services: dict[str, _Shared] = {}
        self._replaced: list[_Shared] = []
        self._hold(services, {})

    @property
    def names(self) -> tuple[str, ...]:
        """The services' names."""
        return tuple(self._services)

    @property
    def forward_headers(self) -> frozenset[str]:
        """Lower-case names of all client headers that go on to some service.

        Calls that are shared between requests must differ where these do.
        """
        return frozenset(
            name.lower()
            for shared in self._services.values()
            for name in shared.service.settings.forward_headers
        )

    def http(self, name: str) -> HTTPService:
        """Return the HTTP service called ``name``.

        Raises:
            ConfigurationError: No HTTP service of that name is configured.
        """
        shared = self._services.get(name)
        if shared is None or not isinstance(shared.service, HTTPService):
            raise self._unknown(name, "http")
        return shared.service

    def grpc(self, name: str) -> GRPCService:
        """Return the gRPC service called ``name``.

        Raises:
            ConfigurationError: No gRPC service of that name is configured.
        """
        shared = self._services.get(name)
        if shared is None or not isinstance(shared.service, GRPCService):
            raise self._unknown(name, "grpc")
        return shared.service

    def open(self, settings: ServiceSettings) -> HTTPService | GRPCService:
        """Return the service with these settings; open it if it is not there.

        For services that a supergraph names rather than the configuration. One with
        the same name and other settings is replaced; calls under way go on, and its
        connections are closed in the end.

        Raises:
            ConfigurationError: The settings are wrong.
        """
        shared = self._services.get(settings.name)
        if shared is not None and shared.service.settings == settings:
            return shared.service
        if problems := find_problems(settings):
            raise ConfigurationError(problems)
        if shared is not None:
            self._replaced.append(shared)
        opened = _Shared(self._open(settings))
        opened.holders = 1
        self._services[settings.name] = opened
        return opened.service

    def replace(self, services: Iterable[ServiceSettings]) -> Connections:
        """Return the connections of a new configuration; close the old ones later.

        Raises:
            ConfigurationError: Settings are wrong; nothing has changed.
        """
        new = Connections(
            open_transport=self._open_transport,
            clock=self._clock,
            observer=self._observer,
        )
        new._hold(services, self._services)
        return new

    async def aclose(self) -> None:
        """Close the services that no other ``Connections`` holds."""
        held = [*self._services.values(), *self._replaced]
        self._services, self._replaced = {}, []
        for shared in held:
            shared.holders -= 1
        unused = [shared for shared in held if not shared.holders]
        await asyncio.gather(*(shared.service.aclose() for shared in unused))

    def _hold(
        self, services: Iterable[ServiceSettings], known: Mapping[str, _Shared]
    ) -> None:
        chosen = list(services)
        problems = [problem for item in chosen for problem in find_problems(item)]
        names = [item.name for item in chosen]
        problems.extend(
            Problem("two services have this name", where=f"services.{name}")
            for name in sorted({name for name in names if names.count(name) > 1})
        )
        if problems:
            raise ConfigurationError(problems)
        for settings in chosen:
            shared = known.get(settings.name)
            if shared is None or shared.service.settings != settings:
                shared = _Shared(self._open(settings))
            shared.holders += 1
            self._services[settings.name] = shared

    def _open(self, settings: ServiceSettings) -> HTTPService | GRPCService:
        if settings.kind == "grpc":
            return GRPCService(settings, clock=self._clock, observer=self._observer)
        transport: Transport = self._open_transport(settings)
        if settings.is_balanced:
            balancer = Balancer(settings, clock=self._clock, observer=self._observer)
            transport = BalancedTransport(balancer, transport)
        return HTTPService(settings, transport, clock=self._clock)

    def _unknown(self, name: str, kind: str) -> ConfigurationError:
        known = [
            key
            for key, shared in self._services.items()
            if shared.service.settings.kind == kind
        ]
        listed = ", ".join(f'"{key}"' for key in known) or "none"
        return ConfigurationError(
            [
                Problem(
                    f'no {kind} service "{name}" is configured',
                    where=f"services.{name}",
                    mend=f"the {kind} services are: {listed}",
                )
            ]
        )


def open_http_transport(settings: ServiceSettings) -> HTTPTransport:
    """Return the transport that services use if nothing else is said."""
    return HTTPTransport(read_transport_settings(settings))


def open_httpx_transport(settings: ServiceSettings) -> HTTPXTransport:
    """Return a transport on a client of httpx with the service's settings."""
    client = httpx.AsyncClient(
        verify=build_tls_context(settings.tls),
        timeout=httpx.Timeout(settings.timeout, connect=settings.connect_timeout),
        limits=httpx.Limits(
            max_connections=settings.max_connections,
            max_keepalive_connections=settings.max_connections,
            keepalive_expiry=settings.keep_alive,
        ),
        trust_env=False,
    )
    return HTTPXTransport(client, max_answer_bytes=settings.max_answer_bytes)
