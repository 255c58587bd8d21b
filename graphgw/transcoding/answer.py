"""Messages as JSON: whole answers, and streams as events or lines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
from google.protobuf.json_format import MessageToDict, SerializeToJsonError

from graphgw.errors import GraphGWError, SourceBadAnswerError, SourceError
from graphgw.routes.problem import describe_problem
from graphgw.transcoding.failures import describe_failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

    from graphgw.routes.exchange import Exchange
    from graphgw.routes.problem import ProblemDetails
    from graphgw.routes.targets import GRPCTarget
    from graphgw.types import JSON

__all__ = ["EVENTS", "LINES", "Printer", "choose_stream_type", "stream_answer"]

EVENTS: Final = "text/event-stream"
LINES: Final = "application/x-ndjson"
_QUIET_SECONDS: Final = 15.0
"""After which silence something is sent, so that nobody in between gives up."""


class Printer:
    """Writes messages as JSON, as a route wishes."""

    __slots__ = ("_field", "_target", "pool")

    def __init__(
        self, target: GRPCTarget, pool: DescriptorPool, response_body: str | None
    ) -> None:
        self._target = target
        self.pool = pool
        self._field = response_body

    def print(self, message: Message) -> bytes:
        """Return a message, or the field of it that is the answer, as JSON."""
        try:
            found: JSON = MessageToDict(
                message,
                always_print_fields_with_no_presence=self._target.emit_defaults,
                preserving_proto_field_name=self._target.use_proto_names,
                descriptor_pool=self.pool,
            )
        except (SerializeToJsonError, TypeError, ValueError) as error:
            name = self._target.service
            raise SourceBadAnswerError(
                f'service "{name}" answered with a message that is no JSON',
                source=name,
            ) from error
        if self._field is not None and isinstance(found, dict):
            field = message.DESCRIPTOR.fields_by_name[self._field]
            name = field.name if self._target.use_proto_names else field.json_name
            empty: JSON = [] if field.is_repeated else None
            found = found.get(name, empty)
        return orjson.dumps(found)


def choose_stream_type(accept: str | None) -> str:
    """Return how a stream is written for a client; events only if it asks for them."""
    return EVENTS if accept is not None and EVENTS in accept.lower() else LINES


async def stream_answer(
    messages: AsyncGenerator[Message, None],
    first: asyncio.Future[Message],
    media_type: str,
    printer: Printer,
    exchange: Exchange,
    target: GRPCTarget,
) -> AsyncGenerator[bytes, None]:
    """Yield a stream's messages as they come; a failure is the last of them.

    Silence is broken by what both formats ignore.

    Args:
        messages: The stream; it is closed whatever happens.
        first: Its first message, which is being waited for.
        media_type: ``EVENTS`` or ``LINES``.
        printer: Writes a message.
        exchange: The request.
        target: The route's.
    """
    write = _write_event if media_type == EVENTS else _write_line
    waiting = first
    try:
        while True:
            done, _ = await asyncio.wait((waiting,), timeout=_QUIET_SECONDS)
            if not done:
                yield b": \n\n" if media_type == EVENTS else b"\n"
                continue
            try:
                content = printer.print(waiting.result())
            except StopAsyncIteration:
                return
            except GraphGWError as error:
                yield write(
                    "error", _describe(error, exchange, target, printer).encode()
                )
                return
            yield write(None, content)
            waiting = asyncio.ensure_future(anext(messages))
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await messages.aclose()


def _describe(
    error: GraphGWError, exchange: Exchange, target: GRPCTarget, printer: Printer
) -> ProblemDetails:
    request_id = exchange.request_id
    if isinstance(error, SourceError):
        return describe_failure(error, request_id, target, printer.pool)
    return describe_problem(error, request_id)


def _write_event(kind: str | None, content: bytes) -> bytes:
    head = b"" if kind is None else b"event: %b\n" % kind.encode()
    return head + b"data: %b\n\n" % content


def _write_line(kind: str | None, content: bytes) -> bytes:
    if kind is None:
        return content + b"\n"
    return b'{"%b":%b}\n' % (kind.encode(), content)
