"""What is known, before a plan runs, of the tree that its fetches make.

Local subgraphs coerce values and move nulls up themselves, and make all objects at one
place with their keys in one order. Where such subgraphs give all of an answer, and no
fetch fails or leaves anything out, its tree needs no second look: what the client
does not see is left out, and the rest is taken as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
)

from graphgw.execution.fetch_keys import path_keys
from graphgw.execution.shape import CompositeShape, ListShape
from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from graphql import GraphQLOutputType, GraphQLSchema

    from graphgw.execution.generated import SourceWriter
    from graphgw.execution.merge import MergeRule
    from graphgw.execution.shape import (
        FieldShape,
        ObjectShape,
        ResponsePath,
        ValueShape,
    )
    from graphgw.federation.selection import Selections
    from graphgw.planning.plan import Fetch, QueryPlan

__all__ = ["TreeKeys", "TrustedWriter", "find_tree_keys", "is_trusted"]

TreeKeys: TypeAlias = "dict[ResponsePath, tuple[str, ...] | None]"
"""The keys of the objects at each response path, in order; ``None``: order unknown."""


def find_tree_keys(plan: QueryPlan, rules: Iterable[MergeRule]) -> TreeKeys | None:
    """Return the keys of a plan's tree by path; ``None`` where nothing is certain.

    All fetches must be of subgraphs that vouch for their answers.
    """
    if any(rule.is_deep or rule.drops_typename or rule.renames for rule in rules):
        return None
    found: TreeKeys = {}
    added: set[ResponsePath] = set()
    for fetch in plan.fetches:
        selections = _selections(fetch)
        if selections is None or fetch.contexts:
            return None
        path = path_keys(fetch)
        _add(found, path, selections)
        if path in added:
            found[path] = None  # several fetches, which may end in any order
        added.add(path)
    return found


def is_trusted(shape: ObjectShape, schemas: Collection[GraphQLSchema]) -> bool:
    """Tell whether all that fits the subgraphs' schemas fits a shape.

    That is checked for each field, as a ready supergraph may say other things of a
    subgraph than its own schema.
    """
    return all(
        not found.is_refused
        and (found.value is None or _is_trusted_field(shape.type_name, found, schemas))
        for found in shape.fields
    )


class TrustedWriter:
    """Writes what leaves out of a tree what the client does not see.

    Args:
        source: Takes the functions.
        keys: The keys of the tree's objects.
    """

    def __init__(self, source: SourceWriter, keys: TreeKeys) -> None:
        self._source = source
        self._keys = keys

    def root(self, shape: ObjectShape) -> str:
        """Write the function for the whole tree; return its name."""
        name = self._source.name("trusted_")
        is_exact = self._is_exact(shape, ())
        body = "o" if is_exact else self._display(shape, (), "o")
        self._source.function(name, "o", [f"return {body}"])
        return name

    def _display(self, shape: ObjectShape, path: ResponsePath, o: str) -> str:
        entries = []
        for found in shape.fields:
            text = f"{o}[{found.key!r}]"
            if found.value is None:
                text = repr(shape.type_name)
            else:
                inner = (*path, found.key)
                child = _object_of(found.value)
                if child is not None and not self._is_exact(child, inner):
                    text = f"{self._value(found.value, inner)}({text})"
            entries.append(f"{found.key!r}: {text}")
        return f"{{{', '.join(entries)}}}"

    def _value(self, value: ValueShape, path: ResponsePath) -> str:
        """Write the function for a value that holds objects; return its name."""
        name = self._source.name("trusted_")
        kind = value.kind
        if isinstance(kind, ListShape):
            item = kind.item
            if isinstance(item.kind, CompositeShape):
                made = self._object(item, path, "o")
            else:
                made = f"{self._value(item, path)}(o)"
            made = f"[{made} for o in v]"
            if not value.is_non_null:
                made = f"None if v is None else {made}"
        else:
            made = self._object(value, path, "v")
        self._source.function(name, "v", [f"return {made}"])
        return name

    def _object(self, value: ValueShape, path: ResponsePath, o: str) -> str:
        shape = _object_of(value)
        if shape is None:
            raise TypeError("a leaf is taken as it is")
        made = self._display(shape, path, o)
        return made if value.is_non_null else f"None if {o} is None else {made}"

    def _is_exact(self, shape: ObjectShape, path: ResponsePath) -> bool:
        """Tell whether the objects at a path are what the client wants of them."""
        if self._keys.get(path) != tuple(found.key for found in shape.fields):
            return False
        inner = ((found.key, _object_of(found.value)) for found in shape.fields)
        return all(
            child is None or self._is_exact(child, (*path, key)) for key, child in inner
        )


def _object_of(value: ValueShape | None) -> ObjectShape | None:
    """Return the shape of the objects that a value is or holds."""
    while value is not None:
        kind = value.kind
        if isinstance(kind, CompositeShape):
            (shape,) = kind.objects.values()
            return shape
        value = kind.item if isinstance(kind, ListShape) else None
    return None


def _is_trusted_field(
    type_name: str, found: FieldShape, schemas: Collection[GraphQLSchema]
) -> bool:
    types = [
        parent.fields[found.name].type
        for schema in schemas
        if isinstance(parent := schema.type_map.get(type_name), GraphQLObjectType)
        and found.name in parent.fields
    ]
    value = found.value
    if value is None or not types or not all(_fits(type_, value) for type_ in types):
        return False
    child = _object_of(value)
    return child is None or is_trusted(child, schemas)


def _fits(type_: GraphQLOutputType, value: ValueShape) -> bool:
    """Tell whether all that a subgraph's type allows is allowed in a place."""
    kind = value.kind
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    elif value.is_non_null:
        return False
    if isinstance(kind, ListShape):
        return isinstance(type_, GraphQLList) and _fits(type_.of_type, kind.item)
    if isinstance(type_, GraphQLList) or type_.name != kind.type_name:
        return False
    if isinstance(kind, CompositeShape):
        return not kind.is_abstract and isinstance(type_, GraphQLObjectType)
    if isinstance(type_, GraphQLEnumType):
        return kind.kind == "enum" and kind.values.issuperset(type_.values)
    return kind.kind != "enum"


def _selections(fetch: Fetch) -> Selections | None:
    """Return what a fetch asks of its one type of objects."""
    if not fetch.path:
        return fetch.selections
    if any(step.types for step in fetch.path) or len(fetch.inputs) != 1:
        return None
    (entity,) = fetch.inputs
    if len(fetch.selections) != 1 or entity.types != (entity.typename,):
        return None
    (fragment,) = fetch.selections
    if isinstance(fragment, Field) or fragment.type_condition != entity.typename:
        return None
    return fragment.selections


def _add(found: TreeKeys, path: ResponsePath, selections: Selections) -> None:
    """Note what selections add to the objects at a path, and below."""
    known = found.get(path, ())
    fields = [part for part in selections if isinstance(part, Field)]
    keys = [field.response_key for field in fields]
    is_plain = len(fields) == len(selections) and len(set(keys)) == len(keys)
    if known is None or not is_plain:
        found[path] = None
    else:
        found[path] = tuple(dict.fromkeys((*known, *keys)))
    for field in fields:
        if field.selections:
            _add(found, (*path, field.response_key), field.selections)
