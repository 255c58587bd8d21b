"""``graphgw auth``: what the schema says of who may have what."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from graphgw.assemble import compose_settings
from graphgw.config.load import load_settings
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.policies.auth_matrix import print_auth_matrix
from graphgw.sources.sdl_source import SupergraphSettings, open_sdl_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphgw.federation.supergraph import Supergraph

__all__ = ["COMMANDS", "matrix"]


def matrix(
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path(
        "graphgw.yaml"
    ),
    supergraph: Annotated[
        str | None,
        typer.Option(help="A supergraph SDL: a file or a URL; needs no configuration."),
    ] = None,
) -> None:
    """Print every guarded field and who may have it, one a line."""
    found = asyncio.run(_find(config, supergraph))
    typer.echo(print_auth_matrix(found), nl=False)


COMMANDS: Final[dict[str, Callable[..., None]]] = {"matrix": matrix}


async def _find(config: Path, location: str | None) -> Supergraph:
    if location is not None:
        source = open_sdl_source(SupergraphSettings(location=location))
        return read_supergraph(await source.read())
    settings = load_settings(config)
    if settings.supergraph is not None:
        return read_supergraph(await open_sdl_source(settings.supergraph).read())
    return (await compose_settings(settings)).supergraph
