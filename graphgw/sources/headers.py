"""Which headers go on to a backend, and which belong to one connection only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.types import Headers

__all__ = ["is_forwardable", "select_headers"]

_NEVER_FORWARDED: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")


def is_forwardable(name: str) -> bool:
    """Tell whether a client's header of this name may go on to a backend.

    Headers of the connection (hop by hop) and of the body never may.
    See https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
    """
    lowered = name.lower()
    return lowered not in _NEVER_FORWARDED and _NAME.fullmatch(lowered) is not None


def select_headers(headers: Headers, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the headers of these lower-case names that are there.

    Values that could not stand in a message again (line breaks, control and
    non-Latin characters) are left out.
    """
    return [
        (name, value)
        for name in names
        if (value := headers.get(name)) is not None and _is_sendable(value)
    ]


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()
