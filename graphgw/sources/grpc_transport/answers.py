"""What a service answered: header lists and messages become a result or an error.

See https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from graphgw.sources.grpc_status import find_status_details, read_retry_after
from graphgw.sources.grpc_transport import frames
from graphgw.sources.grpc_transport.failures import (
    answered,
    bad_answer,
    message_too_large,
    timed_out,
    unprocessed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.errors import SourceError
    from graphgw.sources.grpc_transport.hpack import Field

__all__ = ["PREFIX_SIZE", "Head", "describe_reset", "read_head", "read_message"]

PREFIX_SIZE: Final = 5
"""A message has a flag and its length before it."""

_STATUSES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_HTTP_OK: Final = 200
_OF_HTTP: Final = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}
_OF_RESETS: Final = {
    frames.CANCEL: "CANCELLED",
    frames.ENHANCE_YOUR_CALM: "RESOURCE_EXHAUSTED",
    frames.INADEQUATE_SECURITY: "PERMISSION_DENIED",
}
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_GRPC: Final = re.compile(r"application/grpc(?:$|[+; ])", re.IGNORECASE)
_DETAILS: Final = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Head:
    """A header list: an answer's first, or its last, or both in one.

    ``http_status`` is 0 in the last of several, ``status`` is empty but there.
    """

    http_status: int
    is_grpc: bool
    encoding: str
    status: str
    values: dict[str, str]
    is_plain: bool
    """Whether messages follow that are sent as they are."""
    is_well: bool
    """Whether it tells, after a message, that all went well."""

    def make_error(self, source: str) -> SourceError | None:
        """Return the error that a last header list tells of, if it does."""
        if self.status == "OK":
            return None
        if not self.status:
            status = _OF_HTTP.get(self.http_status, "UNKNOWN")
            if self.http_status == _HTTP_OK or not self.http_status:
                return bad_answer(source, "it ended without a status")
            return answered(source, status, f"HTTP status {self.http_status}")
        trailers: list[tuple[str, str | bytes]] = [
            (name, _decode_base64(value) if name == _DETAILS else value)
            for name, value in self.values.items()
        ]
        detail = unquote(self.values.get("grpc-message", ""), errors="replace")
        return answered(
            source,
            self.status,
            detail,
            read_retry_after(trailers),
            find_status_details(trailers),
        )


def read_head(fields: Iterable[Field]) -> Head | None:
    """Return what a header list says; ``None`` if it is not a proper one."""
    values: dict[str, str] = {}
    http_status = 0
    for name, value in fields:
        if name == b":status":
            if http_status or values or len(value) != len("200") or not value.isdigit():
                return None
            http_status = int(value)
        elif name.startswith(b":") or not name or name != name.lower():
            return None
        else:
            values.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    is_grpc = _GRPC.match(values.get("content-type", "")) is not None
    encoding = values.get("grpc-encoding", "").replace("identity", "")
    status = _read_status(values.get("grpc-status"))
    return Head(
        http_status,
        is_grpc=is_grpc,
        encoding=encoding,
        status=status,
        values=values,
        is_plain=http_status == _HTTP_OK and is_grpc and not encoding,
        is_well=status == _STATUSES[0] and not http_status,
    )


def read_message(head: Head, data: bytes, limit: int, source: str) -> bytes:
    """Return the one message of an answer that went well.

    Raises:
        SourceError: There is none, or more than one, or it is damaged or too large.
    """
    if head.http_status != _HTTP_OK or not head.is_grpc:
        raise bad_answer(source, "its content type is another")
    if len(data) < PREFIX_SIZE:
        raise bad_answer(source, "it has no message")
    size = int.from_bytes(data[1:PREFIX_SIZE], "big")
    if size != len(data) - PREFIX_SIZE:
        raise bad_answer(source, "its length is not what it says")
    flag, message = data[0], data[PREFIX_SIZE:]
    if not flag:
        return message
    if flag != 1 or head.encoding not in {"gzip", "deflate"}:
        raise bad_answer(source, "its encoding is not one that was asked for")
    return _inflate(message, limit, source)


def describe_reset(code: int, source: str, *, is_late: bool) -> SourceError:
    """Return the error of a call that the service broke off."""
    if code == frames.REFUSED_STREAM:
        return unprocessed(source, "it refused the stream")
    if code == frames.CANCEL and is_late:
        return timed_out(source)
    status = _OF_RESETS.get(code, "INTERNAL")
    return answered(source, status, f"it broke off with code {code}")


def _inflate(message: bytes, limit: int, source: str) -> bytes:
    """Undo gzip or zlib, whichever it is; at most ``limit`` bytes come out."""
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        inflated = inflater.decompress(message, limit + 1)
    except zlib.error as error:
        raise bad_answer(source, "its message is damaged") from error
    if len(inflated) > limit:
        raise message_too_large(source, limit)
    if not inflater.eof or inflater.unused_data:
        raise bad_answer(source, "its message is damaged")
    return inflated


def _read_status(text: str | None) -> str:
    if text is None:
        return ""
    if text.isascii() and text.isdigit() and len(text) <= len("16"):
        number = int(text)
        return _STATUSES[number] if number < len(_STATUSES) else "UNKNOWN"
    return "UNKNOWN"


def _decode_base64(text: str) -> bytes:
    first = text.partition(",")[0].rstrip("=")
    try:
        return b64decode(first + "=" * (-len(first) % 4))
    except (Base64Error, ValueError):
        return b""
