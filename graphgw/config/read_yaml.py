"""YAML text to plain values, with the line of each and variables filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from graphgw.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SettingPath", "YAMLValues", "read_yaml"]

SettingPath = tuple[str | int, ...]

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_MAX_DEPTH: Final = 30


@dataclass(frozen=True, slots=True)
class YAMLValues:
    """What a file says, and where: 1-based lines by setting path."""

    file: str
    data: Any = field(repr=False)
    lines: Mapping[SettingPath, int] = field(repr=False)

    def where(self, path: SettingPath) -> str:
        """Return ``file:line setting`` for the nearest place that is in the file."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        name = ".".join(str(part) for part in path)
        return f"{self.file}:{self.lines.get(known, 1)} {name}".rstrip()


def read_yaml(text: str, file: str, environ: Mapping[str, str]) -> YAMLValues:
    """Read one YAML document.

    ``${NAME}`` in a value is replaced by an environment variable and
    ``${NAME:-text}`` by the text where there is none.

    Raises:
        ConfigurationError: It is not YAML, has a key twice, or names variables that
            are not set; all problems.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigurationError(
            [Problem(f"this is not YAML: {reason}", where=f"{file}:{line}")]
        ) from error
    reader = _Reader(file, environ)
    data = {} if node is None else reader.read(node, ())
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return YAMLValues(file, data, reader.lines)


class _Reader:
    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self.lines: dict[SettingPath, int] = {}
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, path: SettingPath) -> Any:
        """Return the value of a node."""
        self.lines[path] = node.start_mark.line + 1
        if len(path) > _MAX_DEPTH:
            self._report("this is nested too deeply", node)
            return None
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._read_scalar(node)

    def _read_mapping(self, node: yaml.MappingNode, path: SettingPath) -> Any:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in values:
                self._report(f'"{key}" stands here twice', key_node, "keep one of them")
            values[key] = self.read(value_node, (*path, key))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
        return values

    def _read_scalar(self, node: yaml.Node) -> Any:
        if "${" not in node.value:
            return yaml.SafeLoader("").construct_object(node)
        text = _VARIABLE.sub(lambda found: self._variable(found, node), node.value)
        if getattr(node, "style", None) in {"'", '"'}:
            return text
        return yaml.safe_load(text)

    def _variable(self, found: re.Match[str], node: yaml.Node) -> str:
        name = found[1]
        default: str | None = found[2]
        value = self._environ.get(name, default)
        if value is None:
            self._report(
                f"the environment variable {name} is not set",
                node,
                f"set it, or give a default: ${{{name}:-...}}",
            )
            return ""
        return value

    def _report(self, message: str, node: yaml.Node, mend: str | None = None) -> None:
        where = f"{self._file}:{node.start_mark.line + 1}"
        self.problems.append(Problem(message, where=where, mend=mend))
