"""Policy directives of several subgraphs on one element become one set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from graphgw.federation.rule_definitions import RULES
from graphgw.federation.supergraph import AppliedDirective

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.types import JSON, JSONObject

__all__ = ["merge_applied"]

_Given: TypeAlias = Sequence[Mapping[str, Any]]


def merge_applied(
    groups: Iterable[Sequence[AppliedDirective]],
) -> tuple[AppliedDirective, ...]:
    """Merge the directives that each subgraph applied to the same element.

    Equal ones count once. Where a directive may stand only once, the stricter
    arguments win; requirements of scopes and policies are all demanded.
    """
    by_name: dict[str, list[Mapping[str, JSON]]] = {}
    for applied in (applied for group in groups for applied in group):
        given = by_name.setdefault(applied.name, [])
        if applied.arguments not in given:
            given.append(applied.arguments)
    order = {name: position for position, name in enumerate(RULES)}
    names = sorted(by_name, key=lambda name: (order.get(name, len(order)), name))
    return tuple(
        AppliedDirective(name, arguments)
        for name in names
        for arguments in _merged(name, by_name[name])
    )


def _merged(name: str, given: list[Mapping[str, JSON]]) -> Iterable[Mapping[str, JSON]]:
    merge = _MERGES.get(name)
    return [merge(given)] if merge and len(given) > 1 else given


def _all_of(argument: str) -> Callable[[_Given], JSONObject]:
    """Merge alternatives of conjunctions: one of each subgraph's must hold.

    Where a subgraph names no alternative at all, nobody passes.
    """

    def merge(given: _Given) -> JSONObject:
        combined: list[list[str]] = [[]]
        for arguments in given:
            combined = [
                sorted({*left, *right})
                for left in combined
                for right in arguments.get(argument) or ()
            ]
        unique = sorted({tuple(item) for item in combined})
        return {argument: [list(item) for item in unique]}

    return merge


def _cost(given: _Given) -> JSONObject:
    return {"weight": max(arguments["weight"] for arguments in given)}


def _list_size(given: _Given) -> JSONObject:
    merged: JSONObject = {}
    sizes = _present(given, "assumedSize")
    if sizes:
        merged["assumedSize"] = max(sizes)
    for name in ("slicingArguments", "sizedFields"):
        found = _present(given, name)
        if found:
            merged[name] = list(
                dict.fromkeys(item for items in found for item in items)
            )
    merged["requireOneSlicingArgument"] = any(
        arguments.get("requireOneSlicingArgument", True) for arguments in given
    )
    return merged


def _cache_control(given: _Given) -> JSONObject:
    merged: JSONObject = {}
    for name in ("maxAge", "swr", "staleIfError"):
        found = _present(given, name)
        if found:
            merged[name] = min(found)
    if "PRIVATE" in _present(given, "scope"):
        merged["scope"] = "PRIVATE"
    inherited = _present(given, "inheritMaxAge")
    if inherited:
        merged["inheritMaxAge"] = all(inherited)
    headers = [item for items in _present(given, "vary") for item in items]
    if headers:
        merged["vary"] = list(dict.fromkeys(headers))
    return merged


def _present(given: _Given, name: str) -> list[Any]:
    return [a[name] for a in given if a.get(name) is not None]


_MERGES: Final[dict[str, Callable[[_Given], JSONObject]]] = {
    "requiresScopes": _all_of("scopes"),
    "policy": _all_of("policies"),
    "cost": _cost,
    "listSize": _list_size,
    "cacheControl": _cache_control,
}
