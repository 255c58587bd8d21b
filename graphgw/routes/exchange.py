"""One request at a route: what came, and the ways to answer it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from graphgw.errors import BodyTooLargeError, GraphGWError
from graphgw.routes.problem import PROBLEM_TYPE, describe_problem
from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
    )

    from graphgw.context import RequestContext
    from graphgw.routes.settings import RouteSettings
    from graphgw.types import Headers, Principal

__all__ = [
    "BodyReader",
    "ClientLeftError",
    "Exchange",
    "Outgoing",
    "RawHeaders",
    "RequestHead",
    "Responder",
    "RouteHandler",
]

RawHeaders: TypeAlias = "Iterable[tuple[bytes, bytes]]"
"""Names in lower case and values, in order; a name may stand there twice."""


Outgoing: TypeAlias = "Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]]"


class ClientLeftError(GraphGWError):
    """The client left before its request was whole; nobody can be answered."""


@record
class RequestHead:
    """Everything of a request but its body.

    ``path`` and ``query`` are as they go over the wire, percent-encoded; ``path`` is
    normalized, ``query`` has no ``?``. ``parameters`` are decoded. ``headers`` has one
    value for each lower-case name, ``raw_headers`` each line as it came.
    """

    method: str
    path: str
    query: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=dict, repr=False)
    raw_headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    scheme: str = "http"
    peer: str | None = None

    @property
    def host(self) -> str:
        """The host header, lower-case."""
        return self.headers.get("host", "").lower()

    @property
    def has_body(self) -> bool:
        """Tell whether a body comes with it."""
        headers = self.headers
        return (
            headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        )


class BodyReader(Protocol):
    """Reads a request's body, piece by piece."""

    async def read(self) -> bytes:
        """Return the next piece; nothing at the end.

        Raises:
            ClientLeftError: The client left before the end.
            BadRequestError: The body comes too slowly.
        """
        ...


class Responder(Protocol):
    """Takes an answer; policies wrap one around another.

    ``headers`` never name ``connection`` or ``transfer-encoding``.
    """

    async def respond(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Answer with a whole body."""
        ...

    async def stream(
        self, status: int, headers: RawHeaders, chunks: AsyncIterator[bytes]
    ) -> None:
        """Answer piece by piece; a slow client slows the reading of ``chunks``.

        If ``chunks`` fails, the client sees that its answer is not whole.
        """
        ...


class Exchange:
    """One request at a route.

    ``head`` is replaced by whoever changes the request, ``responder`` by whoever
    changes the answer. ``context`` has the principal, deadline, request id, observer
    and connections. ``outgoing`` makes the headers (or metadata) that a backend is sent
    of those that may go on to it: every handler that calls one must ask it. A handler
    whose answer is for one client alone says so with ``may_keep``.
    """

    __slots__ = (
        "_body",
        "_reader",
        "context",
        "head",
        "may_keep",
        "outgoing",
        "responder",
        "route",
    )

    def __init__(
        self,
        route: RouteSettings,
        head: RequestHead,
        context: RequestContext,
        reader: BodyReader,
        responder: Responder,
    ) -> None:
        self.route = route
        self.head = head
        self.context = context
        self.responder = responder
        self.outgoing: Outgoing = _unchanged
        self.may_keep = True
        self._reader = reader
        self._body: bytes | None = None

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return self.head.method

    @property
    def path(self) -> str:
        """The path as sent, percent-encoded and normalized."""
        return self.head.path

    @property
    def query(self) -> str:
        """The query as sent, percent-encoded, without ``?``."""
        return self.head.query

    @property
    def parameters(self) -> Mapping[str, str]:
        """The path's parameters, percent-decoded."""
        return self.head.parameters

    @property
    def headers(self) -> Headers:
        """The headers by lower-case name; lines of one name are joined."""
        return self.head.headers

    @property
    def principal(self) -> Principal:
        """Who is asking."""
        return self.context.principal

    @property
    def request_id(self) -> str:
        """What logs call this request."""
        return self.context.request_id

    @property
    def is_unchanged(self) -> bool:
        """Tell whether ``outgoing`` gives headers back as they are."""
        return self.outgoing is _unchanged

    def replace_body(self, body: bytes) -> None:
        """Let handlers read this body instead of the client's."""
        self._body = body

    @property
    def replaced_body(self) -> bytes | None:
        """The body that was read whole or put in place of the client's."""
        return self._body

    async def read_body(self, limit: int | None = None) -> bytes:
        """Return the whole body; it is remembered.

        Args:
            limit: The most bytes; the route's limit by default, which always holds.

        Raises:
            BodyTooLargeError: It is longer.
            ClientLeftError: The client left before its end.
        """
        highest = self.route.max_body_bytes
        highest = highest if limit is None else min(limit, highest)
        body = self._body
        if body is None:
            self.check_declared(highest)
            parts, size = [], 0
            while part := await self._reader.read():
                size += len(part)
                if size > highest:
                    raise _too_large(highest)
                parts.append(part)
            self._body = body = b"".join(parts)
        elif len(body) > highest:
            raise _too_large(highest)
        return body

    async def stream_body(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes; the client sends no faster than it is read.

        Raises:
            BodyTooLargeError: It is longer than the route allows.
            ClientLeftError: The client left before its end.
        """
        if self._body is not None:
            if self._body:
                yield self._body
            return
        limit, size = self.route.max_body_bytes, 0
        while part := await self._reader.read():
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            yield part

    def check_declared(self, limit: int) -> None:
        """Refuse a body that says it is too large, before any of it is read.

        Raises:
            BodyTooLargeError: It is.
        """
        declared = self.head.headers.get("content-length")
        if declared is None:
            return
        if declared.isdecimal() and int(declared[:20]) > limit:
            raise _too_large(limit)

    def respond(
        self, status: int, headers: RawHeaders = (), body: bytes = b""
    ) -> Awaitable[None]:
        """Answer with a whole body; ``content-length`` is added."""
        return self.responder.respond(status, headers, body)

    async def stream(
        self, status: int, headers: RawHeaders, chunks: AsyncGenerator[bytes, None]
    ) -> None:
        """Answer piece by piece; ``chunks`` is closed whatever happens."""
        async with aclosing(chunks):
            await self.responder.stream(status, headers, chunks)

    async def refuse(self, error: GraphGWError, headers: RawHeaders = ()) -> None:
        """Answer with an error as ``application/problem+json``."""
        problem = describe_problem(error, self.request_id)
        kind = (b"content-type", PROBLEM_TYPE.encode())
        own = (kind, (b"cache-control", b"no-store"), *problem.headers, *headers)
        await self.respond(problem.status, own, problem.encode())


class RouteHandler(Protocol):
    """What a route leads to."""

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request.

        Any ``GraphGWError`` that it raises before it answers becomes a problem.
        """
        ...


def _unchanged(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return headers


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body is larger than {limit} bytes")
