"""The gateway: owns connections, policies and the current snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from graphgw.assemble import RemoteSubgraphs, assemble
from graphgw.config.settings import Settings
from graphgw.context import UNKNOWN_CLIENT, ClientInfo, RequestContext
from graphgw.errors import (
    ConfigurationError,
    GraphGWError,
    OverloadedError,
    Problem,
    RequestError,
    SupergraphUnavailableError,
    UnauthenticatedError,
    UnauthorizedError,
)
from graphgw.execution.response import EncodedData, GraphQLResponse, refuse
from graphgw.operations.operation import GraphQLRequest
from graphgw.operations.worker import ColdWorker
from graphgw.pipeline import serve
from graphgw.policies.drop_cached import read_dropped_tags
from graphgw.resources import open_resources
from graphgw.route_targets import NO_ROUTES, RouteParts, open_routes
from graphgw.sources.sdl_source import open_sdl_source
from graphgw.sources.settings import ServiceSettings
from graphgw.stores.protocol import StoreError
from graphgw.subgraphs.loaders import RequestLoaders
from graphgw.telemetry.events import (
    InternalFailure,
    OperationFinished,
    SnapshotSwapped,
)
from graphgw.telemetry.observer import Observer, Observers
from graphgw.telemetry.request_ids import RequestIds, is_request_id
from graphgw.types import Deadline, Headers, JSONObject, Principal
from graphgw.warm_up import remember_documents, warm_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from graphgw.resources import Resources
    from graphgw.route_targets import Routes
    from graphgw.snapshot import Snapshot
    from graphgw.sources.connections import Connections
    from graphgw.sources.sdl_source import SDLSource
    from graphgw.stores.relay import Relay
    from graphgw.subgraphs.local.subgraph import Subgraph as LocalSubgraph

__all__ = ["Gateway"]

_GRACE: Final = 1.0
"""Seconds past its deadline in which a request surely has ended."""

_NEEDS_RESTART: Final = ("server", "telemetry")
"""Settings that belong to the process."""


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
        self.settings = settings or Settings()
        self.observer: Observer = Observers(tuple(observers))
        self._relay = relay
        self._local = tuple(subgraphs)
        self._own_services = tuple(
            ServiceSettings.from_url(name, url)
            for name, url in (services or {}).items()
        )
        self._new_request_id = RequestIds().next
        self._snapshot: Snapshot | None = None
        self._resources: Resources | None = None
        self._remote = RemoteSubgraphs()
        self._source = _open_source(self.settings)
        self._sdl: str | None = None
        self.routes: Routes = NO_ROUTES
        """The routes of the current configuration."""
        self.variant_paths: Mapping[str, str] = _variant_paths(self.settings)
        """The variants of the current configuration by their paths."""
        self._following: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()  # reloads take turns; no request ever waits

    async def start(self) -> None:
        """Open connections and build the first snapshot.

        Where the supergraph comes from a URL that does not answer, the gateway
        starts nevertheless and asks again; it is not ready until it has one.

        Raises:
            ConfigurationError: The settings or the subgraphs are wrong.
        """
        settings = self.settings
        self._worker = ColdWorker(queue_size=settings.limits.preparation_queue)
        try:
            self._resources = await open_resources(
                settings,
                settings.services + self._own_services,
                self.observer,
                relay=self._relay,
            )
            await self._start_serving(self._source)
        except BaseException:
            await self.aclose()
            raise
        self._follow(self._source)

    async def _start_serving(self, source: SDLSource | None) -> None:
        try:
            sdl = None if source is None else await source.read()
        except SupergraphUnavailableError as error:
            self.observer.observe(SnapshotSwapped("", str(error)))
            return
        await self._swap(self.settings, self._open_resources, sdl)

    async def reload(self, sdl: str | None = None) -> None:
        """Build a new snapshot and swap it in; on failure the old one serves on.

        Args:
            sdl: A ready supergraph; without it the subgraphs are composed.

        Raises:
            ConfigurationError: The new schema cannot be served.
        """
        async with self._turn, self._telling():
            await self._swap(self.settings, self._open_resources, sdl)

    async def reconfigure(self, settings: Settings) -> tuple[str, ...]:
        """Take over other settings; what they leave as it was goes on undisturbed.

        Connections, breakers, rate limits, caches and verified tokens are kept
        where their own settings are the same. Requests under way end as they began.

        Returns:
            Which of the changed settings only a new process takes over.

        Raises:
            ConfigurationError: They cannot be served; nothing has changed.
        """
        async with self._turn, self._telling():
            late = tuple(
                name
                for name in _NEEDS_RESTART
                if getattr(settings, name) != getattr(self.settings, name)
            )
            kept = {name: getattr(self.settings, name) for name in _NEEDS_RESTART}
            await self._take_over(replace(settings, **kept))
        return late

    async def _take_over(self, settings: Settings) -> None:
        source, sdl = self._source, self._sdl
        before = self.settings
        if (settings.supergraph, settings.alone) != (before.supergraph, before.alone):
            source, sdl = _open_source(settings), None
        if source is not None and sdl is None:
            sdl = await source.read()
        held = self._open_resources
        resources = await open_resources(
            settings,
            settings.services + self._own_services,
            self.observer,
            held,
            self._relay,
        )
        try:
            await self._swap(settings, resources, sdl)
        except BaseException:
            await resources.aclose(held)
            raise
        self._worker.queue_size = settings.limits.preparation_queue
        if source is not self._source:
            self._source = source
            self._follow(source)

    async def _swap(
        self, settings: Settings, resources: Resources, sdl: str | None
    ) -> None:
        """Build a snapshot; then, in one step, serve from it."""
        remote = self._remote.next()
        try:
            snapshot = await assemble(
                settings,
                self._local,
                sdl=sdl,
                remote=remote,
                worker=self._worker,
                store=resources.store,
            )
            routes = await open_routes(
                RouteParts(settings, snapshot, resources, self._answer_route),
                self.routes,
            )
            warmed_up = await warm_up(snapshot, self._snapshot, settings.warm_up)
        except BaseException:
            if remote.connections is not self._remote.connections:
                await remote.aclose()
            raise
        old_remote, self._remote = self._remote, remote
        old_resources, self._resources = self._open_resources, resources
        old_settings, self.settings = self.settings, settings
        self._snapshot, self._sdl = snapshot, sdl
        self.routes = routes
        self.variant_paths = _variant_paths(settings)
        self.observer.observe(
            SnapshotSwapped(
                snapshot.supergraph.hash,
                warmed_up=warmed_up.ready,
                unfit=warmed_up.unfit,
            )
        )
        if old_remote.by_name:
            self._retire(old_remote.aclose, old_settings)
        if old_resources is not resources:
            self._retire(lambda: old_resources.aclose(resources), old_settings)

    @contextlib.asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        """Tell the observer why a reload failed."""
        try:
            yield
        except ConfigurationError as error:
            self.observer.observe(SnapshotSwapped("", str(error)))
            raise

    def _retire(self, close: Callable[[], Awaitable[None]], settings: Settings) -> None:
        """Close something once the last request that may use it has ended."""

        async def close_later() -> None:
            try:
                await asyncio.sleep(settings.deadline + _GRACE)
            finally:
                await close()

        self._keep(asyncio.create_task(close_later()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _follow(self, source: SDLSource | None) -> None:
        """Reload at each change of the source, and of no other."""
        if self._following is not None:
            self._following.cancel()
            self._keep(self._following)
        self._following = None
        if source is not None:
            self._following = asyncio.create_task(self._reload_at_changes(source))

    async def _reload_at_changes(self, source: SDLSource) -> None:
        async for change in source.changes():
            if isinstance(change, ConfigurationError):
                self.observer.observe(SnapshotSwapped("", str(change)))
                continue
            try:
                await self.reload(change)
            except ConfigurationError:
                continue  # it was told; the next change may be better
            except Exception as error:  # noqa: BLE001 - a failure must not end this
                self.observer.observe(InternalFailure("", "reload", error))

    async def aclose(self) -> None:
        """Close every connection and end the worker."""
        self._remember()
        self._snapshot = None
        tasks = [*self._retiring, *([self._following] if self._following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._remote.aclose()
        if self._resources is not None:
            await self._resources.aclose()
        await self._worker.aclose()

    def _remember(self) -> None:
        """Leave the documents that were asked most for the next start."""
        settings = self.settings.warm_up
        if settings.remember is None or self._snapshot is None:
            return
        used = self._snapshot.used_documents()
        try:
            remember_documents(settings.remember, used, settings.documents)
        except OSError as error:
            self.observer.observe(InternalFailure("", "warm_up.remember", error))

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
        return (
            self._snapshot is not None and self._open_resources.authenticator.is_ready
        )

    @property
    def connections(self) -> Connections:
        """The connections to the backends."""
        return self._open_resources.connections

    @property
    def _open_resources(self) -> Resources:
        if self._resources is None:
            raise ConfigurationError([Problem("the gateway was not started")])
        return self._resources

    @property
    def snapshot(self) -> Snapshot:
        """What the next request will be served from.

        Raises:
            ConfigurationError: The gateway was not started.
            OverloadedError: It has no graph yet, or is closed.
        """
        if self._resources is None:
            raise ConfigurationError([Problem("the gateway was not started")])
        if self._snapshot is None:
            raise OverloadedError("the gateway has no graph to serve yet")
        return self._snapshot

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
        try:
            if principal is None:
                authenticator = self._open_resources.authenticator
                principal = await authenticator.authenticate(headers, peer)
            snapshot = self.snapshot
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
                answers=self._open_resources.answers,
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
        resources = self._open_resources
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
            answers = self._open_resources.answers
            response = await serve(snapshot, request, context, answers=answers)
        finally:
            context.drop_loaders()
        headers = response.headers + snapshot.answer_headers
        return replace(response, data=response.plain_data, headers=headers)

    def variant_at(self, path: str) -> str:
        """Return the variant at a path; an empty name where there is none any more."""
        return self.variant_paths.get(path, "")

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
        resources = self._open_resources
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
        resources = self._open_resources
        context = RequestContext(
            deadline=Deadline.after(self.settings.deadline),
            principal=principal,
            headers=headers,
            observer=self.observer,
            request_id=request_id,
            client=_read_client(headers),
            sources=resources.connections,
        )
        context.may_share = self.settings.sharing
        context.adopt_loaders(
            RequestLoaders(
                context,
                resources.cache,
                resources.sharing,
                self.snapshot.loader_rules,
            )
        )
        return context

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


def _variant_paths(settings: Settings) -> Mapping[str, str]:
    return {
        variant.graphql_path: variant.name
        for variant in settings.variants
        if variant.graphql_path != settings.server.path and settings.alone is None
    }


def _open_source(settings: Settings) -> SDLSource | None:
    """Return where the supergraph comes from; ``None`` if it is composed here."""
    if settings.supergraph is None or settings.alone is not None:
        return None
    return open_sdl_source(settings.supergraph)
