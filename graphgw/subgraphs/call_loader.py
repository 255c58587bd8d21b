"""Call a loader's batch function: for one request, or for several at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphgw.errors import GraphGWError, InternalError, SourceBadAnswerError
from graphgw.sources.headers import select_headers
from graphgw.subgraphs.coalesce import Coalescer, is_about_content
from graphgw.subgraphs.told_ages import ToldRows
from graphgw.telemetry.events import BatchLoaded

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping

    from graphgw.context import Loaders, RequestContext
    from graphgw.subgraphs.loaders import Loader
    from graphgw.types import Deadline, Headers

__all__ = ["LoaderCall", "LoaderSharing", "call_loader"]


class LoaderSharing:
    """How the shared loaders of many requests come together.

    Args:
        forward_headers: Lower-case names of the client headers that any service is
            sent. Shared batch functions see no others, and only requests that have
            the same values share a call.
    """

    __slots__ = ("_names", "coalescer")

    def __init__(self, forward_headers: Iterable[str] = ()) -> None:
        self._names = tuple(sorted(forward_headers))
        self.coalescer = Coalescer()

    def select(self, headers: Headers) -> dict[str, str]:
        """Return the headers that a shared batch function may see."""
        return dict(select_headers(headers, self._names)) if self._names else {}


async def call_loader(
    loader: Loader[..., Any],
    keys: list[Any],
    context: RequestContext,
    arguments: Mapping[str, Any],
    *,
    notes_ages: bool = False,
) -> list[Any]:
    """Call the batch function once, and tell the context's observer.

    Returns:
        Rows in key order; a failed key has its exception as value. With
        ``notes_ages``, ``ToldRows`` where a service said how old they may get.

    Raises:
        SourceBadAnswerError: It returned another number of rows.
        Exception: What the function raised.
    """
    if notes_ages:
        context = context.noting_ages()
    began = time.perf_counter()
    try:
        rows = await loader.function(keys, context, **arguments)
        if rows.__class__ is not list or len(rows) != len(keys):
            rows = _check(rows, keys, loader)
    except Exception as error:
        code = error.code if isinstance(error, GraphGWError) else InternalError.code
        seconds = time.perf_counter() - began
        context.observer.observe(BatchLoaded(loader.name, len(keys), seconds, code))
        raise
    seconds = time.perf_counter() - began
    context.observer.observe(BatchLoaded(loader.name, len(keys), seconds))
    return ToldRows(rows, tuple(context.noted_ages)) if context.noted_ages else rows


class LoaderCall:
    """A loader with its arguments, as a request calls it.

    A shared loader's is also the call that several requests make together.

    Args:
        loader: The loader.
        arguments: Its keyword arguments.
        context: The request's.
        sharing: Joins the calls of shared loaders with those of other requests.
        frozen: Equal for equal arguments.
        open_loaders: Makes the loaders of a context that several requests share.
        notes_ages: Whether somebody wants to know how long rows may be kept.
    """

    __slots__ = (
        "_arguments",
        "_context",
        "_frozen",
        "_loader",
        "_notes_ages",
        "_open_loaders",
        "_sharing",
    )

    def __init__(
        self,
        loader: Loader[..., Any],
        arguments: Mapping[str, Any],
        context: RequestContext,
        sharing: LoaderSharing | None,
        frozen: Hashable,
        open_loaders: Callable[[RequestContext], Loaders],
        *,
        notes_ages: bool = False,
    ) -> None:
        self._loader = loader
        self._arguments = arguments
        self._context = context
        self._sharing = sharing
        self._frozen = frozen
        self._open_loaders = open_loaders
        self._notes_ages = notes_ages

    def __call__(self, keys: list[Any]) -> Coroutine[Any, Any, list[Any]]:
        """Return rows in key order; raises where the whole call failed."""
        loader, context, sharing = self._loader, self._context, self._sharing
        if not loader.is_shared:
            return self._call(keys, context)
        if sharing is None or not context.may_share:
            return self.run(keys, context.deadline)
        headers = tuple(sharing.select(context.headers).items())
        shared = (loader.function, self._frozen, headers, self._notes_ages)
        return sharing.coalescer.run(shared, self, keys, context.deadline)

    @property
    def name(self) -> str:
        """The loader's name."""
        return self._loader.name

    @property
    def max_items(self) -> int:
        """The most keys for one call."""
        return self._loader.max_batch

    def identify_all(self, items: list[Any]) -> list[Hashable]:
        """Return the keys with their types: in Python 1, 1.0 and True are equal."""
        return list(zip(map(type, items), items, strict=True))

    def run(
        self, items: list[Any], deadline: Deadline
    ) -> Coroutine[Any, Any, list[Any]]:
        """Call the batch function for these keys, with nothing that tells who asks."""
        context, sharing = self._context, self._sharing
        headers = {} if sharing is None else sharing.select(context.headers)
        shared = context.without_principal(
            headers=headers, deadline=deadline, open_loaders=self._open_loaders
        )
        return self._call(items, shared)

    def _call(
        self, keys: list[Any], context: RequestContext
    ) -> Coroutine[Any, Any, list[Any]]:
        return call_loader(
            self._loader, keys, context, self._arguments, notes_ages=self._notes_ages
        )

    async def narrow(
        self, items: list[Any], error: Exception, deadline: Deadline
    ) -> list[Any]:
        """Find the key that spoils the batch: halve it while only one half fails."""
        rows: list[Any] = [error] * len(items)
        told: list[tuple[str, str | None]] = []
        failed = [(slice(0, len(items)), error)]
        while len(failed) == 1:
            spoiled, error = failed[0]
            if spoiled.stop - spoiled.start == 1 or not is_about_content(error):
                break
            middle = (spoiled.start + spoiled.stop) // 2
            halves = (slice(spoiled.start, middle), slice(middle, spoiled.stop))
            async with asyncio.TaskGroup() as group:
                calls = [
                    group.create_task(self._try(items[half], deadline))
                    for half in halves
                ]
            failed = []
            for half, call in zip(halves, calls, strict=True):
                found = call.result()
                if isinstance(found, Exception):
                    failed.append((half, found))
                    found = [found] * (half.stop - half.start)
                elif isinstance(found, ToldRows):
                    told += found.told
                rows[half] = found
        return ToldRows(rows, tuple(told)) if told else rows

    async def _try(self, items: list[Any], deadline: Deadline) -> list[Any] | Exception:
        try:
            return await self.run(items, deadline)
        except Exception as error:  # noqa: BLE001 - each key's value, told later
            return error

    def divide(
        self, result: list[Any], parts: Sequence[Sequence[int]]
    ) -> list[list[Any]]:
        """Return the rows of each part."""
        own = [[result[index] for index in part] for part in parts]
        if isinstance(result, ToldRows):
            return [ToldRows(rows, result.told) for rows in own]
        return own


def _check(rows: Any, keys: list[Any], loader: Loader[..., Any]) -> list[Any]:
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        raise SourceBadAnswerError(
            f'loader "{loader.name}" returned no list', source=loader.name
        )
    if len(rows) != len(keys):
        raise SourceBadAnswerError(
            f'loader "{loader.name}" returned {len(rows)} rows for {len(keys)} keys',
            source=loader.name,
        )
    return rows if isinstance(rows, list) else list(rows)
