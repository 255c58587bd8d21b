"""An entity fetch that several requests send together, and its answer in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.protocol import FetchError, FetchResult
from graphgw.subgraphs.remote.headers import tells_identity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence

    from graphgw.subgraphs.remote.headers import HeaderPairs
    from graphgw.types import Deadline

__all__ = ["SharedFetch", "has_credentials"]

_REFUSALS: Final = frozenset(
    {
        "FORBIDDEN",
        "GATEWAY_TIMEOUT",
        "RATE_LIMITED",
        "SERVICE_UNAVAILABLE",
        "TIMEOUT",
        "TOO_MANY_REQUESTS",
        "UNAUTHENTICATED",
        "UNAUTHORIZED",
    }
)
_STRINGS: Final = frozenset({str})


def has_credentials(
    headers: HeaderPairs, inserted: Collection[str], renamed: Collection[str]
) -> bool:
    """Tell whether headers that a client sent may say who it is.

    Args:
        headers: What the subgraph is sent.
        inserted: Names of the headers that are the gateway's own.
        renamed: Names under which such headers are sent on.
    """
    return any(
        name not in inserted and (name in renamed or tells_identity(name))
        for name, _ in headers
    )


class SharedFetch:
    """A remote entity fetch with its variables, as several requests send it at once.

    Args:
        name: The subgraph's.
        max_items: The most representations for one fetch.
        send: Sends representations and reads the answer.
        key: What alone differs in the representations, if that is one field.
    """

    __slots__ = ("_key", "_send", "max_items", "name")

    def __init__(
        self,
        name: str,
        max_items: int,
        send: Callable[[list[Any], Deadline], Awaitable[FetchResult]],
        key: str | None = None,
    ) -> None:
        self.name = name
        self.max_items = max_items
        self._send = send
        self._key = key

    def identify_all(self, items: list[Any]) -> list[Hashable]:
        """Return the strings that identify representations, or those as text."""
        key = self._key
        if key is not None:
            values = [item[key] for item in items]
            if _STRINGS.issuperset(map(type, values)):
                return values
        return list(map(orjson.dumps, items))

    async def run(self, items: list[Any], deadline: Deadline) -> FetchResult:
        """Send one fetch for all representations."""
        return await self._send(items, deadline)

    async def narrow(
        self, items: list[Any], error: Exception, deadline: Deadline
    ) -> FetchResult:
        """Raise the failure: a subgraph says itself which entities it has not."""
        del items, deadline
        raise error

    def divide(
        self, result: FetchResult, parts: Sequence[Sequence[int]]
    ) -> list[FetchResult]:
        """Return each request's entities, and the errors that are about them.

        Raises:
            SourceBadAnswerError: An error does not say which entity it is about.
        """
        if any(not error.path for error in result.errors):
            if any(error.code in _REFUSALS for error in result.errors):
                return [FetchResult(None, result.errors, result.headers)] * len(parts)
            raise self._bad_answer()
        if result.data is None:
            raise self._bad_answer()
        by_index: dict[str | int, list[FetchError]] = {}
        for error in result.errors:
            by_index.setdefault(error.path[0], []).append(error)
        find = result.data.__getitem__
        is_shared = sum(map(len, parts)) > len(result.data)
        return [
            FetchResult(
                list(map(find, part)),
                tuple(
                    FetchError(
                        error.message,
                        (own, *error.path[1:]),
                        error.code,
                        error.extensions,
                    )
                    for own, index in enumerate(part)
                    for error in by_index.get(index, ())
                )
                if by_index
                else (),
                result.headers,
                result.cache_control,
                result.is_vouched,
                is_shared,
            )
            for part in parts
        ]

    def _bad_answer(self) -> SourceBadAnswerError:
        return SourceBadAnswerError(
            f'subgraph "{self.name}" answered several requests with one error',
            source=self.name,
        )
