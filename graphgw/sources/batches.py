"""Keys into calls, and answers back into rows that stand in the keys' order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from graphgw.context import RequestContext

__all__ = ["BatchFunction", "align_groups", "align_rows", "call_in_parts"]


class BatchFunction(Protocol):
    """Keys in, rows in the same order out."""

    __name__: str
    __qualname__: str

    async def __call__(self, keys: list[str], context: RequestContext, /) -> list[Any]:
        """Return the keys' rows; ``None`` where a key has none."""
        ...


def align_rows(
    keys: Sequence[object], rows: Iterable[Any], key_of: Callable[[Any], object]
) -> list[Any]:
    """Return each key's row, ``None`` where there is none.

    Keys are compared as text, since a backend may hold numbers where GraphQL has
    IDs. The last of several rows wins.
    """
    found = {str(key_of(row)): row for row in rows}
    return [found.get(str(key)) for key in keys]


def align_groups(
    keys: Sequence[object], rows: Iterable[Any], key_of: Callable[[Any], object]
) -> list[list[Any]]:
    """Return each key's rows in the order in which they came; none is a list too."""
    groups: dict[str, list[Any]] = {str(key): [] for key in keys}
    for row in rows:
        group = groups.get(str(key_of(row)))
        if group is not None:
            group.append(row)
    return [groups[str(key)] for key in keys]


async def call_in_parts(
    keys: Sequence[Any],
    max_batch: int | None,
    call: Callable[[Sequence[Any]], Awaitable[list[Any]]],
) -> list[Any]:
    """Call with at most ``max_batch`` keys at a time, side by side.

    Raises:
        SourceError: One of the calls failed; the others are cancelled.
    """
    if not keys:
        return []
    if max_batch is None or len(keys) <= max_batch:
        return await call(keys)
    parts = [keys[at : at + max_batch] for at in range(0, len(keys), max_batch)]
    tasks: list[asyncio.Task[list[Any]]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks.extend(group.create_task(_await(call(part))) for part in parts)
    except BaseExceptionGroup as failures:
        # One failed call fails the batch; its error is worth more than the group.
        raise failures.exceptions[0] from None
    return [row for task in tasks for row in task.result()]


async def _await(awaitable: Awaitable[list[Any]]) -> list[Any]:
    return await awaitable
