"""One HTTP/2 connection: many calls at a time, and no trust in what comes back.

See https://www.rfc-editor.org/rfc/rfc9113.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

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
    UnprocessedError,
    bad_answer,
    disconnected,
    header_too_large,
    message_too_large,
    timed_out,
)
from graphgw.sources.grpc_transport.frames import ProtocolError
from graphgw.sources.grpc_transport.hpack import EMPTY_TABLE, Decoder, HPACKError
from graphgw.sources.grpc_transport.sender import Sender

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from graphgw.sources.grpc_transport.answers import Head
    from graphgw.sources.settings import ServiceSettings
    from graphgw.types import Deadline

__all__ = ["Connection", "ConnectionOwner"]

_CONNECTION_WINDOW: Final = 16 * 1024 * 1024
_UNLIMITED_STREAMS: Final = 1 << 20
_LAST_STREAM: Final = 1 << 30
_PING_SECONDS: Final = 20.0
"""How long an answer to a ping may take."""
_CLOSE_SECONDS: Final = 1.0
_MOST_NOISE: Final = 10_000
"""Frames without use that are borne between two answers, or in ten seconds."""
_QUIET_SECONDS: Final = 10.0
_KEPT_HEADS: Final = 64
_KEPT_HEAD_BYTES: Final = 512
_OK: Final = "OK"
_LEAST_ALARM: Final = 0.001
_INFORMATIONAL: Final = range(100, 200)
_NEVER: Final = float("inf")


class HeadTooLargeError(ProtocolError):
    """A header block goes on longer than allowed."""


class ConnectionOwner(Protocol):
    """Who is told what becomes of a connection."""

    waiters: deque[asyncio.Future[bool]]
    """Calls that wait for a connection that has room for them."""

    def free(self) -> None:
        """Note that there is room for one call more."""
        ...

    def free_all(self) -> None:
        """Note that there may be room for several calls more."""
        ...

    def retire(self, connection: Connection) -> None:
        """Give a connection no more calls."""
        ...

    def forget(self, connection: Connection) -> None:
        """Note that a connection is closed."""
        ...


class Connection(asyncio.Protocol):
    """A connection to one server.

    ``ready`` becomes an empty text when the server has introduced itself, or what
    went wrong. ``max_streams`` is zero while no call may begin.
    """

    __slots__ = (
        "_alarm",
        "_alarm_at",
        "_answered_at",
        "_decoder",
        "_handlers",
        "_has_settings",
        "_heads",
        "_heads_changes",
        "_heard_at",
        "_is_closed",
        "_is_retired",
        "_loop",
        "_next_id",
        "_noise",
        "_open_block",
        "_opened_at",
        "_owner",
        "_pinged_at",
        "_quiet_at",
        "_received",
        "_rest",
        "_sender",
        "_settings",
        "_source",
        "_transport",
        "_used_at",
        "answered",
        "calls",
        "max_streams",
        "ready",
    )

    def __init__(self, owner: ConnectionOwner, settings: ServiceSettings) -> None:
        self._owner = owner
        self._settings = settings
        self._source = settings.name
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._opened_at = self._used_at = self._heard_at = self._quiet_at = now
        self._answered_at = now
        self._pinged_at = _NEVER
        self._transport: asyncio.Transport | None = None
        self._sender = Sender()
        self._decoder = Decoder(settings.max_header_bytes)
        self._heads: dict[bytes, Head] = {}
        self._heads_changes = 0
        self._handlers = self._list_handlers()
        self._rest = b""
        self._open_block: tuple[int, int, bytearray] | None = None
        self._has_settings = False
        self._is_retired = False
        self._is_closed = False
        self._next_id = 1
        self._received = 0
        self._noise = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = _NEVER
        self.calls: dict[int, Call] = {}
        self.answered = 0
        self.max_streams = 0
        self.ready: asyncio.Future[str] = self._loop.create_future()

    @property
    def is_open(self) -> bool:
        """Tell whether there is a transport."""
        return self._transport is not None

    def start(
        self, block: bytes, message: bytes, deadline: Deadline, seconds: float
    ) -> Call:
        """Send a call that has so many seconds; its ``answer`` will be settled."""
        stream_id = self._next_id
        self._next_id = stream_id + 2
        now = self._loop.time()
        call = Call(self, stream_id, deadline, self._loop.create_future(), now)
        self.calls[stream_id] = call
        if stream_id == 1:
            block = EMPTY_TABLE + block
        elif stream_id >= _LAST_STREAM:
            self.retire()
        self._sender.open(call, block, message)
        if now + seconds < self._alarm_at:
            self._set_alarm(now, seconds)
        return call

    def cancel(self, call: Call) -> None:
        """End a call whose answer nobody waits for any more."""
        if self.calls.pop(call.stream_id, None) is not None:
            self._reset(call, frames.CANCEL)
            self._note_end()

    def retire(self) -> None:
        """Begin no more calls; close when those under way have ended."""
        if not self._is_retired:
            self._is_retired = True
            self.max_streams = 0
            self._owner.retire(self)
        if not self.calls:
            self._close(frames.NO_ERROR)

    def close(self) -> None:
        """Close at once; calls under way fail."""
        self._is_retired = True
        self._fail_all(lambda: disconnected(self._source))
        self._close(frames.NO_ERROR)

    def abort(self) -> None:
        """Drop the connection; calls under way fail when it is gone."""
        if self._transport is not None:
            self._transport.abort()

    def is_worn(self, now: float) -> bool:
        """Tell whether the connection is as old as one may become."""
        return now - self._opened_at >= self._settings.max_connection_age

    def watch(self, now: float) -> None:
        """Look after the connection, every second or so."""
        if now - self._quiet_at >= _QUIET_SECONDS:
            self._quiet_at = now
            self._noise = 0
        if not self.calls:
            self._pinged_at = _NEVER
            if now - self._used_at >= self._settings.keep_alive:
                self.retire()
            return
        self._used_at = now
        if self._heard_at > self._pinged_at:
            self._pinged_at = _NEVER
        if now - self._pinged_at >= _PING_SECONDS:
            self.abort()
        elif (
            self._pinged_at == _NEVER
            and now - self._heard_at >= self._settings.ping_interval
        ):
            self._pinged_at = now
            self._sender.write(frames.encode_frame(frames.PING, 0, 0, bytes(8)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves (asyncio)."""
        self._transport = cast("asyncio.Transport", transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            self._break(ProtocolError(frames.NO_ERROR, "it speaks no HTTP/2"))
            return
        self._sender.attach(self._transport)
        # A window for all that one answer may be: it never has to be opened wider.
        window = min(
            frames.LARGEST_WINDOW,
            self._settings.max_answer_bytes + PREFIX_SIZE + frames.DEFAULT_WINDOW,
        )
        settings = {
            frames.SET_ENABLE_PUSH: 0,
            frames.SET_WINDOW: window,
            frames.SET_HEADER_LIST_SIZE: self._settings.max_header_bytes,
        }
        wider = _CONNECTION_WINDOW - frames.DEFAULT_WINDOW
        self._sender.write(frames.PREFACE + frames.encode_settings(settings))
        self._sender.write(frames.encode_window_update(0, wider))
        self._sender.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle the calls under way: the connection is gone (asyncio)."""
        self._transport = None
        self._sender.detach()
        if self._alarm is not None:
            self._alarm.cancel()
        self._stop(str(exc or "the connection was closed at once"))
        self._fail_all(lambda: disconnected(self._source))
        self._owner.forget(self)

    def pause_writing(self) -> None:
        """Hold back what is to be sent (asyncio)."""
        self._sender.pause()

    def resume_writing(self) -> None:
        """Send on (asyncio)."""
        self._sender.resume()

    def data_received(self, data: bytes) -> None:
        """Read what the server sends (asyncio)."""
        if self._is_closed:
            return
        self._heard_at = self._loop.time()
        if self._rest:
            data = self._rest + data
        place, size, answered = 0, len(data), self.answered
        unpack, handlers = frames.HEADER.unpack_from, self._handlers
        try:
            while size - place >= frames.HEADER_SIZE and not self._is_closed:
                word, flags, stream_id = unpack(data, place)
                length, kind = word >> 8, word & 0xFF
                end = place + frames.HEADER_SIZE + length
                if length > frames.DEFAULT_FRAME_SIZE or not self._has_settings:
                    self._check_frame(kind, flags, length)
                if end > size:
                    break
                payload = data[place + frames.HEADER_SIZE : end]
                place = end
                if self._open_block is not None:
                    self._check_continuation(kind)
                if kind < len(handlers):
                    handlers[kind](flags, stream_id & frames.STREAM_ID, payload)
                else:
                    self._note_noise()
        except ProtocolError as error:
            self._break(error)
            return
        except HPACKError as error:
            self._break(ProtocolError(frames.COMPRESSION_ERROR, str(error)))
            return
        self._rest = data[place:] if place < size else b""
        if self.answered != answered:
            # Who has an answer now may call again: that goes out in the same turn.
            self._sender.schedule()

    def _list_handlers(self) -> tuple[Callable[[int, int, bytes], None], ...]:
        """Return what reads each kind of frame, by its number."""
        return (
            self._read_data,
            self._read_headers,
            self._read_priority,
            self._read_reset,
            self._read_settings,
            self._read_push,
            self._read_ping,
            self._read_goaway,
            self._read_window_update,
            self._read_continuation,
        )

    def _check_frame(self, kind: int, flags: int, length: int) -> None:
        if not self._has_settings and (kind != frames.SETTINGS or flags & frames.ACK):
            raise ProtocolError(frames.PROTOCOL_ERROR, "it speaks no HTTP/2")
        if length > frames.DEFAULT_FRAME_SIZE:
            raise ProtocolError(frames.FRAME_SIZE_ERROR, "a frame is too large")

    def _check_continuation(self, kind: int) -> None:
        if kind != frames.CONTINUATION:
            raise ProtocolError(frames.PROTOCOL_ERROR, "a header block is interrupted")

    def _read_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received >= _CONNECTION_WINDOW // 2:
            self._sender.write(frames.encode_window_update(0, self._received))
            self._received = 0
        if flags & frames.PADDED:
            payload = frames.strip_padding(payload)
        call = self._find(stream_id)
        if call is None or not payload:
            self._note_noise()
        if call is None:
            return
        if call.head is None:
            error = bad_answer(self._source, "a message comes before its head")
            self._refuse(call, frames.PROTOCOL_ERROR, error)
            return
        self._answered_at = self._heard_at
        call.take(payload)
        limit = self._settings.max_answer_bytes
        if call.size > limit + PREFIX_SIZE:
            large = message_too_large(self._source, limit)
            self._refuse(call, frames.CANCEL, large)
        elif len(call.data) > call.size >= 0:
            error = bad_answer(self._source, "it has more than one message")
            self._refuse(call, frames.CANCEL, error)
        elif flags & frames.END_STREAM:
            error = bad_answer(self._source, "it ended without a status")
            self._end(call, call.head.make_error(self._source) or error)

    def _read_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & frames.PADDED:
            payload = frames.strip_padding(payload)
        if flags & frames.PRIORITY_FLAG:
            payload = frames.strip_priority(payload)
        call = self._find(stream_id)
        if flags & frames.END_HEADERS:
            self._read_block(flags, call, payload)
        else:
            self._open_block = (stream_id, flags, bytearray(payload))

    def _read_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._open_block is None or stream_id != self._open_block[0]:
            raise ProtocolError(frames.PROTOCOL_ERROR, "it continues nothing")
        self._note_noise()
        _, first_flags, block = self._open_block
        block += payload
        if len(block) > self._settings.max_header_bytes:
            raise HeadTooLargeError(frames.ENHANCE_YOUR_CALM, "a head does not end")
        if flags & frames.END_HEADERS:
            self._open_block = None
            self._read_block(first_flags, self._find(stream_id), bytes(block))

    def _read_block(self, flags: int, call: Call | None, block: bytes) -> None:
        is_last = bool(flags & frames.END_STREAM)
        head = self._heads.get(block)
        if head is None:
            fields = self._decoder.decode(block)
            if fields is None:
                if call is not None:
                    limit = self._settings.max_header_bytes
                    large = header_too_large(self._source, limit)
                    self._refuse(call, frames.CANCEL, large)
                return
            head = read_head(fields)
            self._keep_head(block, head)
        if call is None:
            self._note_noise()
        elif head is None or (not is_last if call.head else not head.http_status):
            error = bad_answer(self._source, "its head is damaged")
            self._refuse(call, frames.PROTOCOL_ERROR, error)
        elif not call.head and head.http_status in _INFORMATIONAL and not is_last:
            self._note_noise()
        else:
            call.head = call.head or head
            if is_last:
                self._finish(call, call.head, head)

    def _keep_head(self, block: bytes, head: Head | None) -> None:
        """Remember what a block means, as long as the decoder's table is the same."""
        changes = self._decoder.changes
        if changes != self._heads_changes:
            self._heads_changes = changes
            self._heads.clear()
        elif head is not None and len(block) <= _KEPT_HEAD_BYTES:
            if len(self._heads) >= _KEPT_HEADS:
                self._heads.clear()
            self._heads[block] = head

    def _finish(self, call: Call, head: Head, last: Head) -> None:
        """Settle a call whose answer is whole."""
        data = call.data
        if (
            last.status == _OK
            and head.is_plain
            and len(data) == call.size
            and not data[0]
        ):
            self._end(call, bytes(data[PREFIX_SIZE:]))
            return
        error = last.make_error(self._source)
        if error is None:
            limit = self._settings.max_answer_bytes
            try:
                message = read_message(head, bytes(data), limit, self._source)
            except SourceError as raised:
                error = raised
            else:
                self._end(call, message)
                return
        self._end(call, error)

    def _end(self, call: Call, outcome: bytes | SourceError) -> None:
        del self.calls[call.stream_id]
        if call.unsent:
            self._reset(call, frames.NO_ERROR)
        if isinstance(outcome, bytes):
            if not call.answer.done():
                call.answer.set_result(outcome)
        else:
            call.fail(outcome)
        self.answered += 1
        self._answered_at = self._heard_at
        self._noise = 0
        self._note_end()

    def _refuse(self, call: Call, code: int, error: SourceError) -> None:
        """Settle a call whose answer is not wanted any further."""
        del self.calls[call.stream_id]
        self._reset(call, code)
        call.fail(error)
        self._note_end()

    def _reset(self, call: Call, code: int) -> None:
        self._sender.drop(call)
        self._sender.write(frames.encode_reset(call.stream_id, code))

    def _note_end(self) -> None:
        if self._owner.waiters:
            self._owner.free()
        if self._is_retired and not self.calls:
            self._close(frames.NO_ERROR)

    def _read_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        if not stream_id:
            raise ProtocolError(frames.PROTOCOL_ERROR, "a priority of nothing")
        del payload
        self._note_noise()

    def _read_reset(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        code = _read_number(payload)
        call = self._find(stream_id)
        if call is None:
            self._note_noise()
            return
        del self.calls[stream_id]
        self._sender.drop(call)
        is_late = call.deadline.is_over
        call.fail(describe_reset(code, self._source, is_late=is_late))
        self._note_end()

    def _read_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._note_noise()
        if stream_id:
            raise ProtocolError(frames.PROTOCOL_ERROR, "settings of a stream")
        if flags & frames.ACK:
            if payload:
                raise ProtocolError(frames.FRAME_SIZE_ERROR, "an answer with settings")
            return
        values = frames.read_settings(payload)
        self._sender.change(
            values.get(frames.SET_WINDOW),
            values.get(frames.SET_FRAME_SIZE),
            self.calls.values(),
        )
        self._sender.write(frames.SETTINGS_ACK)
        streams = values.get(frames.SET_STREAMS)
        if streams is None and not self._has_settings:
            streams = _UNLIMITED_STREAMS
        self._has_settings = True
        if streams is not None and not self._is_retired:
            self.max_streams = streams
            self._owner.free_all()
        if not self.ready.done():
            self.ready.set_result("")

    def _read_push(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags, stream_id, payload
        raise ProtocolError(frames.PROTOCOL_ERROR, "it pushes")

    def _read_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._note_noise()
        if stream_id:
            raise ProtocolError(frames.PROTOCOL_ERROR, "a ping of a stream")
        if len(payload) != len(bytes(8)):
            raise ProtocolError(frames.FRAME_SIZE_ERROR, "a ping of a wrong size")
        if not flags & frames.ACK:
            answer = frames.encode_frame(frames.PING, frames.ACK, 0, payload)
            self._sender.write(answer)

    def _read_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        self._note_noise()
        if stream_id or len(payload) < len(bytes(8)):
            raise ProtocolError(frames.PROTOCOL_ERROR, "it cannot say goodbye")
        last = _read_number(payload[:4]) & frames.STREAM_ID
        for call in [self.calls[key] for key in self.calls if key > last]:
            del self.calls[call.stream_id]
            self._sender.drop(call)
            call.fail(
                UnprocessedError(
                    f'service "{self._source}" could not be reached',
                    source=self._source,
                    detail="it said goodbye before the call",
                )
            )
        self.retire()

    def _read_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        self._note_noise()
        increment = _read_number(payload) & frames.STREAM_ID
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

    def _find(self, stream_id: int) -> Call | None:
        call = self.calls.get(stream_id)
        if call is None and (
            not stream_id & 1 or not stream_id or stream_id >= self._next_id
        ):
            raise ProtocolError(frames.PROTOCOL_ERROR, "a stream that is not open")
        return call

    def _note_noise(self) -> None:
        self._noise += 1
        if self._noise > _MOST_NOISE or self._sender.is_stuck:
            raise ProtocolError(frames.ENHANCE_YOUR_CALM, "frames without use")

    def _set_alarm(self, now: float, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = now + seconds
        self._alarm = self._loop.call_later(max(seconds, _LEAST_ALARM), self._expire)

    def _expire(self) -> None:
        """End the calls whose deadline has passed, and wait for the next one."""
        now, next_seconds = self._loop.time(), _NEVER
        self._alarm, self._alarm_at = None, _NEVER
        for call in tuple(self.calls.values()):
            seconds = call.deadline.remaining()
            if seconds > 0:
                next_seconds = min(next_seconds, seconds)
                continue
            quiet = now - max(self._answered_at, call.started_at)
            self._refuse(call, frames.CANCEL, timed_out(self._source))
            if quiet >= self._settings.connect_timeout:
                # No answer to anyone since: it may be dead. Others get a new one.
                self.retire()
        if next_seconds < _NEVER:
            self._set_alarm(now, next_seconds)

    def _break(self, error: ProtocolError) -> None:
        """Close a connection whose server does not keep to the protocol."""
        words = str(error)
        limit = self._settings.max_header_bytes
        is_head = isinstance(error, HeadTooLargeError)
        self._fail_all(
            lambda: (
                header_too_large(self._source, limit)
                if is_head
                else bad_answer(self._source, words)
            )
        )
        self._close(error.code, words)

    def _fail_all(self, make_error: Callable[[], SourceError]) -> None:
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.unsent = None
            call.fail(make_error())

    def _stop(self, words: str) -> None:
        self._is_closed = True
        self.max_streams = 0
        self._rest = b""
        if not self._is_retired:
            self._is_retired = True
            self._owner.retire(self)
        if not self.ready.done():
            self.ready.set_result(words)

    def _close(self, code: int, words: str = "") -> None:
        if self._is_closed:
            return
        self._stop(words or "the connection was closed")
        transport = self._transport
        if transport is not None:
            self._sender.write(frames.encode_goaway(code, words))
            self._sender.flush()
            self._sender.detach()
            transport.close()
            # One that does not read what is left for it is not waited for.
            self._loop.call_later(_CLOSE_SECONDS, transport.abort)


def _read_number(payload: bytes) -> int:
    if len(payload) != len(bytes(4)):
        raise ProtocolError(frames.FRAME_SIZE_ERROR, "a frame of a wrong size")
    return int.from_bytes(payload, "big")
