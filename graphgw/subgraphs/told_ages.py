"""What services say of how long their answers may be kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ToldRows", "read_max_age", "strictest_age"]

_MAX_AGE: Final = re.compile(r"(?:^|[,\s])(s-maxage|max-age)\s*=\s*\"?(\d{1,9})")
_FORBIDS: Final = re.compile(r"(?:^|[,\s])(no-store|no-cache|private)(?:$|[,;=\s])")


class ToldRows(list[Any]):
    """Rows of a batch function, and what the answers said that it read for them.

    ``told`` has the ``cache-control`` and ``age`` of each answer that had the first.
    """

    __slots__ = ("told",)

    def __init__(
        self, rows: Iterable[Any], told: tuple[tuple[str, str | None], ...]
    ) -> None:
        super().__init__(rows)
        self.told = told


def read_max_age(
    cache_control: str | None, age: str | None = None, *, is_private: bool
) -> float | None:
    """Return how much longer an answer may be kept as its own headers say.

    ``None`` where they say nothing; a private answer may be kept for its caller.
    """
    if cache_control is None:
        return None
    text = cache_control.lower()
    forbids = set(_FORBIDS.findall(text))
    if forbids - ({"private"} if is_private else set()):
        return 0.0
    ages = {name: float(seconds) for name, seconds in _MAX_AGE.findall(text)}
    found = ages.get("s-maxage", ages.get("max-age"))
    if found is None or age is None or not (age.isascii() and age.isdigit()):
        return found
    return max(0.0, found - float(age[:10]))


def strictest_age(
    told: Iterable[tuple[str, str | None]], *, is_private: bool
) -> float | None:
    """Return how much longer what was made of several answers may be kept."""
    ages = (read_max_age(text, age, is_private=is_private) for text, age in told)
    return min((age for age in ages if age is not None), default=None)
