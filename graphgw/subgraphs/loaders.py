"""Data loaders: batch functions as backend teams declare them, and one request's."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Hashable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from types import NoneType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    overload,
)

from graphgw.errors import InternalError
from graphgw.subgraphs.batches import BatchFunction, BatchLoader
from graphgw.subgraphs.call_loader import LoaderCall, LoaderSharing
from graphgw.subgraphs.told_ages import ToldRows, strictest_age

if TYPE_CHECKING:
    from graphgw.context import AnswerParts, RequestContext
    from graphgw.types import JSONObject

__all__ = [
    "FORWARDED",
    "Loader",
    "RequestLoaders",
    "RowCache",
    "as_loader",
    "cache_of",
    "loader",
]

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_MAX_BATCH = 200
FORWARDED: Final = "\0forwarded"
"""Stands among the arguments of kept rows for the headers that services are sent."""
_PLAIN: Final = frozenset({str, int, NoneType})
_NO_RULES: Mapping[object, object] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Loader(Generic[P, R]):
    """A batch function and how it may be called.

    The function takes the list of keys and the context, arguments by keyword, and
    returns as many rows in the order of the keys: ``None`` where nothing has the
    key, an exception where one key failed. Calling the loader calls the function.
    """

    function: Callable[P, Awaitable[R]]
    name: str
    max_batch: int = DEFAULT_MAX_BATCH
    is_shared: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the batch function itself, without batching or memo."""
        return await self.function(*args, **kwargs)


@overload
def loader(function: Callable[P, Awaitable[R]], /) -> Loader[P, R]: ...


@overload
def loader(
    *,
    max_batch: int = DEFAULT_MAX_BATCH,
    shared: bool = False,
    name: str | None = None,
) -> Callable[[Callable[P, Awaitable[R]]], Loader[P, R]]: ...


def loader(
    function: Callable[P, Awaitable[R]] | None = None,
    /,
    *,
    max_batch: int = DEFAULT_MAX_BATCH,
    shared: bool = False,
    name: str | None = None,
) -> Loader[P, R] | Callable[[Callable[P, Awaitable[R]]], Loader[P, R]]:
    """Declare a batch function.

    Args:
        function: ``async def(keys, context, *, arguments) -> rows in key order``.
        max_batch: The most keys for one call; more are split and sent at once.
        shared: The answer depends on the keys, the arguments and the headers that
            services are sent alone, so requests may share one call, and rows, which
            nobody may change. The function gets a context without principal and with
            no other headers.
        name: The name in events and errors; without it, the function's own.

    Example::

        @loader(max_batch=100)
        async def users_by_id(ids: list[str], context: RequestContext) -> list[User]:
            return await fetch_users(ids)
    """

    def declare(batch: Callable[P, Awaitable[R]]) -> Loader[P, R]:
        return Loader(
            batch,
            name or str(getattr(batch, "__name__", type(batch).__name__)),
            max_batch,
            shared,
            _keyword_defaults(batch),
        )

    return declare if function is None else declare(function)


def as_loader(function: object) -> Loader[..., Any]:
    """Return a declared loader as it is, and a plain batch function as a loader."""
    if isinstance(function, Loader):
        return function
    if not callable(function):
        raise InternalError("a loader is a batch function")
    return loader(function)


class RowCache(Protocol):
    """Keeps rows of batch functions from one request to the next."""

    def peek(
        self,
        rule: Any,
        keys: list[Any],
        *,
        context: RequestContext,
        loader: Loader[..., Any],
        arguments: JSONObject,
    ) -> list[Any] | None:
        """Return rows in key order if every one is at hand and fresh."""
        ...

    async def load(
        self,
        rule: Any,
        keys: list[Any],
        fetch: BatchFunction,
        *,
        context: RequestContext,
        loader: Loader[..., Any],
        arguments: JSONObject,
    ) -> list[Any]:
        """Return rows in key order, calling ``fetch`` with the missing keys only."""
        ...


class RequestLoaders:
    """The data loaders of one request: one per batch function and arguments."""

    __slots__ = ("_batches", "_cache", "_context", "_declared", "_rules", "_sharing")

    def __init__(
        self,
        context: RequestContext,
        cache: RowCache | None = None,
        sharing: LoaderSharing | None = None,
        rules: Mapping[object, object] = _NO_RULES,
    ) -> None:
        self._context = context
        self._cache = cache
        self._rules = rules if cache is not None else _NO_RULES
        self._sharing = sharing
        self._batches: dict[object, BatchLoader] = {}
        self._declared: dict[object, Loader[..., Any]] = {}

    @property
    def cache(self) -> RowCache | None:
        """What keeps rows between requests; ``None`` once a mutation has run."""
        return self._cache

    def forwarded(self) -> Mapping[str, str]:
        """Return the client's headers that any service is sent."""
        sharing = self._sharing
        return {} if sharing is None else sharing.select(self._context.headers)

    @classmethod
    def attach(
        cls,
        context: RequestContext,
        cache: RowCache | None = None,
        sharing: LoaderSharing | None = None,
        rules: Mapping[object, object] = _NO_RULES,
    ) -> RequestContext:
        """Return the context with fresh loaders that hand it to batch functions.

        Args:
            context: The request's.
            cache: Keeps rows between requests.
            sharing: Joins the calls of shared loaders with those of other requests.
            rules: What the cache may do with the rows of entity loaders, by function,
                also where a resolver asks for them.
        """
        loaders = cls(context, cache, sharing, rules)
        loaders._context = context.with_loaders(loaders)
        return loaders._context

    def load(
        self, loader: object, key: object, arguments: JSONObject
    ) -> Coroutine[Any, Any, Any]:
        """Return the row of one key; raises what the batch function raised."""
        return self._batch(loader, arguments, None).load_row(key)

    def load_many(
        self,
        loader: object,
        keys: Sequence[object],
        arguments: JSONObject,
        rule: object = None,
    ) -> Coroutine[Any, Any, list[Any]]:
        """Return rows in key order; a failed key has its exception as value.

        Args:
            loader: A declared loader or a plain batch function.
            keys: The keys; equal ones are asked for once.
            arguments: The function's keyword arguments.
            rule: What the cache may do with the rows; without one, that of the
                loader's entity holds, if there is any.
        """
        return self._batch(loader, arguments, rule).load_rows(keys)

    def forget(self) -> None:
        """Start anew: every key is asked for again."""
        self._batches.clear()

    def reset(self) -> None:
        """Start anew, and leave the cache alone from here on: a mutation runs."""
        self.forget()
        self._cache = None

    def _batch(
        self, declared: object, arguments: JSONObject, rule: object
    ) -> BatchLoader:
        loader = declared if isinstance(declared, Loader) else self._plain(declared)
        if loader.defaults:
            arguments = {**loader.defaults, **arguments}
        if self._cache is None:
            rule = None
        elif rule is None and self._rules:
            rule = self._rules.get(loader.function)
        frozen = _freeze(arguments) if arguments else None
        key = (loader.function, frozen, rule)
        batch = self._batches.get(key)
        if batch is None:
            cache = None if rule is None else self._cache
            parts = self._context.parts
            notes_ages = cache is not None or parts is not None
            call = self._call(loader, arguments, frozen, notes_ages=notes_ages)
            if cache is None and parts is not None:
                call = _noting(call, parts)
            batch = self._batches[key] = (
                BatchLoader(call, loader.max_batch)
                if cache is None
                else self._through_cache(cache, rule, loader, arguments, call)
            )
        return batch

    def _plain(self, function: object) -> Loader[..., Any]:
        found = self._declared.get(function)
        if found is None:
            found = self._declared[function] = as_loader(function)
        return found

    def _call(
        self,
        loader: Loader[..., Any],
        arguments: JSONObject,
        frozen: Hashable,
        *,
        notes_ages: bool,
    ) -> BatchFunction:
        sharing = self._sharing

        def open_loaders(context: RequestContext) -> RequestLoaders:
            return RequestLoaders(context, None, sharing)

        return LoaderCall(
            loader,
            arguments,
            self._context,
            sharing,
            frozen,
            open_loaders,
            notes_ages=notes_ages,
        )

    def _through_cache(
        self,
        cache: RowCache,
        rule: object,
        loader: Loader[..., Any],
        arguments: JSONObject,
        call: BatchFunction,
    ) -> BatchLoader:
        context, sharing = self._context, self._sharing
        forwarded = sharing.select(context.headers) if sharing else None
        if forwarded:
            # What a service is sent with may change what it answers.
            arguments = {**arguments, FORWARDED: forwarded}

        def peek(keys: list[Any]) -> list[Any] | None:
            return cache.peek(
                rule, keys, context=context, loader=loader, arguments=arguments
            )

        async def fetch(keys: list[Any]) -> list[Any]:
            try:
                return await call(keys)
            except Exception as error:  # noqa: BLE001 - each key's value, told later
                return [error] * len(keys)

        async def load(keys: list[Any]) -> list[Any]:
            return await cache.load(
                rule, keys, fetch, context=context, loader=loader, arguments=arguments
            )

        return BatchLoader(load, loader.max_batch, peek)


def cache_of(context: RequestContext) -> RowCache | None:
    """Return what keeps rows for a request; nothing does once a mutation has run."""
    if not context.has_loaders:
        return None
    cache: RowCache | None = getattr(context.loaders, "cache", None)
    return cache


def _noting(call: BatchFunction, parts: AnswerParts) -> BatchFunction:
    """Return a call beside the cache that tells the age of what it returns."""

    async def note(keys: list[Any]) -> list[Any]:
        parts.is_known = False
        rows = await call(keys)
        if isinstance(rows, ToldRows):
            parts.cap(strictest_age(rows.told, is_private=False))
        return rows

    return note


def _keyword_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
    }


def _freeze(value: Any) -> Any:
    """Return a hashable stand-in that is equal for equal arguments."""
    if value.__class__ in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return tuple(sorted((str(k), _freeze(v)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return tuple(_freeze(item) for item in value)
    if isinstance(value, bool | float):
        return (type(value), value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value)]
        values = tuple((name, _freeze(getattr(value, name))) for name in names)
        return (type(value), values)
    if isinstance(value, enum.Enum):
        return value
    return value if _is_hashable(value) else (type(value), repr(value))


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
