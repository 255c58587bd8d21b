"""A remote subgraph's root fields between requests: kept by coordinate and arguments.

Of a fetch all root fields that may be kept are one row. Where it is there, only the
others are asked for; where it is not, one request asks for all of them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import SourceError
from graphgw.federation.selection import Field, print_selections
from graphgw.operations.schema_lookup import field_definition
from graphgw.policies.arguments import argument_readers, read_arguments
from graphgw.subgraphs.cache_rules import CacheRule
from graphgw.subgraphs.entity_cache import AgedRow
from graphgw.subgraphs.loaders import Loader, cache_of
from graphgw.subgraphs.protocol import FetchError, FetchResult
from graphgw.subgraphs.remote.kept_entities import find_remote_rule
from graphgw.subgraphs.told_ages import read_max_age

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import GraphQLSchema

    from graphgw.context import RequestContext
    from graphgw.federation.selection import Selection, Selections
    from graphgw.federation.supergraph import Supergraph
    from graphgw.planning.plan import Fetch
    from graphgw.policies.arguments import ArgumentReader
    from graphgw.subgraphs.protocol import PreparedFetch
    from graphgw.subgraphs.remote.subgraph import RemoteSubgraph
    from graphgw.types import JSON, JSONObject

__all__ = ["KeptRootFetch", "KeptRoots", "find_kept_roots", "find_root_rules"]

_ARGUMENT: Final = re.compile(r"\$args\.(\w+(?:\.\w+)*)")


def find_root_rules(supergraph: Supergraph, graph: str) -> dict[str, CacheRule]:
    """Return what may be kept of a subgraph's query fields, by their names."""
    root = supergraph.root_types.get("query", "")
    definition = supergraph.types.get(root)
    found = {}
    for name, field in () if definition is None else definition.fields.items():
        if graph in field.graphs:
            rule = find_remote_rule(supergraph, graph, f"{root}.{name}")
            if rule is not None:
                found[name] = rule
    return found


def find_kept_roots(
    fetch: Fetch, rules: Mapping[str, CacheRule], schema: GraphQLSchema | None
) -> KeptRoots | None:
    """Return the root fields of a fetch that may be kept, ``None`` if none may.

    Args:
        fetch: Any fetch.
        rules: What may be kept, by the names of query fields.
        schema: Knows the arguments of these fields.
    """
    query = None if schema is None else schema.query_type
    if fetch.kind != "query" or fetch.inputs or schema is None or query is None:
        return None
    kept: list[Field] = []
    rest: list[Selection] = []
    for selection in fetch.selections:
        is_kept = isinstance(selection, Field) and selection.name in rules
        (kept if is_kept else rest).append(selection)  # type: ignore[arg-type]  # fields
    if not kept:
        return None
    own = [rules[field.name] for field in kept]
    scopes = {rule.is_private for rule in own}
    tags, places = _join_tags(own)
    return KeptRoots(
        CacheRule(
            coordinate=own[0].coordinate,
            max_age=min(rule.max_age for rule in own),
            is_private=True if True in scopes else None if None in scopes else False,
            swr=min(rule.swr for rule in own),
            stale_if_error=min(rule.stale_if_error for rule in own),
            tags=tags,
            vary=tuple(sorted({name for rule in own for name in rule.vary})),
            key_names=("", *places),
            key_sets=((),),
        ),
        tuple(kept),
        tuple(rest),
        tuple(
            argument_readers(field, field_definition(schema, query, field.name))
            for field in kept
        ),
        tuple(places.values()),
    )


def _join_tags(
    rules: Sequence[CacheRule],
) -> tuple[tuple[str, ...], dict[str, tuple[int, str]]]:
    """Return the tags of several fields, and where the values in them come from.

    They are found in the key, under names that say whose argument each is.
    """
    tags: dict[str, None] = {}
    places: dict[str, tuple[int, str]] = {}
    for number, rule in enumerate(rules):
        tags[rule.coordinate] = None

        def place(found: re.Match[str], number: int = number) -> str:
            name = f"{number}_{found[1].replace('.', '_')}"
            places[name] = (number, found[1])
            return f"$key.{name}"

        tags.update((_ARGUMENT.sub(place, text), None) for text in rule.tags)
    return tuple(tags), places


@dataclass(frozen=True, slots=True)
class KeptRoots:
    """The root fields of one fetch that may be kept, and what is beside them."""

    rule: CacheRule
    fields: tuple[Field, ...]
    rest: Selections
    readers: tuple[tuple[ArgumentReader, ...], ...]
    """Those of each field's arguments."""
    places: tuple[tuple[int, str], ...]
    """The arguments that tags name, each by its field and its path."""

    def key(self, variables: JSONObject) -> tuple[Any, ...]:
        """Return the values that the tags name."""
        arguments = [read_arguments(readers, variables) for readers in self.readers]
        return ("", *(_value(arguments[n], path) for n, path in self.places))


class KeptRootFetch:
    """A root fetch some of whose fields are kept from one request to the next.

    Args:
        kept: The fields.
        whole: The fetch.
        rest: What is asked for where the fields are there; ``None`` for nothing.
        subgraph: Says which headers are sent.
        variables: The names of those that the fields use.
    """

    __slots__ = (
        "_kept",
        "_keys",
        "_loader",
        "_private_loader",
        "_rest",
        "_subgraph",
        "_variables",
        "_whole",
    )

    def __init__(
        self,
        kept: KeptRoots,
        whole: PreparedFetch,
        rest: PreparedFetch | None,
        subgraph: RemoteSubgraph,
        variables: tuple[str, ...],
    ) -> None:
        self._kept = kept
        self._whole = whole
        self._rest = rest
        self._subgraph = subgraph
        self._variables = variables
        self._keys = tuple(field.response_key for field in kept.fields)
        text = print_selections(kept.fields)
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        name = f"{subgraph.name}:{digest}"
        self._loader: Loader[..., Any] = Loader(_load_nothing, name, is_shared=True)
        self._private_loader: Loader[..., Any] = Loader(_load_nothing, name)

    def code(self) -> str:
        """Return the document of the whole fetch."""
        return self._whole.code()

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        """Return the answer, asking the subgraph for no more than is missing.

        Raises:
            SourceError: The fields are not there, and the subgraph failed.
        """
        cache = cache_of(context)
        if cache is None:
            return await self._whole.run(context, variables, representations)
        headers, tells_caller = self._subgraph.select_headers(context)
        whole: list[FetchResult] = []

        async def load(_keys: list[Any]) -> list[Any]:
            try:
                result = await self._whole.run(context, variables, ())
            except SourceError as error:
                return [error]
            whole.append(result)
            return [self._row(result, tells_caller=tells_caller)]

        used = {n: variables[n] for n in self._variables if n in variables}
        [row] = await cache.load(
            self._kept.rule,
            [self._kept.key(variables)],
            load,
            context=context,
            loader=self._private_loader if tells_caller else self._loader,
            arguments={"variables": used, "headers": sorted(headers)},
        )
        if whole:
            return whole[0]
        if isinstance(row, _FaultyError):
            return await self._whole.run(context, variables, ())
        if isinstance(row, Exception):
            raise row
        data: JSONObject = orjson.loads(row)
        if self._rest is None:
            return FetchResult(data, is_vouched=False)
        return await self._with_rest(self._rest, data, context, variables)

    async def _with_rest(
        self,
        rest: PreparedFetch,
        data: JSONObject,
        context: RequestContext,
        variables: JSONObject,
    ) -> FetchResult:
        """Return kept fields together with the others; these may fail by themselves."""
        keys = [s.response_key for s in self._kept.rest if isinstance(s, Field)]
        try:
            result = await rest.run(context, variables, ())
        except SourceError as error:
            errors = tuple(FetchError(error.message, (k,), error.code) for k in keys)
            return FetchResult(data | dict.fromkeys(keys), errors, is_vouched=False)
        data |= result.data or dict.fromkeys(keys)
        return replace(result, data=data, is_vouched=False)

    def _row(self, result: FetchResult, *, tells_caller: bool) -> Any:
        """Return the text of the fields, or what went wrong with them."""
        keys = self._keys
        failed = any(not e.path or e.path[0] in keys for e in result.errors)
        if result.data is None or failed:
            return _FaultyError("a root field has errors")
        rule = self._kept.rule
        is_private = tells_caller if rule.is_private is None else rule.is_private
        limit = read_max_age(result.cache_control, is_private=is_private)
        # Each who reads it changes objects of their own.
        row = orjson.dumps({key: result.data.get(key) for key in keys}).decode()
        return row if limit is None else AgedRow(row, limit)


class _FaultyError(Exception):
    """Root fields that came with errors; they are never kept."""


def _value(arguments: JSONObject, path: str) -> JSON:
    value: JSON = arguments
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str | int) else None


async def _load_nothing(keys: list[Any], _context: RequestContext) -> list[Any]:
    return [None] * len(keys)
