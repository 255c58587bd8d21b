"""``graphgw compose``: the supergraph SDL of the configured subgraphs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from graphgw.assemble import compose_settings
from graphgw.config.load import load_settings

__all__ = ["run"]


def run(
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path(
        "graphgw.yaml"
    ),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the SDL to a file.")
    ] = None,
) -> None:
    """Print the supergraph SDL; hints go to standard error."""
    composed = asyncio.run(compose_settings(load_settings(config)))
    for hint in composed.hints:
        typer.echo(f"hint: {hint}", err=True)
    if output is None:
        typer.echo(composed.supergraph.sdl, nl=False)
    else:
        output.write_text(composed.supergraph.sdl, encoding="utf-8")
