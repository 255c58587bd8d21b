"""How long everything is kept."""

from __future__ import annotations

from typing import Final

from graphgw.directives import CacheControl, CacheScope

__all__ = ["AS_LONG", "HOUR"]

HOUR: Final = CacheControl(max_age=3600, scope=CacheScope.PUBLIC)

AS_LONG: Final = CacheControl(inherit_max_age=True)
"""For what is no older than what it stands in."""
