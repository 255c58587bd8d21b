"""What is wrong with a configuration, in words for the one who mends it."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

from graphgw.config.models import build_model, secret_names
from graphgw.config.settings import Settings
from graphgw.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from graphgw.config.read_yaml import SettingPath, YAMLValues
    from graphgw.config.shape import Shape

__all__ = ["find_value_problems", "without_credentials"]

_MESSAGES: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "callable_type": "must be an import path such as module:function",
    "dict_type": "must hold settings by name",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_type": "must be a whole number",
    "mapping_type": "must hold settings by name",
    "model_type": "must hold settings by name",
    "path_type": "must be the path of a file",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
}
_ALWAYS_SECRET: Final = frozenset(("environment", "redis_url"))
_BRANCHES: Final = frozenset(("bool", "callable", "float", "int", "none", "str"))
_PAIRS: Final = frozenset(
    (
        "add",
        "claims",
        "defaults",
        "environment",
        "headers",
        "insert",
        "query",
        "rename",
        "set",
        "status",
    )
)
"""Settings that are kept as pairs and written as a mapping."""
_CREDENTIALS: Final = re.compile(r"//[^/@\s\"]*@")
_SHOWN: Final = 60


def find_value_problems(
    error: ValidationError, values: YAMLValues, shape: Shape
) -> Iterator[tuple[SettingPath, Problem]]:
    """Yield each place that is wrong with its problem, in the order of the file."""
    found: dict[SettingPath, Problem] = {}
    for detail in error.errors(include_url=False, include_context=False):
        location = _without_branches(detail["loc"])
        path = shape.path(location)
        if path not in found:
            found[path] = _problem(detail, location, path, values)
    lines = {path: values.line(path) for path in found}
    for path in sorted(found, key=lambda path: lines[path]):
        yield path, found[path]


def without_credentials(text: str) -> str:
    """Return a text with the user and password of its URLs hidden."""
    return _CREDENTIALS.sub("//***@", text)


def _problem(
    detail: ErrorDetails, location: SettingPath, path: SettingPath, values: YAMLValues
) -> Problem:
    where = values.where(path)
    kind = detail["type"]
    if kind == "extra_forbidden":
        message = f'there is no setting "{path[-1]}"'
        return Problem(message, where, _suggest(location))
    if kind == "missing":
        return Problem(f'"{path[-1]}" is missing', where, "add it")
    if kind == "tuple_type" and path[-1] in _PAIRS:
        kind = "dict_type"
    message = _MESSAGES.get(kind) or re.sub(
        r"^(Value error, )?(Input should|must) be", "must be", detail["msg"]
    )
    return Problem(message, where, _describe(detail["input"], path, values))


def _describe(value: Any, path: SettingPath, values: YAMLValues) -> str:
    """Say what stands there now, unless nobody should read it."""
    variable = values.variable(path)
    if variable is not None:
        return f"it comes from the environment variable {variable}"
    secret = secret_names(Settings) | _ALWAYS_SECRET
    if not secret.isdisjoint(path):
        return "it is something else now, which is not shown here"
    if isinstance(value, (list, tuple)):
        return "it is a list now"
    if isinstance(value, dict):
        return "it holds settings by name now"
    if value is None:
        return "it is empty now"
    if isinstance(value, bool):
        return f"it is {str(value).lower()} now"
    text = without_credentials(str(value))
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return f'it is "{shown}" now' if isinstance(value, str) else f"it is {shown} now"


def _without_branches(location: tuple[str | int, ...]) -> SettingPath:
    """Leave out what names a branch of a union, not a setting."""
    parts = [part for part in location if not (isinstance(part, str) and "[" in part)]
    if len(parts) > 1 and parts[-1] in _BRANCHES:
        parts.pop()
    return tuple(parts)


def _suggest(location: SettingPath) -> str:
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
