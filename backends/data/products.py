"""Read products, which are of two kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import orjson

from backends.data.database import from_epoch, like_pattern, to_json_list
from backends.data.pages import Page, cut_page, number_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["DigitalProduct", "PhysicalProduct", "Price", "Product", "ProductRepository"]

_GET_MANY = """
SELECT products.* FROM json_each(?) AS asked
JOIN products ON products.id = asked.value
GROUP BY products.id ORDER BY min(asked.key)
"""
_PAGE = r"""
SELECT * FROM products
WHERE number > :after AND (:category IS NULL OR category = :category) AND
  (:search = '' OR name LIKE :pattern ESCAPE '\'
    OR description LIKE :pattern ESCAPE '\')
ORDER BY number LIMIT :limit
"""
_COUNT = r"""
SELECT count(*) FROM products
WHERE (:category IS NULL OR category = :category) AND
  (:search = '' OR name LIKE :pattern ESCAPE '\'
    OR description LIKE :pattern ESCAPE '\')
"""


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money."""

    cents: int
    currency: str


@dataclass(frozen=True, slots=True)
class _AnyProduct:
    id: str
    name: str
    description: str
    category: str
    price: Price
    rating: float | None
    tags: list[str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PhysicalProduct(_AnyProduct):
    """Something that comes in a parcel."""

    kind: Literal["physical"]
    stock: int
    weight_grams: int


@dataclass(frozen=True, slots=True)
class DigitalProduct(_AnyProduct):
    """Something that is downloaded."""

    kind: Literal["digital"]
    download_url: str
    size_bytes: int


Product: TypeAlias = PhysicalProduct | DigitalProduct


class ProductRepository:
    """The products of one database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, product_id: str) -> Product | None:
        """Find one product."""
        return next(iter(self.get_many([product_id])), None)

    def get_many(self, product_ids: Iterable[str]) -> list[Product]:
        """Find products, each once, in the ids' order, but the unknown ones."""
        rows = self._connection.execute(_GET_MANY, [to_json_list(product_ids)])
        return [_to_product(row) for row in rows]

    def page(
        self,
        *,
        limit: int,
        after: str | None = None,
        category: str | None = None,
        search: str = "",
    ) -> Page[Product]:
        """List products by number, if wanted those of a category or with some words.

        Args:
            limit: The most that the page holds.
            after: The id after which the page begins.
            category: The category's name.
            search: What the name or the description contains.

        Raises:
            InvalidCursorError: If ``after`` does not look like a product's id.
        """
        parameters = {
            "after": 0 if after is None else number_of(after, "p"),
            "category": category,
            "search": search,
            "pattern": like_pattern(search),
            "limit": limit + 1,
        }
        rows = self._connection.execute(_PAGE, parameters)
        total = self._connection.execute(_COUNT, parameters).fetchone()[0]
        return cut_page([_to_product(row) for row in rows], limit, total)


def _to_product(row: sqlite3.Row) -> Product:
    shared = {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "category": row["category"],
        "price": Price(row["price_cents"], row["currency"]),
        "rating": row["rating"],
        "tags": orjson.loads(row["tags"]),
        "created_at": from_epoch(row["created_at"]),
    }
    if row["kind"] == "physical":
        return PhysicalProduct(
            **shared,
            kind="physical",
            stock=row["stock"],
            weight_grams=row["weight_grams"],
        )
    return DigitalProduct(
        **shared,
        kind="digital",
        download_url=row["download_url"],
        size_bytes=row["size_bytes"],
    )
