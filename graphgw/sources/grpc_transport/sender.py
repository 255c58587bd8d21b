"""Writes frames: those of one turn of the loop at once, messages as windows allow."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final

from graphgw.sources.grpc_transport.answers import PREFIX_SIZE
from graphgw.sources.grpc_transport.frames import (
    CONTINUATION,
    DATA,
    DEFAULT_FRAME_SIZE,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEADER,
    HEADERS,
    LARGEST_WINDOW,
    ProtocolError,
    encode_frame,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.sources.grpc_transport.call import Call

__all__ = ["Sender"]

_MESSAGE_HEAD: Final = struct.Struct(">IBIBI")
"""The head of a DATA frame, and the prefix of the message in it."""
_TURN_BYTES: Final = 256 * 1024
_MOST_HELD: Final = 4096


class Sender:
    """What one connection has to send.

    The peer's windows bound messages; while it does not read, nothing new is given
    to the transport.
    """

    __slots__ = (
        "_blocked",
        "_frame_size",
        "_initial_window",
        "_is_paused",
        "_is_scheduled",
        "_loop",
        "_out",
        "_queued",
        "_transport",
        "_window",
    )

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes | memoryview] = []
        self._queued = 0
        self._is_scheduled = False
        self._is_paused = False
        self._blocked: dict[int, Call] = {}
        self._window = DEFAULT_WINDOW
        self._initial_window = DEFAULT_WINDOW
        self._frame_size = DEFAULT_FRAME_SIZE

    def attach(self, transport: asyncio.Transport) -> None:
        """Begin to write to a transport."""
        self._transport = transport

    def detach(self) -> None:
        """Forget the transport, and what it was to be given."""
        self._transport = None
        self._out.clear()
        self._blocked.clear()

    def write(self, frame: bytes) -> None:
        """Send a frame that no window bounds."""
        self._out.append(frame)
        self.schedule()

    def reply(self, frame: bytes) -> None:
        """Send what the peer asked for.

        Raises:
            ProtocolError: It asks for more than it reads.
        """
        if self._is_paused and len(self._out) > _MOST_HELD:
            raise ProtocolError(ENHANCE_YOUR_CALM, "it does not read")
        self.write(frame)

    def open(self, call: Call, block: bytes, message: bytes) -> None:
        """Send a call's head, and its message as far as there is room for it."""
        stream_id = call.stream_id
        size = PREFIX_SIZE + len(message)
        if (
            size <= self._window
            and size <= self._initial_window
            and size <= self._frame_size
            and len(block) <= self._frame_size
            and not self._blocked
            and not self._is_paused
        ):
            self._window -= size
            call.window = self._initial_window - size
            self._out += (
                HEADER.pack(len(block) << 8 | HEADERS, END_HEADERS, stream_id),
                block,
                _MESSAGE_HEAD.pack(
                    size << 8 | DATA, END_STREAM, stream_id, 0, len(message)
                ),
                message,
            )
            self.schedule()
            return
        self._write_head(block, stream_id)
        call.window = self._initial_window
        call.unsent = memoryview(b"\0%b%b" % (len(message).to_bytes(4, "big"), message))
        self._blocked[stream_id] = call
        self._pump()

    def drop(self, call: Call) -> None:
        """Send nothing more of a call's message."""
        call.unsent = None
        self._blocked.pop(call.stream_id, None)

    def widen(self, increment: int) -> None:
        """Note that the peer takes more on the whole connection.

        Raises:
            ProtocolError: It takes more than there can be.
        """
        self._window += increment
        if self._window > LARGEST_WINDOW:
            raise ProtocolError(FLOW_CONTROL_ERROR, "the window is too large")
        if self._blocked:
            self._pump()

    def widen_call(self, call: Call, increment: int) -> bool:
        """Note that the peer takes more of one call; ``False`` if that is too much."""
        call.window += increment
        if call.window > LARGEST_WINDOW:
            return False
        if call.unsent:
            self._pump()
        return True

    def change(
        self, window: int | None, frame_size: int | None, calls: Iterable[Call]
    ) -> None:
        """Apply the peer's settings, the window also to calls under way.

        Raises:
            ProtocolError: A window becomes larger than there can be.
        """
        if frame_size is not None:
            self._frame_size = frame_size
        if window is not None:
            difference = window - self._initial_window
            self._initial_window = window
            for call in calls:
                # It may fall below zero: then what was sent must be taken first.
                call.window += difference
                if call.window > LARGEST_WINDOW:
                    raise ProtocolError(FLOW_CONTROL_ERROR, "a window is too large")
        self._pump()

    def pause(self) -> None:
        """Hold everything back: the transport has enough."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on: the transport has room again."""
        self._is_paused = False
        self.flush()
        self._pump()

    def schedule(self) -> None:
        """Write what is to come in this turn of the loop at its end."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what has been collected."""
        self._is_scheduled = False
        transport = self._transport
        if self._is_paused or transport is None or not self._out:
            return
        data = b"".join(self._out)
        self._out.clear()
        self._queued = 0
        transport.write(data)
        if self._blocked:
            self._pump()

    def _write_head(self, block: bytes, stream_id: int) -> None:
        limit = self._frame_size
        parts = [block[at : at + limit] for at in range(0, len(block), limit)]
        for number, part in enumerate(parts, start=1):
            kind = HEADERS if number == 1 else CONTINUATION
            flags = END_HEADERS if number == len(parts) else 0
            self.write(encode_frame(kind, flags, stream_id, part))

    def _pump(self) -> None:
        """Send of the messages that wait what there is room for now."""
        for stream_id, call in tuple(self._blocked.items()):
            while call.unsent:
                if self._is_paused or self._queued >= _TURN_BYTES:
                    return
                room = min(self._window, call.window, self._frame_size)
                if room <= 0:
                    break
                part, call.unsent = call.unsent[:room], call.unsent[room:]
                size = len(part)
                self._window -= size
                call.window -= size
                self._queued += size
                flags = 0 if call.unsent else END_STREAM
                self._out += (HEADER.pack(size << 8 | DATA, flags, stream_id), part)
                self.schedule()
            if not call.unsent:
                self.drop(call)
