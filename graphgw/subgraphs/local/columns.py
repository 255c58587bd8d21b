"""Part columns, work on the parts, and put them together again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import chain
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = [
    "attempt",
    "flatten",
    "group",
    "has_holes",
    "is_hole",
    "is_list_class",
    "scatter",
    "together",
]

T = TypeVar("T")


def is_hole(value: object) -> bool:
    """Tell whether there is nothing to go on with: null or a failure."""
    return value is None or isinstance(value, Exception)


def group(values: Sequence[T]) -> list[tuple[T, list[int]]]:
    """Return each distinct value with its indexes, in order of appearance."""
    groups: dict[T, list[int]] = {}
    for index, value in enumerate(values):
        groups.setdefault(value, []).append(index)
    return list(groups.items())


def scatter(
    indexes: Iterable[list[int]], parts: Iterable[Sequence[Any]], base: Sequence[Any]
) -> list[Any]:
    """Return ``base`` with the items of each part at that part's indexes."""
    whole = list(base)
    for places, part in zip(indexes, parts, strict=True):
        for index, item in zip(places, part, strict=True):
            whole[index] = item
    return whole


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all at once; one alone needs no task."""
    if len(work) <= 1:
        return [await one for one in work]
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(one) for one in work]
    return [task.result() for task in started]


def attempt(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function; what it raises is the value."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001 - a field's value, told later
        return error


def has_holes(classes: Iterable[type]) -> bool:
    """Tell whether a column with values of these classes has holes."""
    return any(c is NoneType or issubclass(c, Exception) for c in classes)


def is_list_class(cls: type) -> bool:
    """Tell whether GraphQL takes instances of a class as lists."""
    return issubclass(cls, Iterable) and not issubclass(cls, str | bytes | Mapping)


def flatten(lists: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return the items of all lists in one, and how many each had."""
    if not all(issubclass(c, Sized) for c in set(map(type, lists))):
        lists = [list(value) for value in lists]
    return list(chain.from_iterable(lists)), list(map(len, lists))
