"""Arguments filled from an ancestor (``@fromContext``): where the value is read.

The value is selected on the nearest object further up in the response whose type sets
the context. A field with such an argument gets an entity fetch, which is run once for
each distinct value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graphgw.federation.field_sets import parse_field_set

if TYPE_CHECKING:
    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import ContextArgument
    from graphgw.planning.paths import Path, Place, Shape, Slot
    from graphgw.planning.query_graph import QueryGraph

__all__ = ["Context", "ContextSelections", "context_place", "level_of"]


class Context(NamedTuple):
    """One argument of a jump's field, and the goals that its value is read from."""

    argument: ContextArgument
    place: Place
    shape: Shape


class ContextSelections:
    """The selections of contexts, parsed once."""

    def __init__(self) -> None:
        self._parsed: dict[str, Selections] = {}

    def of(self, argument: ContextArgument) -> Selections:
        """Return what is selected on the object that sets the context."""
        text = argument.selection
        found = self._parsed.get(text)
        if found is None:
            found = self._parsed[text] = parse_field_set(text)
        return found


def context_place(
    graph: QueryGraph, path: Path, argument: ContextArgument
) -> Place | None:
    """Return the nearest place above a jump whose type sets the context."""
    current = path.place.slot.parent
    while current is not None:
        for name in (current.type_name, current.slot.type_name):
            contexts = graph.supergraph.types[name].contexts
            if argument.context in contexts.get(path.node.graph_id, ()):
                return current
        current = current.slot.parent
    return None


def level_of(slot: Slot) -> int:
    """Return how many steps of the response path lead to a slot."""
    level = 0
    while slot.parent is not None:
        level += 1
        slot = slot.parent.slot
    return level
