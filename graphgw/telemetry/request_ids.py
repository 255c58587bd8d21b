"""Names for requests: what a client calls one, or a new name that nobody else has."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import Final

__all__ = ["RequestIds", "is_request_id"]

_USABLE: Final = re.compile(r"[\w.:+/=@-]{1,128}", re.ASCII)


class RequestIds:
    """Numbers the requests of one gateway behind a random name of its own.

    Telling requests apart is all that an id is for: a counter does that as well as
    random bits for each, in a tenth of the time.
    """

    __slots__ = ("_numbers", "_prefix")

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count()

    def next(self) -> str:
        """Return 32 hexadecimal digits."""
        return f"{self._prefix}{next(self._numbers):016x}"


def is_request_id(text: str) -> bool:
    """Tell whether what a client sent can go into logs and to backends."""
    return _USABLE.fullmatch(text) is not None
