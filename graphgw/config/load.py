"""graphgw.yaml to ``Settings``, or all its problems with lines and mends."""

from __future__ import annotations

import difflib
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from graphgw.config.models import build_model, build_settings
from graphgw.config.read_yaml import read_yaml
from graphgw.config.settings import Settings
from graphgw.errors import ConfigurationError, Problem
from graphgw.policies.settings import find_auth_problems
from graphgw.sources.settings import ServiceSettings, find_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from graphgw.config.read_yaml import YAMLValues

__all__ = ["json_schema", "load_settings", "load_settings_text"]

_NAMED: Final = ("subgraphs", "services", "dev")
"""Lists that the file writes as mappings by name."""


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
    names = _Names()
    shaped = _shape(values.data, names, path.parent)
    try:
        model = build_model(Settings).model_validate(shaped)
    except ValidationError as error:
        raise ConfigurationError(
            [_problem(detail, values, names) for detail in error.errors()]
        ) from None
    settings: Settings = build_settings(Settings, model)
    problems = list(_cross_check(settings, values))
    if problems:
        raise ConfigurationError(problems)
    return settings


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the long form, for editors."""
    return build_model(Settings).model_json_schema()


class _Names:
    """The names of what the file writes as mappings, by their place in the list."""

    def __init__(self) -> None:
        self.by_list: dict[str, list[str]] = {}

    def path(self, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Return the file's path for a place in the settings."""
        if len(location) > 1 and location[0] in self.by_list:
            names = self.by_list[str(location[0])]
            index = int(location[1])
            head = ("dev", "processes") if location[0] == "dev" else (location[0],)
            return (*head, names[index], *location[2:])
        return location


def _shape(data: dict[str, Any], names: _Names, folder: Path) -> dict[str, Any]:
    shaped = dict(data)
    dev = shaped.get("dev")
    if isinstance(dev, dict):
        shaped["dev"] = dev.get("processes", dev)
    for key in _NAMED:
        if isinstance(shaped.get(key), dict):
            shaped[key] = _list_by_name(key, shaped[key], names)
    server = shaped.get("server")
    if isinstance(server, dict) and isinstance(server.get("examples"), str):
        examples = _read_examples(folder / server["examples"])
        shaped["server"] = {**server, "examples": examples}
    _resolve_paths(shaped, folder)
    for dev_process in shaped.get("dev") or ():
        if isinstance(dev_process, dict):
            _shape_process(dev_process)
    return shaped


def _list_by_name(key: str, items: dict[str, Any], names: _Names) -> list[Any]:
    names.by_list[key] = list(items)
    return [_item(key, name, value) for name, value in items.items()]


def _item(key: str, name: str, value: Any) -> Any:
    if key == "services":
        return _service(name, value)
    if isinstance(value, str):
        short = {"subgraphs": "url" if "://" in value else "python", "dev": "command"}
        value = {short[key]: value}
    if not isinstance(value, dict):
        return value
    item = {"name": name, **value}
    if isinstance(item.get("headers"), dict):
        item["headers"] = dict(item["headers"])
        _list_pairs(item["headers"], "rename")
        _list_pairs(item["headers"], "insert")
    return item


def _service(name: str, value: Any) -> Any:
    long = {"url": value} if isinstance(value, str) else value
    if not isinstance(long, dict):
        return value
    url = long.get("url")
    if isinstance(url, str) and url.startswith(("grpc://", "grpcs://")):
        found = ServiceSettings.from_url(name, url)
        rest = {key: item for key, item in long.items() if key != "url"}
        tls: dict[str, Any] = {} if found.tls is None else {"tls": {}}
        long = {"kind": "grpc", "addresses": found.addresses, **tls, **rest}
    long = {"name": name, **long}
    _list_pairs(long, "headers")
    return long


def _list_pairs(holder: dict[str, Any], key: str) -> None:
    if isinstance(holder.get(key), dict):
        holder[key] = list(holder[key].items())


def _shape_process(process: dict[str, Any]) -> None:
    command = process.get("command")
    if isinstance(command, str):
        command = command.split()
    if isinstance(command, list) and command and command[0] == "python":
        command = [sys.executable, *command[1:]]
    if isinstance(command, list):
        process["command"] = [str(part) for part in command]
    _list_pairs(process, "environment")


def _resolve_paths(data: dict[str, Any], folder: Path) -> None:
    for issuer in (data.get("auth") or {}).get("issuers") or ():
        if isinstance(issuer, dict):
            _resolve(issuer, "key_file", folder)
    _resolve((data.get("auth") or {}).get("api_keys"), "file", folder)
    for subgraph in data.get("subgraphs") or ():
        _resolve(subgraph, "sdl", folder)
    for service in data.get("services") or ():
        for key in ("ca_file", "certificate_file", "key_file"):
            _resolve((service or {}).get("tls"), key, folder)
    if isinstance(data.get("supergraph"), str):
        data["supergraph"] = {"location": data["supergraph"]}
    supergraph = data.get("supergraph")
    if isinstance(supergraph, dict):
        if "://" not in str(supergraph.get("location", "://")):
            _resolve(supergraph, "location", folder)
        _list_pairs(supergraph, "headers")


def _resolve(holder: Any, key: str, folder: Path) -> None:
    if isinstance(holder, dict) and isinstance(holder.get(key), str):
        holder[key] = str(folder / holder[key])


def _read_examples(folder: Path) -> list[dict[str, str]]:
    """Read the operations that the IDE opens: ``*.graphql``, in order of names."""
    found = []
    for file in sorted(folder.glob("*.graphql")):
        text = file.read_text(encoding="utf-8")
        title, _, rest = text.partition("\n")
        has_title = title.startswith("#")
        variables = file.with_suffix(".json")
        found.append(
            {
                "title": title.lstrip("# ") if has_title else file.stem,
                "query": rest.lstrip("\n") if has_title else text,
                "variables": variables.read_text("utf-8") if variables.exists() else "",
            }
        )
    return found


def _problem(detail: ErrorDetails, values: YAMLValues, names: _Names) -> Problem:
    location = tuple(part for part in detail["loc"] if not _is_branch(part))
    path = names.path(location)
    where = values.where(path)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Problem(
            f'there is no setting "{path[-1]}"', where=where, mend=_suggest(location)
        )
    if kind == "missing":
        return Problem(f'"{path[-1]}" is missing', where=where, mend="add it")
    message = re.sub(
        r"^(Value error, )?(Input should be|must be)", "must be", detail["msg"]
    )
    return Problem(message, where=where, mend=f"it is {detail['input']!r} now")


def _is_branch(part: str | int) -> bool:
    """Tell whether part of a location names a branch of a union, not a setting."""
    return isinstance(part, str) and ("[" in part or part in {"str", "int", "none"})


def _suggest(location: tuple[str | int, ...]) -> str:
    model: Any = build_model(Settings)
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return "remove it"
        model = _inner_model(field.annotation)
    known = list(getattr(model, "model_fields", {}))
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known are: {', '.join(known)}" if known else "remove it"


def _inner_model(annotation: Any) -> Any:
    for argument in getattr(annotation, "__args__", ()):
        if hasattr(argument, "model_fields"):
            return argument
    return annotation


def _cross_check(settings: Settings, values: YAMLValues) -> Iterator[Problem]:
    for service in settings.services:
        for problem in find_problems(service):
            path = tuple((problem.where or "").split("."))
            yield Problem(problem.message, values.where(path), problem.mend)
    for problem in find_auth_problems(settings.auth):
        path = tuple((problem.where or "auth").split("."))
        yield Problem(problem.message, values.where(path), problem.mend)
    for subgraph in settings.subgraphs:
        given = [subgraph.python, subgraph.url]
        if settings.supergraph is None and sum(v is not None for v in given) != 1:
            yield Problem(
                f'subgraph "{subgraph.name}" needs either "python" or "url"',
                values.where(("subgraphs", subgraph.name)),
                'write "python: module:attribute" or "url: http://..."',
            )
