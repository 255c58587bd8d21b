"""Inflates answers, and stops at a limit before memory does."""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import SourceAnswerTooLargeError, SourceBadAnswerError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["ACCEPT_ENCODING", "inflate"]

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZSTANDARD_WINDOW: Final = 8 * 1024 * 1024


def _find_module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _find_brotli() -> ModuleType | None:
    """Return brotli if it can stop at a limit, as it can since 1.2."""
    found = _find_module("brotli")
    can_stop = hasattr(getattr(found, "Decompressor", None), "can_accept_more_data")
    return found if can_stop else None


_brotli: Final = _find_brotli()
_zstandard: Final = _find_module("zstandard")

ACCEPT_ENCODING: Final = ", ".join(
    ["gzip", *(["br"] if _brotli else []), *(["zstd"] if _zstandard else [])]
)
"""What may be asked for: gzip, and what the extra ``encodings`` brought."""


def inflate(encoding: str, body: bytes, limit: int, source: str = "") -> bytes:
    """Undo a whole answer's ``content-encoding``.

    At most ``limit`` bytes come out, whatever went in.

    Raises:
        SourceAnswerTooLargeError: It would be longer than ``limit``.
        SourceBadAnswerError: It is damaged or cut off, or the encoding is not one
            of those that were asked for.
    """
    name = encoding.strip().lower()
    try:
        if name in {"", "identity"}:
            inflated = body
        elif not body:
            return body
        elif name in {"gzip", "x-gzip"}:
            inflated = _inflate_gzip(body, limit)
        elif name == "br" and _brotli is not None:
            inflated = _inflate_brotli(_brotli, body, limit)
        elif name == "zstd" and _zstandard is not None:
            inflated = _inflate_zstandard(_zstandard, body, limit)
        else:
            raise SourceBadAnswerError(
                f'service "{source}" answered in an encoding that was not asked for',
                source=source,
            )
    except _DamagedError as error:
        raise SourceBadAnswerError(
            f'service "{source}" answered with a damaged body', source=source
        ) from error
    if len(inflated) > limit:
        raise SourceAnswerTooLargeError(
            f'service "{source}" answered with more than {limit} bytes', source=source
        )
    return inflated


class _DamagedError(Exception):
    """The body is not what its encoding says."""


def _inflate_gzip(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit + 1
    rest = body
    while rest and left > 0:
        inflater = zlib.decompressobj(_GZIP)
        try:
            part = inflater.decompress(rest, left)
        except zlib.error as error:
            raise _DamagedError from error
        parts.append(part)
        left -= len(part)
        if left > 0 and not inflater.eof:
            raise _DamagedError
        rest = inflater.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _inflate_brotli(brotli: Any, body: bytes, limit: int) -> bytes:
    inflater = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    rest = body
    try:
        while size <= limit and not inflater.is_finished():
            part = inflater.process(rest, output_buffer_limit=limit + 1 - size)
            rest = b""
            if not part and inflater.can_accept_more_data():
                raise _DamagedError
            parts.append(part)
            size += len(part)
    except brotli.error as error:
        raise _DamagedError from error
    return b"".join(parts)


def _inflate_zstandard(zstandard: Any, body: bytes, limit: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTANDARD_WINDOW)
    try:
        # The reader stops at the limit but does not tell a frame that is cut off;
        # the object tells, but cannot stop: so it runs once the size is known.
        with decompressor.stream_reader(body, read_across_frames=True) as reader:
            inflated: bytes = reader.read(limit + 1)
        if len(inflated) > limit:
            return inflated
        rest = body
        while rest:
            frame = decompressor.decompressobj()
            frame.decompress(rest)
            if not frame.eof:
                raise _DamagedError
            rest = frame.unused_data
    except zstandard.ZstdError as error:
        raise _DamagedError from error
    return inflated
