"""Value types that several subgraphs share: money and pages."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import strawberry

from graphgw import computed, sourced
from graphgw.directives import Tag

__all__ = ["MOBILE", "Money", "PageInfo", "edges_of"]

MOBILE: Final = Tag(name="mobile")
"""Stands on what the variant ``mobile`` shows; on a type it counts for its fields."""


def edges_of(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the rows of a connection's edges; a node's id is its cursor."""
    return [{"cursor": _id_of(row), "node": row} for row in rows]


def _id_of(row: Any) -> str:
    found: str = row["id"] if isinstance(row, dict) else row.id
    return found


def _amount(cents: int) -> Decimal:
    return Decimal(cents) / 100


@strawberry.federation.type(
    shareable=True, description="An amount of money.", directives=[MOBILE]
)
class Money:
    """Money, counted in cents by every service."""

    cents: int
    currency: str = strawberry.federation.field(description="ISO 4217: EUR.")
    amount: Decimal = computed(
        _amount, reads=("cents",), description="In whole units: 12.50."
    )


@strawberry.federation.type(
    shareable=True, description="Where a page ends.", directives=[MOBILE]
)
class PageInfo:
    """How to ask for the page after this one."""

    has_next_page: bool = sourced("has_more")
    end_cursor: strawberry.ID | None = strawberry.federation.field(
        description="What to send as `after` for the next page."
    )
