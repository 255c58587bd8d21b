"""The product service's routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.routing import Route

from backends.data.products import ProductRepository
from backends.rest import (
    ProblemError,
    answer_json,
    answer_page,
    answer_rows,
    create_rest_app,
    note_call,
    read_ids,
    read_limit,
    refuse_large_batch,
    refuse_unknown_parameters,
)

if TYPE_CHECKING:
    import sqlite3

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from backends.calls import CallLog

__all__ = ["create_app"]


def create_app(connection: sqlite3.Connection, calls: CallLog) -> Starlette:
    """Make the service over one database."""
    service = _ProductService(ProductRepository(connection), calls)
    return create_rest_app(
        [
            Route("/products", service.list_products, methods=["GET"]),
            Route("/products/{id}", service.get_product, methods=["GET"]),
        ],
        calls,
    )


class _ProductService:
    def __init__(self, products: ProductRepository, calls: CallLog) -> None:
        self._products = products
        self._calls = calls

    async def list_products(self, request: Request) -> Response:
        parameters = request.query_params
        if "ids" in parameters:
            return await self._get_products(request)
        filters = [name for name in ("category", "search") if parameters.get(name)]
        endpoint = f"GET /products?{'&'.join(filters)}".removesuffix("?")
        await note_call(self._calls, request, endpoint)
        refuse_unknown_parameters(request, ["limit", "after", "category", "search"])
        page = self._products.page(
            limit=read_limit(request),
            after=parameters.get("after"),
            category=parameters.get("category") or None,
            search=parameters.get("search", ""),
        )
        return answer_page(page)

    async def _get_products(self, request: Request) -> Response:
        ids = read_ids(request)
        await note_call(self._calls, request, "GET /products?ids", keys=len(ids))
        refuse_unknown_parameters(request, ["ids"])
        refuse_large_batch(ids)
        return answer_rows(self._products.get_many(ids))

    async def get_product(self, request: Request) -> Response:
        await note_call(self._calls, request, "GET /products/{id}", keys=1)
        product_id = request.path_params["id"]
        product = self._products.get(product_id)
        if product is None:
            raise ProblemError(
                HTTPStatus.NOT_FOUND, f'There is no product "{product_id}".'
            )
        return answer_json(product)
