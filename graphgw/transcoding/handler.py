"""Answer requests at a route with calls of a gRPC service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from google.protobuf.descriptor_pb2 import MethodOptions

from graphgw.errors import (
    BadRequestError,
    ConfigurationError,
    OverloadedError,
    SourceError,
)
from graphgw.routes.match import NotAllowed, RouteTable
from graphgw.routes.problem import PROBLEM_TYPE
from graphgw.transcoding.answer import (
    Printer,
    choose_stream_type,
    stream_answer,
)
from graphgw.transcoding.failures import describe_failure
from graphgw.transcoding.openapi import describe_bindings
from graphgw.transcoding.request import build_message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from google.protobuf.message import Message

    from graphgw.context import RequestContext
    from graphgw.errors import Problem
    from graphgw.routes.description import RouteDescription
    from graphgw.routes.exchange import Exchange
    from graphgw.routes.match import Place
    from graphgw.routes.settings import RouteSettings
    from graphgw.routes.targets import GRPCTarget
    from graphgw.sources.grpc_service import GRPCService
    from graphgw.sources.grpc_transport.requests import Metadata
    from graphgw.transcoding.descriptors import Descriptors
    from graphgw.transcoding.http_rules import Binding

__all__ = ["Transcoding", "TranscodingHandler"]

_JSON: Final = (b"content-type", b"application/json")
_SAFE: Final = frozenset(("GET", "HEAD"))
_FIRST_SECONDS: Final = 1.0
"""How long a stream's first message is waited for before its head is sent."""
_UNFIT_SECONDS: Final = 1.0
"""How long a service whose methods do not fit the route is not asked again."""


class Transcoding:
    """The calls of one route: what is called how, once it is known.

    Args:
        descriptors: Of the messages.
        places: The bindings with what they match.
    """

    __slots__ = ("bindings", "descriptors", "table")

    def __init__(
        self, descriptors: Descriptors, places: list[tuple[Place, Binding]]
    ) -> None:
        self.descriptors = descriptors
        self.bindings = [binding for _, binding in places]
        self.table: RouteTable[Binding] = RouteTable(places)


class TranscodingHandler:
    """Makes a call of each request, and an answer of what comes.

    Args:
        route: Its settings.
        target: Those of its gRPC service.
        service: Is called.
        known: The calls, if they are known already.
        learn: Asks the service for them; for services that were not there at the
            start.
    """

    __slots__ = (
        "_known",
        "_learn",
        "_learning",
        "_problems",
        "_route",
        "_service",
        "_target",
        "_unfit_until",
    )

    def __init__(
        self,
        route: RouteSettings,
        target: GRPCTarget,
        service: GRPCService,
        known: Transcoding | None,
        learn: Callable[[RequestContext], Awaitable[Transcoding]] | None = None,
    ) -> None:
        self._route = route
        self._target = target
        self._service = service
        self._known = known
        self._learn = learn
        self._learning = asyncio.Lock()
        self._problems: tuple[Problem, ...] = ()
        self._unfit_until = 0.0

    def describe(self) -> RouteDescription:
        """Return what it answers, for the OpenAPI document."""
        bindings = [] if self._known is None else self._known.bindings
        return describe_bindings(self._route, self._target, bindings)

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request.

        Raises:
            GraphGWError: The request cannot be read, or the service cannot be asked.
        """
        known = self._known or await self._find_out(exchange.context)
        found = known.table.find("", exchange.path, exchange.method)
        if found is None:
            raise BadRequestError("there is nothing here", status=404)
        if isinstance(found, NotAllowed):
            error = BadRequestError(f"{exchange.method} is not supported", status=405)
            allow = (b"allow", ", ".join(found.methods).encode())
            await exchange.refuse(error, (allow,))
            return
        binding = found.route
        parameters = {**exchange.parameters, **found.parameters}
        message = await build_message(binding, parameters, exchange, known.descriptors)
        printer = Printer(self._target, known.descriptors.pool, binding.response_body)
        try:
            if binding.method.server_streaming:
                await self._stream(exchange, binding, message, known, printer)
            else:
                await self._call(exchange, binding, message, known, printer)
        except SourceError as failure:
            problem = describe_failure(
                failure, exchange.request_id, self._target, known.descriptors.pool
            )
            kind = (b"content-type", PROBLEM_TYPE.encode())
            headers = (kind, (b"cache-control", b"no-store"), *problem.headers)
            await exchange.respond(problem.status, headers, problem.encode())

    async def _find_out(self, context: RequestContext) -> Transcoding:
        if self._learn is None:
            raise OverloadedError("this route is not ready")
        async with self._learning:
            if self._known is None:
                self._known = await self._ask(self._learn, context)
        return self._known

    async def _ask(
        self,
        learn: Callable[[RequestContext], Awaitable[Transcoding]],
        context: RequestContext,
    ) -> Transcoding:
        """Ask the service for its calls; not at once again if they do not fit.

        Raises:
            ConfigurationError: They do not fit the route.
            SourceError: The service cannot tell.
        """
        now = asyncio.get_running_loop().time()
        if now < self._unfit_until:
            raise ConfigurationError(self._problems)
        try:
            return await learn(context)
        except ConfigurationError as error:
            self._problems = error.problems
            self._unfit_until = now + _UNFIT_SECONDS
            raise

    async def _call(
        self,
        exchange: Exchange,
        binding: Binding,
        message: Message,
        known: Transcoding,
        printer: Printer,
    ) -> None:
        level = binding.method.GetOptions().idempotency_level
        is_read = exchange.method in _SAFE or level == MethodOptions.NO_SIDE_EFFECTS
        if not is_read:
            exchange.context.may_share = False
        answer = await self._service.unary(
            binding.call_path,
            message.SerializeToString(),
            _parser(binding, known),
            exchange.context,
            is_idempotent=is_read or level == MethodOptions.IDEMPOTENT,
            timeout=exchange.route.timeouts.first_byte,
            forwarded=self._forwarded(exchange),
        )
        await exchange.respond(200, (_JSON,), printer.print(answer))

    async def _stream(
        self,
        exchange: Exchange,
        binding: Binding,
        message: Message,
        known: Transcoding,
        printer: Printer,
    ) -> None:
        messages = cast(
            "AsyncGenerator[Message, None]",
            self._service.stream(
                binding.call_path,
                message.SerializeToString(),
                _parser(binding, known),
                exchange.context,
                timeout=exchange.route.timeouts.total,
                forwarded=self._forwarded(exchange),
            ),
        )
        first = asyncio.ensure_future(anext(messages))
        try:
            await asyncio.wait((first,), timeout=_FIRST_SECONDS)
            if first.done() and isinstance(first.exception(), SourceError):
                first.result()  # nothing was sent yet: it can still have a status
        except BaseException:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await messages.aclose()
            raise
        exchange.may_keep = False
        media_type = choose_stream_type(exchange.headers.get("accept"))
        headers = (
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-store"),
        )
        chunks = stream_answer(
            messages, first, media_type, printer, exchange, self._target
        )
        await exchange.stream(200, headers, chunks)

    def _forwarded(self, exchange: Exchange) -> Metadata | None:
        """Return the client's headers as the route changes them, where it does."""
        if exchange.is_unchanged:
            return None
        given = self._service.select_forwarded(exchange.headers)
        raw = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in given
        ]
        return tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in exchange.outgoing(raw)
            if not name.endswith(b"-bin")
        )


def _parser(binding: Binding, known: Transcoding) -> Callable[[bytes], Message]:
    kind: Any = known.descriptors.message_class(binding.method.output_type)
    parse: Callable[[bytes], Message] = kind.FromString
    return parse
