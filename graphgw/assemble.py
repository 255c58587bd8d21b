"""From settings to a snapshot: find the subgraphs, compose them, build policies."""

from __future__ import annotations

import asyncio
import gc
import importlib
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from graphgw.composition.compose import compose
from graphgw.composition.compose_alone import compose_alone
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.config.settings import SubgraphReference
from graphgw.errors import ConfigurationError, Problem, SourceError
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.policies.policy_set import PolicySet
from graphgw.snapshot import Snapshot
from graphgw.sources.connections import Connections
from graphgw.sources.settings import ServiceSettings, find_problems
from graphgw.subgraphs.local.subgraph import Subgraph as LocalSubgraph
from graphgw.subgraphs.remote.fetch_sdl import fetch_sdl
from graphgw.subgraphs.remote.subgraph import RemoteSubgraph
from graphgw.subgraphs.standalone import StandaloneSubgraph
from graphgw.types import Deadline
from graphgw.variants import add_variants

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from graphgw.composition.compose import Composed
    from graphgw.config.settings import Settings
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.worker import ColdWorker
    from graphgw.policies.settings import PolicySettings
    from graphgw.stores.protocol import Store
    from graphgw.subgraphs.protocol import Subgraph

__all__ = ["RemoteSubgraphs", "assemble", "compose_settings", "find_subgraphs"]

P = ParamSpec("P")
T = TypeVar("T")

_ENTRY_POINTS = "graphgw.subgraphs"


@dataclass(frozen=True, slots=True)
class _Found:
    """A subgraph and the schema that it registers."""

    subgraph: Subgraph
    sdl: str
    url: str = ""


async def assemble(
    settings: Settings,
    local: Sequence[LocalSubgraph],
    *,
    sdl: str | None,
    remote: RemoteSubgraphs,
    worker: ColdWorker,
    store: Store,
) -> Snapshot:
    """Build a snapshot.

    Args:
        settings: Names the subgraphs that are not given.
        local: Subgraphs that the program itself made.
        sdl: A ready supergraph; without it the subgraphs are composed.
        remote: Makes the clients of remote subgraphs.
        worker: Runs cold work in its thread.
        store: Where limits are counted.

    Raises:
        ConfigurationError: Something cannot be found or does not fit; all problems.
    """
    if settings.alone is None:
        supergraph, subgraphs = await _join(settings, local, sdl, remote)
    else:
        supergraph, subgraphs = await _set_apart(settings, local, settings.alone)

    def build() -> Snapshot:
        policies = PolicySet(
            supergraph,
            settings.auth,
            _shared_out(settings),
            store,
            is_alone=settings.alone is not None,
        )
        snapshot = Snapshot(
            supergraph,
            {graph.id: subgraphs[graph.name] for graph in supergraph.graphs.values()},
            policies=policies,
            limits=settings.limits,
            planning=settings.planning,
            worker=worker,
            exposes_plans=settings.exposes_plans,
            names_subgraphs=settings.includes_subgraph_in_errors,
        )
        add_variants(snapshot, settings)
        return snapshot

    return await _build(build)


async def _build(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Run heavy work in a thread of its own; requests need the cold worker meanwhile.

    What is made stays, so the collector would only walk it again and again, and
    stop every request for as long each time.
    """

    def run() -> T:
        is_collecting = gc.isenabled()
        gc.disable()
        try:
            return function(*given, **named)
        finally:
            if is_collecting:
                gc.enable()

    return await asyncio.to_thread(run)


async def _join(
    settings: Settings,
    local: Sequence[LocalSubgraph],
    sdl: str | None,
    remote: RemoteSubgraphs,
) -> tuple[Supergraph, Mapping[str, Subgraph]]:
    """Return the supergraph, and by name what answers for it."""
    found = {
        subgraph.name: _Found(subgraph, subgraph.sdl)
        for subgraph in find_subgraphs(settings, local)
    }
    if sdl is None:
        remote.open(_remote_references(settings), settings.services)
        for item in await _read_remote(settings, remote):
            found[item.subgraph.name] = item
        composed = await _build(_compose, list(found.values()))
        supergraph = composed.supergraph
    else:
        supergraph = await _build(read_supergraph, sdl)
        remote.open(_references(supergraph, settings, found), settings.services)
    own = {name: item.subgraph for name, item in found.items()}
    return supergraph, {**own, **remote.by_name}


async def _set_apart(
    settings: Settings, local: Sequence[LocalSubgraph], name: str
) -> tuple[Supergraph, Mapping[str, Subgraph]]:
    """Return one local subgraph as a graph of its own."""
    found = {subgraph.name: subgraph for subgraph in find_subgraphs(settings, local)}
    subgraph = found.get(name)
    if subgraph is None:
        known = ", ".join(sorted(found)) or "none"
        problem = Problem(
            f'there is no local subgraph "{name}"',
            where="alone",
            mend=f"the local subgraphs are: {known}",
        )
        raise ConfigurationError([problem])
    described = SubgraphSDL(subgraph.name, subgraph.url, subgraph.sdl)
    supergraph = await _build(compose_alone, described)
    return supergraph, {name: StandaloneSubgraph(subgraph)}


def _remote_references(settings: Settings) -> list[SubgraphReference]:
    return [found for found in settings.subgraphs if found.python is None]


def _shared_out(settings: Settings) -> PolicySettings:
    """Tell the rate limits how many processes count for themselves."""
    policies = settings.policies
    if settings.redis_url is not None or settings.server.workers == 1:
        return policies
    rate_limit = replace(policies.rate_limit, workers=settings.server.workers)
    return replace(policies, rate_limit=rate_limit)


class RemoteSubgraphs:
    """The clients of a snapshot's remote subgraphs, and their connections."""

    def __init__(self, connections: Connections | None = None) -> None:
        self.connections = connections or Connections()
        self.by_name: dict[str, RemoteSubgraph] = {}

    def next(self) -> RemoteSubgraphs:
        """Return what the next snapshot opens; connections that fit are kept."""
        return RemoteSubgraphs(self.connections)

    def open(
        self,
        references: Sequence[SubgraphReference],
        services: Sequence[ServiceSettings] = (),
    ) -> None:
        """Make a client for each reference.

        Args:
            references: The subgraphs, each with its URL.
            services: One with a subgraph's name says how that one is called: its
                limits, retries, breaker and TLS.

        Raises:
            ConfigurationError: A URL is missing or wrong; all problems.
        """
        known = {found.name: found for found in services if found.kind == "http"}
        problems = [
            Problem(problem.message, f"subgraphs.{found.name}.url", problem.mend)
            for found in references
            for problem in find_problems(ServiceSettings(name="", url=found.url or ""))
        ]
        if problems:
            raise ConfigurationError(problems)
        self.connections = self.connections.replace(
            replace(
                known.get(found.name) or ServiceSettings(name=found.name),
                url=found.url or "",
                timeout=found.remote.timeout,
            )
            for found in references
        )
        self.by_name = {
            found.name: RemoteSubgraph(
                found.name,
                found.url or "",
                self.connections.http(found.name),
                found.headers,
                found.remote,
            )
            for found in references
        }

    async def aclose(self) -> None:
        """Close the connections that no later snapshot uses."""
        await self.connections.aclose()


async def compose_settings(settings: Settings) -> Composed:
    """Compose what the settings name, for the command line and for checks.

    Raises:
        ConfigurationError: Something cannot be found or does not fit; all problems.
    """
    remote = RemoteSubgraphs()
    remote.open(_remote_references(settings), settings.services)
    try:
        read = await _read_remote(settings, remote)
    finally:
        await remote.aclose()
    local = find_subgraphs(settings)
    return _compose([*(_Found(item, item.sdl) for item in local), *read])


def find_subgraphs(
    settings: Settings, local: Sequence[LocalSubgraph] = ()
) -> list[LocalSubgraph]:
    """Return the local subgraphs: given, named by import path, or installed.

    Raises:
        ConfigurationError: Some cannot be imported; all problems.
    """
    found = list(local)
    problems: list[Problem] = []
    for reference in settings.subgraphs:
        if reference.python is not None:
            _collect(reference.python, f"subgraphs.{reference.name}", found, problems)
    for entry in sorted(entry_points(group=_ENTRY_POINTS), key=lambda e: e.name):
        _collect(entry.value, f"entry point {entry.name}", found, problems)
    if problems:
        raise ConfigurationError(problems)
    return found


def _collect(
    path: str, where: str, found: list[LocalSubgraph], problems: list[Problem]
) -> None:
    module_name, _, attribute = path.partition(":")
    try:
        value = getattr(importlib.import_module(module_name), attribute or "subgraph")
    except ConfigurationError as error:
        problems.extend(error.problems)
        return
    except Exception as error:  # noqa: BLE001 - whatever the module does wrong
        problems.append(
            Problem(
                f"cannot import {path}: {type(error).__name__}: {error}",
                where=where,
                mend="name a module and an attribute, as in schema.order:subgraph",
            )
        )
        return
    if isinstance(value, LocalSubgraph):
        if all(value is not known for known in found):
            found.append(value)
    else:
        problems.append(Problem(f"{path} is not a Subgraph", where=where))


async def _read_remote(settings: Settings, remote: RemoteSubgraphs) -> list[_Found]:
    references = [ref for ref in settings.subgraphs if ref.name in remote.by_name]
    read = await asyncio.gather(
        *(_read_one(ref, remote.by_name[ref.name]) for ref in references),
        return_exceptions=True,
    )
    problems: list[Problem] = []
    found: list[_Found] = []
    for item in read:
        if isinstance(item, ConfigurationError):
            problems.extend(item.problems)
        elif isinstance(item, BaseException):
            raise item
        else:
            found.append(item)
    if problems:
        raise ConfigurationError(problems)
    return found


async def _read_one(reference: SubgraphReference, subgraph: RemoteSubgraph) -> _Found:
    try:
        if reference.sdl is None:
            deadline = Deadline.after(reference.remote.timeout)
            sdl = await fetch_sdl(
                subgraph.name,
                subgraph.url,
                subgraph.transport,
                deadline,
                reference.headers.insert,
            )
        else:
            sdl = await asyncio.to_thread(reference.sdl.read_text, "utf-8")
    except (OSError, UnicodeDecodeError, SourceError) as error:
        problem = Problem(
            f"cannot read its schema: {error}",
            where=f"subgraphs.{reference.name}",
            mend='start it first, or name a file with its SDL under "sdl"',
        )
        raise ConfigurationError([problem]) from error
    return _Found(subgraph, sdl, subgraph.url)


def _compose(found: Sequence[_Found]) -> Composed:
    if not found:
        raise ConfigurationError(
            [
                Problem(
                    "there is no subgraph",
                    mend="name one under `subgraphs`, or give a supergraph",
                )
            ]
        )
    return compose(
        [SubgraphSDL(item.subgraph.name, item.url, item.sdl) for item in found]
    )


def _references(
    supergraph: Supergraph, settings: Settings, local: Collection[str]
) -> list[SubgraphReference]:
    """Say how each subgraph of a ready supergraph is reached.

    Raises:
        ConfigurationError: Some have no URL; all problems.
    """
    known = {reference.name: reference for reference in settings.subgraphs}
    references = [
        replace(reference, url=reference.url or graph.url)
        for graph in supergraph.graphs.values()
        if graph.name not in local
        for reference in (known.get(graph.name) or SubgraphReference(name=graph.name),)
    ]
    problems = [
        Problem(
            "the supergraph SDL has no URL for this subgraph",
            where=f"subgraphs.{reference.name}",
            mend="give one in the configuration: subgraphs.NAME.url",
        )
        for reference in references
        if not reference.url
    ]
    if problems:
        raise ConfigurationError(problems)
    return references
