"""About how much memory a row takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["estimate_size"]

_DEPTH: Final = 8
_SAMPLE: Final = 20
_MESSAGE: Final = 300
_MESSAGE_FACTOR: Final = 3
"""A message in memory is about as many times as large as on the wire."""


def estimate_size(value: Any, depth: int = _DEPTH) -> int:
    """Estimate the bytes of an object with what it holds.

    Of a long list some items, evenly spread, stand for all.
    """
    if isinstance(value, Message):
        return _MESSAGE + _MESSAGE_FACTOR * value.ByteSize()
    size = sys.getsizeof(value, 64)
    if depth == 0 or isinstance(value, str | int | float | bytes):
        return size
    if isinstance(value, dict):
        return size + sum(
            estimate_size(item, depth - 1) for pair in value.items() for item in pair
        )
    if isinstance(value, list | tuple):
        count = len(value)
        if count <= _SAMPLE:
            return size + sum(estimate_size(item, depth - 1) for item in value)
        step = count // _SAMPLE
        some = value[::step]
        total = sum(estimate_size(item, depth - 1) for item in some)
        return size + total * count // len(some)
    inner: Iterable[Any] = (
        value
        if isinstance(value, set | frozenset)
        else getattr(value, "__dict__", {}).values()
    )
    return size + sum(estimate_size(item, depth - 1) for item in inner)
