"""graphgw.yaml to ``Settings``, or all its problems with lines and mends."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from graphgw.config.models import build_model, build_settings
from graphgw.config.problems import find_value_problems, without_credentials
from graphgw.config.read_yaml import read_yaml
from graphgw.config.settings import Settings
from graphgw.config.shape import Shape
from graphgw.errors import ConfigurationError, Problem
from graphgw.policies.rate_rules import parse_duration
from graphgw.policies.settings import find_auth_problems
from graphgw.sources.settings import ServiceSettings, find_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from graphgw.config.settings import SubgraphReference

__all__ = ["load_settings", "load_settings_text"]


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read a configuration file.

    Args:
        path: The YAML file; paths in it are relative to its folder.
        environ: Environment variables; those of the process by default.

    Raises:
        ConfigurationError: It cannot be read or is wrong; holds all problems.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(
            [
                Problem(
                    f"cannot read the configuration: {reason}",
                    where=str(path),
                    mend="name the file with --config",
                )
            ]
        ) from error
    values = os.environ if environ is None else environ
    return load_settings_text(text, path, values)


def load_settings_text(text: str, path: Path, environ: Mapping[str, str]) -> Settings:
    """Read a configuration from its text; ``path`` is for messages and folders.

    Raises:
        ConfigurationError: It is wrong; holds all problems.
    """
    values = read_yaml(text, str(path), environ)
    if not isinstance(values.data, dict):
        raise ConfigurationError(
            [Problem("the file must hold settings by name", where=str(path))]
        )
    shape = Shape(values, path.parent)
    try:
        model = build_model(Settings).model_validate(shape.data)
    except ValidationError as error:
        problems = [*shape.problems, *find_value_problems(error, values, shape)]
        raise ConfigurationError(problems) from None
    if shape.problems:
        raise ConfigurationError(shape.problems)
    settings: Settings = build_settings(Settings, model)
    problems = [
        Problem(
            without_credentials(problem.message),
            values.where(_read_path(problem.where or "")),
            problem.mend,
        )
        for problem in _cross_check(settings)
    ]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _cross_check(settings: Settings) -> Iterator[Problem]:
    """Find what is wrong with settings that are right one by one."""
    for service in settings.services:
        yield from find_problems(service)
    yield from find_auth_problems(settings.auth)
    for subgraph in settings.subgraphs:
        yield from _check_subgraph(subgraph, has_supergraph=bool(settings.supergraph))
    try:
        parse_duration(settings.policies.rate_limit.window)
    except ValueError as error:
        yield Problem(str(error), "policies.rate_limit.window", "write it as 1m")
    if not settings.server.path.startswith("/"):
        yield Problem('must start with "/"', "server.path", "write it as /graphql")
    for process in settings.dev:
        if not process.command:
            where = f"dev.processes.{process.name}.command"
            yield Problem("is empty", where, "say what is to be started")


def _check_subgraph(
    subgraph: SubgraphReference, *, has_supergraph: bool
) -> Iterator[Problem]:
    where = f"subgraphs.{subgraph.name}"
    given = [subgraph.python, subgraph.url]
    if not has_supergraph and sum(v is not None for v in given) != 1:
        yield Problem(
            f'subgraph "{subgraph.name}" needs either "python" or "url"',
            where,
            'write "python: module:attribute" or "url: http://..."',
        )
    if subgraph.url is not None:
        for problem in find_problems(ServiceSettings(name="", url=subgraph.url)):
            yield Problem(problem.message, f"{where}.url", problem.mend)


def _read_path(where: str) -> tuple[str | int, ...]:
    """Return the setting's path that a text such as ``auth.issuers[0]`` names."""
    parts = re.findall(r"[^.\[\]]+", where)
    return tuple(int(part) if part.isdecimal() else part for part in parts)
