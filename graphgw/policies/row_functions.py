"""Row rules in Python: what one reads of a row, and how it is asked."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.field_sets import parse_field_set

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphgw.context import RequestContext
    from graphgw.federation.selection import Selections
    from graphgw.policies.settings import RowFunction

__all__ = ["RowPolicyFunction", "import_row_policies", "row_policy"]


@dataclass(frozen=True, slots=True)
class RowPolicyFunction:
    """A function that decides for each row who may have it, and what it reads."""

    function: RowFunction
    reads: Selections = field(repr=False)

    async def __call__(
        self,
        context: RequestContext,
        rows: list[dict[str, Any]],
        arguments: dict[str, Any],
    ) -> list[bool]:
        """Decide for each row, in order."""
        return await self.function(context, rows, arguments)


def row_policy(reads: str) -> Callable[[RowFunction], RowPolicyFunction]:
    """Declare a function of ``@rowPolicy``.

    Args:
        reads: A field set; each row is a dict that has these fields, whether the
            client asked for them or not.

    Raises:
        ConfigurationError: ``reads`` is not a field set.

    Example::

        @row_policy(reads="status user { id }")
        async def is_visible(context, rows, arguments):
            me = context.principal.subject
            return [row["user"] == {"id": me} for row in rows]
    """
    selections = parse_field_set(reads)

    def declare(function: RowFunction) -> RowPolicyFunction:
        return RowPolicyFunction(function, selections)

    return declare


def import_row_policies(
    policies: Mapping[str, str | RowFunction], problems: list[Problem]
) -> dict[str, RowPolicyFunction]:
    """Return the functions; ``problems`` gets one entry for each that is missing."""
    found: dict[str, RowPolicyFunction] = {}
    for name, given in policies.items():
        try:
            value = _import(given) if isinstance(given, str) else given
        except (ImportError, AttributeError, ValueError, ConfigurationError) as error:
            problems.append(Problem(str(error), f"auth.row_policies.{name}"))
            continue
        if isinstance(value, RowPolicyFunction):
            found[name] = value
        else:
            problems.append(
                Problem(
                    "it does not say what it reads",
                    f"auth.row_policies.{name}",
                    'decorate it: @row_policy(reads="id")',
                )
            )
    return found


def _import(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
