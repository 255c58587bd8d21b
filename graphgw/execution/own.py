"""Give a request objects of its own, of an answer that others have been given, too.

The tree is changed in place, but mostly not everywhere: where no other fetch of the
plan writes, objects go into the client's answer as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import orjson

from graphgw.execution.fetch_keys import path_keys
from graphgw.types import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.execution.shape import ResponsePath
    from graphgw.planning.plan import Fetch, QueryPlan

__all__ = ["Copier", "build_copier", "copy_all"]

Copier: TypeAlias = Callable[[JSON], JSON]


def copy_all(value: JSON) -> JSON:
    """Copy a value with everything in it."""
    return orjson.loads(orjson.dumps(value))


def build_copier(plan: QueryPlan, fetch: Fetch) -> Copier:
    """Return what copies the objects of a fetch's answer that others write to.

    It copies all that leads there, too. The answer's own top objects are laid over
    those in the tree, and never changed.
    """
    lead = path_keys(fetch)
    paths = [path_keys(other) for other in plan.fetches]
    below = {
        path[len(lead) :]
        for path in paths
        if len(path) > len(lead) and path[: len(lead)] == lead
    }
    return _copy_along(below) if below else _keep


def _keep(value: JSON) -> JSON:
    return value


def _copy_along(paths: Iterable[ResponsePath]) -> Copier:
    """Return what copies objects, and those in them along the paths."""
    rests: dict[str, set[ResponsePath]] = {}
    for path in paths:
        if path:
            rests.setdefault(path[0], set()).add(path[1:])
    inner = [(key, _copy_along(found)) for key, found in rests.items()]

    def copy(value: JSON) -> JSON:
        if value.__class__ is list:
            return [copy(item) for item in value]
        if value.__class__ is not dict:
            return value
        copied = value.copy()
        for key, copy_inner in inner:
            if key in copied:
                copied[key] = copy_inner(copied[key])
        return copied

    return copy
