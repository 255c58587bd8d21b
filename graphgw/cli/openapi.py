"""``graphgw openapi``: the OpenAPI document of the configured routes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from graphgw.assemble import compose_settings
from graphgw.config.load import load_settings
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.openapi.document import content_of, describe_routes, routes_of_host
from graphgw.route_targets import read_endpoints
from graphgw.sources.sdl_source import open_sdl_source
from graphgw.transcoding.open_route import read_transcoding
from graphgw.transcoding.openapi import describe_bindings
from graphgw.variants import build_contracts

if TYPE_CHECKING:
    from graphgw.config.settings import Settings
    from graphgw.endpoints.endpoint import Endpoint
    from graphgw.federation.supergraph import Supergraph
    from graphgw.routes.description import RouteDescription

__all__ = ["run"]


def run(
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path(
        "graphgw.yaml"
    ),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the document to a file."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Tell what this host has, beside what all have.")
    ] = "",
) -> None:
    """Print what the routes offer as an OpenAPI document; calls no service.

    Of a gRPC service it has what descriptor files tell.
    """
    settings = load_settings(config)
    supergraph = asyncio.run(_read_supergraph(settings))
    contracts = build_contracts(supergraph, settings)
    contents: dict[str, Endpoint | RouteDescription] = {
        endpoint.route.name: endpoint
        for endpoint in read_endpoints(settings, supergraph, contracts)
    }
    for route in settings.routes:
        if route.grpc is not None:
            known = read_transcoding(route, route.grpc)
            bindings = [] if known is None else known.bindings
            contents[route.name] = describe_bindings(route, route.grpc, bindings)
    routes = routes_of_host(settings.routes, host)
    document = describe_routes(
        [
            (route, contents.get(route.name, content_of(route, None)))
            for route in routes
        ],
        settings.openapi,
        settings.auth,
    )
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    if output is None:
        typer.echo(text)
    else:
        output.write_text(f"{text}\n", encoding="utf-8")


async def _read_supergraph(settings: Settings) -> Supergraph:
    if settings.supergraph is not None:
        return read_supergraph(await open_sdl_source(settings.supergraph).read())
    return (await compose_settings(settings)).supergraph
