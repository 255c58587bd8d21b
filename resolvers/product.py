"""Products, from the REST service ``product``."""

from __future__ import annotations

from typing import Any

import strawberry

from graphgw import JSONText, RequestContext, loader, rest_source
from resolvers.refusals import tell_refusals

__all__ = ["product_by_id", "products", "products_by_id"]

service = rest_source("product")


@loader(max_batch=500, shared=True)
async def products_by_id(
    product_ids: list[str], context: RequestContext
) -> list[dict[str, Any] | None]:
    """Get products by their ids, ``None`` where there is none."""
    reply = await service.get(
        "/products", context, params={"ids": ",".join(product_ids)}
    )
    found = {row["id"]: row for row in reply["items"]}
    return [found.get(product_id) for product_id in product_ids]


async def product_by_id(
    context: RequestContext,
    *,
    id: strawberry.ID,  # noqa: A002 - the argument's name
) -> dict[str, Any] | None:
    """Get one product."""
    row: dict[str, Any] | None = await context.load(products_by_id, id)
    return row


async def products(
    context: RequestContext,
    *,
    first: int = 20,
    after: strawberry.ID | None = None,
    category: str | None = None,
    search: str | None = None,
) -> JSONText:
    """List products, a page at a time."""
    params = {"limit": first, "after": after, "category": category, "search": search}
    with tell_refusals():
        return await service.get_text("/products", context, params=params)
