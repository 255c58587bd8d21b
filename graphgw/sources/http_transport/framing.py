"""Bytes of a connection to answers: where each begins and ends, and what is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, cast

import httptools

from graphgw.sources.http_transport.failures import (
    answer_too_large,
    bad_answer,
    header_too_large,
)

if TYPE_CHECKING:
    from graphgw.errors import SourceError

__all__ = ["AnswerParser"]

_LAST_INFORMATIONAL: Final = 199
_HEADER_OVERHEAD: Final = 4
_LENGTH: Final = b"content-length"
_CODING: Final = b"transfer-encoding"
_FRAMING: Final = frozenset({_LENGTH, _CODING})
_MOST_PARTS: Final = 64
"""Of a body as they came; more are put together, for each weighs more than it holds."""


class AnswerParser:
    """Parses one HTTP/1.1 answer after the other, and refuses what is not clearly one.

    It holds what has come of the answer under way: its ``status``, its ``headers``
    with lower-case names and in their order, and what was not taken of its body.
    Informational answers are skipped, trailers read over, and ``failure`` tells why no
    more can be read. An answer that is whole stays until ``reset``.
    """

    __slots__ = (
        "_framing",
        "_head_bytes",
        "_is_head",
        "_more",
        "_most_body_bytes",
        "_most_head_bytes",
        "_parser",
        "_parts",
        "_source",
        "failure",
        "has_head",
        "headers",
        "held",
        "is_complete",
        "is_kept",
        "status",
    )

    # What is known of the answer that is being read; ``reset`` fills them in.
    _framing: tuple[tuple[bytes, bytes], ...]
    _more: bytearray | None
    _parts: list[bytes]
    failure: SourceError | None
    has_head: bool
    """Whether the head has come, of more than an informational answer."""
    headers: list[tuple[bytes, bytes]]
    held: int
    """Bytes of the body that were not taken yet."""
    is_complete: bool
    is_kept: bool
    """Whether another answer may follow on the connection; told once complete."""

    def __init__(
        self, most_head_bytes: int, most_body_bytes: int = sys.maxsize
    ) -> None:
        """Read answers within limits.

        Args:
            most_head_bytes: Of a head, of trailers, and of what surrounds a chunk.
            most_body_bytes: Of a body that is not taken.
        """
        self._most_head_bytes = most_head_bytes
        self._most_body_bytes = most_body_bytes
        self._parser: httptools.HttpResponseParser | None = None
        self._source = ""
        self._is_head = False
        self._head_bytes = 0
        self.status = 0
        self.reset()

    def feed(self, data: bytes, source: str, *, is_head: bool) -> None:
        """Read on.

        Args:
            data: What came.
            source: The service that sent it, for ``failure``.
            is_head: Whether ``HEAD`` was asked, whose answer has no body.
        """
        if self.is_complete:
            self.is_kept = False  # more than was asked for
            return
        self._source = source
        self._is_head = is_head
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpResponseParser(self)
        self._head_bytes += len(data)
        had_head, held = self.has_head, self.held
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse("it switched protocols")
        except httptools.HttpParserError as error:
            self.is_kept = False
            self._refuse(str(error))
        if self.has_head and (self.held > held or not had_head):
            self._head_bytes = 0
        elif self._head_bytes > self._most_head_bytes:
            # Of a head, a trailer or a chunk's extension: none of them may be endless.
            self._refuse_head()

    def end(self) -> bool:
        """Note that the connection ended well; tell whether the answer is whole."""
        if self.has_head and not self._framing:
            self.is_complete = True
        return self.is_complete

    def take_body(self) -> bytes:
        """Return what has come of the body and was not taken yet."""
        parts = self._parts
        if self._more is not None:
            parts.append(bytes(self._more))
            self._more = None
        self._parts = []
        self.held = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def reset(self) -> None:
        """Forget the answer; what comes is another."""
        self._framing = ()
        self._more = None
        self._parts = []
        self.failure = None
        self.has_head = False
        self.headers = []
        self.held = 0
        self.is_complete = False
        self.is_kept = False

    def close(self) -> None:
        """Read no more; what was read stays."""
        self._parser = None

    # httptools

    def on_message_begin(self) -> None:
        """Note that an answer starts (httptools)."""
        if self.is_complete:
            # More than was asked for; the connection cannot be trusted any more.
            self.is_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read one header (httptools)."""
        if self.has_head or self.failure is not None:
            return  # a trailer: it comes too late to say what the body is
        header = (name.lower(), value)
        self.headers.append(header)
        if header[0] in _FRAMING:
            self._framing += (header,)

    def on_headers_complete(self) -> None:
        """Check what the headers say of the body (httptools)."""
        if self.is_complete or self.failure is not None:
            return
        parser = cast("httptools.HttpResponseParser", self._parser)
        self.status = parser.get_status_code()
        self.has_head = self.status > _LAST_INFORMATIONAL
        framing = self._framing
        name, value = framing[0] if framing else (b"", b"")
        if self._head_bytes > self._most_head_bytes and self._is_head_too_large():
            self._refuse_head()
        elif len(framing) > 1:
            self._refuse("its length is given twice")
        elif name == _CODING and value.lower() != b"chunked":
            self._refuse("its transfer encoding is unknown")
        elif self._is_head:
            self.is_complete = self.has_head
        elif name == _LENGTH and int(value) > self._most_body_bytes:
            self.failure = answer_too_large(self._source, self._most_body_bytes)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body (httptools)."""
        if self.is_complete or self.failure is not None:
            return
        self.held += len(body)
        if self.held > self._most_body_bytes:
            self.failure = answer_too_large(self._source, self._most_body_bytes)
        elif len(self._parts) < _MOST_PARTS:
            self._parts.append(body)
        else:
            if self._more is None:
                self._more = bytearray()
            self._more += body

    def on_message_complete(self) -> None:
        """Note that the answer is whole (httptools)."""
        if self.is_complete or self.failure is not None:
            return
        if not self.has_head:
            self.reset()
            return
        self.is_complete = True
        self._head_bytes = 0
        parser = cast("httptools.HttpResponseParser", self._parser)
        self.is_kept = parser.should_keep_alive()

    def _is_head_too_large(self) -> bool:
        size = sum(len(name) + len(value) for name, value in self.headers)
        size += len(self.headers) * _HEADER_OVERHEAD
        return size > self._most_head_bytes

    def _refuse_head(self) -> None:
        if not self.is_complete and self.failure is None:
            self.failure = header_too_large(self._source, self._most_head_bytes)

    def _refuse(self, detail: str) -> None:
        if not self.is_complete and self.failure is None:
            self.failure = bad_answer(self._source, detail)
