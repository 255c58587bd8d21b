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
_MAX_VALUES: Final = 100_000
_SWITCH_WORDS: Final = frozenset(("on", "off", "yes", "no"))
"""Words that YAML takes for booleans; here ``switch: off`` means what it says."""
_NOTHING: Final = frozenset(("", "~", "null"))


@dataclass(frozen=True, slots=True)
class YAMLValues:
    """What a file says, and where: 1-based lines by setting path."""

    file: str
    data: Any = field(repr=False)
    lines: Mapping[SettingPath, int] = field(repr=False)
    variables: Mapping[SettingPath, str] = field(repr=False)
    """The environment variable that a value comes from."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the text itself, whatever it is to mean."""
    unread: tuple[SettingPath, ...] = ()
    """Places whose value is not known because of such a problem."""

    def line(self, path: SettingPath) -> int:
        """Return the line of the nearest place that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def where(self, path: SettingPath) -> str:
        """Return ``file:line setting`` for a place."""
        name = ".".join(str(part) for part in path)
        return f"{self.file}:{self.line(path)} {name}".rstrip()

    def variable(self, path: SettingPath) -> str | None:
        """Return the variable that the value at or above a place comes from."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return self.variables[path[:length]]
        return None


def read_yaml(text: str, file: str, environ: Mapping[str, str]) -> YAMLValues:
    """Read one YAML document.

    ``${NAME}`` in a value is replaced by an environment variable and
    ``${NAME:-text}`` by the text where there is none. What comes of it is text,
    whatever the variable holds; nothing, where it is empty and without quotes. Keys
    that stand twice and variables that are not set are among the values' problems.

    Raises:
        ConfigurationError: It is not YAML, or makes too many values.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError([_syntax_problem(error, text, file)]) from error
    reader = _Reader(file, environ)
    data = {} if node is None else reader.read(node, ())
    problems = tuple(reader.problems)
    if reader.is_too_large:
        raise ConfigurationError(problems)
    unread = tuple(reader.unread)
    return YAMLValues(file, data, reader.lines, reader.variables, problems, unread)


def _syntax_problem(error: Exception, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    number = mark.line + 1 if mark else 1
    reason = getattr(error, "problem", None) or "it cannot be read"
    if isinstance(error, RecursionError):
        reason = "it is nested too deeply"
    lines = text.splitlines()[max(0, number - 2) : number]
    needs_quotes = any("{" in line.split("${")[0] for line in lines if "${" in line)
    mend = 'inside braces, put "${NAME}" in quotes' if needs_quotes else None
    return Problem(f"this is not YAML: {reason}", f"{file}:{number}", mend)


class _Reader:
    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self._loader = yaml.SafeLoader("")
        self._count = 0
        self.lines: dict[SettingPath, int] = {}
        self.variables: dict[SettingPath, str] = {}
        self.problems: list[Problem] = []
        self.unread: list[SettingPath] = []

    @property
    def is_too_large(self) -> bool:
        """Whether reading was given up."""
        return self._count > _MAX_VALUES

    def read(self, node: yaml.Node, path: SettingPath) -> Any:
        """Return the value of a node."""
        self._count += 1
        if self._count > _MAX_VALUES:
            if self._count == _MAX_VALUES + 1:
                self._report("its aliases make too many values", node, "write less")
            return None
        self.lines[path] = node.start_mark.line + 1
        if len(path) > _MAX_DEPTH:
            self._report("this is nested too deeply", node)
            self._count = _MAX_VALUES + 1  # one such problem is enough
            return None
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._read_scalar(node, path)

    def _read_mapping(self, node: yaml.MappingNode, path: SettingPath) -> Any:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report("a setting's name must be a text", key_node)
                continue
            key = str(key_node.value)
            if key in values:
                self._report(f'"{key}" stands here twice', key_node, "keep one of them")
            if key == "<<":
                mend = "write the settings out"
                self._report("settings cannot be merged with <<", key_node, mend)
            values[key] = self.read(value_node, (*path, key))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
        return values

    def _read_scalar(self, node: yaml.Node, path: SettingPath) -> Any:
        text: str = node.value
        if "${" not in text:
            if node.tag.endswith(":timestamp") or text.lower() in _SWITCH_WORDS:
                return text
            try:
                return self._loader.construct_object(node)
            except (yaml.YAMLError, ValueError):
                self._report("this value cannot be read", node, "write it in quotes")
                self.unread.append(path)
                return None
        for found in _VARIABLE.finditer(text):
            self.variables.setdefault(path, found[1])
        known = len(self.problems)
        text = _VARIABLE.sub(lambda found: self._variable(found, node), text)
        if len(self.problems) > known:
            self.unread.append(path)
        is_quoted = getattr(node, "style", None) in {"'", '"'}
        return None if text in _NOTHING and not is_quoted else text

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
