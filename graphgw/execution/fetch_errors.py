"""Turn what went wrong in a fetch into errors of the client's answer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from graphgw.execution.fetch_keys import path_keys, top_keys
from graphgw.execution.representations import find_paths
from graphgw.execution.shape import INTERNAL_PREFIX
from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from graphgw.execution.representations import Entities
    from graphgw.execution.shape import ResponsePath
    from graphgw.federation.selection import Selections
    from graphgw.planning.plan import Fetch, PathStep
    from graphgw.subgraphs.protocol import FetchError, ResponseKeyPath
    from graphgw.types import JSONObject

__all__ = ["AnswerKeys", "FetchErrorMap", "answer_keys", "build_error_map"]

_MAX_ERRORS: Final = 1000

AnswerKeys: TypeAlias = "Mapping[str, AnswerKeys]"
"""The client's response keys, nested as in the answer, for all runtime types."""


@dataclass(frozen=True, slots=True)
class FetchErrorMap:
    """Where the errors of one fetch stand in the client's answer.

    ``places`` are the paths of an error that concerns the whole fetch: each top
    field of the answer that it spoils, or the first list on the way there.
    """

    fetch: Fetch
    subgraph: str
    keys: AnswerKeys
    places: tuple[ResponsePath, ...]

    def whole(self, message: str, code: str) -> list[JSONObject]:
        """Return the errors of a fetch that failed as a whole."""
        return [
            self._entry(message, place, {"code": code}) for place in self.places
        ] or [self._entry(message, (), {"code": code})]

    def entries(
        self,
        errors: Iterable[FetchError],
        tree: JSONObject,
        entities: Entities | None,
        *,
        has_data: bool,
    ) -> list[JSONObject]:
        """Return the errors that an answer holds, at every path they concern.

        The first thousand of them: one error of an entity may concern many places.

        Args:
            errors: As the subgraph gave them.
            tree: The response tree, to find where an entity stands.
            entities: What was asked for; ``None`` for a root fetch.
            has_data: Whether the answer has data; if not, an error without path
                concerns the whole fetch.
        """
        places = _EntityPlaces(tree, self.fetch.path, entities) if entities else None
        found = (
            self._entry(error.message, path, {**error.extensions, "code": error.code})
            for error in errors
            for path in self._paths(error, places, has_data=has_data)
        )
        return list(islice(found, _MAX_ERRORS))

    def _paths(
        self, error: FetchError, places: _EntityPlaces | None, *, has_data: bool
    ) -> Iterator[ResponseKeyPath]:
        if not error.path:
            yield from (self.places if not has_data and self.places else ((),))
        elif places is None:
            yield self._visible(self._renamed(error.path))
        else:
            index, *rest = error.path
            inner = self._renamed(tuple(rest))
            found = places.of(index) or [_keys_to_list(self.fetch.path)]
            yield from (self._visible((*place, *inner)) for place in found)

    def _renamed(self, path: ResponseKeyPath) -> ResponseKeyPath:
        """Undo internal aliases in a path from the fetch's answer."""
        for rename in self.fetch.renames:
            lead = [step.key for step in rename.path]
            at = [index for index, key in enumerate(path) if isinstance(key, str)]
            keys = [path[index] for index in at]
            size = len(lead)
            if keys[:size] == lead and keys[size : size + 1] == [rename.source]:
                end = at[size]
                path = (*path[:end], rename.target, *path[end + 1 :])
        return path

    def _visible(self, path: ResponseKeyPath) -> ResponseKeyPath:
        """Cut a path before the first key that the client did not ask for."""
        keys: AnswerKeys | None = self.keys
        for index, key in enumerate(path):
            if isinstance(key, int):
                continue
            if keys is None or key not in keys:
                return path[:index]
            keys = keys[key]
        return path

    def _entry(
        self, message: str, path: ResponseKeyPath, extensions: JSONObject
    ) -> JSONObject:
        extensions = {**extensions, "subgraph": self.subgraph}
        if not path:
            return {"message": message, "extensions": extensions}
        return {"message": message, "path": list(path), "extensions": extensions}


class _EntityPlaces:
    """Finds the response paths of a representation, when first asked."""

    def __init__(
        self, tree: JSONObject, steps: Sequence[PathStep], entities: Entities
    ) -> None:
        self._tree = tree
        self._steps = steps
        self._entities = entities
        self._places: dict[int, list[ResponseKeyPath]] | None = None

    def of(self, position: str | int) -> list[ResponseKeyPath]:
        if self._places is None:
            self._places = {}
            paths = find_paths(self._tree, self._steps)
            entities = self._entities
            pairs = zip(entities.targets, entities.positions, strict=True)
            seen: set[int] = set()
            for target, at in pairs:
                if id(target) not in seen:
                    seen.add(id(target))
                    self._places.setdefault(at, []).extend(paths.get(id(target), ()))
        return self._places.get(position, []) if isinstance(position, int) else []


def answer_keys(selections: Selections) -> AnswerKeys:
    """Return the response keys that a client asked for, without the gateway's own."""
    keys: dict[str, AnswerKeys] = {}
    _add_keys(selections, keys)
    return keys


def build_error_map(fetch: Fetch, subgraph: str, keys: AnswerKeys) -> FetchErrorMap:
    """Return the error map of one fetch in an operation with these keys."""
    lead = path_keys(fetch)
    here: AnswerKeys | None = keys
    for key in lead:
        here = None if here is None else here.get(key)
    if any(step.list_depth for step in fetch.path):
        places: tuple[ResponsePath, ...] = (_keys_to_list(fetch.path),)
    else:
        tops = top_keys(fetch)
        places = tuple((*lead, key) for key in tops if here is not None and key in here)
        if not places and lead:
            places = (lead,)
    return FetchErrorMap(fetch, subgraph, keys, places)


def _keys_to_list(steps: Sequence[PathStep]) -> ResponsePath:
    keys: list[str] = []
    for step in steps:
        keys.append(step.key)
        if step.list_depth:
            break
    return tuple(keys)


def _add_keys(selections: Selections, keys: dict[str, AnswerKeys]) -> None:
    for selection in selections:
        if not isinstance(selection, Field):
            _add_keys(selection.selections, keys)
            continue
        key = selection.response_key
        if not key.startswith(INTERNAL_PREFIX):
            nested = keys.setdefault(key, {})
            _add_keys(selection.selections, nested)  # type: ignore[arg-type]  # our own dict
