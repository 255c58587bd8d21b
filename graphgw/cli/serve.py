"""``graphgw serve``: the gateway as a production process."""

from __future__ import annotations

from typing import Annotated

import typer

from graphgw.server.run import ServeOptions, serve

__all__ = ["run"]


def run(
    config: Annotated[
        str | None, typer.Option(help="The configuration file.", show_default=False)
    ] = None,
    supergraph: Annotated[
        str | None,
        typer.Option(help="A supergraph SDL: a file or a URL; needs no configuration."),
    ] = None,
    subgraph: Annotated[
        str | None,
        typer.Option(
            help="Serve this local subgraph alone, for any federation router.",
            show_default=False,
        ),
    ] = None,
    subgraph_url: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=URL: where a subgraph is, whatever the SDL says; repeatable.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free port.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes.")] = None,
) -> None:
    """Serve the graph until a signal ends the process."""
    if config is None and supergraph is None:
        config = "graphgw.yaml"
    serve(
        ServeOptions(
            config=config,
            supergraph=supergraph,
            subgraph=subgraph,
            subgraph_urls=tuple(subgraph_url or ()),
            host=host,
            port=port,
            workers=workers,
        )
    )
