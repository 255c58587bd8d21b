"""One HTTP/2 connection: many calls at a time, and no trust in what comes back.

See https://www.rfc-editor.org/rfc/rfc9113.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

from graphgw.sources.grpc_transport import frames
from graphgw.sources.grpc_transport.answers import PREFIX_SIZE
from graphgw.sources.grpc_transport.calls import (
    CONNECTION_WINDOW,
    Calls,
    HeadTooLargeError,
)
from graphgw.sources.grpc_transport.failures import (
    bad_answer,
    disconnected,
    header_too_large,
)
from graphgw.sources.grpc_transport.frames import ProtocolError
from graphgw.sources.grpc_transport.hpack import EMPTY_TABLE, HPACKError
from graphgw.sources.grpc_transport.patience import Patience
from graphgw.sources.grpc_transport.sender import Sender

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from graphgw.errors import SourceError
    from graphgw.sources.grpc_transport.call import Call
    from graphgw.sources.settings import ServiceSettings
    from graphgw.types import Deadline

__all__ = ["Connection", "ConnectionOwner"]

_UNLIMITED_STREAMS: Final = 1 << 20
_LAST_STREAM: Final = 1 << 30
_PING_SECONDS: Final = 20.0
"""How long an answer to a ping may take."""
_PING_SIZE: Final = 8
_CLOSE_SECONDS: Final = 1.0
_LEAST_ALARM: Final = 0.001
_NEVER: Final = float("inf")


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
        "_calls",
        "_handlers",
        "_has_settings",
        "_is_closed",
        "_is_retired",
        "_loop",
        "_opened_at",
        "_owner",
        "_patience",
        "_pinged_at",
        "_rest",
        "_sender",
        "_settings",
        "_source",
        "_transport",
        "_used_at",
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
        self._opened_at = self._used_at = now
        self._pinged_at = _NEVER
        self._transport: asyncio.Transport | None = None
        self._sender = Sender()
        self._patience = Patience(now)
        self._calls = Calls(self, settings, self._sender, self._patience)
        self._handlers = self._list_handlers()
        self._rest = b""
        self._has_settings = False
        self._is_retired = False
        self._is_closed = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = _NEVER
        self.calls = self._calls.under_way
        self.max_streams = 0
        self.ready: asyncio.Future[str] = self._loop.create_future()

    @property
    def is_open(self) -> bool:
        """Tell whether there is a transport."""
        return self._transport is not None

    @property
    def answered(self) -> int:
        """How many calls have been answered."""
        return self._calls.answered

    def start(
        self, block: bytes, message: bytes, deadline: Deadline, seconds: float
    ) -> Call:
        """Send a call that has so many seconds; its ``answer`` will be settled."""
        stream_id = self._calls.next_id
        if stream_id == 1:
            block = EMPTY_TABLE + block
        call = self._calls.start(block, message, deadline)
        if call.started_at + seconds < self._alarm_at:
            self._set_alarm(call.started_at, seconds)
        if stream_id >= _LAST_STREAM:
            self.retire()
        return call

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
        self._calls.fail_all(lambda: disconnected(self._source))
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
        self._patience.watch(now)
        heard_at = self._calls.heard_at
        if not self.calls:
            self._pinged_at = _NEVER
            used_at = max(self._used_at, self._calls.active_at)
            if now - used_at >= self._settings.keep_alive:
                self.retire()
            return
        self._used_at = now
        if heard_at > self._pinged_at:
            self._pinged_at = _NEVER
        if now - self._pinged_at >= _PING_SECONDS:
            self.abort()
        elif (
            self._pinged_at == _NEVER and now - heard_at >= self._settings.ping_interval
        ):
            self._pinged_at = now
            self._sender.write(
                frames.encode_frame(frames.PING, 0, 0, bytes(_PING_SIZE))
            )

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
        wider = CONNECTION_WINDOW - frames.DEFAULT_WINDOW
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
        self._calls.fail_all(lambda: disconnected(self._source))
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
        calls, handlers = self._calls, self._handlers
        calls.heard_at = self._loop.time()
        if self._rest:
            data = self._rest + data
        place, size, answered = 0, len(data), calls.answered
        try:
            while size - place >= frames.HEADER_SIZE and not self._is_closed:
                word, flags, stream_id = frames.HEADER.unpack_from(data, place)
                length, kind = word >> 8, word & 0xFF
                end = place + frames.HEADER_SIZE + length
                if length > frames.DEFAULT_FRAME_SIZE or not self._has_settings:
                    self._check_frame(kind, flags, length)
                if end > size:
                    break
                payload = data[place + frames.HEADER_SIZE : end]
                place = end
                if calls.open_block is not None:
                    _check_continuation(kind)
                if kind < len(handlers):
                    handlers[kind](flags, stream_id & frames.STREAM_ID, payload)
                else:
                    self._patience.lose()
        except ProtocolError as error:
            self._break(error)
            return
        except HPACKError as error:
            self._break(ProtocolError(frames.COMPRESSION_ERROR, str(error)))
            return
        self._rest = data[place:] if place < size else b""
        if calls.answered != answered:
            # Who has an answer now may call again: that goes out in the same turn.
            self._sender.schedule()

    def note_end(self) -> None:
        """Note that a call is over."""
        if self._owner.waiters:
            self._owner.free()
        if self._is_retired and not self.calls:
            self._close(frames.NO_ERROR)

    def _list_handlers(self) -> tuple[Callable[[int, int, bytes], None], ...]:
        """Return what reads each kind of frame, by its number."""
        return (
            self._calls.read_data,
            self._calls.read_headers,
            self._read_priority,
            self._calls.read_reset,
            self._read_settings,
            _read_push,
            self._read_ping,
            self._read_goaway,
            self._calls.read_window_update,
            self._calls.read_continuation,
        )

    def _check_frame(self, kind: int, flags: int, length: int) -> None:
        if not self._has_settings and (kind != frames.SETTINGS or flags & frames.ACK):
            raise ProtocolError(frames.PROTOCOL_ERROR, "it speaks no HTTP/2")
        if length > frames.DEFAULT_FRAME_SIZE:
            raise ProtocolError(frames.FRAME_SIZE_ERROR, "a frame is too large")

    def _read_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags, payload
        if not stream_id:
            raise ProtocolError(frames.PROTOCOL_ERROR, "a priority of nothing")
        self._patience.lose()

    def _read_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._patience.lose()
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
        self._sender.reply(frames.SETTINGS_ACK)
        streams = values.get(frames.SET_STREAMS)
        if streams is None and not self._has_settings:
            streams = _UNLIMITED_STREAMS
        self._has_settings = True
        if streams is not None and not self._is_retired:
            self.max_streams = streams
            self._owner.free_all()
        if not self.ready.done():
            self.ready.set_result("")

    def _read_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._patience.lose()
        if stream_id:
            raise ProtocolError(frames.PROTOCOL_ERROR, "a ping of a stream")
        if len(payload) != _PING_SIZE:
            raise ProtocolError(frames.FRAME_SIZE_ERROR, "a ping of a wrong size")
        if not flags & frames.ACK:
            answer = frames.encode_frame(frames.PING, frames.ACK, 0, payload)
            self._sender.reply(answer)

    def _read_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        self._patience.lose()
        if stream_id:
            raise ProtocolError(frames.PROTOCOL_ERROR, "a goodbye of a stream")
        last = frames.read_number(payload[:4])
        frames.read_number(payload[4:8])
        self._calls.drop_after(last & frames.STREAM_ID)
        self.retire()

    def _set_alarm(self, now: float, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = now + seconds
        self._alarm = self._loop.call_later(max(seconds, _LEAST_ALARM), self._expire)

    def _expire(self) -> None:
        """End the calls whose deadline has passed, and wait for the next one."""
        now, next_seconds, is_silent = self._loop.time(), _NEVER, False
        self._alarm, self._alarm_at = None, _NEVER
        for call in tuple(self.calls.values()):
            seconds = call.deadline.remaining()
            if seconds > 0:
                next_seconds = min(next_seconds, seconds)
                continue
            silent = now - max(self._calls.active_at, call.started_at)
            is_silent = is_silent or silent >= self._settings.connect_timeout
            self._calls.expire(call)
        if is_silent:
            # No answer to anyone since: it may be dead. Later calls get a new one.
            self.retire()
        if next_seconds < _NEVER:
            self._set_alarm(now, next_seconds)

    def _break(self, error: ProtocolError) -> None:
        """Close a connection whose server does not keep to the protocol."""
        self._calls.fail_all(lambda: self._describe(error))
        self._close(error.code, str(error))

    def _describe(self, error: ProtocolError) -> SourceError:
        if isinstance(error, HeadTooLargeError):
            return header_too_large(self._source, self._settings.max_header_bytes)
        return bad_answer(self._source, str(error))

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


def _check_continuation(kind: int) -> None:
    if kind != frames.CONTINUATION:
        raise ProtocolError(frames.PROTOCOL_ERROR, "a header block is interrupted")


def _read_push(flags: int, stream_id: int, payload: bytes) -> None:
    del flags, stream_id, payload
    raise ProtocolError(frames.PROTOCOL_ERROR, "it pushes")
