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
    ``Sec-Fetch-Site`` nor ``Origin``. JSON passes too: a foreign page cannot send it
    unless a preflight request allowed it.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is None and origin is None:
        return False
    content_type = headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        return False
    if any(name in headers for name in _PREFLIGHT_HEADERS):
        return False
    if origin is not None and ("*" in allowed_origins or origin in allowed_origins):
        return False
    if site is not None and site not in {"same-origin", "none"}:
        return True
    return origin is not None and origin.partition("://")[2] != headers.get("host")
