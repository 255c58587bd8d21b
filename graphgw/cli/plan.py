"""``graphgw plan``: each stage of an operation, without asking any backend."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from graphgw.assemble import RemoteSubgraphs, assemble
from graphgw.config.load import load_settings
from graphgw.config.settings import Settings, SubgraphReference
from graphgw.context import RequestContext
from graphgw.errors import ConfigurationError, Problem, RequestError
from graphgw.explain.stages import STAGES, Stage, explain
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.operations.operation import GraphQLRequest
from graphgw.operations.worker import ColdWorker
from graphgw.sources.sdl_source import SupergraphSettings, open_sdl_source
from graphgw.stores.memory import MemoryStore
from graphgw.types import Deadline, Principal

if TYPE_CHECKING:
    from graphgw.snapshot import Snapshot

__all__ = ["run"]


def run(  # noqa: PLR0913, PLR0917 - the options of a command
    file: Annotated[str, typer.Argument(help="The document; - reads standard input.")],
    config: Annotated[
        Path | None, typer.Option(help="The configuration file.", show_default=False)
    ] = None,
    supergraph: Annotated[
        str | None,
        typer.Option(help="A supergraph SDL: a file or a URL; needs no configuration."),
    ] = None,
    operation: Annotated[
        str | None, typer.Option(help="Which operation of the document.")
    ] = None,
    variables: Annotated[
        str | None, typer.Option(help="JSON; only what @skip and rules read matters.")
    ] = None,
    stage: Annotated[
        str,
        typer.Option(metavar="|".join(STAGES), help="How far to go."),
    ] = "plan",
    subject: Annotated[
        str | None, typer.Option(help="Who asks; without it, nobody.")
    ] = None,
    scopes: Annotated[str, typer.Option(help="What they may, parted by spaces.")] = "",
    variant: Annotated[
        str | None, typer.Option(help="The variant of the graph that is asked.")
    ] = None,
) -> None:
    """Print a stage of an operation; needs neither backends nor a server."""
    asking = _Asking(
        GraphQLRequest(_read(file), operation, _read_variables(variables)),
        Principal(subject or ("anyone" if scopes else None), frozenset(scopes.split())),
        _read_stage(stage),
        variant,
    )
    if config is None and supergraph is None:
        config = Path("graphgw.yaml")
    settings = Settings() if config is None else load_settings(config)
    if supergraph is not None:
        source = SupergraphSettings(location=supergraph)
        settings = replace(settings, supergraph=source)
    try:
        text = asyncio.run(_explain(settings, asking))
    except RequestError as error:
        for line in _describe(error):
            typer.echo(line, err=True)
        sys.exit(1)
    typer.echo(text, nl=False)


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is asked, by whom, and how far it goes."""

    request: GraphQLRequest
    principal: Principal
    stage: Stage
    variant: str | None = None


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(
            [Problem(f"cannot read the document: {reason}", where=file)]
        ) from error


def _read_stage(name: str) -> Stage:
    for stage in STAGES:
        if stage == name:
            return stage
    raise typer.BadParameter(f"--stage is one of {', '.join(STAGES)}")


def _read_variables(text: str | None) -> dict[str, Any]:
    try:
        values = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"--variables is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise typer.BadParameter("--variables must be a JSON object")
    return values


async def _explain(settings: Settings, asking: _Asking) -> str:
    worker, remote = ColdWorker(), RemoteSubgraphs()
    try:
        snapshot = await _assemble(settings, worker, remote)
        context = RequestContext(
            deadline=Deadline.after(settings.deadline), principal=asking.principal
        )
        snapshot = snapshot.at(asking.variant)
        return await explain(snapshot, asking.request, context, asking.stage)
    finally:
        await remote.aclose()
        await worker.aclose()


async def _assemble(
    settings: Settings, worker: ColdWorker, remote: RemoteSubgraphs
) -> Snapshot:
    sdl = None
    if settings.supergraph is not None:
        sdl = await open_sdl_source(settings.supergraph).read()
        settings = _with_every_url(settings, sdl)
    return await assemble(
        settings, (), sdl=sdl, remote=remote, worker=worker, store=MemoryStore()
    )


def _with_every_url(settings: Settings, sdl: str) -> Settings:
    """Name a place for subgraphs that have none: nobody is going to call them."""
    known = {reference.name for reference in settings.subgraphs}
    nowhere = tuple(
        SubgraphReference(name=graph.name, url="http://subgraph.invalid/")
        for graph in read_supergraph(sdl).graphs.values()
        if not graph.url and graph.name not in known
    )
    return replace(settings, subgraphs=settings.subgraphs + nowhere)


def _describe(error: RequestError) -> list[str]:
    """Return a line for each message of an error, with its place."""
    code = getattr(error, "error_code", error.code)
    errors = getattr(error, "errors", ((error.message, error.locations),))
    return [
        f"{code}: {message}"
        + "".join(f" (line {place.line}, column {place.column})" for place in places)
        for message, places in errors
    ]
