"""A remote subgraph: each fetch is one GraphQL request over HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.selection import print_selections
from graphgw.planning.print_document import (
    REPRESENTATIONS,
    fetch_variables,
    print_fetch_document,
)
from graphgw.sources.deadlines import shorten
from graphgw.sources.http_service import HTTPService
from graphgw.sources.protocol import HTTPRequest
from graphgw.subgraphs.coalesce import Coalescer
from graphgw.subgraphs.protocol import FetchResult
from graphgw.subgraphs.remote.answer import AnswerReader
from graphgw.subgraphs.remote.answer_types import build_answer_decoder
from graphgw.subgraphs.remote.fetch import RemoteFetch
from graphgw.subgraphs.remote.headers import (
    HeaderRules,
    build_header_selector,
    tells_identity,
)
from graphgw.subgraphs.remote.kept_entities import KeptEntities, find_remote_rules
from graphgw.subgraphs.remote.kept_roots import (
    KeptRootFetch,
    find_kept_roots,
    find_root_rules,
)
from graphgw.subgraphs.remote.shared_fetch import has_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graphql import GraphQLSchema

    from graphgw.context import RequestContext
    from graphgw.federation.supergraph import OperationKind, Supergraph
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.sources.http_service import PostTarget
    from graphgw.sources.protocol import HTTPResponse, Transport
    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.subgraphs.protocol import PreparedFetch
    from graphgw.subgraphs.remote.answer_types import AnswerDecoder
    from graphgw.subgraphs.remote.headers import HeaderPairs
    from graphgw.types import Deadline

__all__ = ["GRAPHQL_HEADERS", "RemoteSettings", "RemoteSubgraph"]

GRAPHQL_HEADERS: Final = (
    ("accept", "application/graphql-response+json, application/json;q=0.9"),
    ("content-type", "application/json"),
)
"""What every GraphQL request over HTTP is sent with."""

_ENDPOINT: Final = "POST graphql"


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
        "_fixed_headers",
        "_forwarded",
        "_inserted",
        "_may_share",
        "_renamed",
        "_root_rules",
        "_roots",
        "_select_headers",
        "_service",
        "_target",
        "coalescer",
        "name",
        "reader",
        "settings",
        "transport",
        "url",
        "vouched_schema",
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
        is_fixed = not (rules.forward or rules.forward_matching or rules.rename)
        self._fixed_headers = (
            (*GRAPHQL_HEADERS, *self._select_headers({})) if is_fixed else None
        )
        self._service = _find_service(transport, self.settings) if is_fixed else None
        self._target: PostTarget | None = None
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
        self._root_rules: Mapping[str, CacheRule] = {}
        self._roots: Mapping[OperationKind, str] = {}
        self.vouched_schema: GraphQLSchema | None = None
        """What answers fit that are vouched for."""

    def adopt(self, supergraph: Supergraph, graph: str) -> None:
        """Learn from the supergraph what answers look like, and what may be kept.

        It counts for fetches that are prepared from then on.

        Raises:
            ConfigurationError: What depends on the caller is to be kept for all.
        """
        self.vouched_schema = supergraph.schema
        self._roots = supergraph.root_types
        self._cache_rules = find_remote_rules(supergraph, graph)
        self._root_rules = find_root_rules(supergraph, graph)
        named = (*self._renamed, *self._forwarded)
        if not any(map(tells_identity, named)):
            return
        problems = [
            Problem(
                f'subgraph "{self.name}" is told who asks, so that a PUBLIC cache'
                " would give one caller's values to another",
                rule.coordinate,
                "leave the scope out, or make it PRIVATE",
            )
            for rule in (*self._cache_rules.values(), *self._root_rules.values())
            if rule.is_private is False
        ]
        if problems:
            raise ConfigurationError(problems)

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> PreparedFetch:
        """Print the fetch's document once."""
        whole = self._prepare(fetch, variables)
        rules = self._root_rules if self._may_share else {}
        kept = find_kept_roots(fetch, rules, self.vouched_schema) if rules else None
        if kept is None:
            return whole
        rest = replace(fetch, selections=kept.rest)
        own = fetch_variables(replace(fetch, selections=kept.fields), variables)
        return KeptRootFetch(
            kept,
            whole,
            self._prepare(rest, variables) if kept.rest else None,
            self,
            tuple(found.name for found in own),
        )

    def _prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> RemoteFetch:
        used = tuple(found.name for found in fetch_variables(fetch, variables))
        representations = REPRESENTATIONS
        while representations in used:
            representations = f"_{representations}"
        name = f"graphgw__{re.sub(r'[^_0-9A-Za-z]', '_', self.name)}__{fetch.id}"
        document = print_fetch_document(
            fetch, variables, name=name, representations=representations
        )
        prepared = RemoteFetch(self, fetch, document, name, used, representations)
        prepared.decoder = self._find_decoder(fetch)
        return prepared.through_cache(self._find_kept(fetch))

    def _find_decoder(self, fetch: Fetch) -> AnswerDecoder | None:
        schema = self.vouched_schema
        # A fetch at a path without inputs asks the query type, whatever the operation.
        root = self._roots.get("query" if fetch.path else fetch.kind)
        if schema is None or root is None:
            return None
        return build_answer_decoder(fetch, root, schema)

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
        decoder: AnswerDecoder | None = None,
    ) -> FetchResult:
        """Send one GraphQL request with the headers that the rules allow.

        Args:
            body: The request.
            context: The request's, or that of one of those who share it.
            entities: How many representations it has; ``None`` for a root fetch.
            is_idempotent: Whether a second attempt does no harm.
            deadline: That of those who share it; else the context's holds.
            decoder: Knows the types of the answer.

        Raises:
            SourceError: The subgraph did not answer, or not with GraphQL.
        """
        deadline = shorten(deadline or context.deadline, self.settings.timeout)
        # Read while the call is guarded, so that what is no answer counts as the
        # subgraph's failure.
        read = partial(self._read, entities, decoder)
        service = self._service
        if service is None:
            answer = await self._send(
                body, context, deadline, read, is_idempotent=is_idempotent
            )
        else:
            answer = await service.post(
                self._target or self._open_target(service),
                body,
                context,
                deadline,
                read,
                is_idempotent=is_idempotent,
                may_share=self._may_share and context.may_share,
            )
        # Who joined another's call reads it for itself: objects are changed in place.
        return answer if isinstance(answer, FetchResult) else read(answer)

    def _open_target(self, service: HTTPService) -> PostTarget:
        headers = self._fixed_headers or GRAPHQL_HEADERS
        self._target = service.open_target(self.url, headers, _ENDPOINT)
        return self._target

    async def _send(
        self,
        body: bytes,
        context: RequestContext,
        deadline: Deadline,
        read: Callable[[HTTPResponse], FetchResult],
        *,
        is_idempotent: bool,
    ) -> FetchResult | HTTPResponse:
        results: list[FetchResult] = []
        response = await self.transport.send(
            HTTPRequest(
                "POST",
                self.url,
                deadline,
                self._build_headers(context, deadline),
                body,
                self.name,
                is_idempotent,
                _ENDPOINT,
                context.observer,
                check=lambda found: results.append(read(found)),
                may_share=self._may_share and context.may_share,
            )
        )
        return results[-1] if results else response

    def _build_headers(
        self, context: RequestContext, deadline: Deadline
    ) -> HeaderPairs:
        settings = self.settings
        headers = self._fixed_headers
        if headers is None:
            headers = (*GRAPHQL_HEADERS, *self._select_headers(context.headers))
        if settings.request_id_header and context.request_id:
            headers = (*headers, (settings.request_id_header, context.request_id))
        if settings.deadline_header:
            left = max(1, int(deadline.remaining() * 1000))
            headers = (*headers, (settings.deadline_header, str(left)))
        return headers

    def _read(
        self,
        entities: int | None,
        decoder: AnswerDecoder | None,
        response: HTTPResponse,
    ) -> FetchResult:
        result = self.reader.read(response, entities, decoder)
        found = response.headers
        headers = tuple(
            (name, found[name]) for name in self._answer_headers if name in found
        )
        control = found.get("cache-control")
        if control is None and not headers:
            return result
        return replace(result, headers=headers, cache_control=control)


def _find_service(transport: Transport, settings: RemoteSettings) -> HTTPService | None:
    """Return the service that a transport is, if it adds the headers of its own."""
    if not isinstance(transport, HTTPService):
        return None
    known = transport.settings
    is_known = settings.request_id_header == known.request_id_header
    if not is_known or settings.deadline_header not in {None, known.deadline_header}:
        return None
    return transport
