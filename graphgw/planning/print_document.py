"""Print a fetch as the GraphQL document that a remote subgraph is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.federation.selection import print_selections, variables_in
from graphgw.operations.operation import VariableDefinition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.planning.plan import Fetch

__all__ = ["REPRESENTATIONS", "fetch_variables", "print_fetch_document"]

REPRESENTATIONS: Final = "representations"
"""The variable of an entity fetch that holds what is asked for."""


def fetch_variables(
    fetch: Fetch, variables: Sequence[VariableDefinition]
) -> tuple[VariableDefinition, ...]:
    """Return the declarations that a fetch uses, in the operation's order.

    Variables that are taken from ancestors come last.
    """
    used = set(variables_in(fetch.selections))
    declared = tuple(variable for variable in variables if variable.name in used)
    taken = {value.variable: value.type for value in fetch.contexts}
    return declared + tuple(VariableDefinition(name, taken[name]) for name in taken)


def print_fetch_document(
    fetch: Fetch,
    variables: Sequence[VariableDefinition],
    *,
    name: str | None = None,
    representations: str = REPRESENTATIONS,
) -> str:
    """Print the operation that answers a fetch.

    Args:
        fetch: The fetch to print.
        variables: The declarations of the whole operation; unused ones are left out.
            Defaults are not printed: values are sent with the defaults filled in.
        name: The operation's name, if it gets one.
        representations: The variable of an entity fetch's own; none of ``variables``
            may have its name.
    """
    declared = [
        f"${variable.name}: {variable.type}"
        for variable in fetch_variables(fetch, variables)
    ]
    if fetch.inputs:
        declared.insert(0, f"${representations}: [_Any!]!")
    head = fetch.kind + (f" {name}" if name else "")
    if declared:
        head += f"({', '.join(declared)})" if name else f" ({', '.join(declared)})"
    if not fetch.inputs:
        return f"{head} {{\n{print_selections(fetch.selections, 1)}\n}}"
    entities = f"  _entities(representations: ${representations}) {{"
    body = print_selections(fetch.selections, 2)
    return f"{head} {{\n{entities}\n{body}\n  }}\n}}"
