"""Makes gRPC calls at the address that the balancer chose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from graphgw.errors import SourceError, SourceTimeoutError, SourceUnreachableError
from graphgw.sources.balancing.transport import PinnedResolver
from graphgw.sources.balancing.watch import Watch
from graphgw.sources.grpc_transport.channel import Channel
from graphgw.sources.grpc_transport.failures import disconnected
from graphgw.sources.grpc_transport.requests import GRPCRequest
from graphgw.sources.grpcio_channel import GRPCIOChannel
from graphgw.sources.guard import FAIR_SHARE, is_failure
from graphgw.types import Deadline

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from graphgw.sources.balancing.addresses import Address
    from graphgw.sources.balancing.balancer import Balancer
    from graphgw.sources.balancing.settings import HealthCheckSettings
    from graphgw.sources.http_transport.resolver import Resolver
    from graphgw.sources.settings import ServiceSettings

__all__ = ["BalancedChannel", "build_health_request", "is_serving"]

_CHECK: Final = "/grpc.health.v1.Health/Check"
_SERVING: Final = b"\x08\x01"
"""A ``HealthCheckResponse`` whose status is ``SERVING``."""


class BalancedChannel:
    """A client of one gRPC service whose calls go to one of several addresses.

    Each address has connections of its own. Calls that answer once are made by the
    native client, streams by grpcio; a stream stays where it began.
    """

    __slots__ = ("_balancer", "_channels", "_is_closed", "_streams", "_watch")

    def __init__(self, balancer: Balancer, *, resolver: Resolver | None = None) -> None:
        """Prepare the channel; nothing is connected before the first call.

        ``resolver`` finds the records of names, where each is an address.
        """
        self._balancer = balancer
        self._channels: dict[str, Channel] = {}
        self._streams: dict[str, GRPCIOChannel] = {}
        self._watch = Watch(balancer, self._ask, self._forget, resolver)
        self._is_closed = False
        # Files that cannot be read are told of now, not by each call.
        self._open(balancer.addresses[0])

    async def unary(self, request: GRPCRequest, deadline: Deadline) -> bytes:
        """Call a method that answers once; see ``Channel.unary``.

        An address that cannot be reached was sent nothing: others are tried at once,
        whatever the call is.
        """
        await self._ready()
        tried = [] if request.tried is None else request.tried
        most = len(self._balancer.addresses)
        headers = request.metadata + request.own
        while True:
            address = self._balancer.choose(headers, tried)
            channel = self._open(address)
            is_begun, had = False, deadline.remaining()
            outcome: SourceError | str = "CANCELLED"
            try:
                call = await channel.start(request, deadline)
                is_begun = True
                answer = await channel.resume(request, deadline, call)
                outcome = "OK"
            except SourceUnreachableError as error:
                outcome = error
                if is_begun or len(tried) >= most or deadline.is_over:
                    raise
            except SourceError as error:
                outcome = error
                raise
            else:
                return answer
            finally:
                self._settle(address, outcome, had)

    async def stream(
        self, request: GRPCRequest, seconds: float | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the messages of a method that answers many times.

        The call is under way at its address, and ends, with the generator.

        Raises:
            SourceError: The call failed, or the stream broke.
        """
        await self._ready()
        address = self._balancer.choose(request.metadata + request.own)
        outcome: SourceError | str = "CANCELLED"
        try:
            messages = self._open_streams(address).stream(request, seconds)
            try:
                async for message in messages:
                    yield message
            finally:
                await messages.aclose()
            outcome = "OK"
        except SourceError as error:
            outcome = error
            raise
        finally:
            self._settle(address, outcome)

    async def aclose(self) -> None:
        """Close every connection, and look after addresses no longer."""
        self._is_closed = True
        await self._watch.aclose()
        await self._close([*self._channels, *self._streams])

    async def _ready(self) -> None:
        if self._is_closed:
            raise disconnected(self._balancer.settings.name)
        if not self._watch.is_ready:
            await self._watch.start()

    def _settle(
        self, address: Address, outcome: SourceError | str, had: float = inf
    ) -> None:
        """Note how a call went that ``had`` so many seconds."""
        if isinstance(outcome, SourceError):
            status = str(outcome.status or outcome.code)
            # Who is asked at the last moment cannot help being late.
            is_fair = had >= self._balancer.settings.timeout * FAIR_SHARE
            self._balancer.settle(
                address,
                status,
                is_failure=is_failure(outcome),
                is_known=is_fair or not isinstance(outcome, SourceTimeoutError),
            )
        else:
            is_known = outcome == "OK"
            self._balancer.settle(address, outcome, is_failure=False, is_known=is_known)

    def _open(self, address: Address) -> Channel:
        channel = self._channels.get(address.label)
        if channel is None:
            resolver = PinnedResolver(address.ip) if address.ip else None
            settings = _narrow(self._balancer.settings, _read_place(address))
            channel = Channel(settings, resolver=resolver)
            self._channels[address.label] = channel
        return channel

    def _open_streams(self, address: Address) -> GRPCIOChannel:
        channel = self._streams.get(address.label)
        if channel is None:
            settings = self._balancer.settings
            place = _read_place(address)
            if address.ip is not None:
                parts = urlsplit(address.origin)
                host = f"[{address.ip}]" if ":" in address.ip else address.ip
                place = f"{host}:{parts.port}"
                if settings.tls is not None and settings.tls.server_name is None:
                    # The certificate is that of the name, not of its record.
                    tls = replace(settings.tls, server_name=parts.hostname)
                    settings = replace(settings, tls=tls)
            channel = GRPCIOChannel(_narrow(settings, place))
            self._streams[address.label] = channel
        return channel

    async def _ask(self, address: Address, check: HealthCheckSettings) -> bool:
        request = GRPCRequest(_CHECK, build_health_request(check.service))
        deadline = Deadline.after(check.timeout)
        try:
            answer = await self._open(address).unary(request, deadline)
        except SourceError as error:
            # As others do: who cannot be asked for its health is taken to be well.
            return error.grpc_code == "UNIMPLEMENTED"
        return is_serving(answer)

    async def _forget(self, addresses: Sequence[Address]) -> None:
        """Close the connections to addresses that are gone and have no calls."""
        await self._close([address.label for address in addresses])

    async def _close(self, labels: Sequence[str]) -> None:
        closing = [
            channel.aclose()
            for label in labels
            for channel in (
                self._channels.pop(label, None),
                self._streams.pop(label, None),
            )
            if channel is not None
        ]
        await asyncio.gather(*closing)


def build_health_request(service: str) -> bytes:
    """Return a ``HealthCheckRequest`` for a service, for all if it has no name.

    See https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
    """
    name = service.encode()
    return b"\x0a%c%b" % (len(name), name) if name else b""


def is_serving(answer: bytes) -> bool:
    """Tell whether a ``HealthCheckResponse`` says that calls are welcome."""
    return answer.startswith(_SERVING)


def _read_place(address: Address) -> str:
    return address.origin.partition("://")[2]


def _narrow(settings: ServiceSettings, place: str) -> ServiceSettings:
    """Return the settings of a service that is at this place alone."""
    return replace(settings, urls=(), addresses=(place,))
