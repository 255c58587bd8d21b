"""What resolvers write to call a REST service: its name, a path, the context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphgw.errors import ConfigurationError, Problem, SourceBadAnswerError
from graphgw.sources.batches import (
    BatchFunction,
    align_groups,
    align_rows,
    call_in_parts,
)
from graphgw.sources.http_service import RAISE

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping, Sequence

    from graphgw.context import RequestContext
    from graphgw.sources.http_answers import JSONText
    from graphgw.sources.http_service import HTTPService
    from graphgw.sources.urls import Params
    from graphgw.types import JSON, JSONObject

__all__ = ["RestSource", "rest_source"]


class RestSource:
    """Calls an HTTP service by the name that it has in the configuration.

    Paths stand after the service's base URL; ``{name}`` in a path is replaced by one
    of ``values``, percent-encoded, so a client's text cannot change the path. Each
    call returns decoded JSON, or raises a ``SourceError``.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"rest_source({self.name!r})"

    def service(self, context: RequestContext) -> HTTPService:
        """Return the service itself, from the gateway that serves the request.

        Raises:
            ConfigurationError: No HTTP service of that name is configured.
        """
        service: HTTPService = context.sources.http(self.name)
        return service

    def get(
        self,
        path: str,
        context: RequestContext,
        *,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
        missing: Any = RAISE,
    ) -> Coroutine[Any, Any, JSON]:
        """Read; tried again within the service's budget where that may help.

        With ``missing=None`` a 404 gives ``None`` and is no error.
        """
        service: HTTPService = context.sources.http(self.name)
        return service.get(
            path,
            context,
            params=params,
            values=values,
            headers=headers,
            missing=missing,
        )

    def get_text(
        self,
        path: str,
        context: RequestContext,
        *,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
        missing: Any = RAISE,
    ) -> Coroutine[Any, Any, JSONText]:
        """Read as ``get`` does, and decode nothing.

        For resolvers that return what they read: of a large answer only that is
        decoded which the client asked for.
        """
        service: HTTPService = context.sources.http(self.name)
        return service.get(
            path,
            context,
            params=params,
            values=values,
            headers=headers,
            missing=missing,
            as_text=True,
        )

    async def post(
        self,
        path: str,
        context: RequestContext,
        *,
        json: JSON = None,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JSON:
        """Send JSON; never tried again."""
        return await self.service(context).request(
            "POST",
            path,
            context,
            json=json,
            params=params,
            values=values,
            headers=headers,
        )

    async def put(
        self,
        path: str,
        context: RequestContext,
        *,
        json: JSON = None,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JSON:
        """Replace; never tried again."""
        return await self.service(context).request(
            "PUT",
            path,
            context,
            json=json,
            params=params,
            values=values,
            headers=headers,
        )

    async def patch(
        self,
        path: str,
        context: RequestContext,
        *,
        json: JSON = None,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
        missing: Any = RAISE,
    ) -> JSON:
        """Change; never tried again."""
        return await self.service(context).request(
            "PATCH",
            path,
            context,
            json=json,
            params=params,
            values=values,
            headers=headers,
            missing=missing,
        )

    async def delete(
        self,
        path: str,
        context: RequestContext,
        *,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
        missing: Any = RAISE,
    ) -> JSON:
        """Delete; never tried again."""
        return await self.service(context).request(
            "DELETE",
            path,
            context,
            params=params,
            values=values,
            headers=headers,
            missing=missing,
        )

    def batch(
        self,
        path: str,
        *,
        key: str = "id",
        items: str | None = None,
        many: bool = False,
        max_batch: int = 200,
    ) -> BatchFunction:
        """Return a batch function for an endpoint that takes many keys at once.

        ``users.batch("/users?ids={ids}")`` asks ``GET /users?ids=1,2,3`` and returns
        the rows in the keys' order, whatever order they came in.

        Args:
            path: With ``{ids}`` where the keys go, joined by commas.
            key: The field of a row that holds its key.
            items: The field of the answer that holds the rows, where the answer is
                an object.
            many: Whether a key may have several rows: each key then gives a list.
            max_batch: How many keys one call may carry; URLs cannot grow for ever.

        Raises:
            ConfigurationError: The path has no place for the keys.
        """
        if "{ids}" not in path:
            problem = Problem(
                f'the batch path "{path}" has no place for the keys',
                where=f"services.{self.name}",
                mend="put {ids} where they go, as in /users?ids={ids}",
            )
            raise ConfigurationError([problem])

        async def load(keys: list[str], context: RequestContext) -> list[Any]:
            async def call(part: Sequence[str]) -> list[Any]:
                ids = ",".join([str(key) for key in part])
                answer = await self.get(path, context, values={"ids": ids})
                rows = list(_read_rows(self.name, answer, items, key))
                align = align_groups if many else align_rows
                return align(part, rows, lambda row: row[key])

            return await call_in_parts(keys, max_batch, call)

        load.__name__ = load.__qualname__ = f"{self.name} {path.partition('?')[0]}"
        return load


def rest_source(name: str) -> RestSource:
    """Return a handle for the HTTP service called ``name`` in the configuration.

    It holds nothing but the name: address, connections and breaker are those of the
    gateway that serves the request.
    """
    return RestSource(name)


def _read_rows(
    source: str, answer: JSON, items: str | None, key: str
) -> Iterator[JSONObject]:
    rows = answer
    if items is not None:
        rows = answer.get(items) if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise SourceBadAnswerError(
            f'service "{source}" answered without a list of rows', source=source
        )
    for row in rows:
        if not isinstance(row, dict) or key not in row:
            raise SourceBadAnswerError(
                f'service "{source}" answered with a row that has no key',
                source=source,
            )
        yield row
