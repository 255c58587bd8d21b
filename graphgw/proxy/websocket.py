"""WebSocket connections through a route: messages pass both ways, and so do ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from graphgw.errors import (
    SourceBadAnswerError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.routes.headers import forward_request
from graphgw.routes.rewrite import build_target
from graphgw.sources.guard import is_failure
from graphgw.sources.http_transport.origins import split_url
from graphgw.sources.tls import build_tls_context
from graphgw.telemetry.events import SourceCalled

if TYPE_CHECKING:
    import ssl

    from websockets.asyncio.client import ClientConnection

    from graphgw.context import RequestContext
    from graphgw.policies.authenticate.addresses import AddressList
    from graphgw.routes.exchange import Outgoing, RequestHead
    from graphgw.routes.headers import ForwardRules
    from graphgw.routes.settings import RouteSettings, WebSocketSettings
    from graphgw.sources.http_service import HTTPService

__all__ = ["ClientSocket", "SocketClosed", "WebSocketHandler"]

_HANDSHAKE_PREFIX: Final = b"sec-websocket-"
_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001
_TOO_BIG: Final = 1009
_BAD_GATEWAY: Final = 1014
_UNSENDABLE: Final = {1005: _NORMAL, 1006: _BAD_GATEWAY, 1015: _BAD_GATEWAY}
"""Codes that no close frame may hold, and what is said in their place."""
_QUEUE: Final = 4
"""Messages that may wait in one connection; then its sender is not read."""
_LEAVE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class SocketClosed:
    """One side has ended the connection."""

    code: int
    reason: str = ""

    @property
    def sendable_code(self) -> int:
        """The code that the other side is told."""
        return _UNSENDABLE.get(self.code, self.code)


class ClientSocket(Protocol):
    """The client's end of a WebSocket connection."""

    subprotocols: tuple[str, ...]

    async def accept(self, subprotocol: str | None) -> None:
        """Agree to the connection."""
        ...

    async def receive(self) -> str | bytes | SocketClosed:
        """Return the next message, or how the connection ended."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a message; wait while the client does not take it."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """End the connection."""
        ...


class WebSocketHandler:
    """Pipes the messages of a client to a service and back.

    The service is asked first: what it refuses is refused to the client, too.

    Args:
        route: Its settings; it allows WebSocket connections.
        service: Where it leads.
        rules: What goes on.
        proxies: The peers that are believed what they say of clients.
    """

    __slots__ = (
        "_dropped",
        "_proxies",
        "_route",
        "_rules",
        "_service",
        "_settings",
        "_target",
        "_tls",
        "_url",
    )

    def __init__(
        self,
        route: RouteSettings,
        service: HTTPService,
        rules: ForwardRules,
        proxies: AddressList,
    ) -> None:
        if route.websocket is None:
            raise ValueError("the route does not allow WebSocket connections")
        self._route = route
        self._settings: WebSocketSettings = route.websocket
        self._service = service
        self._rules = rules
        self._proxies = proxies
        self._target = build_target(route)
        self._url = service.settings.base_url.rstrip("/")
        self._tls: ssl.SSLContext | None = None
        self._dropped = rules.dropped | {b"content-length", b"content-type"}

    async def handle(
        self,
        head: RequestHead,
        context: RequestContext,
        client: ClientSocket,
        outgoing: Outgoing,
    ) -> int:
        """Connect to the service, then pipe until one side ends; return the code.

        Args:
            head: The handshake.
            context: Of the request.
            client: The client's end.
            outgoing: Makes the headers that the service is sent.

        Raises:
            SourceError: The service cannot be reached, or refuses.
        """
        headers = self._headers(head, context.request_id, outgoing)
        upstream = await self._connect(head, context, headers, self._offer(client))
        try:
            await client.accept(upstream.subprotocol)
            ended = await self._pipe(client, upstream)
        except BaseException:
            upstream.transport.abort()
            raise
        if ended.is_clients:
            code, reason = ended.closed.sendable_code, ended.closed.reason
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await upstream.close(code, reason)
        else:
            await client.close(ended.closed.sendable_code, ended.closed.reason)
            upstream.transport.abort()
        return ended.closed.code

    def _offer(self, client: ClientSocket) -> tuple[str, ...]:
        allowed = self._settings.subprotocols
        if not allowed:
            return client.subprotocols
        return tuple(name for name in client.subprotocols if name in allowed)

    async def _connect(
        self,
        head: RequestHead,
        context: RequestContext,
        headers: list[tuple[str, str]],
        subprotocols: tuple[str, ...],
    ) -> ClientConnection:
        guard, name = self._service.guard, self._service.settings.name
        ticket = guard.begin()
        if not ticket:
            raise SourceUnreachableError(
                f'service "{name}" takes no more connections now', source=name
            )
        began = time.monotonic()
        status = "101"
        try:
            connection = await self._open(self._target(head), headers, subprotocols)
        except SourceError as error:
            status = str(error.status or error.code)
            settle = guard.breaker.fail if is_failure(error) else guard.breaker.succeed
            settle(ticket)
            guard.places.leave()
            raise
        except BaseException:
            status = "CANCELLED"
            guard.abandon(ticket)
            raise
        else:
            guard.succeed(ticket)
            return connection
        finally:
            seconds = time.monotonic() - began
            endpoint = f"route {self._route.name}"
            context.observer.observe(SourceCalled(name, endpoint, seconds, status))

    async def _open(
        self,
        target: str,
        headers: list[tuple[str, str]],
        subprotocols: tuple[str, ...],
    ) -> ClientConnection:
        balanced = self._service.balanced
        if balanced is None:
            return await self._connect_to(self._url, target, headers, subprotocols)
        await balanced.ready()
        balancer = balanced.balancer
        address = balancer.choose(headers)
        _, path = split_url(self._url)
        url = address.origin + ("" if path == "/" else path)
        status, fails, is_known = "101", False, True
        try:
            return await self._connect_to(
                url, target, headers, subprotocols, address.ip
            )
        except SourceError as error:
            status, fails = str(error.status or error.code), is_failure(error)
            raise
        except BaseException:
            status, is_known = "CANCELLED", False
            raise
        finally:
            balancer.settle(address, status, is_failure=fails, is_known=is_known)

    async def _connect_to(
        self,
        url: str,
        target: str,
        headers: list[tuple[str, str]],
        subprotocols: tuple[str, ...],
        ip: str | None = None,
    ) -> ClientConnection:
        name = self._service.settings.name
        scheme, _, rest = url.partition("://")
        is_secure = scheme == "https"
        if self._tls is None and is_secure:
            self._tls = build_tls_context(self._service.settings.tls)
        where: dict[str, Any] = {} if ip is None else {"host": ip}
        try:
            async with asyncio.timeout(self._route.timeouts.first_byte):
                return await connect(
                    f"{'wss' if is_secure else 'ws'}://{rest}{target}",
                    additional_headers=headers,
                    subprotocols=list(subprotocols) or None,  # type: ignore[arg-type]  # texts
                    max_size=self._settings.max_frame_bytes,
                    max_queue=_QUEUE,
                    compression=None,
                    user_agent_header=None,
                    proxy=None,
                    ping_interval=None,
                    ssl=self._tls if is_secure else None,
                    process_exception=_never_again,
                    **where,
                )
        except TimeoutError as error:
            message = f'service "{name}" did not answer in time'
            raise SourceTimeoutError(message, source=name) from error
        except InvalidStatus as error:
            status = error.response.status_code
            message = f'service "{name}" answered {status}'
            raise SourceError(message, source=name, status=status) from error
        except (InvalidHandshake, InvalidURI) as error:
            message = f'service "{name}" answered what is no WebSocket handshake'
            raise SourceBadAnswerError(message, source=name) from error
        except OSError as error:
            message = f'service "{name}" could not be reached'
            raise SourceUnreachableError(message, source=name) from error

    def _headers(
        self, head: RequestHead, request_id: str, outgoing: Outgoing
    ) -> list[tuple[str, str]]:
        forwarded = forward_request(
            head,
            self._dropped,
            is_trusted=bool(self._proxies) and self._proxies.holds(head.peer),
            keeps_host=False,
        )
        settings = self._service.settings
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in outgoing(forwarded)
            if not name.startswith(_HANDSHAKE_PREFIX)
        ]
        headers += settings.headers
        if settings.request_id_header is not None:
            headers.append((settings.request_id_header, request_id))
        return headers

    async def _pipe(self, client: ClientSocket, upstream: ClientConnection) -> _Ended:
        """Pass messages both ways until one side ends the connection."""
        patience = asyncio.timeout(self._settings.idle_timeout)
        up = asyncio.create_task(self._upwards(client, upstream, patience))
        down = asyncio.create_task(self._downwards(client, upstream, patience))
        try:
            async with patience:
                done, _ = await asyncio.wait(
                    (up, down), return_when=asyncio.FIRST_COMPLETED
                )
        except TimeoutError:
            gone = SocketClosed(_GOING_AWAY, "nothing was said for too long")
            await client.close(gone.code, gone.reason)
            return _Ended(gone, is_clients=True)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.wait((up, down))
        first = up if up in done else down
        return first.result()

    async def _upwards(
        self,
        client: ClientSocket,
        upstream: ClientConnection,
        patience: asyncio.Timeout,
    ) -> _Ended:
        loop, idle = asyncio.get_running_loop(), self._settings.idle_timeout
        limit = self._settings.max_frame_bytes
        while True:
            message = await client.receive()
            if isinstance(message, SocketClosed):
                return _Ended(message, is_clients=True)
            if _size(message) > limit:
                too_big = SocketClosed(_TOO_BIG, "the message is too large")
                await client.close(too_big.code, too_big.reason)
                return _Ended(SocketClosed(_GOING_AWAY), is_clients=True)
            try:
                await upstream.send(message)
            except ConnectionClosed as error:
                return _Ended(_read_end(error), is_clients=False)
            patience.reschedule(loop.time() + idle)

    async def _downwards(
        self,
        client: ClientSocket,
        upstream: ClientConnection,
        patience: asyncio.Timeout,
    ) -> _Ended:
        loop, idle = asyncio.get_running_loop(), self._settings.idle_timeout
        while True:
            try:
                message = await upstream.recv()
            except ConnectionClosed as error:
                return _Ended(_read_end(error), is_clients=False)
            await client.send(message)
            patience.reschedule(loop.time() + idle)


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a connection ended, and whether the other side is the service."""

    closed: SocketClosed
    is_clients: bool


def _read_end(error: ConnectionClosed) -> SocketClosed:
    """Return how the service ended, or was ended for what it sent."""
    if error.rcvd is not None:
        return SocketClosed(error.rcvd.code, error.rcvd.reason)
    if error.sent is not None and error.sent.code == _TOO_BIG:
        return SocketClosed(_TOO_BIG, "the message is too large")
    return SocketClosed(_BAD_GATEWAY, "the service broke off the connection")


def _size(message: str | bytes) -> int:
    return len(message) if isinstance(message, bytes) else len(message.encode())


def _never_again(error: Exception) -> Exception:
    return error
