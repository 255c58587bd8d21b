"""HTTP/2 frames: their names, and those of a few bytes ready to be sent.

See https://www.rfc-editor.org/rfc/rfc9113.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = [
    "ACK",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONTINUATION",
    "DATA",
    "DEFAULT_FRAME_SIZE",
    "DEFAULT_WINDOW",
    "END_HEADERS",
    "END_STREAM",
    "ENHANCE_YOUR_CALM",
    "FLOW_CONTROL_ERROR",
    "FRAME_SIZE_ERROR",
    "GOAWAY",
    "HEADER",
    "HEADERS",
    "HEADER_SIZE",
    "INADEQUATE_SECURITY",
    "LARGEST_FRAME_SIZE",
    "LARGEST_WINDOW",
    "NO_ERROR",
    "PADDED",
    "PING",
    "PREFACE",
    "PRIORITY",
    "PRIORITY_FLAG",
    "PROTOCOL_ERROR",
    "PUSH_PROMISE",
    "REFUSED_STREAM",
    "RST_STREAM",
    "SETTINGS",
    "SETTINGS_ACK",
    "SET_ENABLE_PUSH",
    "SET_FRAME_SIZE",
    "SET_HEADER_LIST_SIZE",
    "SET_STREAMS",
    "SET_WINDOW",
    "STREAM_ID",
    "WINDOW_UPDATE",
    "ProtocolError",
    "encode_frame",
    "encode_goaway",
    "encode_reset",
    "encode_settings",
    "encode_window_update",
    "read_number",
    "read_settings",
    "strip_padding",
    "strip_priority",
]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER: Final = struct.Struct(">IBI")
"""Length and type in one number, flags, stream."""
HEADER_SIZE: Final = 9
STREAM_ID: Final = 0x7FFFFFFF

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY_FLAG: Final = 0x20

NO_ERROR: Final = 0x0
PROTOCOL_ERROR: Final = 0x1
FLOW_CONTROL_ERROR: Final = 0x3
FRAME_SIZE_ERROR: Final = 0x6
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8
COMPRESSION_ERROR: Final = 0x9
ENHANCE_YOUR_CALM: Final = 0xB
INADEQUATE_SECURITY: Final = 0xC

SET_ENABLE_PUSH: Final = 0x2
SET_STREAMS: Final = 0x3
SET_WINDOW: Final = 0x4
SET_FRAME_SIZE: Final = 0x5
SET_HEADER_LIST_SIZE: Final = 0x6

DEFAULT_WINDOW: Final = 65_535
DEFAULT_FRAME_SIZE: Final = 16_384
LARGEST_WINDOW: Final = (1 << 31) - 1
LARGEST_FRAME_SIZE: Final = (1 << 24) - 1

_SETTING: Final = struct.Struct(">HI")
_PRIORITY_SIZE: Final = 5
_NUMBER_SIZE: Final = 4


class ProtocolError(Exception):
    """The peer broke the protocol; the connection cannot go on."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


def encode_frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a whole frame."""
    return HEADER.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def encode_settings(values: dict[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    payload = b"".join(_SETTING.pack(key, value) for key, value in values.items())
    return encode_frame(SETTINGS, 0, 0, payload)


def encode_window_update(stream_id: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return encode_frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def encode_reset(stream_id: int, code: int) -> bytes:
    """Return a RST_STREAM frame."""
    return encode_frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def encode_goaway(code: int, words: str = "") -> bytes:
    """Return a GOAWAY frame; the server has opened no stream that it could name."""
    return encode_frame(
        GOAWAY, 0, 0, bytes(4) + code.to_bytes(4, "big") + words.encode()
    )


SETTINGS_ACK: Final = encode_frame(SETTINGS, ACK, 0)


def read_number(payload: bytes) -> int:
    """Return the number that is all that a frame carries.

    Raises:
        ProtocolError: It carries more, or less.
    """
    if len(payload) != _NUMBER_SIZE:
        raise ProtocolError(FRAME_SIZE_ERROR, "a frame of a wrong size")
    return int.from_bytes(payload, "big")


def read_settings(payload: bytes) -> dict[int, int]:
    """Return the settings in a frame; the last of equal ones counts.

    Raises:
        ProtocolError: Something is set to what it may not be.
    """
    if len(payload) % _SETTING.size:
        raise ProtocolError(FRAME_SIZE_ERROR, "settings of a wrong size")
    values: dict[int, int] = dict(_SETTING.iter_unpack(payload))
    if values.get(SET_ENABLE_PUSH, 0):
        raise ProtocolError(PROTOCOL_ERROR, "a server cannot allow push")
    if values.get(SET_WINDOW, 0) > LARGEST_WINDOW:
        raise ProtocolError(FLOW_CONTROL_ERROR, "a window is too large")
    size = values.get(SET_FRAME_SIZE, DEFAULT_FRAME_SIZE)
    if not DEFAULT_FRAME_SIZE <= size <= LARGEST_FRAME_SIZE:
        raise ProtocolError(PROTOCOL_ERROR, "a frame size that is not allowed")
    return values


def strip_padding(payload: bytes) -> bytes:
    """Return what a padded frame carries.

    Raises:
        ProtocolError: There is more padding than frame.
    """
    if not payload or payload[0] >= len(payload):
        raise ProtocolError(PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]


def strip_priority(payload: bytes) -> bytes:
    """Return what a frame carries after the priority that nobody heeds any more.

    Raises:
        ProtocolError: The frame is too short for it.
    """
    if len(payload) < _PRIORITY_SIZE:
        raise ProtocolError(FRAME_SIZE_ERROR, "headers without their priority")
    return payload[_PRIORITY_SIZE:]
