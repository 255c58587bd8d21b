"""A remote subgraph: each fetch is one GraphQL request over HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import orjson

from graphgw.errors import SourceError
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
from graphgw.subgraphs.remote.shared_fetch import SharedFetch, has_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.context import RequestContext
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.sources.protocol import HTTPResponse, Transport
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
        self._answer_headers = tuple(found.lower() for found in rules.answer)
        # A cookie is for one client, whoever else asked the same.
        self._may_share = "set-cookie" not in self._answer_headers
        self.coalescer = Coalescer()

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
        return RemoteFetch(self, fetch, document, name, used, representations)

    def select_shared_headers(self, context: RequestContext) -> HeaderPairs | None:
        """Return the headers that an entity fetch of several requests is sent with.

        ``None`` where they may say who asks, or requests may not share.
        """
        if not (self._may_share and context.may_share):
            return None
        headers = self._select_headers(context.headers)
        is_private = has_credentials(headers, self._inserted, self._renamed)
        return None if is_private else headers

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
        return replace(result, headers=headers) if headers else result


class RemoteFetch:
    """A fetch whose document is printed, and all of the request but its variables."""

    __slots__ = (
        "_document",
        "_fetch",
        "_head",
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

        shared = subgraph.select_shared_headers(context)
        if shared is None:
            return await send(representations, context.deadline)
        key = (self._head, orjson.dumps(sent), shared)
        call = SharedFetch(subgraph.name, subgraph.settings.max_batch, send)
        return await subgraph.coalescer.run(
            key, call, list(representations), context.deadline
        )
