"""The gateway: who asks, and what they are answered from the graph it serves."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from graphgw.config.settings import Settings
from graphgw.context import UNKNOWN_CLIENT, ClientInfo, RequestContext
from graphgw.errors import (
    ConfigurationError,
    GraphGWError,
    OverloadedError,
    RequestError,
    UnauthenticatedError,
    UnauthorizedError,
)
from graphgw.execution.response import EncodedData, GraphQLResponse, refuse
from graphgw.operations.operation import GraphQLRequest
from graphgw.pipeline import serve
from graphgw.policies.drop_cached import read_dropped_tags
from graphgw.served_graph import ServedGraph
from graphgw.sources.settings import ServiceSettings
from graphgw.stores.protocol import StoreError
from graphgw.telemetry.events import OperationFinished
from graphgw.telemetry.observer import Observer, Observers
from graphgw.telemetry.request_ids import RequestIds, is_request_id
from graphgw.types import Deadline, Headers, JSONObject, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from graphgw.route_targets import Routes
    from graphgw.snapshot import Snapshot
    from graphgw.sources.connections import Connections
    from graphgw.stores.relay import Relay
    from graphgw.subgraphs.local.subgraph import Subgraph as LocalSubgraph

__all__ = ["Gateway"]


class Gateway:
    """One graph over many subgraphs.

    Args:
        subgraphs: Local subgraphs, beside those that ``settings`` name.
        services: Base URLs of backends by name (``grpc://host:port`` for gRPC),
            beside those that ``settings`` describe.
        settings: Everything else; the defaults are right for production.
        observers: Who is told of every event.
        relay: Tells what is invalidated to the other processes that serve this.

    Example::

        gateway = Gateway(subgraphs=[subgraph], services={"user": "http://users:80"})
        async with gateway:
            answer = await gateway.execute("{ user(id: 1) { name } }")
    """

    def __init__(
        self,
        *,
        subgraphs: Sequence[LocalSubgraph] = (),
        services: Mapping[str, str] | None = None,
        settings: Settings | None = None,
        observers: Sequence[Observer] = (),
        relay: Relay | None = None,
    ) -> None:
        self.observer: Observer = Observers(tuple(observers))
        self._new_request_id = RequestIds().next
        self._served = ServedGraph(
            settings or Settings(),
            local=tuple(subgraphs),
            services=tuple(
                ServiceSettings.from_url(name, url)
                for name, url in (services or {}).items()
            ),
            observer=self.observer,
            relay=relay,
            answer_route=self._answer_route,
        )

    async def start(self) -> None:
        """Open connections and build the first snapshot.

        Where the supergraph comes from a URL that does not answer, the gateway
        starts nevertheless and asks again; it is not ready until it has one.

        Raises:
            ConfigurationError: The settings or the subgraphs are wrong.
        """
        await self._served.start()

    async def reload(self, sdl: str | None = None) -> None:
        """Build a new snapshot and swap it in; on failure the old one serves on.

        Args:
            sdl: A ready supergraph; without it the subgraphs are composed.

        Raises:
            ConfigurationError: The new schema cannot be served.
        """
        await self._served.reload(sdl)

    async def reconfigure(self, settings: Settings) -> tuple[str, ...]:
        """Take over other settings; what they leave as it was goes on undisturbed.

        Connections, breakers, rate limits, caches and verified tokens are kept
        where their own settings are the same. Requests under way end as they began.

        Returns:
            Which of the changed settings only a new process takes over.

        Raises:
            ConfigurationError: They cannot be served; nothing has changed.
        """
        return await self._served.reconfigure(settings)

    async def aclose(self) -> None:
        """Close every connection and end the worker."""
        await self._served.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def is_ready(self) -> bool:
        """Tell whether there is a graph to serve and tokens can be verified."""
        return self._served.is_ready

    @property
    def connections(self) -> Connections:
        """The connections to the backends."""
        return self._served.resources.connections

    @property
    def settings(self) -> Settings:
        """The settings of the current configuration."""
        return self._served.settings

    @property
    def routes(self) -> Routes:
        """The routes of the current configuration."""
        return self._served.routes

    @property
    def variant_paths(self) -> Mapping[str, str]:
        """The variants of the current configuration by their paths."""
        return self._served.variant_paths

    @property
    def snapshot(self) -> Snapshot:
        """What the next request will be served from.

        Raises:
            ConfigurationError: The gateway was not started.
            OverloadedError: It has no graph yet, or is closed.
        """
        return self._served.snapshot

    async def execute(
        self,
        query: str,
        variables: JSONObject | None = None,
        operation_name: str | None = None,
        *,
        headers: Headers | None = None,
        principal: Principal | None = None,
        variant: str | None = None,
    ) -> GraphQLResponse:
        """Answer one operation in process, as if a client had sent it.

        Args:
            query: The document.
            variables: JSON input values by name.
            operation_name: Which operation of the document.
            headers: Lower-case header names and values.
            principal: Who asks; without it, who ``headers`` prove.
            variant: The variant of the graph that is asked.
        """
        request = GraphQLRequest(query, operation_name, variables or {})
        return await self.handle(
            request, headers or {}, principal=principal, variant=variant
        )

    async def handle(
        self,
        request: GraphQLRequest,
        headers: Headers,
        *,
        peer: str | None = None,
        principal: Principal | None = None,
        allows_mutation: bool = True,
        answers_json: bool = False,
        takes_bytes: bool = False,
        variant: str | None = None,
    ) -> GraphQLResponse:
        """Authenticate and answer one request; failures become answers.

        Args:
            request: The client's.
            headers: Lower-case header names and values.
            peer: The address at the other end of the connection.
            principal: Who asks; without it, who ``headers`` prove.
            allows_mutation: Whether a mutation may run.
            answers_json: Whether the answer is sent as plain ``application/json``.
            takes_bytes: Whether the answer's data may be encoded already.
            variant: The variant whose path is asked; ``None`` at the main path,
                where a header or an API key may choose one.
        """
        began = time.perf_counter()
        request_id = self.request_id(headers)
        served = self._served
        try:
            if principal is None:
                authenticator = served.resources.authenticator
                principal = authenticator.recognize(headers, peer)
                if principal is None:
                    principal = await authenticator.authenticate(headers, peer)
            snapshot = served.snapshot
            named = variant is not None or principal.variant is not None
            if named or snapshot.has_choice:
                snapshot = snapshot.choose(variant, headers, principal, self.observer)
        except ConfigurationError:
            raise
        except GraphGWError as error:
            response = refuse(error)
            self._report_refusal(
                request, headers, request_id, response, began, variant=variant or None
            )
            return response
        # From here to the first await nothing can be swapped: all is of one version.
        context = self.open_context(headers, principal, request_id)
        try:
            response = await serve(
                snapshot,
                request,
                context,
                allows_mutation=allows_mutation,
                answers_json=answers_json,
                answers=served.resources.answers,
            )
        finally:
            context.drop_loaders()
        if not takes_bytes and response.data.__class__ is EncodedData:
            response = replace(response, data=response.plain_data)
        if snapshot.answer_headers:
            marked = response.headers + snapshot.answer_headers
            response = replace(response, headers=marked)
        return response

    async def open_route_context(
        self,
        headers: Headers,
        peer: str | None,
        request_id: str,
        deadline: Deadline,
    ) -> RequestContext:
        """Authenticate a request at a route; its context has no loaders.

        Raises:
            GraphGWError: The credentials are wrong, or the address may not call.
        """
        resources = self._served.resources
        principal = await resources.authenticator.authenticate(headers, peer)
        return RequestContext(
            deadline=deadline,
            principal=principal,
            headers=headers,
            observer=self.observer,
            request_id=request_id,
            client=_read_client(headers),
            sources=resources.connections,
        )

    async def _answer_route(
        self, snapshot: Snapshot, request: GraphQLRequest, at_route: RequestContext
    ) -> GraphQLResponse:
        """Run the operation of an endpoint for who asks there."""
        if snapshot.variant is not None:
            snapshot.variant.check(at_route.principal, self.observer)
        context = self.open_context(
            at_route.headers, at_route.principal, at_route.request_id
        )
        context.deadline = at_route.deadline
        try:
            answers = self._served.resources.answers
            response = await serve(snapshot, request, context, answers=answers)
        finally:
            context.drop_loaders()
        headers = response.headers + snapshot.answer_headers
        return replace(response, data=response.plain_data, headers=headers)

    def variant_at(self, path: str) -> str:
        """Return the variant at a path; an empty name where there is none any more."""
        return self._served.variant_paths.get(path, "")

    def has_page(self, path: str | None) -> bool:
        """Tell whether a GraphQL path may show GraphiQL; without one, the main path."""
        shown = self.settings.server.path if path is None else path
        return all(
            variant.has_graphiql or variant.graphql_path != shown
            for variant in self.settings.variants
        )

    async def fits(self, query: str, path: str | None) -> bool:
        """Tell whether a document fits the graph at a path; without one, the main."""
        try:
            view = self.snapshot.at(None if path is None else self.variant_at(path))
            if view.find_document(query, None) is None:
                await view.prepare_document(query, None)
        except RequestError:
            return False
        return True

    def refuse(self, error: GraphGWError, headers: Headers) -> GraphQLResponse:
        """Return, and report, the answer to what never became a request."""
        response, began = refuse(error), time.perf_counter()
        request_id = self.request_id(headers)
        nothing = GraphQLRequest(None)
        self._report_refusal(nothing, headers, request_id, response, began)
        return response

    def request_id(self, headers: Headers) -> str:
        """Return what a client calls its request, or a new name for it."""
        found = headers.get("x-request-id")
        return found if found and is_request_id(found) else self._new_request_id()

    async def invalidate(
        self, body: bytes, headers: Headers, *, peer: str | None = None
    ) -> GraphQLResponse:
        """Drop cached values for a caller who may; see ``read_dropped_tags``.

        Raises:
            GraphGWError: The caller may not, the body is wrong, or the store is down.
        """
        resources = self._served.resources
        principal = await resources.authenticator.authenticate(headers, peer)
        scope = self.settings.policies.cache.invalidation_scope
        if not principal.is_authenticated:
            raise UnauthenticatedError("who may drop cached values must be known")
        if scope is None or scope not in principal.scopes:
            raise UnauthorizedError(f'this needs the scope "{scope}"')
        tags = read_dropped_tags(body, self.snapshot.supergraph)
        try:
            await resources.store.invalidate(tags)
        except StoreError as error:
            raise OverloadedError("the cache cannot be reached") from error
        return GraphQLResponse({"invalidated": list(tags)})

    def open_context(
        self, headers: Headers, principal: Principal, request_id: str
    ) -> RequestContext:
        """Return a fresh context with loaders of its own."""
        served = self._served
        settings = served.settings
        return RequestContext(
            deadline=Deadline.after(settings.deadline),
            principal=principal,
            headers=headers,
            observer=self.observer,
            request_id=request_id,
            client=_read_client(headers),
            sources=served.resources.connections,
            open_loaders=served.open_loaders,
            may_share=settings.sharing,
        )

    def _report_refusal(
        self,
        request: GraphQLRequest,
        headers: Headers,
        request_id: str,
        response: GraphQLResponse,
        began: float,
        *,
        variant: str | None = None,
    ) -> None:
        client = _read_client(headers)
        self.observer.observe(
            OperationFinished(
                request_id=request_id,
                kind="unknown",
                name=request.operation_name,
                fingerprint=None,
                client_name=client.name,
                client_version=client.version,
                seconds=time.perf_counter() - began,
                status=response.status,
                error_codes=response.error_codes,
                variant=variant,
            )
        )


def _read_client(headers: Headers) -> ClientInfo:
    name = headers.get("graphql-client-name")
    version = headers.get("graphql-client-version")
    if name is None and version is None:
        name = headers.get("apollographql-client-name")
        version = headers.get("apollographql-client-version")
        if name is None and version is None:
            return UNKNOWN_CLIENT
    return ClientInfo(name, version)
