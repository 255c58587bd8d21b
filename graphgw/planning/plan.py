"""The query plan: fetches and what each waits for.

A plan is a graph of fetches in a fixed, topological order; the tree of Sequence and
Parallel nodes that people read is derived from it by the printer. Plans hold no
run-time state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import OperationKind

__all__ = ["ContextValue", "EntityInput", "Fetch", "PathStep", "QueryPlan", "Rename"]


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of a response path: read ``key``, walk into ``list_depth`` lists.

    Where ``types`` is not empty, only objects whose ``__typename`` is one of them
    are walked through; the others end there.
    """

    key: str
    list_depth: int = 0
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityInput:
    """How the representation of one kind of object is built.

    Applies to objects whose ``__typename`` in the response tree is in ``types``.
    Where the object's type at the path is concrete, or is an interface that is
    entered as a whole, ``__typename`` may be missing from the tree; ``inputs`` then
    has exactly one entry, and it applies to every object.

    ``typename`` is what the subgraph is told: the type's own name, or that of an
    interface or interface object. In ``selections`` a field's alias is the response
    key that the value is read from; it is sent under the field's name. A ``Fragment``
    applies to objects whose ``__typename`` is possible for its type; ``__typename``
    itself is selected only inside nested abstract objects.
    """

    types: tuple[str, ...]
    typename: str
    selections: Selections


@dataclass(frozen=True, slots=True)
class ContextValue:
    """A variable that an entity fetch takes from an object above each entity.

    The object is the one that the first ``level`` steps of the fetch's path lead to
    (0: the root). Its value is the leaf in ``selections``, whose alias is the response
    key that it is read from, inside fragments where it depends on the object's type
    and inside fields where it lies deeper. Entities whose values differ cannot share a
    request: the fetch runs once for each distinct combination.
    """

    variable: str
    type: str
    level: int
    selections: Selections


@dataclass(frozen=True, slots=True)
class Rename:
    """Undo an internal alias in a fetch's answer, before it is merged.

    ``path`` leads from the fetch's answer (each entity, for entity fetches) to the
    objects that may hold ``source``; where one does, the value moves to ``target``.
    ``types`` limits it to objects of these runtime types, where not empty (the planner
    leaves it empty: an alias stands for one key). Renames are applied in order, and
    paths name the keys as the renames before have left them.
    """

    path: tuple[PathStep, ...]
    source: str
    target: str
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request to one subgraph; with ``inputs`` it is an entity fetch.

    Without ``inputs`` it is a root fetch. With a ``path`` it is one of the query type
    as it stands there (``mutation { add { query { ... } } }``): the answer is merged
    into every object at the path, and nothing is asked where there is none.

    ``graph`` is the ``join__Graph`` id. For an entity fetch ``selections`` are
    fragments on the types that ``inputs`` tell the subgraph, and ``path`` leads to
    the objects that are its entities. ``after`` names the fetches that must be
    merged before this one starts, all of them earlier in the plan; what those wait
    for themselves is left out. A mutation's fetch may hold several root fields, to be
    run in order.

    ``selections`` keep the client's order and response keys; what only keys and
    requirements need comes last, under the field's own name or, where the client uses
    that name for something else, under an internal alias that starts with ``__gw_``.
    ``__typename`` is selected on abstract types, unless only an interface object
    serves them and nobody asked.
    """

    id: int
    graph: str
    kind: OperationKind
    selections: Selections
    path: tuple[PathStep, ...] = ()
    inputs: tuple[EntityInput, ...] = ()
    after: tuple[int, ...] = ()
    renames: tuple[Rename, ...] = ()
    contexts: tuple[ContextValue, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The fetches that answer one operation, in an order that respects ``after``."""

    kind: OperationKind
    fetches: tuple[Fetch, ...]
