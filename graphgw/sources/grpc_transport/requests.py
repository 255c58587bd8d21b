"""The head of a call: what is known of it before is encoded once."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import field
from math import ceil
from typing import TYPE_CHECKING, Final, TypeAlias

from graphgw.sources.grpc_transport.failures import not_sendable
from graphgw.sources.grpc_transport.hpack import encode_field, encode_text
from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GRPCRequest", "HeadEncoder", "Metadata"]

Metadata: TypeAlias = tuple[tuple[str, str], ...]


@record
class GRPCRequest:
    """A unary call to be made.

    ``path`` is ``/package.Service/Method``. Many requests have the same ``metadata``,
    and each its ``own``. One that is idempotent may be made again. ``tried`` takes down
    the addresses that it went to, where others are to be preferred next.
    """

    path: str
    message: bytes
    metadata: Metadata = ()
    own: Metadata = ()
    is_idempotent: bool = False
    tried: list[str] | None = field(default=None, compare=False)


_POST: Final = b"\x83"
_HTTP: Final = b"\x86"
_HTTPS: Final = b"\x87"
_AUTHORITY: Final = b"\x01"
_PATH: Final = b"\x04"
_TIMEOUT: Final = b"\x00" + encode_text(b"grpc-timeout")
_ACCEPT: Final = encode_field(b"grpc-accept-encoding", b"identity,deflate,gzip")
_USER_AGENT: Final = "user-agent"
_OUR_NAME: Final = "grpc-python-graphgw/1"
_KEPT: Final = 256

_NAME: Final = re.compile(r"[a-z0-9_.-]+")
_BINARY: Final = "-bin"
_RESERVED: Final = frozenset(
    {"connection", "content-length", "content-type", "host", "te", "transfer-encoding"}
)
_MOST_DIGITS: Final = 99_999_999


class HeadEncoder:
    """Encodes the heads of the calls to one service.

    Metadata is never put into a table, by nobody on the way: it may be secret.
    """

    __slots__ = ("_authority", "_known", "_own", "_own_block", "_scheme", "_source")

    def __init__(self, source: str, authority: str, *, is_tls: bool) -> None:
        self._source = source
        self._authority = _AUTHORITY + encode_text(authority.encode())
        self._scheme = _HTTPS if is_tls else _HTTP
        self._known: dict[tuple[str, Metadata], bytes] = {}
        self._own: Metadata = ()
        self._own_block = b""

    def encode(self, request: GRPCRequest, seconds: float) -> bytes:
        """Return the header block of a call that has so many seconds.

        Raises:
            SourceError: Some metadata cannot be sent.
        """
        path, metadata, own = request.path, request.metadata, request.own
        key = (path, metadata)
        block = self._known.get(key)
        if block is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            block = self._known[key] = self._encode_known(path, metadata)
        if own != self._own:
            self._own_block = self._encode_all(own)
            self._own = own
        milliseconds = ceil(seconds * 1000)
        timeout = (
            b"%dm" % milliseconds
            if milliseconds <= _MOST_DIGITS
            else b"%dS" % min(ceil(seconds), _MOST_DIGITS)
        )
        return b"%b%b%b%c%b" % (block, self._own_block, _TIMEOUT, len(timeout), timeout)

    def _encode_known(self, path: str, metadata: Metadata) -> bytes:
        names = {name for name, _ in metadata}
        agent = () if _USER_AGENT in names else ((_USER_AGENT, _OUR_NAME),)
        return b"".join(
            (
                _POST,
                self._scheme,
                _PATH,
                encode_text(path.encode()),
                self._authority,
                encode_field(b"te", b"trailers"),
                encode_field(b"content-type", b"application/grpc"),
                _ACCEPT,
                self._encode_all((*agent, *metadata)),
            )
        )

    def _encode_all(self, metadata: Iterable[tuple[str, str]]) -> bytes:
        return b"".join(self._encode_one(name, value) for name, value in metadata)

    def _encode_one(self, name: str, value: str) -> bytes:
        if not _NAME.fullmatch(name) or name in _RESERVED or name.startswith("grpc-"):
            raise not_sendable(self._source, name)
        if name.endswith(_BINARY):
            text = b64encode(value.encode()).rstrip(b"=")
        elif value.isascii() and value.isprintable():
            text = value.strip().encode()
        else:
            raise not_sendable(self._source, name)
        return encode_field(name.encode(), text)
