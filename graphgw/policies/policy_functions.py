"""The Python functions of ``@policy``, found by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from graphgw.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.policies.settings import PolicyFunction

__all__ = ["import_policies"]


def import_policies(
    policies: Mapping[str, str | PolicyFunction], problems: list[Problem]
) -> dict[str, PolicyFunction]:
    """Return the functions; ``problems`` gets one entry for each that is missing."""
    found: dict[str, PolicyFunction] = {}
    for name, given in policies.items():
        if not isinstance(given, str):
            found[name] = given
            continue
        module, _, attribute = given.partition(":")
        try:
            function = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            problems.append(Problem(str(error), f"auth.policies.{name}"))
            continue
        found[name] = cast("PolicyFunction", function)
    return found
