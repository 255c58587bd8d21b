"""The gateway: owns connections, policies and the current snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Self

from graphgw.assemble import RemoteSubgraphs, assemble
from graphgw.config.settings import Settings
from graphgw.context import ClientInfo, RequestContext
from graphgw.errors import ConfigurationError, GraphGWError, Problem
from graphgw.execution.response import GraphQLResponse, refuse
from graphgw.operations.operation import GraphQLRequest
from graphgw.operations.worker import ColdWorker
from graphgw.pipeline import serve
from graphgw.policies.authenticate.authenticator import Authenticator
from graphgw.sources.connections import Connections
from graphgw.sources.sdl_source import open_sdl_source
from graphgw.sources.settings import ServiceSettings
from graphgw.stores.memory import MemoryStore
from graphgw.stores.redis import RedisStore
from graphgw.subgraphs.call_loader import LoaderSharing
from graphgw.subgraphs.entity_cache import EntityCache
from graphgw.subgraphs.loaders import RequestLoaders
from graphgw.telemetry.events import OperationFinished, SnapshotSwapped
from graphgw.telemetry.observer import Observer, Observers
from graphgw.types import Deadline, Headers, JSONObject, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from graphgw.snapshot import Snapshot
    from graphgw.sources.sdl_source import SDLSource
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
    ) -> None:
        self.settings = settings or Settings()
        self.observer: Observer = Observers(tuple(observers))
        self._local = tuple(subgraphs)
        self._services = self.settings.services + tuple(
            ServiceSettings.from_url(name, url)
            for name, url in (services or {}).items()
        )
        self._snapshot: Snapshot | None = None
        self._store = _open_store(self.settings)
        self._remote = RemoteSubgraphs()
        supergraph = self.settings.supergraph
        self._source = None if supergraph is None else open_sdl_source(supergraph)
        self._following: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open connections and build the first snapshot.

        Raises:
            ConfigurationError: The settings or the subgraphs are wrong.
        """
        settings = self.settings
        self._worker = ColdWorker(queue_size=settings.limits.preparation_queue)
        self.connections = Connections(self._services)
        self._sharing = LoaderSharing(self.connections.forward_headers)
        self._cache = (
            EntityCache(self._store) if settings.policies.cache.is_enabled else None
        )
        self._authenticator = Authenticator(settings.auth, observer=self.observer)
        try:
            await self._authenticator.start()
            sdl = None if self._source is None else await self._source.read()
            await self.reload(sdl)
        except BaseException:
            await self.aclose()
            raise
        if self._source is not None:
            self._following = asyncio.create_task(self._follow(self._source))

    async def reload(self, sdl: str | None = None) -> None:
        """Build a new snapshot and swap it in; on failure the old one serves on.

        Args:
            sdl: A ready supergraph; without it the subgraphs are composed.

        Raises:
            ConfigurationError: The new schema cannot be served.
        """
        remote = self._remote.next()
        try:
            snapshot = await assemble(
                self.settings,
                self._local,
                sdl=sdl,
                remote=remote,
                worker=self._worker,
                store=self._store,
            )
        except ConfigurationError as error:
            if remote.connections is not self._remote.connections:
                await remote.aclose()
            self.observer.observe(SnapshotSwapped("", str(error)))
            raise
        old, self._remote = self._remote, remote
        self._snapshot = snapshot
        self.observer.observe(SnapshotSwapped(snapshot.supergraph.hash))
        if old.by_name:
            self._retire(old)

    def _retire(self, remote: RemoteSubgraphs) -> None:
        """Close connections once the last request that may use them has ended."""

        async def close_later() -> None:
            try:
                await asyncio.sleep(self.settings.deadline)
            finally:
                await remote.aclose()

        task = asyncio.create_task(close_later())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _follow(self, source: SDLSource) -> None:
        async for sdl in source.changes():
            with contextlib.suppress(ConfigurationError):
                await self.reload(sdl)

    async def aclose(self) -> None:
        """Close every connection and end the worker."""
        self._snapshot = None
        tasks = [*self._retiring, *([self._following] if self._following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._remote.aclose()
        await self._authenticator.aclose()
        await self.connections.aclose()
        await self._worker.aclose()
        if self._cache is not None:
            await self._cache.aclose()
        if isinstance(self._store, RedisStore):
            await self._store.aclose()

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
        return self._snapshot is not None and self._authenticator.is_ready

    @property
    def snapshot(self) -> Snapshot:
        """What the next request will be served from.

        Raises:
            ConfigurationError: The gateway was not started.
        """
        if self._snapshot is None:
            raise ConfigurationError([Problem("the gateway was not started")])
        return self._snapshot

    async def execute(
        self,
        query: str,
        variables: JSONObject | None = None,
        operation_name: str | None = None,
        *,
        headers: Headers | None = None,
        principal: Principal | None = None,
    ) -> GraphQLResponse:
        """Answer one operation in process, as if a client had sent it.

        Args:
            query: The document.
            variables: JSON input values by name.
            operation_name: Which operation of the document.
            headers: Lower-case header names and values.
            principal: Who asks; without it, who ``headers`` prove.
        """
        request = GraphQLRequest(query, operation_name, variables or {})
        return await self.handle(request, headers or {}, principal=principal)

    async def handle(
        self,
        request: GraphQLRequest,
        headers: Headers,
        *,
        peer: str | None = None,
        principal: Principal | None = None,
        allows_mutation: bool = True,
    ) -> GraphQLResponse:
        """Authenticate and answer one request; failures become answers."""
        began = time.perf_counter()
        request_id = headers.get("x-request-id") or uuid.uuid4().hex
        if principal is None:
            try:
                principal = await self._authenticator.authenticate(headers, peer)
            except GraphGWError as error:
                response = refuse(error)
                self._report_refusal(request, headers, request_id, response, began)
                return response
        context = self.open_context(headers, principal, request_id)
        return await serve(
            self.snapshot, request, context, allows_mutation=allows_mutation
        )

    def open_context(
        self, headers: Headers, principal: Principal, request_id: str
    ) -> RequestContext:
        """Return a fresh context with loaders of its own."""
        context = RequestContext(
            deadline=Deadline.after(self.settings.deadline),
            principal=principal,
            headers=headers,
            observer=self.observer,
            request_id=request_id,
            client=ClientInfo(
                headers.get("graphql-client-name")
                or headers.get("apollographql-client-name"),
                headers.get("graphql-client-version")
                or headers.get("apollographql-client-version"),
            ),
            sources=self.connections,
        )
        context.may_share = self.settings.sharing
        return RequestLoaders.attach(context, self._cache, self._sharing)

    def _report_refusal(
        self,
        request: GraphQLRequest,
        headers: Headers,
        request_id: str,
        response: GraphQLResponse,
        began: float,
    ) -> None:
        self.observer.observe(
            OperationFinished(
                request_id=request_id,
                kind="unknown",
                name=request.operation_name,
                fingerprint=None,
                client_name=headers.get("graphql-client-name"),
                client_version=headers.get("graphql-client-version"),
                seconds=time.perf_counter() - began,
                status=response.status,
                error_codes=response.error_codes,
            )
        )


def _open_store(settings: Settings) -> MemoryStore | RedisStore:
    """Return where limits are counted and rows are kept."""
    if settings.redis_url is not None:
        return RedisStore(settings.redis_url)
    return MemoryStore(max_bytes=settings.policies.cache.max_bytes)
