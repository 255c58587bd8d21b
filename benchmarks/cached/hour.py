"""How long everything is kept."""

from __future__ import annotations

from typing import Final

from graphgw.directives import CacheControl, CacheScope

__all__ = ["HOUR"]

HOUR: Final = CacheControl(max_age=3600, scope=CacheScope.PUBLIC)
