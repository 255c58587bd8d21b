"""The command line itself: help, wrong use, and start-up."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from support.command import graphgw, graphgw_in_process

COMMANDS = (
    "dev",
    "serve",
    "compose",
    "openapi",
    "plan",
    "check",
    "token",
    "keys",
    "auth",
    "usage",
    "version",
)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_every_command(arguments: tuple[str, ...]):
    done = graphgw_in_process(*arguments)

    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines() if line[:2] == "  "]
    assert tuple(listed) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own(command: str):
    done = graphgw_in_process(command, "--help")

    assert done.returncode == 0
    assert f"Usage: graphgw {command}" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_the_version_is_the_installed_one(argument: str):
    assert graphgw_in_process(argument).stdout.strip() == version("graphgw")


def test_a_command_that_does_not_exist_is_answered_with_the_nearest():
    done = graphgw("serv")

    assert done.returncode == 2
    assert done.stderr == 'there is no command "serv": did you mean "serve"?\n'


def test_a_wrong_option_is_told_without_a_traceback():
    done = graphgw("serve", "--port", "abc")

    assert done.returncode == 2
    assert "Invalid value for '--port'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_imports_only_what_it_needs():
    script = (
        "import sys, graphgw.cli.main as m;"
        "print(*(n for n in ('typer', 'graphql', 'strawberry', 'httpx', 'rich')"
        " if n in sys.modules))"
    )

    done = subprocess.run(  # noqa: S603 - our own command
        (sys.executable, "-c", script),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == ""
