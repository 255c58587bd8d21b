"""Key field sets such as ``sku organization { id }``, as paths to their leaves."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, parse

if TYPE_CHECKING:
    from graphql import SelectionSetNode

__all__ = ["key_paths"]


@lru_cache(maxsize=1024)
def key_paths(fields: str) -> tuple[tuple[str, ...], ...]:
    """Return the path of each leaf of a field set, in order.

    Raises:
        ValueError: The text is no field set.
    """
    try:
        document = parse(f"{{ {fields} }}", no_location=True)
    except GraphQLError as error:
        raise ValueError(f'"{fields}" is no field set') from error
    return tuple(
        path
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for path in _paths(definition.selection_set)
    )


def _paths(selection_set: SelectionSetNode) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    fields = (s for s in selection_set.selections if isinstance(s, FieldNode))
    for selection in fields:
        name = selection.name.value
        if selection.selection_set is None:
            found.append((name,))
        else:
            found += [(name, *path) for path in _paths(selection.selection_set)]
    return found
