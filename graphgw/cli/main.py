"""The ``graphgw`` command and its subcommands."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import click
import typer
from typer.main import get_command

from graphgw.errors import ConfigurationError

__all__ = ["main"]

_COMMANDS: Final = {
    "dev": "Run the example's processes and the gateway, with reload.",
    "serve": "Serve the graph.",
    "compose": "Print the supergraph SDL of the configured subgraphs.",
    "plan": "Print each stage of an operation.",
    "check": "Check the configuration and that the subgraphs compose.",
    "token": "Mint a token for development.",
    "version": "Print the version.",
}


class _LazyGroup(click.Group):
    """Imports a command's module only when it is asked for: start-up matters."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"graphgw.cli.{cmd_name}")
        application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        application.command(cmd_name, help=_COMMANDS[cmd_name])(module.run)
        return get_command(application)


def main() -> None:
    """Run the command line; wrong configuration is told, not traced."""
    group = _LazyGroup("graphgw", help="A GraphQL federation gateway.")
    try:
        group.main(prog_name="graphgw")
    except ConfigurationError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 - the command's answer
        sys.exit(1)


if __name__ == "__main__":
    main()
