"""The names of the fields that identify the objects of a type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from graphgw.federation.supergraph import TypeDefinition

__all__ = ["key_name_sets"]


def key_name_sets(definition: TypeDefinition) -> list[tuple[str, ...]]:
    """Return the sorted names in each of a type's keys, in any subgraph.

    Keys with fields of objects in them are left out: they have no flat names.
    """
    found: dict[tuple[str, ...], None] = {}
    for in_graph in definition.graphs.values():
        for key in in_graph.keys:
            names = [s.name for s in key.fields if isinstance(s, Field)]
            if not any(isinstance(s, Field) and s.selections for s in key.fields):
                found[tuple(sorted(names))] = None
    return list(found)
