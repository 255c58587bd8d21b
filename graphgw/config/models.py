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
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from graphgw.config.units import parse_duration, parse_size

__all__ = ["build_model", "build_settings"]

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


def _annotation(name: str, hint: Any) -> Any:
    if hint is float:
        return Annotated[float, BeforeValidator(parse_duration)]
    if hint is int and name.endswith("_bytes"):
        return Annotated[int, BeforeValidator(parse_size)]
    return _substitute(hint)


def _substitute(hint: Any) -> Any:
    """Put models in the place of settings classes."""
    if is_dataclass(hint) and isinstance(hint, type):
        return build_model(hint)
    arguments = get_args(hint)
    origin = get_origin(hint)
    if not arguments or origin is typing.Literal:
        return hint
    if origin in {typing.Union, types.UnionType}:
        return typing.Union[tuple(_substitute(a) for a in arguments)]  # noqa: UP007 - built at run time
    if origin is tuple:
        return tuple[tuple(_substitute(a) for a in arguments)]  # type: ignore[misc]
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
