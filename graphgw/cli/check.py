"""``graphgw check``: is the configuration right, and do the subgraphs compose?"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphgw.assemble import compose_settings
from graphgw.config.json_schema import json_schema
from graphgw.config.load import load_settings
from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.contract import find_unknown_tags
from graphgw.federation.sunset import read_retirements
from graphgw.route_targets import read_endpoints
from graphgw.transcoding.open_route import read_transcoding
from graphgw.variants import build_contracts

if TYPE_CHECKING:
    from graphgw.config.settings import Settings

__all__ = ["run"]

_IS_OVER = "the day of its @sunset is past; it can be removed"
_NO_TAG = 'the variant "{}" names the tag "{}", which stands nowhere in the schema'
_MAKES_KEYS = "graphgw token makes the key pair of development"


def run(
    *,
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path(
        "graphgw.yaml"
    ),
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the file's JSON Schema, for editors."),
    ] = False,
) -> None:
    """Check everything that can be checked without serving."""
    if schema:
        typer.echo(json.dumps(json_schema(), indent=2))
        return
    settings = load_settings(config)
    _check_calls(settings)
    for issuer in settings.auth.issuers:
        if issuer.key_file is not None and not issuer.key_file.exists():
            typer.echo(f"hint: {issuer.key_file} is not there; {_MAKES_KEYS}", err=True)
    names = [reference.name for reference in settings.subgraphs]
    if settings.supergraph is None:
        composed = asyncio.run(compose_settings(settings))
        for hint in composed.hints:
            typer.echo(f"hint: {hint}", err=True)
        for retirement in read_retirements(composed.supergraph).values():
            if retirement.ends is not None and retirement.ends <= time.time():
                typer.echo(f"hint: {retirement.coordinate}: {_IS_OVER}", err=True)
        contracts = build_contracts(composed.supergraph, settings)
        read_endpoints(settings, composed.supergraph, contracts)
        for variant in settings.variants:
            for tag in find_unknown_tags(composed.supergraph, variant.contract):
                typer.echo(f"hint: {_NO_TAG.format(variant.name, tag)}", err=True)
        names = [graph.name for graph in composed.supergraph.graphs.values()]
    typer.echo(f"{config} is right: {', '.join(names)}")


def _check_calls(settings: Settings) -> None:
    """Check the routes to gRPC services that have descriptor files.

    Raises:
        ConfigurationError: Some do not fit; holds all problems.
    """
    problems: list[Problem] = []
    for route in settings.routes:
        try:
            if route.grpc is not None:
                read_transcoding(route, route.grpc)
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
