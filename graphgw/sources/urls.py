"""Request targets: path templates and query strings, with their values encoded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote

from graphgw.errors import InternalError

if TYPE_CHECKING:
    from re import Match

__all__ = ["Params", "build_query", "expand_template"]

Params: TypeAlias = Mapping[str, object]
"""Query parameters or template values; ``None`` is left out, sequences repeat."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~,:-]*")
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def build_query(params: Params) -> str:
    """Return ``a=1&b=2``, commas and colons left readable."""
    pairs: list[str] = []
    for name, value in params.items():
        if isinstance(value, str):
            pairs.append(f"{_quote(name)}={_quote(value)}")
        elif isinstance(value, Sequence) and not isinstance(value, bytes):
            pairs.extend(f"{_quote(name)}={_quote(_to_text(item))}" for item in value)
        elif value is not None:
            pairs.append(f"{_quote(name)}={_quote(_to_text(value))}")
    return "&".join(pairs)


def expand_template(template: str, values: Mapping[str, object]) -> str:
    """Put percent-encoded values in the place of ``{name}``.

    A value is one path segment or one query value: a slash in it is encoded, and
    it cannot climb with ``..``.

    Raises:
        InternalError: A value is missing.
    """

    def fill_in(match: Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise InternalError(f'the path "{template}" has no value for "{name}"')
        text = _to_text(values[name])
        if text in {".", ".."}:
            return text.replace(".", "%2E")
        return _quote(text)

    return _PLACEHOLDER.sub(fill_in, template)


def _to_text(value: object) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def _quote(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe=",:")
