"""A remote subgraph: each fetch is one GraphQL request over HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import orjson

from graphgw.errors import ConfigurationError, Problem, SourceError
from graphgw.federation.selection import print_selections
from graphgw.planning.print_document import (
    REPRESENTATIONS,
    fetch_variables,
    print_fetch_document,
)
from graphgw.sources.deadlines import shorten
from graphgw.sources.protocol import HTTPRequest
from graphgw.subgraphs.coalesce import Coalescer
from graphgw.subgraphs.remote.answer import AnswerReader
from graphgw.subgraphs.remote.headers import (
    HeaderRules,
    build_header_selector,
    tells_identity,
)
from graphgw.subgraphs.remote.kept_entities import KeptEntities, find_remote_rules
from graphgw.subgraphs.remote.shared_fetch import SharedFetch, has_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphgw.context import RequestContext
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.sources.protocol import HTTPResponse, Transport
    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.subgraphs.loaders import RowCache
    from graphgw.subgraphs.protocol import FetchResult
    from graphgw.subgraphs.remote.headers import HeaderPairs
    from graphgw.types import Deadline, JSONObject

__all__ = ["GRAPHQL_HEADERS", "RemoteSettings", "RemoteSubgraph"]

GRAPHQL_HEADERS: Final = (
    ("accept", "application/graphql-response+json, application/json;q=0.9"),
    ("content-type", "application/json"),
)
"""What every GraphQL request over HTTP is sent with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """How a remote subgraph is asked, and what of its errors is shown."""

    timeout: float = 10.0
    """Seconds that one fetch may take."""
    max_batch: int = 1000
    """The most representations for one fetch that requests share."""
    errors: Literal["pass", "mask"] = "pass"
    """Whether clients see the subgraph's own messages and codes."""
    error_extensions: tuple[str, ...] = ()
    """Members of an error's extensions, besides ``code``, that clients see."""
    request_id_header: str | None = "x-request-id"
    deadline_header: str | None = None
    """Tells the milliseconds that are left; set it where the transport itself does
    not, as that of a configured service does."""


class RemoteSubgraph:
    """A subgraph that answers GraphQL over HTTP.

    The transport brings connections, retries of reads and limits; this class knows
    GraphQL alone.
    """

    __slots__ = (
        "_answer_headers",
        "_cache_rules",
        "_forwarded",
        "_inserted",
        "_may_share",
        "_renamed",
        "_select_headers",
        "coalescer",
        "name",
        "reader",
        "settings",
        "transport",
        "url",
    )

    def __init__(
        self,
        name: str,
        url: str,
        transport: Transport,
        headers: HeaderRules | None = None,
        settings: RemoteSettings | None = None,
    ) -> None:
        rules = headers or HeaderRules()
        self.name = name
        self.url = url
        self.transport = transport
        self.settings = settings or RemoteSettings()
        self.reader = AnswerReader(
            name, self.settings.errors, frozenset(self.settings.error_extensions)
        )
        self._select_headers = build_header_selector(rules)
        self._inserted = frozenset(name.lower() for name, _ in rules.insert)
        self._renamed = frozenset(
            new.lower() for old, new in rules.rename if tells_identity(old.lower())
        )
        self._forwarded = frozenset(map(str.lower, rules.forward)) - frozenset(
            map(str.lower, rules.remove)
        )
        self._answer_headers = tuple(found.lower() for found in rules.answer)
        # A cookie is for one client, whoever else asked the same.
        self._may_share = "set-cookie" not in self._answer_headers
        self.coalescer = Coalescer()
        self._cache_rules: Mapping[str, CacheRule] = {}

    def adopt_cache_rules(self, supergraph: Supergraph, graph: str) -> None:
        """Learn from the supergraph what may be kept of entities that are prepared.

        Raises:
            ConfigurationError: What depends on the caller is to be kept for all.
        """
        self._cache_rules = find_remote_rules(supergraph, graph)
        named = (*self._renamed, *self._forwarded)
        if not any(map(tells_identity, named)):
            return
        problems = [
            Problem(
                f'subgraph "{self.name}" is told who asks, so that a PUBLIC cache'
                " would give one caller's values to another",
                coordinate,
                "leave the scope out, or make it PRIVATE",
            )
            for coordinate, rule in self._cache_rules.items()
            if rule.is_private is False
        ]
        if problems:
            raise ConfigurationError(problems)

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> RemoteFetch:
        """Print the fetch's document once."""
        used = tuple(found.name for found in fetch_variables(fetch, variables))
        representations = REPRESENTATIONS
        while representations in used:
            representations = f"_{representations}"
        name = f"graphgw__{re.sub(r'[^_0-9A-Za-z]', '_', self.name)}__{fetch.id}"
        document = print_fetch_document(
            fetch, variables, name=name, representations=representations
        )
        prepared = RemoteFetch(self, fetch, document, name, used, representations)
        return prepared.through_cache(self._find_kept(fetch))

    def _find_kept(self, fetch: Fetch) -> KeptEntities | None:
        """Return the entities of a fetch where they are of one type that is kept."""
        types = {entity.typename for entity in fetch.inputs}
        rule = self._cache_rules.get(*types) if len(types) == 1 else None
        if rule is None or not self._may_share:
            return None
        return KeptEntities(rule, self.name, print_selections(fetch.selections))

    def select_shared_headers(self, context: RequestContext) -> HeaderPairs | None:
        """Return the headers that an entity fetch of several requests is sent with.

        ``None`` where they may say who asks, or requests may not share.
        """
        if not (self._may_share and context.may_share):
            return None
        headers, tells_caller = self.select_headers(context)
        return None if tells_caller else headers

    def select_headers(self, context: RequestContext) -> tuple[HeaderPairs, bool]:
        """Return the headers that a fetch is sent with, and if they tell who asks."""
        headers = self._select_headers(context.headers)
        return headers, has_credentials(headers, self._inserted, self._renamed)

    async def ask(
        self,
        body: bytes,
        context: RequestContext,
        *,
        entities: int | None,
        is_idempotent: bool,
        deadline: Deadline | None = None,
    ) -> FetchResult:
        """Send one GraphQL request with the headers that the rules allow.

        Args:
            body: The request.
            context: The request's, or that of one of those who share it.
            entities: How many representations it has; ``None`` for a root fetch.
            is_idempotent: Whether a second attempt does no harm.
            deadline: That of those who share it; else the context's holds.

        Raises:
            SourceError: The subgraph did not answer, or not with GraphQL.
        """
        deadline = shorten(deadline or context.deadline, self.settings.timeout)
        headers = [*GRAPHQL_HEADERS, *self._select_headers(context.headers)]
        if self.settings.request_id_header and context.request_id:
            headers.append((self.settings.request_id_header, context.request_id))
        if self.settings.deadline_header:
            left = max(1, int(deadline.remaining() * 1000))
            headers.append((self.settings.deadline_header, str(left)))
        results: list[FetchResult] = []
        response = await self.transport.send(
            HTTPRequest(
                "POST",
                self.url,
                deadline,
                tuple(headers),
                body,
                self.name,
                is_idempotent,
                "POST graphql",
                context.observer,
                # Read here, so that what is no answer counts as the subgraph's failure.
                check=lambda found: results.append(self._read(found, entities)),
                may_share=self._may_share and context.may_share,
            )
        )
        # Who joined another's call reads it for itself: objects are changed in place.
        return results[-1] if results else self._read(response, entities)

    def _read(self, response: HTTPResponse, entities: int | None) -> FetchResult:
        result = self.reader.read(response, entities)
        found = response.headers
        headers = tuple(
            (name, found[name]) for name in self._answer_headers if name in found
        )
        control = found.get("cache-control")
        if control is None and not headers:
            return result
        return replace(result, headers=headers, cache_control=control)


class RemoteFetch:
    """A fetch whose document is printed, and all of the request but its variables."""

    __slots__ = (
        "_document",
        "_fetch",
        "_head",
        "_kept",
        "_representations",
        "_subgraph",
        "_variables",
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
        self._fetch = fetch
        self._document = document
        self._variables = variables
        self._representations = representations
        head = orjson.dumps({"query": document, "operationName": name})
        self._head = head[:-1] + b',"variables":'
        self._kept: KeptEntities | None = None

    def through_cache(self, kept: KeptEntities | None) -> RemoteFetch:
        """Return this fetch, reading entities from the cache where there is one."""
        self._kept = kept
        return self

    def code(self) -> str:
        """Return the document."""
        return self._document

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        """Ask the subgraph once.

        Raises:
            SourceError: The subgraph did not answer, or not with GraphQL.
        """
        subgraph, fetch = self._subgraph, self._fetch
        if fetch.kind == "subscription":
            raise SourceError(
                f'subgraph "{subgraph.name}" cannot be subscribed to over HTTP',
                source=subgraph.name,
            )
        sent = {name: variables[name] for name in self._variables if name in variables}
        if not fetch.inputs:
            is_query = fetch.kind == "query"
            body = b"%b%b}" % (self._head, orjson.dumps(sent))
            return await subgraph.ask(
                body, context, entities=None, is_idempotent=is_query
            )

        async def send(items: Sequence[JSONObject], deadline: Deadline) -> FetchResult:
            whole = {**sent, self._representations: items}
            body = b"%b%b}" % (self._head, orjson.dumps(whole))
            return await subgraph.ask(
                body,
                context,
                entities=len(items),
                is_idempotent=True,
                deadline=deadline,
            )

        async def fetch_all(items: Sequence[JSONObject]) -> FetchResult:
            shared = subgraph.select_shared_headers(context)
            if shared is None:
                return await send(items, context.deadline)
            key = (self._head, orjson.dumps(sent), shared)
            call = SharedFetch(subgraph.name, subgraph.settings.max_batch, send)
            return await subgraph.coalescer.run(
                key, call, list(items), context.deadline
            )

        cache = None if self._kept is None else _cache_of(context)
        if self._kept is None or cache is None:
            return await fetch_all(representations)
        headers, tells_caller = subgraph.select_headers(context)
        return await self._kept.run(
            cache,
            representations,
            fetch_all,
            context=context,
            arguments={"variables": sent, "headers": sorted(headers)},
            tells_caller=tells_caller,
        )


def _cache_of(context: RequestContext) -> RowCache | None:
    """Return what keeps rows for a request; nothing does once a mutation has run."""
    if not context.has_loaders:
        return None
    cache: RowCache | None = getattr(context.loaders, "cache", None)
    return cache
