"""``graphgw version``."""

from __future__ import annotations

from importlib.metadata import version

import typer

__all__ = ["run"]


def run() -> None:
    """Print the version."""
    typer.echo(version("graphgw"))
