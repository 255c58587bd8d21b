"""One page of a list, and the ids that serve as cursors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["InvalidCursorError", "Page", "cut_page", "number_of"]


class InvalidCursorError(ValueError):
    """A cursor is not an id of the list's kind."""


class _Row(Protocol):
    @property
    def id(self) -> str: ...


RowT = TypeVar("RowT", bound=_Row)


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """Some rows of a list, and how to ask for those after them."""

    items: Sequence[RowT]
    end_cursor: str | None
    has_more: bool
    total: int


def cut_page(rows: Sequence[RowT], limit: int, total: int) -> Page[RowT]:
    """Make a page of what a query for ``limit + 1`` rows found."""
    items = rows[:limit]
    end_cursor = items[-1].id if items else None
    return Page(items, end_cursor, len(rows) > limit, total)


def number_of(row_id: str, letter: str) -> int:
    """Read the number in an id such as ``u12``, which need not exist.

    Raises:
        InvalidCursorError: If it is no such id.
    """
    if not re.fullmatch(f"{letter}[0-9]{{1,18}}", row_id):
        raise InvalidCursorError(
            f'has to be an id such as "{letter}20", not "{row_id}"'
        )
    return int(row_id.removeprefix(letter))
