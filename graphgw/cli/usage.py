"""``graphgw usage``: which client still uses what is deprecated."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import typer

from graphgw.errors import ConfigurationError, Problem
from graphgw.telemetry.usage import DeprecatedUse, read_deprecated_uses

__all__ = ["run"]

_TIMEOUT: Final = 10.0
_HEAD: Final = ("coordinate", "client", "version", "operations")


def run(
    url: Annotated[
        str, typer.Argument(help="The metrics of a running gateway.")
    ] = "http://127.0.0.1:4000/metrics",
) -> None:
    """Print who used deprecated fields, arguments and values since the start."""
    uses = _read(url)
    if not uses:
        typer.echo("nobody has used anything deprecated")
        return
    rows = [_HEAD, *(_row(use) for use in uses)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _row(use: DeprecatedUse) -> tuple[str, str, str, str]:
    return use.coordinate, use.client or "-", use.version or "-", str(use.operations)


def _read(url: str) -> list[DeprecatedUse]:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigurationError([Problem("is not an http URL", url)])
    try:
        with urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - http, see above
            return read_deprecated_uses(answer.read().decode())
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        problem = Problem(f"cannot read the metrics: {reason}", url)
        raise ConfigurationError([problem]) from error
