"""The ``Cache-Control`` of an answer, computed from what it contains."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from graphql import get_named_type, is_composite_type

from graphgw.operations.cut import walk_selections
from graphgw.operations.schema_lookup import field_definition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.federation.selection import Field
    from graphgw.federation.supergraph import AppliedDirective, Supergraph
    from graphgw.operations.operation import Operation

__all__ = ["ResponseCacheControl", "cap_max_age", "compute_cache_control"]

NO_STORE: Final = (("cache-control", "no-store"),)

_MAX_AGE: Final = re.compile(r"max-age=(\d+)")


def cap_max_age(
    headers: tuple[tuple[str, str], ...], seconds: int
) -> tuple[tuple[str, str], ...]:
    """Return an answer's headers with no longer ``max-age`` than this."""
    if seconds == 0 and headers:
        return NO_STORE

    def cap(found: re.Match[str]) -> str:
        return f"max-age={min(int(found[1]), seconds)}"

    return tuple(
        (name, _MAX_AGE.sub(cap, value) if name == "cache-control" else value)
        for name, value in headers
    )


@dataclass(frozen=True, slots=True)
class ResponseCacheControl:
    """How long an answer may be kept, and by whom; varies with headers named."""

    max_age: int
    is_private: bool = False
    vary: tuple[str, ...] = ()

    def as_private(self) -> ResponseCacheControl:
        """Return the same policy for one caller alone."""
        return replace(self, is_private=True)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the answer's headers."""
        if self.max_age <= 0:
            return NO_STORE
        scope = "private" if self.is_private else "public"
        control = ("cache-control", f"max-age={self.max_age}, {scope}")
        return (control, ("vary", ", ".join(self.vary))) if self.vary else (control,)


@dataclass(frozen=True, slots=True)
class _Hint:
    """What applied ``@cacheControl`` directives say together."""

    max_age: int | None = None
    is_private: bool = False
    inherits: bool = False
    vary: tuple[str, ...] = ()


def compute_cache_control(
    operation: Operation, supergraph: Supergraph
) -> ResponseCacheControl | None:
    """Return the strictest policy of an operation's parts, ``None`` without any.

    As in Apollo Server, a root field or a field that returns an object may not be
    kept unless it or its type says so; other fields are as old as their parent.

    See https://www.apollographql.com/docs/apollo-server/performance/caching.
    """
    if operation.kind != "query":
        return None
    ages: list[int] = []
    is_private = has_hint = False
    headers: dict[str, None] = {}
    root = supergraph.root_types.get("query")
    known: dict[tuple[str, str], tuple[_Hint, bool]] = {}
    for _, type_name, field, _ in walk_selections(operation, supergraph.schema):
        if field.name.startswith("__"):
            continue
        key = (type_name, field.name)
        if key not in known:
            known[key] = (
                _hint_of(supergraph, type_name, field.name),
                type_name == root or _is_composite(supergraph, type_name, field),
            )
        hint, needs_hint = known[key]
        has_hint = has_hint or hint != _Hint()
        is_private = is_private or hint.is_private
        headers.update(dict.fromkeys(name.lower() for name in hint.vary))
        if hint.max_age is not None:
            ages.append(hint.max_age)
        elif needs_hint and not hint.inherits:
            ages.append(0)
    if not has_hint:
        return None
    if operation.introspection:
        ages.append(0)
    return ResponseCacheControl(min(ages, default=0), is_private, tuple(headers))


def _hint_of(supergraph: Supergraph, type_name: str, field_name: str) -> _Hint:
    names = (type_name, *supergraph.possible_types(type_name))
    own = _join(_given(supergraph, (f"{name}.{field_name}" for name in names)))
    field = supergraph.field_of(type_name, field_name)
    if field is None or own.max_age is not None:
        return own
    returned = field.named_type
    targets = (returned, *supergraph.possible_types(returned))
    of_type = _join(_given(supergraph, targets))
    return _Hint(
        of_type.max_age,
        own.is_private or of_type.is_private,
        own.inherits or of_type.inherits,
        own.vary + of_type.vary,
    )


def _given(
    supergraph: Supergraph, coordinates: Iterable[str]
) -> Iterator[AppliedDirective]:
    for coordinate in dict.fromkeys(coordinates):
        for applied in supergraph.rules.get(coordinate, ()):
            if applied.name == "cacheControl":
                yield applied


def _join(given: Iterable[AppliedDirective]) -> _Hint:
    arguments = [applied.arguments for applied in given]
    ages = [a["maxAge"] for a in arguments if isinstance(a.get("maxAge"), int)]
    return _Hint(
        min(ages, default=None),
        any(a.get("scope") == "PRIVATE" for a in arguments),
        any(a.get("inheritMaxAge") is True for a in arguments),
        tuple(name for a in arguments for name in a.get("vary") or ()),
    )


def _is_composite(supergraph: Supergraph, type_name: str, field: Field) -> bool:
    parent = supergraph.schema.get_type(type_name)
    definition = field_definition(supergraph.schema, parent, field.name)
    return definition is not None and is_composite_type(get_named_type(definition.type))
