"""Durations and sizes as people write them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["parse_duration", "parse_size", "read_duration", "refuse_bool"]

_QUANTITY: Final = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}


def parse_duration(value: object) -> object:
    """Return the seconds of a text such as ``500ms`` or ``1m``.

    What is not text passes unchanged.

    Raises:
        ValueError: The text is no duration.
    """
    if not isinstance(value, str):
        return refuse_bool(value)
    return read_duration(value)


def read_duration(text: str) -> float:
    """Return the seconds of a text such as ``500ms`` or ``1m``.

    Raises:
        ValueError: The text is no duration.
    """
    return _parse(text, _SECONDS, "a duration such as 500ms, 10s or 1m")


def parse_size(value: object) -> object:
    """Return the bytes of a text such as ``1MiB``; what is not text passes.

    Raises:
        ValueError: The text is no size.
    """
    if not isinstance(value, str):
        return refuse_bool(value)
    return int(_parse(value, _BYTES, "a size such as 64KiB or 1MiB"))


def refuse_bool(value: object) -> object:
    """Return what is not ``true`` or ``false``, which Python takes for numbers.

    Raises:
        ValueError: It is one of them.
    """
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - a validator's error
    return value


def _parse(text: str, units: dict[str, float] | dict[str, int], what: str) -> float:
    found = _QUANTITY.fullmatch(text)
    factor = units.get(found[2].lower()) if found and found[2] else 1
    if found is None or factor is None:
        raise ValueError(f"must be {what}")
    return float(found[1]) * factor
