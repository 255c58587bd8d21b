"""A route's path as OpenAPI writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from graphgw.routes.templates import REST, parse_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.types import JSONObject

__all__ = ["DocumentedPath", "PathNames", "describe_path"]

_PARAMETER: Final = re.compile(r"\{[^}]*\}")
_SEGMENT: Final = r"^[^/\\\x00-\x1F\x7F]+$"
_BELOW: Final = "path"
"""How the document calls what a final ``/*`` matches."""


@dataclass(frozen=True, slots=True)
class DocumentedPath:
    """A path; ``parameters`` are the route's names with those of the document."""

    text: str
    parameters: Mapping[str, str]


class PathNames:
    """Gives paths that differ only in their parameters' names the same names.

    OpenAPI takes ``/users/{id}`` and ``/users/{name}`` for the same path.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}

    def write(self, path: str) -> DocumentedPath:
        """Return a route's path in the form of the document."""
        text, names = _write(path)
        shape = _PARAMETER.sub("{}", text)
        known, shown = self._known.setdefault(shape, (text, tuple(names.values())))
        return DocumentedPath(known, dict(zip(names, shown, strict=True)))


def _write(path: str) -> tuple[str, dict[str, str]]:
    template = parse_template(path)
    parts = list(template.segments)
    names: dict[str, str] = {}
    for name, _, _ in template.captures:
        names[name] = name
        if name == REST:
            free = (f"{_BELOW}{'_' * n}" for n in range(len(template.captures) + 1))
            names[name] = next(name for name in free if name not in names)
    for name, start, end in reversed(template.captures):
        parts[start : end or len(parts)] = [f"{{{names[name]}}}"]
    verb = "" if template.verb is None else f":{template.verb}"
    return f"/{'/'.join(parts)}{verb}", names


def describe_path(name: str, schema: JSONObject) -> JSONObject:
    """Return a parameter of a path; texts in it cannot be empty or have slashes."""
    if schema.get("type") == "string" and "format" not in schema:
        schema = {**schema, "minLength": 1, "pattern": _SEGMENT}
    return {"name": name, "in": "path", "required": True, "schema": schema}
