"""Request targets: path templates and query strings, with their values encoded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote

from graphgw.errors import InternalError

__all__ = ["Params", "build_query", "expand_template"]

Params: TypeAlias = Mapping[str, object]
"""Query parameters or template values; ``None`` is left out, sequences repeat."""

_is_plain: Final = re.compile(r"[A-Za-z0-9_.~,:-]*").fullmatch
_is_plain_pair: Final = re.compile(r"[A-Za-z0-9_.~,:-]*=[A-Za-z0-9_.~,:-]*").fullmatch
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def build_query(params: Params) -> str:
    """Return ``a=1&b=2``, commas and colons left readable."""
    query = ""
    for name, value in params.items():
        if isinstance(value, str):
            pair = f"{name}={value}"
            if not _is_plain_pair(pair):
                pair = f"{_quote(name)}={_quote(value)}"
        elif value is None:
            continue
        elif isinstance(value, Sequence) and not isinstance(value, bytes):
            pair = "&".join([f"{_quote(name)}={_quote(_to_text(v))}" for v in value])
            if not pair:
                continue
        else:
            pair = f"{_quote(name)}={_quote(_to_text(value))}"
        query = f"{query}&{pair}" if query else pair
    return query


def expand_template(template: str, values: Mapping[str, object]) -> str:
    """Put percent-encoded values in the place of ``{name}``.

    A value is one path segment or one query value: a slash in it is encoded, and
    it cannot climb with ``..``.

    Raises:
        InternalError: A value is missing.
    """
    parts = _split_template(template)
    filled = [parts[0]]
    for at in range(1, len(parts), 2):
        name = parts[at]
        if name not in values:
            raise InternalError(f'the path "{template}" has no value for "{name}"')
        text = _to_text(values[name])
        is_climb = text in {".", ".."}
        filled.append(text.replace(".", "%2E") if is_climb else _quote(text))
        filled.append(parts[at + 1])
    return "".join(filled)


@lru_cache(maxsize=1000)
def _split_template(template: str) -> list[str]:
    """Return what stands between the names, and the names, in turn."""
    return _PLACEHOLDER.split(template)


def _to_text(value: object) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def _quote(text: str) -> str:
    return text if _is_plain(text) else quote(text, safe=",:")
