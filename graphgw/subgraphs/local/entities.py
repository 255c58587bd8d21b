"""Load the rows of entities by the keys in their representations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.local.columns import group, scatter, together
from graphgw.subgraphs.local.values import load_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.context import RequestContext
    from graphgw.subgraphs.local.program import EntityProgram, KeyRead
    from graphgw.types import JSONObject

__all__ = ["load_entities"]


async def load_entities(
    context: RequestContext,
    program: EntityProgram,
    representations: Sequence[JSONObject],
) -> list[Any]:
    """Return each representation's row: ``None`` where nothing has the key.

    Each is loaded by the first of the program's keys that it has in full; an exception
    stands where it has none, or where loading failed.
    """
    if len(program.keys) == 1 and len(program.keys[0].paths) == 1:
        key = program.keys[0]
        (path,) = key.paths
        if len(path) == 1:
            keys = [r.get(path[0]) for r in representations]
        else:
            keys = [_value(path, r) for r in representations]
        if None not in keys:
            return await load_rows(context, key, keys, {})
    chosen = [_choose(program.keys, r) for r in representations]
    groups = [(key, indexes) for key, indexes in group(chosen) if key is not None]
    work = [
        load_rows(
            context,
            key,
            [_key(key, representations[index]) for index in indexes],
            {},
        )
        for key, indexes in groups
    ]
    done = await together(work)
    if len(groups) == 1 and len(groups[0][1]) == len(chosen):
        return done[0]
    keyless = SourceBadAnswerError(
        f"a representation of '{program.type_name}' has no key"
    )
    return scatter([i for _, i in groups], done, [keyless] * len(chosen))


def _choose(keys: tuple[KeyRead, ...], representation: JSONObject) -> KeyRead | None:
    for key in keys:
        if all(_value(path, representation) is not None for path in key.paths):
            return key
    return None


def _key(key: KeyRead, representation: JSONObject) -> Any:
    if len(key.paths) == 1:
        return _value(key.paths[0], representation)
    return tuple(_value(path, representation) for path in key.paths)


def _value(path: tuple[str, ...], representation: Any) -> Any:
    """Return a part of a key; ``None`` where the representation lacks it."""
    for name in path:
        if not isinstance(representation, dict):
            return None
        representation = representation.get(name)
    return representation
