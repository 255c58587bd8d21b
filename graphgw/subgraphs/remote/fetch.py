"""A fetch from a remote subgraph: its request, but for the variables, is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from graphgw.errors import SourceError
from graphgw.federation.selection import TYPENAME, Field
from graphgw.subgraphs.loaders import cache_of
from graphgw.subgraphs.remote.shared_fetch import SharedFetch

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from graphgw.context import RequestContext
    from graphgw.planning.plan import Fetch
    from graphgw.subgraphs.protocol import FetchResult
    from graphgw.subgraphs.remote.answer_types import AnswerDecoder
    from graphgw.subgraphs.remote.headers import HeaderPairs
    from graphgw.subgraphs.remote.kept_entities import KeptEntities
    from graphgw.subgraphs.remote.subgraph import RemoteSubgraph
    from graphgw.types import Deadline, JSONObject

__all__ = ["RemoteFetch"]


class RemoteFetch:
    """A fetch whose document is printed, and all of the request but its variables."""

    __slots__ = (
        "_document",
        "_head",
        "_kept",
        "_key",
        "_kind",
        "_representations",
        "_subgraph",
        "_takes_entities",
        "_variables",
        "decoder",
    )

    def __init__(
        self,
        subgraph: RemoteSubgraph,
        fetch: Fetch,
        document: str,
        name: str,
        variables: tuple[str, ...],
        representations: str,
    ) -> None:
        self._subgraph = subgraph
        self._kind = fetch.kind
        self._takes_entities = bool(fetch.inputs)
        self._key = _find_key(fetch)
        self._document = document
        self._variables = variables
        self._representations = representations
        head = orjson.dumps({"query": document, "operationName": name})
        self._head = head[:-1] + b',"variables":'
        self._kept: KeptEntities | None = None
        self.decoder: AnswerDecoder | None = None
        """Knows the types of the answers, where they are known beforehand."""

    def through_cache(self, kept: KeptEntities | None) -> RemoteFetch:
        """Return this fetch, reading entities from the cache where there is one."""
        self._kept = kept
        return self

    def code(self) -> str:
        """Return the document."""
        return self._document

    def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> Coroutine[Any, Any, FetchResult]:
        """Ask the subgraph once.

        Raises:
            SourceError: The subgraph did not answer, or not with GraphQL.
        """
        if self._kind == "subscription":
            name = self._subgraph.name
            raise SourceError(
                f'subgraph "{name}" cannot be subscribed to over HTTP', source=name
            )
        sent = {name: variables[name] for name in self._variables if name in variables}
        if self._takes_entities:
            return self._run_entities(context, sent, representations)
        if context.parts is not None:
            context.parts.is_known = False
        return self._subgraph.ask(
            b"%b%b}" % (self._head, orjson.dumps(sent)),
            context,
            entities=None,
            is_idempotent=self._kind == "query",
            decoder=self.decoder,
        )

    def _run_entities(
        self,
        context: RequestContext,
        sent: JSONObject,
        representations: Sequence[JSONObject],
    ) -> Coroutine[Any, Any, FetchResult]:
        kept = self._kept
        cache = None if kept is None else cache_of(context)
        if kept is None or cache is None:
            if context.parts is not None:
                context.parts.is_known = False
            return self._fetch_entities(context, sent, representations)

        def fetch(items: list[JSONObject]) -> Coroutine[Any, Any, FetchResult]:
            return self._fetch_entities(context, sent, items)

        headers, tells_caller = self._subgraph.select_headers(context)
        return kept.run(
            cache,
            representations,
            fetch,
            context=context,
            arguments={"variables": sent, "headers": sorted(headers)},
            tells_caller=tells_caller,
        )

    def _fetch_entities(
        self,
        context: RequestContext,
        sent: JSONObject,
        representations: Sequence[JSONObject],
    ) -> Coroutine[Any, Any, FetchResult]:
        """Ask for entities, together with other requests where that is allowed."""
        headers = self._subgraph.select_shared_headers(context)
        if headers is None:
            return self._send(context, sent, representations, context.deadline)
        return self._share(context, sent, representations, headers)

    def _share(
        self,
        context: RequestContext,
        sent: JSONObject,
        representations: Sequence[JSONObject],
        headers: HeaderPairs,
    ) -> Coroutine[Any, Any, FetchResult]:
        def send(
            items: Sequence[JSONObject], deadline: Deadline
        ) -> Coroutine[Any, Any, FetchResult]:
            return self._send(context, sent, items, deadline)

        subgraph = self._subgraph
        return subgraph.coalescer.run(
            (self._head, orjson.dumps(sent), headers),
            SharedFetch(subgraph.name, subgraph.settings.max_batch, send, self._key),
            list(representations),
            context.deadline,
        )

    def _send(
        self,
        context: RequestContext,
        sent: JSONObject,
        representations: Sequence[JSONObject],
        deadline: Deadline,
    ) -> Coroutine[Any, Any, FetchResult]:
        variables = {**sent, self._representations: representations}
        return self._subgraph.ask(
            b"%b%b}" % (self._head, orjson.dumps(variables)),
            context,
            entities=len(representations),
            is_idempotent=True,
            deadline=deadline,
            decoder=self.decoder,
        )


def _find_key(fetch: Fetch) -> str | None:
    """Return the one field that tells a fetch's representations apart."""
    if len(fetch.inputs) != 1:
        return None
    found = [f for f in fetch.inputs[0].selections if f != TYPENAME]
    if len(found) != 1 or not isinstance(found[0], Field) or found[0].selections:
        return None
    return found[0].name
