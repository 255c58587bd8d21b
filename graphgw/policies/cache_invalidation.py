"""``@cacheInvalidation``: the cached values that a mutation changes, by tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphgw.federation.selection import Field
from graphgw.operations.schema_lookup import field_definition
from graphgw.policies.arguments import argument_readers, read_arguments
from graphgw.policies.cache_tags import render_tag

if TYPE_CHECKING:
    from collections.abc import Collection

    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.policies.arguments import ArgumentReader
    from graphgw.types import JSONObject

__all__ = ["Invalidation", "find_invalidations", "find_tags"]


@dataclass(frozen=True, slots=True)
class Invalidation:
    """A selected mutation field, the formats of its tags and its arguments."""

    selection: SelectionPath
    formats: tuple[str, ...]
    arguments: tuple[ArgumentReader, ...]


def find_invalidations(
    operation: Operation, supergraph: Supergraph
) -> tuple[Invalidation, ...]:
    """Return what a mutation's fields invalidate."""
    root = supergraph.root_types.get("mutation")
    if operation.kind != "mutation" or root is None:
        return ()
    found = []
    parent = supergraph.schema.get_type(root)
    for index, selection in enumerate(operation.selections):
        if not isinstance(selection, Field):
            continue
        formats = tuple(
            text
            for applied in supergraph.rules.get(f"{root}.{selection.name}", ())
            if applied.name == "cacheInvalidation"
            for text in applied.arguments.get("tags") or ()
        )
        if formats:
            definition = field_definition(supergraph.schema, parent, selection.name)
            readers = argument_readers(selection, definition)
            found.append(Invalidation((index,), formats, readers))
    return tuple(found)


def find_tags(
    invalidations: tuple[Invalidation, ...],
    variables: JSONObject,
    refused: Collection[SelectionPath],
) -> tuple[str, ...]:
    """Return the tags of the fields that run; those without a value are left out."""
    tags: dict[str, None] = {}
    for invalidation in invalidations:
        if invalidation.selection in refused:
            continue
        arguments = read_arguments(invalidation.arguments, variables)
        for text in invalidation.formats:
            tag = render_tag(text, key={}, arguments=arguments)
            if tag is not None:
                tags[tag] = None
    return tuple(tags)
