"""Sends requests to the address that the balancer chose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from graphgw.errors import SourceError
from graphgw.sources.balancing.watch import Watch
from graphgw.sources.guard import is_failure
from graphgw.sources.http_transport.origins import split_url
from graphgw.sources.http_transport.settings import read_transport_settings
from graphgw.sources.http_transport.stream import StreamTransport
from graphgw.sources.http_transport.transport import HTTPTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.types import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from graphgw.sources.balancing.addresses import Address
    from graphgw.sources.balancing.balancer import Balancer
    from graphgw.sources.balancing.settings import HealthCheckSettings
    from graphgw.sources.http_transport.resolver import Resolver
    from graphgw.sources.http_transport.stream import StreamedAnswer, StreamRequest
    from graphgw.sources.protocol import HTTPResponse, Transport

__all__ = ["BalancedStreams", "BalancedTransport", "PinnedResolver"]

T = TypeVar("T")

_GOOD: Final = range(200, 300)
_SERVER_ERROR: Final = 500


class BalancedTransport:
    """A transport whose requests go to one of several addresses.

    Args:
        balancer: Chooses; requests to other origins than its own pass as they are.
        transport: Carries them.
        resolver: Finds the records of names, where each is an address.
    """

    __slots__ = ("_pinned", "_transport", "_watch", "balancer")

    def __init__(
        self,
        balancer: Balancer,
        transport: Transport,
        *,
        resolver: Resolver | None = None,
    ) -> None:
        self.balancer = balancer
        self._transport = transport
        self._pinned: dict[str, HTTPTransport] = {}
        self._watch = Watch(balancer, self._ask, self._forget, resolver)

    async def send(self, request: HTTPRequest) -> HTTPResponse:
        """Send one request; see ``Transport.send``."""
        origin, target = split_url(request.url)
        balancer = self.balancer
        if origin != balancer.origin:
            return await self._transport.send(request)
        await self.ready()
        address = balancer.choose(request.headers, request.tried)
        sent = replace(request, url=f"{address.origin}{target}")
        return await _settle(
            balancer, address, self._send_to(address, sent), lambda got: got.status
        )

    async def ready(self) -> None:
        """Begin to look after the addresses, if that was not begun."""
        if not self._watch.is_ready:
            await self._watch.start()

    async def aclose(self) -> None:
        """Close every connection, and look after addresses no longer."""
        await self._watch.aclose()
        pinned, self._pinned = self._pinned, {}
        await asyncio.gather(*(item.aclose() for item in pinned.values()))
        await self._transport.aclose()

    def _send_to(
        self, address: Address, request: HTTPRequest
    ) -> Awaitable[HTTPResponse]:
        if address.ip is None:
            return self._transport.send(request)
        pinned = self._pinned.get(address.label)
        if pinned is None:
            settings = read_transport_settings(self.balancer.settings)
            pinned = HTTPTransport(settings, resolver=PinnedResolver(address.ip))
            self._pinned[address.label] = pinned
        return pinned.send(request)

    async def _ask(self, address: Address, check: HealthCheckSettings) -> bool:
        url, source = f"{address.origin}{check.path}", self.balancer.settings.name
        deadline = Deadline.after(check.timeout)
        try:
            answer = await self._send_to(
                address, HTTPRequest("GET", url, deadline, source=source)
            )
        except SourceError:
            return False
        return answer.status in _GOOD

    async def _forget(self, addresses: Sequence[Address]) -> None:
        """Close the connections to addresses that are gone and have no calls."""
        for address in addresses:
            pinned = self._pinned.pop(address.label, None)
            if pinned is not None:
                await pinned.aclose()


class BalancedStreams:
    """What ``StreamTransport`` does, to one of several addresses.

    A call is under way there until the head of its answer is here.
    """

    __slots__ = ("_pinned", "_streams", "_transport")

    def __init__(self, transport: BalancedTransport) -> None:
        self._transport = transport
        self._streams = self._open(None)
        self._pinned: dict[str, StreamTransport] = {}

    async def send(self, request: StreamRequest) -> StreamedAnswer:
        """Send a request; see ``StreamTransport.send``."""
        await self._transport.ready()
        balancer = self._transport.balancer
        headers = _read_headers(request)
        address = balancer.choose(headers, request.tried)
        streams = self._streams
        if address.ip is not None:
            known = self._pinned.get(address.ip)
            streams = known or self._open(address.ip)
            self._pinned[address.ip] = streams
        sent = replace(request, origin=address.origin)
        return await _settle(
            balancer, address, streams.send(sent), lambda got: got.status
        )

    async def aclose(self) -> None:
        """Close every connection."""
        streams = (self._streams, *self._pinned.values())
        await asyncio.gather(*(item.aclose() for item in streams))

    def _open(self, ip: str | None) -> StreamTransport:
        settings = read_transport_settings(self._transport.balancer.settings)
        return StreamTransport(
            settings, resolver=None if ip is None else PinnedResolver(ip)
        )


class PinnedResolver:
    """A resolver that knows the one address that is meant."""

    __slots__ = ("_ip",)

    def __init__(self, ip: str) -> None:
        self._ip = ip

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the address."""
        del host
        return (self._ip,)

    def close(self) -> None:
        """Do nothing: nothing is held."""


async def _settle(
    balancer: Balancer,
    address: Address,
    answer: Awaitable[T],
    read_status: Callable[[T], int],
) -> T:
    """Wait for an answer, and tell the balancer how it went."""
    try:
        got = await answer
    except SourceError as error:
        outcome = str(error.status or error.code)
        balancer.settle(address, outcome, is_failure=is_failure(error))
        raise
    except BaseException:
        balancer.settle(address, "CANCELLED", is_failure=False, is_known=False)
        raise
    status = read_status(got)
    balancer.settle(address, str(status), is_failure=status >= _SERVER_ERROR)
    return got


def _read_headers(request: StreamRequest) -> list[tuple[str, str]]:
    """Return all headers of a request, those that are lines already too."""
    pairs = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.headers]
    for line in request.lines.split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name:
            pairs.append((name.decode("latin-1"), value.decode("latin-1")))
    return pairs
