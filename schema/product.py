"""The product subgraph: what the shop sells."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from graphgw import Subgraph, by, computed, embedded, resolved, sourced
from graphgw.directives import CacheControl, CacheScope, CacheTag, ListSize
from resolvers import product as resolve
from schema.shared import MOBILE, Money, PageInfo, edges_of

__all__ = ["subgraph"]


@strawberry.interface(description="How a product reaches its buyer.")
class Delivery:
    """What is known of every way of delivery."""

    is_available: bool

    @staticmethod
    def type_of(row: dict[str, Any]) -> str:
        """Return the type of a row."""
        return "DownloadDelivery" if "download_url" in row else "ParcelDelivery"


@strawberry.type(description="By parcel, from stock.")
class ParcelDelivery(Delivery):
    """A thing that is sent."""

    stock: int
    weight_grams: int


@strawberry.type(description="By download, at once.")
class DownloadDelivery(Delivery):
    """A file that is loaded."""

    url: str = sourced("download_url")
    size_bytes: int


def _delivery(
    stock: int | None,
    weight_grams: int | None,
    download_url: str | None,
    size_bytes: int | None,
) -> dict[str, Any]:
    if download_url is None:
        return {
            "is_available": (stock or 0) > 0,
            "stock": stock,
            "weight_grams": weight_grams,
        }
    return {
        "is_available": True,
        "download_url": download_url,
        "size_bytes": size_bytes,
    }


@strawberry.federation.type(
    keys=["id"],
    description="Something that the shop sells.",
    directives=[
        MOBILE,
        CacheControl(max_age=60),
        CacheTag(format="product-{$key.id}"),
    ],
)
class Product:
    """A product of the catalogue."""

    id: strawberry.ID
    name: str
    description: str
    category: str
    price: Money
    rating: float | None
    tags: list[str]
    delivery: Delivery = computed(
        _delivery, reads=("stock", "weight_grams", "download_url", "size_bytes")
    )
    created_at: datetime


@strawberry.type(description="A product in a list, and the cursor after it.")
class ProductEdge:
    """A product and the cursor that stands for it."""

    cursor: strawberry.ID
    node: Product


@strawberry.type(description="A page of products.", directives=[MOBILE])
class ProductConnection:
    """Some products, and how to ask for more."""

    nodes: list[Product] = sourced("items")
    edges: list[ProductEdge] = computed(edges_of, reads=("items",))
    page_info: PageInfo = embedded(has_more="has_more", end_cursor="next_cursor")
    total_count: int = sourced("total")


@strawberry.type
class Query:
    """What can be asked of products."""

    product: Product | None = resolved(
        resolve.product_by_id, description="One product.", directives=[MOBILE]
    )
    products: ProductConnection | None = resolved(
        resolve.products,
        description="The catalogue, by category or by words in name and description.",
        directives=[
            MOBILE,
            CacheControl(max_age=30, scope=CacheScope.PUBLIC),
            CacheTag(format="catalogue"),
            ListSize(slicing_arguments=["first"], sized_fields=["nodes", "edges"]),
        ],
    )


subgraph = Subgraph(
    "product",
    query=Query,
    types=[ParcelDelivery, DownloadDelivery],
    entities={Product: by("id", resolve.products_by_id)},
)
