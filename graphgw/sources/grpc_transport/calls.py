"""The calls of one connection: reads the frames that concern them, settles them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from graphgw.errors import SourceError
from graphgw.sources.grpc_transport import frames
from graphgw.sources.grpc_transport.answers import (
    PREFIX_SIZE,
    describe_reset,
    read_head,
    read_message,
)
from graphgw.sources.grpc_transport.call import Call
from graphgw.sources.grpc_transport.failures import (
    bad_answer,
    header_too_large,
    message_too_large,
    timed_out,
    unprocessed,
)
from graphgw.sources.grpc_transport.frames import ProtocolError
from graphgw.sources.grpc_transport.hpack import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphgw.sources.grpc_transport.answers import Head
    from graphgw.sources.grpc_transport.patience import Patience
    from graphgw.sources.grpc_transport.sender import Sender
    from graphgw.sources.settings import ServiceSettings
    from graphgw.types import Deadline

__all__ = ["CONNECTION_WINDOW", "Calls", "CallsOwner", "HeadTooLargeError"]

CONNECTION_WINDOW: Final = 16 * 1024 * 1024
"""How much a server may have sent that we have not heard of."""

_KEPT_HEADS: Final = 64
_KEPT_HEAD_BYTES: Final = 512
_INFORMATIONAL: Final = range(100, 200)
_UNUSUAL: Final = frames.PADDED | frames.PRIORITY_FLAG | frames.END_HEADERS


class HeadTooLargeError(ProtocolError):
    """A header block goes on longer than allowed."""


class CallsOwner(Protocol):
    """Who is told that calls end."""

    def note_end(self) -> None:
        """Note that a call is over."""
        ...


class Calls:
    """The calls under way on one connection, by stream.

    ``answered`` counts those that were answered; ``active_at`` is when, on the loop's
    clock, something last came for any of them; ``open_block`` a header block that must
    go on now: its stream, its first flags and what it has so far.
    """

    __slots__ = (
        "_decoder",
        "_heads",
        "_loop",
        "_most_bytes",
        "_next_id",
        "_owner",
        "_patience",
        "_received",
        "_sender",
        "_settings",
        "_source",
        "active_at",
        "answered",
        "heard_at",
        "open_block",
        "under_way",
    )

    def __init__(
        self,
        owner: CallsOwner,
        settings: ServiceSettings,
        sender: Sender,
        patience: Patience,
    ) -> None:
        self._owner = owner
        self._settings = settings
        self._source = settings.name
        self._most_bytes = settings.max_answer_bytes + PREFIX_SIZE
        self._sender = sender
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder(settings.max_header_bytes)
        self._heads: dict[bytes, Head] = {}
        self.open_block: tuple[int, int, bytearray] | None = None
        self._next_id = 1
        self._received = 0
        self.answered = 0
        self.heard_at = self.active_at = self._loop.time()
        self.under_way: dict[int, Call] = {}

    @property
    def next_id(self) -> int:
        """The stream of the call that will be sent next."""
        return self._next_id

    def start(self, block: bytes, message: bytes, deadline: Deadline) -> Call:
        """Send a call; its ``answer`` will be settled."""
        loop, stream_id = self._loop, self._next_id
        self._next_id = stream_id + 2
        call = Call(self, stream_id, deadline, loop.create_future(), loop.time())
        self.under_way[stream_id] = call
        self._sender.open(call, block, message)
        return call

    def cancel(self, call: Call) -> None:
        """End a call whose answer nobody waits for any more."""
        if self.under_way.pop(call.stream_id, None) is not None:
            self._reset(call, frames.CANCEL)
            self._owner.note_end()

    def expire(self, call: Call) -> None:
        """End a call whose deadline has passed."""
        self._refuse(call, frames.CANCEL, timed_out(self._source))

    def drop_after(self, last: int) -> None:
        """End the calls that the server says it did not begin with."""
        for call in tuple(self.under_way.values()):
            if call.stream_id > last:
                del self.under_way[call.stream_id]
                self._sender.drop(call)
                words = "it said goodbye before the call"
                call.fail(unprocessed(self._source, words))

    def fail_all(self, make_error: Callable[[], SourceError]) -> None:
        """End all calls, each with an error of its own."""
        calls = tuple(self.under_way.values())
        self.under_way.clear()
        for call in calls:
            call.unsent = None
            call.fail(make_error())

    def read_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Read a part of an answer."""
        self._received += len(payload)
        if self._received >= CONNECTION_WINDOW // 2:
            self._sender.write(frames.encode_window_update(0, self._received))
            self._received = 0
        call = self.under_way.get(stream_id)
        if call is not None and not flags and not call.data and call.head is not None:
            # The usual answer: it begins with its length, and is all there.
            size = PREFIX_SIZE + int.from_bytes(payload[1:PREFIX_SIZE], "big")
            if size == len(payload) <= self._most_bytes:
                call.data = payload
                call.size = size
                self.active_at = self.heard_at
                return
        self._read_part(flags, stream_id, payload)

    def read_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Read a header list, or the beginning of one."""
        if flags & _UNUSUAL == frames.END_HEADERS:
            head = self._heads.get(payload)
            call = self.under_way.get(stream_id)
            if call is not None and head is not None:
                if not flags & frames.END_STREAM:
                    if head.is_plain and call.head is None:
                        call.head = head
                        return
                elif head.is_well and (message := call.read_plain()) is not None:
                    self._end(call, message)
                    return
        if flags & frames.PADDED:
            payload = frames.strip_padding(payload)
        if flags & frames.PRIORITY_FLAG:
            payload = frames.strip_priority(payload)
        call = self._find(stream_id)
        if flags & frames.END_HEADERS:
            self._read_block(flags, call, payload)
        else:
            self.open_block = (stream_id, flags, bytearray(payload))

    def read_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Read more of a header list."""
        if self.open_block is None or stream_id != self.open_block[0]:
            raise ProtocolError(frames.PROTOCOL_ERROR, "it continues nothing")
        self._patience.lose()
        _, first_flags, block = self.open_block
        block += payload
        if len(block) > self._settings.max_header_bytes:
            raise HeadTooLargeError(frames.ENHANCE_YOUR_CALM, "a head does not end")
        if flags & frames.END_HEADERS:
            self.open_block = None
            self._read_block(first_flags, self._find(stream_id), bytes(block))

    def read_reset(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Read that the server breaks a call off."""
        del flags
        code = frames.read_number(payload)
        call = self._find(stream_id)
        if call is None:
            self._patience.lose()
            return
        del self.under_way[stream_id]
        self._sender.drop(call)
        is_late = call.deadline.is_over
        call.fail(describe_reset(code, self._source, is_late=is_late))
        self._owner.note_end()

    def read_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Read that the server takes more, of one call or of all together."""
        del flags
        self._patience.lose()
        increment = frames.read_number(payload) & frames.STREAM_ID
        if not stream_id:
            if not increment:
                raise ProtocolError(frames.PROTOCOL_ERROR, "a window of nothing more")
            self._sender.widen(increment)
            return
        call = self._find(stream_id)
        if call is None:
            return
        if not increment or not self._sender.widen_call(call, increment):
            code = frames.FLOW_CONTROL_ERROR if increment else frames.PROTOCOL_ERROR
            error = bad_answer(self._source, "a window of a wrong size")
            self._refuse(call, code, error)

    def _read_part(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        if flags & frames.PADDED:
            payload = frames.strip_padding(payload)
        call = self._find(stream_id)
        if call is not None and size > len(payload):
            # Windows have room for messages only.
            more = frames.encode_window_update(stream_id, size - len(payload))
            self._sender.write(more)
        if call is None or not payload:
            self._patience.lose()
        if call is None:
            return
        if call.head is None:
            error = bad_answer(self._source, "a message comes before its head")
            self._refuse(call, frames.PROTOCOL_ERROR, error)
            return
        self.active_at = self.heard_at
        call.take(payload)
        if call.size > self._most_bytes:
            large = message_too_large(self._source, self._settings.max_answer_bytes)
            self._refuse(call, frames.CANCEL, large)
        elif len(call.data) > call.size >= 0:
            error = bad_answer(self._source, "it has more than one message")
            self._refuse(call, frames.CANCEL, error)
        elif flags & frames.END_STREAM:
            error = bad_answer(self._source, "it ended without a status")
            self._end(call, call.head.make_error(self._source) or error)

    def _read_block(self, flags: int, call: Call | None, block: bytes) -> None:
        is_last = bool(flags & frames.END_STREAM)
        head = self._heads.get(block)
        if head is None:
            changes = self._decoder.changes
            fields = self._decoder.decode(block)
            is_same = self._decoder.changes == changes
            if not is_same:
                # Equal blocks may mean something else from now on.
                self._heads.clear()
            if fields is None:
                if call is not None:
                    limit = self._settings.max_header_bytes
                    large = header_too_large(self._source, limit)
                    self._refuse(call, frames.CANCEL, large)
                return
            head = read_head(fields)
            if head is not None and is_same:
                self._keep_head(block, head)
        if call is None:
            self._patience.lose()
        elif head is None or (not is_last if call.head else not head.http_status):
            error = bad_answer(self._source, "its head is damaged")
            self._refuse(call, frames.PROTOCOL_ERROR, error)
        elif not call.head and head.http_status in _INFORMATIONAL and not is_last:
            self._patience.lose()
        else:
            call.head = call.head or head
            if is_last:
                self._finish(call, call.head, head)

    def _keep_head(self, block: bytes, head: Head) -> None:
        """Remember what a block means that says the same the next time."""
        if len(block) <= _KEPT_HEAD_BYTES:
            if len(self._heads) >= _KEPT_HEADS:
                self._heads.clear()
            self._heads[block] = head

    def _finish(self, call: Call, head: Head, last: Head) -> None:
        """Settle a call whose answer is all there."""
        error = last.make_error(self._source)
        if error is None:
            limit = self._settings.max_answer_bytes
            try:
                message = read_message(head, bytes(call.data), limit, self._source)
            except SourceError as raised:
                error = raised
            else:
                self._end(call, message)
                return
        self._end(call, error)

    def _end(self, call: Call, outcome: bytes | SourceError) -> None:
        del self.under_way[call.stream_id]
        if call.unsent:
            self._reset(call, frames.NO_ERROR)
        answer = call.answer
        if not answer.done():
            if isinstance(outcome, bytes):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)
        self.answered += 1
        self.active_at = self.heard_at
        self._patience.restore()
        self._owner.note_end()

    def _refuse(self, call: Call, code: int, error: SourceError) -> None:
        """Settle a call whose answer is not wanted any further."""
        del self.under_way[call.stream_id]
        self._reset(call, code)
        call.fail(error)
        self._owner.note_end()

    def _reset(self, call: Call, code: int) -> None:
        self._sender.drop(call)
        self._sender.write(frames.encode_reset(call.stream_id, code))

    def _find(self, stream_id: int) -> Call | None:
        call = self.under_way.get(stream_id)
        if call is None and (not stream_id & 1 or stream_id >= self._next_id):
            raise ProtocolError(frames.PROTOCOL_ERROR, "a stream that is not open")
        return call
