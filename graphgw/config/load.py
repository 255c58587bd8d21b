"""graphgw.yaml to ``Settings``, or all its problems with lines and mends."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from graphgw.config.models import build_model, build_settings
from graphgw.config.problems import find_value_problems, without_credentials
from graphgw.config.read_yaml import read_yaml
from graphgw.config.settings import Settings
from graphgw.config.shape import Shape
from graphgw.errors import ConfigurationError, Problem
from graphgw.openapi.upstream import read_upstream
from graphgw.policies.rate_rules import parse_duration
from graphgw.policies.settings import find_auth_problems
from graphgw.policies.variant_settings import find_variant_problems
from graphgw.routes.check import find_route_problems
from graphgw.sources.settings import ServiceSettings, find_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from graphgw.config.read_yaml import SettingPath, YAMLValues
    from graphgw.config.settings import SubgraphReference

__all__ = ["load_settings", "load_settings_text"]

_API_DOCS: Final = frozenset(("/docs", "/openapi.json"))
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

_ITEM_DEPTH: Final = {
    "subgraphs": 2,
    "services": 2,
    "routes": 2,
    "variants": 2,
    "dev": 3,
}
"""How deep the named items of a section lie."""


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
        problem = Problem("the file must hold settings by name", where=str(path))
        raise ConfigurationError([*values.problems, problem])
    has_supergraph = values.data.get("supergraph") is not None
    for place in values.unread:
        _leave_out(values.data, place)
    shape = Shape(values, path.parent)
    problems = [*values.problems, *shape.problems]
    model = _validate(shape, values, problems)
    if model is not None:
        settings: Settings = build_settings(Settings, model)
        problems += (
            Problem(
                without_credentials(problem.message),
                values.where(_read_path(problem.where or "")),
                problem.mend,
            )
            for problem in _cross_check(settings, has_supergraph=has_supergraph)
        )
        if not problems:
            return settings
    raise ConfigurationError(sorted(problems, key=_line))


def _validate(
    shape: Shape, values: YAMLValues, problems: list[Problem]
) -> BaseModel | None:
    """Validate the long form; what is wrong goes to ``problems``.

    The parts that are right are returned even so, to be checked against each other:
    a problem in one place hides none in another.
    """
    model = build_model(Settings)
    try:
        return model.model_validate(shape.data)
    except ValidationError as error:
        problems += (
            problem
            for place, problem in find_value_problems(error, values, shape)
            if place not in values.unread
        )
        right = _right_parts(shape.data, error)
    try:
        return model.model_validate(right)
    except ValidationError:
        return None


def _right_parts(data: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Leave out named items with a problem in them; elsewhere, whole sections."""
    items: dict[Any, set[Any]] = {}
    for detail in error.errors(include_url=False):
        section, *rest = detail["loc"]
        is_item = isinstance(data.get(str(section)), list) and rest
        items.setdefault(section, set()).add(rest[0] if is_item else None)
    right = {key: value for key, value in data.items() if key not in items}
    for section, wrong in items.items():
        if None not in wrong:
            listed = enumerate(data[section])
            right[section] = [item for index, item in listed if index not in wrong]
    return right


def _leave_out(data: dict[str, Any], path: SettingPath) -> None:
    """Take out what cannot be read; with it the item that it is in, if that has one."""
    depth = {"subgraphs": 2, "services": 2, "routes": 2, "dev": 3}.get(
        str(path[0]), len(path)
    )
    holder: Any = data
    for part in path[: depth - 1]:
        holder = holder.get(part) if isinstance(holder, dict) else None
    if isinstance(holder, dict):
        holder.pop(path[min(depth, len(path)) - 1], None)
    else:  # inside a list: what is beside it would change its place
        data.pop(str(path[0]), None)


def _line(problem: Problem) -> int:
    found = re.search(r":(\d+)(?: |$)", problem.where or "")
    return int(found[1]) if found else 0


def _cross_check(settings: Settings, *, has_supergraph: bool) -> Iterator[Problem]:
    """Find what is wrong with settings that are right one by one."""
    for service in settings.services:
        yield from find_problems(service)
    kinds = [(service.name, service.kind) for service in settings.services]
    yield from find_route_problems(settings.routes, kinds)
    yield from find_auth_problems(settings.auth)
    yield from find_variant_problems(settings.variants)
    yield from _check_paths(settings)
    header = settings.variant_header
    if header is not None and not _HEADER_NAME.fullmatch(header):
        mend = "write it as x-graph-variant"
        yield Problem("is no name of a header", "variant_header", mend)
    for subgraph in settings.subgraphs:
        yield from _check_subgraph(subgraph, has_supergraph=has_supergraph)
    policies = settings.policies
    for name, window in (
        ("rate_limit", policies.rate_limit.window),
        ("cost", policies.cost.window),
    ):
        try:
            parse_duration(window)
        except ValueError as error:
            yield Problem(str(error), f"policies.{name}.window", "write it as 1m")
    if not settings.server.path.startswith("/"):
        yield Problem('must start with "/"', "server.path", "write it as /graphql")
    for process in settings.dev:
        if not process.command:
            where = f"dev.processes.{process.name}.command"
            yield Problem("is empty", where, "say what is to be started")


def _check_paths(settings: Settings) -> Iterator[Problem]:
    """Find routes whose paths are taken, or whose documents do not tell of them."""
    taken = {
        v.graphql_path: f'the path of the variant "{v.name}"' for v in settings.variants
    }
    mends = dict.fromkeys(taken, "take another path")
    if settings.server.has_api_docs:
        taken |= dict.fromkeys(_API_DOCS, "a path of the gateway itself")
        mend = "take another path, or say server.has_api_docs: false"
        mends |= dict.fromkeys(_API_DOCS, mend)
    for route in settings.routes:
        if route.path in taken:
            message = f'"{route.path}" is {taken[route.path]}'
            where = f"routes.{route.name}.path"
            yield Problem(message, where, mends[route.path])
        if route.openapi is not None:
            try:
                read_upstream(route)
            except ConfigurationError as error:
                yield from error.problems


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
