"""Run the ``graphgw`` command to its end, as a user's shell does."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from graphgw.cli.main import main

__all__ = ["graphgw", "graphgw_in_process"]

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


def graphgw_in_process(
    *arguments: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Do the same without a process, where none is needed to prove it."""
    output, errors = io.StringIO(), io.StringIO()
    before = sys.stdin, dict(os.environ)
    sys.stdin = io.StringIO(stdin)
    os.environ.update({"COLUMNS": "200", "TERM": "dumb"})
    code: object = 0
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            main(arguments)
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdin = before[0]
        os.environ.clear()
        os.environ.update(before[1])
    return subprocess.CompletedProcess(
        arguments, int(str(code or 0)), output.getvalue(), errors.getvalue()
    )
