"""Run the ``graphgw`` command to its end, as a user's shell does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["graphgw"]

ROOT = Path(__file__).parents[2]


def graphgw(
    *arguments: str, stdin: str = "", folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Return what the command printed and its exit code."""
    return subprocess.run(  # noqa: S603 - our own command
        (sys.executable, "-m", "graphgw.cli.main", *arguments),
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
