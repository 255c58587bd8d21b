"""Pydantic models that mirror the packages' own settings classes.

The settings are plain frozen dataclasses, each owned by its package; the models are
derived from them, so that a setting is declared once. Seconds may be written as
durations and bytes as sizes.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
)

from graphgw.config.bounds import check_count, check_number
from graphgw.config.units import parse_duration, parse_size, refuse_bool

__all__ = ["build_model", "build_settings", "secret_names"]

_NAMES: dict[str, Any] = {"Path": Path, "Mapping": Mapping, "RequestContext": Any}
"""Names that the settings' modules import for type checkers only."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


@cache
def build_model(settings: type[Any]) -> type[BaseModel]:
    """Return the model of a settings class; nested ones get models of their own."""
    module = vars(sys.modules[settings.__module__])
    hints = typing.get_type_hints(settings, localns={**_NAMES, **module})
    members: dict[str, Any] = {}
    for item in fields(settings):
        default = item.default
        if default is MISSING and item.default_factory is not MISSING:
            default = item.default_factory()
        annotation = _annotation(item.name, hints[item.name])
        members[item.name] = (
            (annotation, ...)
            if default is MISSING
            else (annotation, Field(default=default))
        )
    return create_model(settings.__name__, __base__=_Strict, **members)


@cache
def secret_names(settings: type[Any]) -> frozenset[str]:
    """Return the names of the settings whose values are never shown."""
    module = vars(sys.modules[settings.__module__])
    hints = typing.get_type_hints(settings, localns={**_NAMES, **module})
    names = {item.name for item in fields(settings) if not item.repr}
    for hint in hints.values():
        for inner in (hint, *get_args(hint)):
            if isinstance(inner, type) and is_dataclass(inner):
                names |= secret_names(inner)
    return frozenset(names)


def _annotation(name: str, hint: Any) -> Any:
    """Return a setting's type as the file may write it, within its bounds."""
    if hint is float:
        check = AfterValidator(partial(check_number, name))
        return Annotated[float, check, BeforeValidator(parse_duration)]
    if hint is int:
        parse = parse_size if name.endswith("_bytes") else refuse_bool
        check = AfterValidator(partial(check_count, name))
        return Annotated[int, check, BeforeValidator(parse)]
    if is_dataclass(hint) and isinstance(hint, type):
        return build_model(hint)
    arguments = get_args(hint)
    origin = get_origin(hint)
    if not arguments or origin is typing.Literal:
        return hint
    if origin in {typing.Union, types.UnionType}:
        return typing.Union[tuple(_annotation(name, a) for a in arguments)]  # noqa: UP007 - built at run time
    if origin is tuple:
        return tuple[tuple(_annotation(name, a) for a in arguments)]  # type: ignore[misc]
    return hint


def build_settings(settings: type[Any], model: object) -> Any:
    """Return the settings that a validated model holds."""
    hints = {item.name for item in fields(settings)}
    module = vars(sys.modules[settings.__module__])
    types_ = typing.get_type_hints(settings, localns={**_NAMES, **module})
    return settings(
        **{name: _value(getattr(model, name), types_[name]) for name in hints}
    )


def _value(value: Any, hint: Any) -> Any:
    if isinstance(value, BaseModel):
        return build_settings(_settings_class(hint), value)
    if isinstance(value, tuple):
        inner = get_args(hint)
        return tuple(_value(item, inner[0]) if inner else item for item in value)
    return value


def _settings_class(hint: Any) -> type[Any]:
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    return next(
        _settings_class(argument)
        for argument in get_args(hint)
        if argument is not type(None)
    )
