"""Cross-site request forgery: refuse what a foreign page made a browser send."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from graphgw.types import Headers

__all__ = ["is_forged"]

_PREFLIGHT_HEADERS = ("x-apollo-operation-name", "apollo-require-preflight")


def is_forged(headers: Headers, allowed_origins: Collection[str]) -> bool:
    """Tell whether a simple request came from a foreign page without preflight.

    Requests of programs other than browsers pass: they send neither
    ``Sec-Fetch-Site`` nor ``Origin``.
    """
    if headers.get("content-type", "").lower().startswith("application/json"):
        return False
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is None and origin is None:
        return False
    if any(name in headers for name in _PREFLIGHT_HEADERS):
        return False
    if site is not None and site not in {"same-origin", "none"}:
        return origin not in allowed_origins if origin else True
    return origin is not None and not _is_own(origin, headers, allowed_origins)


def _is_own(origin: str, headers: Headers, allowed: Collection[str]) -> bool:
    return origin in allowed or origin.partition("://")[2] == headers.get("host")
