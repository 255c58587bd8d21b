"""Where an answer is kept: all that can change it is in its name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from graphgw.subgraphs.remote.headers import tells_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from graphgw.context import RequestContext
    from graphgw.policies.response_cache_control import ResponseCacheControl
    from graphgw.subgraphs.remote.subgraph import RemoteSubgraph
    from graphgw.types import JSONObject

__all__ = ["AnswerKey", "AnswerPlace", "GraphName", "is_told_apart", "name_answer"]

_ADDRESSES: Final = ("forwarded", "client-ip", "real-ip", "connecting-ip")


class GraphName:
    """Stands for one snapshot, as one variant sees it; equal to itself alone.

    Args:
        find_version: Returns a text that is the same for the same graph with the same
            code in any process.
    """

    __slots__ = ("_find_version", "_version")

    def __init__(self, find_version: Callable[[], str]) -> None:
        self._find_version = find_version
        self._version: str | None = None

    @property
    def version(self) -> str:
        """What it is called in every process; found when it is first asked for."""
        if self._version is None:
            self._version = self._find_version()
        return self._version


class AnswerKey(NamedTuple):
    """What an answer depends on."""

    graph: GraphName
    plan: tuple[Hashable, ...]
    for_known: bool
    """Whether those who ask can be told apart."""
    variables: bytes
    headers: tuple[tuple[str, str | None], ...]

    def name(self) -> str:
        """Return what an equal answer is called in every process."""
        plan = [
            sorted(map(repr, part)) if isinstance(part, frozenset) else repr(part)
            for part in self.plan
        ]
        parts = (self.graph.version, plan, self.for_known, self.headers)
        found = hashlib.blake2b(orjson.dumps(parts), digest_size=16)
        found.update(self.variables)
        return f"answer:{found.hexdigest()}"


@dataclass(slots=True)
class AnswerPlace:
    """The key of an answer, and how old it may get whatever it is made of."""

    key: AnswerKey
    max_age: float
    coordinate: str
    """What its reads are counted under."""
    mark: bytes | None = None
    """Of what a shared store had invalidated when the answer was looked for there."""


def name_answer(
    graph: GraphName,
    plan: tuple[Hashable, ...],
    control: ResponseCacheControl,
    *,
    variables: JSONObject,
    context: RequestContext,
    remote: Iterable[RemoteSubgraph],
) -> AnswerPlace | None:
    """Return where the answer to a query is kept, ``None`` where it may not be.

    Args:
        graph: Stands for what serves it.
        plan: The key of its plan.
        control: What the schema says of its age.
        variables: JSON input values by name, literals included.
        context: The request's.
        remote: The subgraphs that are sent headers of the client by their own rules.
    """
    given = context.headers
    headers: list[tuple[str, str | None]] = [(n, given.get(n)) for n in control.vary]
    for subgraph in remote:
        sent, tells_caller = subgraph.select_headers(context)
        if tells_caller:
            return None
        headers += sent
    forwarded: Mapping[str, str] = getattr(context.loaders, "forwarded", dict)()
    headers += forwarded.items()
    try:
        values = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    key = AnswerKey(graph, plan, is_told_apart(context), values, tuple(headers))
    return AnswerPlace(key, float(control.max_age), "Query")


def is_told_apart(context: RequestContext) -> bool:
    """Tell whether a resolver may see who asks: a principal, or a cookie."""
    return context.principal.is_authenticated or any(map(_tells, context.headers))


@lru_cache(maxsize=1000)
def _tells(name: str) -> bool:
    is_address = any(part in name for part in _ADDRESSES)
    return not is_address and tells_identity(name)
