"""Rows of loaders as bytes and back: JSON, decoded or not, and protobuf messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from graphgw.sources.http_answers import JSONText

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UndecodableError", "decode_row", "encode_row"]

_JSON: Final = b"j"
_MESSAGE: Final = b"m"
_MESSAGES: Final = b"l"
_TEXT: Final = b"t"
_STRICT: Final = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_LENGTH: Final = 4
_check_json: Final = msgspec.json.Decoder(msgspec.Raw).decode
"""Goes over all of a text and makes nothing of it."""


class UndecodableError(Exception):
    """Bytes that are no row: of another version, or written by somebody else."""


def encode_row(row: Any) -> bytes | None:
    """Return a row as bytes, ``None`` if it is of a kind that has no such form."""
    if isinstance(row, Message):
        return _MESSAGE + _named(row) + row.SerializeToString(deterministic=True)
    if isinstance(row, list) and row and isinstance(row[0], Message):
        return _encode_list(row)
    if isinstance(row, JSONText):
        return _encode_text(row.text)
    try:
        return _JSON + orjson.dumps(row, option=_STRICT)
    except TypeError:
        return None


def decode_row(data: bytes) -> Any:
    """Return the row that was encoded.

    Raises:
        UndecodableError: The bytes are no row of this version.
    """
    kind, body = data[:1], data[1:]
    try:
        if kind == _JSON:
            return orjson.loads(body)
        if kind == _TEXT:
            return JSONText(body)
        if kind in {_MESSAGE, _MESSAGES}:
            name, body = _split(body)
            new = _message_class(name)
            if kind == _MESSAGE:
                return new.FromString(body)
            return _decode_list(new, body)
    except (ValueError, KeyError, DecodeError, IndexError) as error:
        raise UndecodableError(str(error)) from error
    raise UndecodableError("the bytes are of no known kind")


def _encode_text(text: bytes) -> bytes | None:
    """Return text that is JSON, though nobody has looked; what is none is not kept."""
    try:
        _check_json(text)
        text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _TEXT + text


def _encode_list(row: Sequence[Any]) -> bytes | None:
    new = type(row[0])
    if any(type(item) is not new for item in row):
        return None
    parts = [_MESSAGES, _named(row[0])]
    for item in row:
        body = item.SerializeToString(deterministic=True)
        parts += (len(body).to_bytes(_LENGTH), body)
    return b"".join(parts)


def _decode_list(new: type[Message], body: bytes) -> list[Message]:
    found: list[Message] = []
    at = 0
    while at < len(body):
        size = int.from_bytes(body[at : at + _LENGTH])
        at += _LENGTH
        if at + size > len(body):
            raise UndecodableError("the bytes end too early")
        found.append(new.FromString(body[at : at + size]))
        at += size
    return found


def _named(message: Message) -> bytes:
    name: bytes = message.DESCRIPTOR.full_name.encode()
    return len(name).to_bytes(_LENGTH) + name


def _split(body: bytes) -> tuple[str, bytes]:
    size = int.from_bytes(body[:_LENGTH])
    end = _LENGTH + size
    if end > len(body):
        raise UndecodableError("the bytes end too early")
    return body[_LENGTH:end].decode(), body[end:]


def _message_class(name: str) -> type[Message]:
    # Only messages that this process has loaded can be made: nothing is imported.
    descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
    return message_factory.GetMessageClass(descriptor)
