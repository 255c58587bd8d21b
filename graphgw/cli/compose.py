"""``graphgw compose``: the supergraph SDL of the configured subgraphs, or the API's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from graphql import print_schema

from graphgw.assemble import compose_settings
from graphgw.config.load import load_settings
from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.print_supergraph import print_supergraph
from graphgw.variants import build_contracts

__all__ = ["run"]


def run(
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path(
        "graphgw.yaml"
    ),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the SDL to a file.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="As the clients of this variant see it.")
    ] = None,
    *,
    api: Annotated[
        bool, typer.Option("--api", help="Print the API schema instead.")
    ] = False,
) -> None:
    """Print the supergraph SDL; hints go to standard error.

    That of a variant marks what the variant hides as ``@inaccessible``.
    """
    settings = load_settings(config)
    composed = asyncio.run(compose_settings(settings))
    for hint in composed.hints:
        typer.echo(f"hint: {hint}", err=True)
    supergraph, sdl = composed.supergraph, composed.supergraph.sdl
    if variant is not None:
        contracts = build_contracts(supergraph, settings)
        if variant not in contracts:
            mend = f"the variants are: {', '.join(contracts) or 'none'}"
            problem = Problem(f'there is no variant "{variant}"', mend=mend)
            raise ConfigurationError([problem])
        supergraph = contracts[variant]
        sdl = print_supergraph(supergraph)
    text = f"{print_schema(supergraph.api_schema)}\n" if api else sdl
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
