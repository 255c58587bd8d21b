"""Products of the example graph; rows and pages of them are kept."""

from __future__ import annotations

import strawberry

from benchmarks.cached.hour import AS_LONG, HOUR
from graphgw import Subgraph, by, resolved, sourced
from resolvers import product as resolve
from schema.shared import Money

__all__ = ["subgraph"]


@strawberry.federation.type(keys=["id"], directives=[HOUR])
class Product:
    """A product of the catalogue."""

    id: strawberry.ID
    name: str
    category: str
    price: Money = strawberry.federation.field(directives=[AS_LONG])
    rating: float | None


@strawberry.type
class ProductConnection:
    """A page of products."""

    nodes: list[Product] = sourced("items")


@strawberry.type
class Query:
    """What is asked of products."""

    product: Product | None = resolved(resolve.product_by_id)
    products: ProductConnection | None = resolved(resolve.products, directives=[HOUR])


subgraph = Subgraph(
    "product", query=Query, entities={Product: by("id", resolve.products_by_id)}
)
