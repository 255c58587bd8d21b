"""Header compression: reads all of HPACK, writes the plain part of it.

See https://www.rfc-editor.org/rfc/rfc7541. What is sent uses no dynamic table: then
blocks do not depend on each other, and can be kept ready.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from graphgw.sources.grpc_transport.huffman import HuffmanError, decode_huffman

__all__ = [
    "EMPTY_TABLE",
    "STATIC_TABLE",
    "Decoder",
    "Field",
    "HPACKError",
    "encode_field",
    "encode_text",
]

Field: TypeAlias = tuple[bytes, bytes]

_TABLE_BYTES: Final = 4096
_ENTRY_BYTES: Final = 32
_LARGEST_NUMBER: Final = 1 << 28

_INDEXED: Final = 0x80
_INDEXING: Final = 0x40
_RESIZING: Final = 0x20
_NEVER_INDEXED: Final = b"\x10"
_HUFFMAN: Final = 0x80
_MORE: Final = 0x80
_SEVEN_BITS: Final = 0x7F

EMPTY_TABLE: Final = b"\x20"
"""Tells the peer that its table of ours stays empty; opens the first block."""


def _read_static_table() -> tuple[Field, ...]:
    lines = """:authority|:method=GET|:method=POST|:path=/|:path=/index.html
    :scheme=http|:scheme=https|:status=200|:status=204|:status=206|:status=304|:status=400
    :status=404|:status=500|accept-charset|accept-encoding=gzip, deflate
    accept-language|accept-ranges|accept|access-control-allow-origin|age|allow
    authorization|cache-control|content-disposition|content-encoding|content-language
    content-length|content-location|content-range|content-type|cookie|date|etag|expect
    expires|from|host|if-match|if-modified-since|if-none-match|if-range
    if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate
    proxy-authorization|range|referer|refresh|retry-after|server|set-cookie
    strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"""
    entries = [
        entry.partition("=")
        for line in lines.splitlines()
        for entry in line.strip().split("|")
    ]
    return tuple((name.encode(), value.encode()) for name, _, value in entries)


STATIC_TABLE: Final = _read_static_table()
_STATIC: Final = len(STATIC_TABLE)


class HPACKError(ValueError):
    """A header block cannot be read; nor can those after it."""


class Decoder:
    """Reads the header blocks of one connection, in order."""

    __slots__ = ("_bytes", "_limit", "_list_bytes", "_table", "changes")

    def __init__(self, list_bytes: int) -> None:
        """Prepare an empty table.

        Args:
            list_bytes: The largest header list, counted as HTTP/2 counts it.
        """
        self._list_bytes = list_bytes
        self._table: list[Field] = []
        self._bytes = 0
        self._limit = _TABLE_BYTES
        self.changes = 0
        """Rises whenever equal blocks may from now on mean something else."""

    def decode(self, block: bytes) -> tuple[Field, ...] | None:
        """Return the header list, or ``None`` if it is larger than allowed.

        Raises:
            HPACKError: The block is damaged.
        """
        try:
            return self._decode(block)
        except (IndexError, HuffmanError) as error:
            raise HPACKError("a header block is damaged") from error

    def _decode(self, block: bytes) -> tuple[Field, ...] | None:
        fields: list[Field] = []
        place, size, listed = 0, len(block), 0
        while place < size:
            first = block[place]
            if first & _INDEXED:
                index, place = _read_number(block, place, _SEVEN_BITS)
                field = self._find(index)
            elif first & _INDEXING:
                field, place = self._read_literal(block, place, 0x3F)
                self._add(field)
            elif first & _RESIZING:
                limit, place = _read_number(block, place, 0x1F)
                if listed:
                    raise HPACKError("the table is resized within a block")
                self._resize(limit)
                continue
            else:
                field, place = self._read_literal(block, place, 0x0F)
            listed += len(field[0]) + len(field[1]) + _ENTRY_BYTES
            if listed <= self._list_bytes:
                fields.append(field)
        return tuple(fields) if listed <= self._list_bytes else None

    def _read_literal(self, block: bytes, place: int, mask: int) -> tuple[Field, int]:
        index, place = _read_number(block, place, mask)
        if index:
            name = self._find(index)[0]
        else:
            name, place = _read_text(block, place)
        value, place = _read_text(block, place)
        return (name, value), place

    def _find(self, index: int) -> Field:
        if 0 < index <= _STATIC:
            return STATIC_TABLE[index - 1]
        if not index or index - _STATIC > len(self._table):
            raise HPACKError("a header that is in no table")
        return self._table[_STATIC - index]

    def _add(self, field: Field) -> None:
        self.changes += 1
        self._table.append(field)
        self._bytes += len(field[0]) + len(field[1]) + _ENTRY_BYTES
        self._evict()

    def _resize(self, limit: int) -> None:
        if limit > _TABLE_BYTES:
            raise HPACKError("a table that is larger than allowed")
        self.changes += 1
        self._limit = limit
        self._evict()

    def _evict(self) -> None:
        table, count = self._table, 0
        while self._bytes > self._limit:
            name, value = table[count]
            self._bytes -= len(name) + len(value) + _ENTRY_BYTES
            count += 1
        if count:
            del table[:count]


def encode_field(name: bytes, value: bytes) -> bytes:
    """Return a header as a literal that nobody on the way may index."""
    return _NEVER_INDEXED + encode_text(name) + encode_text(value)


def encode_text(text: bytes) -> bytes:
    """Return a text with its length before it."""
    size = len(text)
    if size < _SEVEN_BITS:
        return bytes((size,)) + text
    encoded = bytearray((_SEVEN_BITS,))
    size -= _SEVEN_BITS
    while size >= _MORE:
        encoded.append(size & _SEVEN_BITS | _MORE)
        size >>= 7
    encoded.append(size)
    return bytes(encoded) + text


def _read_number(block: bytes, place: int, mask: int) -> tuple[int, int]:
    number = block[place] & mask
    place += 1
    if number < mask:
        return number, place
    shift = 0
    while True:
        byte = block[place]
        place += 1
        number += (byte & _SEVEN_BITS) << shift
        if number > _LARGEST_NUMBER or shift > _LARGEST_NUMBER.bit_length():
            raise HPACKError("a number is too large")
        if byte < _MORE:
            return number, place
        shift += 7


def _read_text(block: bytes, place: int) -> tuple[bytes, int]:
    is_huffman = block[place] & _HUFFMAN
    size, place = _read_number(block, place, _SEVEN_BITS)
    end = place + size
    if end > len(block):
        raise HPACKError("a header is longer than its block")
    text = block[place:end]
    return (decode_huffman(text) if is_huffman else text), end
