"""A remote subgraph's entities between requests: kept by representation and selection.

Only what the entity cache lacks is asked for. What the subgraph says itself of its
answer's age counts too; the stricter wins.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import SourceError
from graphgw.federation.key_names import key_name_sets
from graphgw.subgraphs.cache_rules import CacheRule
from graphgw.subgraphs.entity_cache import AgedRow
from graphgw.subgraphs.loaders import Loader
from graphgw.subgraphs.protocol import FetchError, FetchResult
from graphgw.subgraphs.told_ages import read_max_age

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from graphgw.context import RequestContext
    from graphgw.federation.supergraph import Supergraph
    from graphgw.subgraphs.loaders import RowCache
    from graphgw.types import JSON, JSONObject

__all__ = ["KeptEntities", "find_remote_rule", "find_remote_rules"]

_KEY_NAME: Final = re.compile(r"\$key\.(\w+)")
_SORTED: Final = orjson.OPT_SORT_KEYS


class _FaultyEntityError(Exception):
    """An entity that came with errors; it is never kept."""

    def __init__(self, entity: JSON, errors: list[FetchError]) -> None:
        super().__init__("an entity has errors")
        self.entity = entity
        self.errors = errors


def find_remote_rules(supergraph: Supergraph, graph: str) -> dict[str, CacheRule]:
    """Return what may be kept of a subgraph's entities, by their type.

    Where it says so several times, the strictest counts. What has a row rule is
    private.
    """
    found = {}
    for name, definition in supergraph.types.items():
        rule = find_remote_rule(supergraph, graph, name)
        if rule is None or graph not in definition.graphs:
            continue
        key_sets = tuple(key_name_sets(definition))
        names = dict.fromkeys(n for text in rule.tags for n in _KEY_NAME.findall(text))
        names |= dict.fromkeys(n for own in key_sets for n in own)
        row_keys = tuple(tuple((part, (part,)) for part in own) for own in key_sets)
        found[name] = replace(
            rule,
            key_names=("", *names),
            key_sets=key_sets,
            row_keys=row_keys if len(row_keys) > 1 else (),
        )
    return found


def find_remote_rule(
    supergraph: Supergraph, graph: str, coordinate: str
) -> CacheRule | None:
    """Return what a subgraph says may be kept, ``None`` if nothing is.

    Where it says so several times, the strictest counts. What has a row rule is
    private.
    """
    applied = supergraph.rules.get(coordinate, ())
    rules = [r for r in applied if r.graph in {graph, None}]
    given = [r.arguments for r in rules if r.name == "cacheControl"]
    ages = [a["maxAge"] for a in given if isinstance(a.get("maxAge"), int)]
    if not ages or min(ages) <= 0:
        return None
    scopes = {a.get("scope") for a in given} - {None}
    is_ruled = any(r.name in {"owner", "rowPolicy"} for r in rules)
    is_private = is_ruled or "PRIVATE" in scopes
    return CacheRule(
        coordinate=coordinate,
        max_age=float(min(ages)),
        is_private=True if is_private else False if scopes else None,
        swr=_least(given, "swr"),
        stale_if_error=_least(given, "staleIfError"),
        tags=tuple(
            str(r.arguments.get("format")) for r in rules if r.name == "cacheTag"
        ),
        vary=tuple(sorted({v.lower() for a in given for v in a.get("vary") or ()})),
    )


class KeptEntities:
    """One fetch's entities, through the entity cache."""

    __slots__ = ("_loader", "_private_loader", "_rule")

    def __init__(self, rule: CacheRule, subgraph: str, document: str) -> None:
        digest = hashlib.blake2b(document.encode(), digest_size=16).hexdigest()
        name = f"{subgraph}:{digest}"
        self._rule = rule
        self._loader: Loader[..., Any] = Loader(_load_nothing, name, is_shared=True)
        self._private_loader: Loader[..., Any] = Loader(_load_nothing, name)

    async def run(
        self,
        cache: RowCache,
        representations: Sequence[JSONObject],
        fetch: Callable[[list[JSONObject]], Awaitable[FetchResult]],
        *,
        context: RequestContext,
        arguments: JSONObject,
        tells_caller: bool,
    ) -> FetchResult:
        """Return the entities, asking ``fetch`` for those that are not there.

        Args:
            cache: Keeps them.
            representations: Distinct ones.
            fetch: Asks the subgraph.
            context: The request's.
            arguments: All else that the answer depends on.
            tells_caller: Whether the subgraph is told who asks.

        Raises:
            SourceError: Nothing is there, and the subgraph failed.
        """
        names = self._rule.key_names[1:]
        by_key: dict[Any, JSONObject] = {}
        for representation in representations:
            text = orjson.dumps(representation, option=_SORTED).decode()
            by_key[text, *(representation.get(name) for name in names)] = representation
        headers: list[tuple[str, str]] = []

        async def load(keys: list[Any]) -> list[Any]:
            try:
                result = await fetch([by_key[key] for key in keys])
            except SourceError as error:
                return [error] * len(keys)
            headers.extend(result.headers)
            return self._rows(result, len(keys), tells_caller=tells_caller)

        rows = await cache.load(
            self._rule,
            list(by_key),
            load,
            context=context,
            loader=self._private_loader if tells_caller else self._loader,
            arguments=arguments,
        )
        return replace(_join(rows), headers=tuple(headers))

    def _rows(
        self, result: FetchResult, count: int, *, tells_caller: bool
    ) -> list[Any]:
        """Return a row for each entity: its text, or what went wrong with it."""
        rule = self._rule
        is_private = tells_caller if rule.is_private is None else rule.is_private
        limit = read_max_age(result.cache_control, is_private=is_private)
        by_index: dict[int, list[FetchError]] = {}
        for error in result.errors:
            if error.path and isinstance(error.path[0], int):
                by_index.setdefault(error.path[0], []).append(error)
            else:
                by_index.setdefault(0, []).append(error)
        data = result.data or [None] * count
        is_partial = any(not error.path for error in result.errors)
        rows: list[Any] = []
        for index, entity in enumerate(data):
            errors = by_index.get(index, [])
            if errors or is_partial or result.data is None:
                rows.append(_FaultyEntityError(entity, errors))
                continue
            # Others may be given the same row, and each changes its own.
            text = None if entity is None else orjson.dumps(entity).decode()
            rows.append(text if limit is None else AgedRow(text, limit))
        return rows


def _join(rows: list[Any]) -> FetchResult:
    """Return the entities and their errors.

    Raises:
        SourceError: Every one of them failed alike.
    """
    data: list[JSON] = []
    errors: list[FetchError] = []
    failures = [row for row in rows if isinstance(row, SourceError)]
    if rows and len(failures) == len(rows):
        raise failures[0]
    for index, row in enumerate(rows):
        if isinstance(row, _FaultyEntityError):
            data.append(_copy(row.entity))
            errors += (
                replace(e, path=(index, *e.path[1:])) if e.path else e
                for e in row.errors
            )
        elif isinstance(row, SourceError):
            data.append(None)
            errors.append(FetchError(row.message, (index,), row.code))
        elif isinstance(row, Exception):
            raise row
        else:
            data.append(None if row is None else orjson.loads(row))
    has_data = not errors or any(entity is not None for entity in data)
    return FetchResult(data if has_data else None, tuple(errors), is_vouched=False)


def _copy(entity: JSON) -> JSON:
    return None if entity is None else orjson.loads(orjson.dumps(entity))


def _least(given: list[Any], name: str) -> float:
    values = [a.get(name) for a in given]
    numbers = [value for value in values if isinstance(value, int)]
    return float(min(numbers)) if len(numbers) == len(values) else 0.0


async def _load_nothing(keys: list[Any], _context: RequestContext) -> list[Any]:
    return [None] * len(keys)
