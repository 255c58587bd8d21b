"""The ``graphgw`` command and its subcommands."""

from __future__ import annotations

import difflib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from graphgw.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_COMMANDS: Final = {
    "dev": "Run the example's processes and the gateway, with reload.",
    "serve": "Serve the graph.",
    "compose": "Print the supergraph SDL of the configured subgraphs.",
    "openapi": "Print what the routes offer as an OpenAPI document.",
    "plan": "Print a stage of an operation; asks no backend.",
    "check": "Check the configuration and that the subgraphs compose.",
    "token": "Mint a token for development.",
    "keys": "Create, list and revoke API keys.",
    "auth": "Print who may have which field.",
    "usage": "Print which client still uses what is deprecated.",
    "version": "Print the version.",
}
_WRONG_USE: Final = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; wrong configuration is told, not traced.

    A command's module is imported only when it is asked for: start-up matters.

    Args:
        arguments: Those of the process by default.

    Raises:
        SystemExit: Always, with the exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else "--help"
    if name in {"--help", "-h", "help"}:
        _write(_help())
        sys.exit(0)
    if name == "--version":
        name = "version"
    if name not in _COMMANDS:
        close = difflib.get_close_matches(name, _COMMANDS, n=1)
        mend = f'did you mean "{close[0]}"?' if close else "see graphgw --help"
        _write(f'there is no command "{name}": {mend}', is_error=True)
        sys.exit(_WRONG_USE)
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, "")  # where the configuration's import paths are found
    try:
        _run(name, given[1:])
    except ConfigurationError as error:
        for problem in error.problems:
            _write(str(problem), is_error=True)
        sys.exit(1)


def _run(name: str, arguments: list[str]) -> None:
    typer = importlib.import_module("typer")
    module = importlib.import_module(f"graphgw.cli.{name}")
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    inner = getattr(module, "COMMANDS", None)
    if inner is None:
        application.command(name, help=_COMMANDS[name])(module.run)
    else:
        application.callback(help=_COMMANDS[name])(lambda: None)
        for inner_name, function in inner.items():
            application.command(inner_name)(function)
    application(args=arguments, prog_name=f"graphgw {name}")


def _help() -> str:
    lines = [f"  {name:<9} {text}" for name, text in _COMMANDS.items()]
    return "\n".join(
        (
            "Usage: graphgw COMMAND [OPTIONS]",
            "",
            "A GraphQL federation gateway.",
            "",
            "Commands:",
            *lines,
            "",
            "graphgw COMMAND --help tells a command's options.",
        )
    )


def _write(text: str, *, is_error: bool = False) -> None:
    print(text, file=sys.stderr if is_error else sys.stdout)


if __name__ == "__main__":
    main()
