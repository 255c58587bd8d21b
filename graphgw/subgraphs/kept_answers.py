"""Root fields whose answers are kept: one function's value by its arguments."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from graphgw.subgraphs.loaders import Loader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from graphgw.context import AnswerParts, RequestContext
    from graphgw.subgraphs.cache_rules import CacheRule

__all__ = ["keep_answers", "note_call"]


def note_call(function: Callable[..., Any], parts: AnswerParts) -> None:
    """Note the call of a function that may read what no tag can drop."""
    if not getattr(function, "is_kept", False):
        parts.is_known = False


def keep_answers(
    function: Callable[..., Any], rule: CacheRule
) -> Callable[..., Awaitable[Any]]:
    """Return the function with its answers kept as ``rule`` says.

    Within one request it is called once for equal arguments. It sees the caller, so
    its answers are private unless the rule says otherwise.
    """

    async def answer_once(
        _keys: list[None], context: RequestContext, **arguments: Any
    ) -> list[Any]:
        value = function(context, **arguments)
        return [await value if inspect.isawaitable(value) else value]

    place = (
        f"{function.__module__}.{getattr(function, '__qualname__', rule.coordinate)}"
    )
    loader: Loader[..., Any] = Loader(answer_once, place)

    @functools.wraps(function)
    async def answer(context: RequestContext, **arguments: Any) -> Any:
        loaders: Any = context.loaders
        [value] = await loaders.load_many(loader, [None], arguments, rule)
        if isinstance(value, Exception):
            raise value
        return value

    answer.is_kept = True  # type: ignore[attr-defined]  # functions take attributes
    return answer
