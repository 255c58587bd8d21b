"""What a gateway serves from at present, and how that is replaced."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from graphgw.assemble import RemoteSubgraphs, assemble
from graphgw.errors import (
    ConfigurationError,
    OverloadedError,
    Problem,
    SupergraphUnavailableError,
)
from graphgw.operations.worker import ColdWorker
from graphgw.resources import open_resources
from graphgw.route_targets import NO_ROUTES, RouteParts, open_routes
from graphgw.sources.sdl_source import open_sdl_source
from graphgw.subgraphs.loaders import RequestLoaders
from graphgw.telemetry.events import InternalFailure, SnapshotSwapped
from graphgw.warm_up import remember_documents, warm_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from graphgw.config.settings import Settings
    from graphgw.context import Loaders, RequestContext
    from graphgw.execution.response import GraphQLResponse
    from graphgw.operations.operation import GraphQLRequest
    from graphgw.resources import Resources
    from graphgw.route_targets import Routes
    from graphgw.snapshot import Snapshot
    from graphgw.sources.sdl_source import SDLSource
    from graphgw.sources.settings import ServiceSettings
    from graphgw.stores.relay import Relay
    from graphgw.subgraphs.local.subgraph import Subgraph as LocalSubgraph
    from graphgw.telemetry.observer import Observer

__all__ = ["ServedGraph"]

_GRACE: Final = 1.0
"""Seconds past its deadline in which a request surely has ended."""

_NEEDS_RESTART: Final = ("server", "telemetry")
"""Settings that belong to the process."""


class ServedGraph:
    """Settings, resources, snapshot and routes of one version, swapped as one.

    Between two awaits nothing is swapped: what is read together fits together.

    Args:
        settings: The first ones.
        local: Local subgraphs, beside those that the settings name.
        services: Backends beside those that the settings describe.
        observer: Is told of every swap, and of every one that failed.
        relay: Tells what is invalidated to the other processes that serve this.
        answer_route: Runs the operation of an endpoint in a snapshot.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        local: tuple[LocalSubgraph, ...],
        services: tuple[ServiceSettings, ...],
        observer: Observer,
        relay: Relay | None,
        answer_route: Callable[
            [Snapshot, GraphQLRequest, RequestContext], Awaitable[GraphQLResponse]
        ],
    ) -> None:
        self.settings = settings
        """The settings of the current configuration."""
        self.routes: Routes = NO_ROUTES
        """The routes of the current configuration."""
        self.variant_paths: Mapping[str, str] = _variant_paths(settings)
        """The variants of the current configuration by their paths."""
        self._local = local
        self._services = services
        self._observer = observer
        self._relay = relay
        self._answer_route = answer_route
        self._snapshot: Snapshot | None = None
        self._resources: Resources | None = None
        self.open_loaders: Callable[[RequestContext], Loaders] = RequestLoaders
        """Makes the loaders of a request, when it first needs some."""
        self._remote = RemoteSubgraphs()
        self._source = _open_source(settings)
        self._sdl: str | None = None
        self._following: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()  # reloads take turns; no request ever waits

    @property
    def resources(self) -> Resources:
        """What outlives a snapshot.

        Raises:
            ConfigurationError: This was not started.
        """
        if self._resources is None:
            raise ConfigurationError([Problem("the gateway was not started")])
        return self._resources

    @property
    def snapshot(self) -> Snapshot:
        """What the next request will be served from.

        Raises:
            ConfigurationError: This was not started.
            OverloadedError: There is no graph yet, or this is closed.
        """
        if self._resources is None:
            raise ConfigurationError([Problem("the gateway was not started")])
        if self._snapshot is None:
            raise OverloadedError("the gateway has no graph to serve yet")
        return self._snapshot

    @property
    def is_ready(self) -> bool:
        """Tell whether there is a graph to serve and tokens can be verified."""
        return self._snapshot is not None and self.resources.authenticator.is_ready

    async def start(self) -> None:
        """Open the resources and build the first snapshot.

        Raises:
            ConfigurationError: The settings or the subgraphs are wrong.
        """
        settings = self.settings
        self._worker = ColdWorker(queue_size=settings.limits.preparation_queue)
        try:
            self._resources = await self._open_resources(settings)
            await self._start_serving(self._source)
        except BaseException:
            await self.aclose()
            raise
        self._follow(self._source)

    async def _start_serving(self, source: SDLSource | None) -> None:
        try:
            sdl = None if source is None else await source.read()
        except SupergraphUnavailableError as error:
            self._observer.observe(SnapshotSwapped("", str(error)))
            return
        await self._swap(self.settings, self.resources, sdl)

    async def reload(self, sdl: str | None = None) -> None:
        """Build a new snapshot and swap it in; on failure the old one serves on.

        Args:
            sdl: A ready supergraph; without it the subgraphs are composed.

        Raises:
            ConfigurationError: The new schema cannot be served.
        """
        async with self._turn, self._telling():
            await self._swap(self.settings, self.resources, sdl)

    async def reconfigure(self, settings: Settings) -> tuple[str, ...]:
        """Take over other settings; what they leave as it was goes on undisturbed.

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
        held = self.resources
        resources = await self._open_resources(settings, held)
        try:
            await self._swap(settings, resources, sdl)
        except BaseException:
            await resources.aclose(held)
            raise
        self._worker.queue_size = settings.limits.preparation_queue
        if source is not self._source:
            self._source = source
            self._follow(source)

    async def _open_resources(
        self, settings: Settings, held: Resources | None = None
    ) -> Resources:
        services = settings.services + self._services
        return await open_resources(
            settings, services, self._observer, held, self._relay
        )

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
        old_resources, self._resources = self.resources, resources
        old_settings, self.settings = self.settings, settings
        self._snapshot, self._sdl = snapshot, sdl
        self.open_loaders = partial(
            RequestLoaders,
            cache=resources.cache,
            sharing=resources.sharing,
            rules=snapshot.loader_rules,
        )
        self.routes = routes
        self.variant_paths = _variant_paths(settings)
        self._observer.observe(
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
            self._observer.observe(SnapshotSwapped("", str(error)))
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
                self._observer.observe(SnapshotSwapped("", str(change)))
                continue
            try:
                await self.reload(change)
            except ConfigurationError:
                continue  # it was told; the next change may be better
            except Exception as error:  # noqa: BLE001 - a failure must not end this
                self._observer.observe(InternalFailure("", "reload", error))

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
            self._observer.observe(InternalFailure("", "warm_up.remember", error))


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
