"""The response keys that a fetch writes, with internal aliases undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.execution.shape import ResponsePath
    from graphgw.federation.selection import Selections
    from graphgw.planning.plan import Fetch

__all__ = ["composite_paths", "path_keys", "top_keys", "written_paths"]


def path_keys(fetch: Fetch) -> ResponsePath:
    """Return the keys on the way to a fetch's entities; empty for a root fetch."""
    return tuple(step.key for step in fetch.path)


def top_keys(fetch: Fetch) -> tuple[str, ...]:
    """Return what a fetch puts into the root object or into its entities."""
    paths = _paths(fetch.selections, (), _targets(fetch), only_top=True)
    return tuple(dict.fromkeys(path[0] for path, _ in paths))


def composite_paths(fetch: Fetch) -> frozenset[ResponsePath]:
    """Return the response paths of all objects that a fetch writes."""
    paths = _paths(fetch.selections, path_keys(fetch), _targets(fetch), only_top=False)
    return frozenset(path for path, is_composite in paths if is_composite)


def written_paths(fetch: Fetch) -> frozenset[ResponsePath]:
    """Return the response paths of all values that a fetch writes."""
    paths = _paths(fetch.selections, path_keys(fetch), _targets(fetch), only_top=False)
    return frozenset(path for path, _ in paths)


def _targets(fetch: Fetch) -> dict[str, str]:
    return {rename.source: rename.target for rename in fetch.renames}


def _paths(
    selections: Selections,
    lead: ResponsePath,
    targets: dict[str, str],
    *,
    only_top: bool,
) -> Iterator[tuple[ResponsePath, bool]]:
    for selection in selections:
        if not isinstance(selection, Field):
            yield from _paths(selection.selections, lead, targets, only_top=only_top)
            continue
        key = selection.response_key
        path = (*lead, targets.get(key, key))
        yield path, bool(selection.selections)
        if not only_top:
            yield from _paths(selection.selections, path, targets, only_top=False)
