"""The Huffman code of HPACK, read only: nothing that is sent is worth the time.

The code is canonical: symbols in order of length, then of value, have rising codes,
so their lengths say all. See https://www.rfc-editor.org/rfc/rfc7541#appendix-B.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

__all__ = ["HuffmanError", "decode_huffman"]

_EOS: Final = 256
_BITS: Final = 32
_ONES: Final = (1 << _BITS) - 1
_BYTE: Final = 8

# fmt: off
_LENGTHS: Final = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10,
    10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
    13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7,
    7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
)
"""Bits of each symbol's code: the 256 bytes and the end of the string."""
# fmt: on

_SYMBOLS: Final = sorted(range(len(_LENGTHS)), key=lambda symbol: _LENGTHS[symbol])


def _list_lengths() -> tuple[list[int], list[tuple[int, int, int]]]:
    """Return the first code of each length, aligned left, and how to read from there.

    That is the number of bits to drop, the code without them, and the place of its
    symbol among all.
    """
    starts: list[int] = []
    rules: list[tuple[int, int, int]] = []
    code = length = 0
    for place, symbol in enumerate(_SYMBOLS):
        longer = _LENGTHS[symbol]
        if longer > length:
            code <<= longer - length
            length = longer
            starts.append(code << (_BITS - length))
            rules.append((_BITS - length, code, place))
        code += 1
    return starts, rules


_STARTS, _RULES = _list_lengths()


class HuffmanError(ValueError):
    """The text is no Huffman code, or padded wrongly."""


def decode_huffman(text: bytes) -> bytes:
    """Return the text that was encoded.

    Raises:
        HuffmanError: It is damaged.
    """
    decoded = bytearray()
    window = held = place = 0
    size = len(text)
    while True:
        while held < _BITS and place < size:
            window = window << _BYTE | text[place]
            held += _BYTE
            place += 1
        if held >= _BITS:
            bits = window >> (held - _BITS)
        else:
            missing = _BITS - held
            bits = window << missing | ((1 << missing) - 1)
        drop, first, start = _RULES[bisect_right(_STARTS, bits) - 1]
        length = _BITS - drop
        if length > held:
            break
        symbol = _SYMBOLS[start + (bits >> drop) - first]
        if symbol == _EOS:
            raise HuffmanError("the end of the string is spelled out")
        decoded.append(symbol)
        held -= length
        window &= (1 << held) - 1
    if held >= _BYTE or window != (1 << held) - 1:
        raise HuffmanError("the padding is wrong")
    return bytes(decoded)
