"""Which fields of a subgraph its keys, requirements and provisions name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphgw.errors import ConfigurationError
from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.selection import Fragment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.composition.subgraph import Subgraph, SubgraphField, SubgraphType
    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import ContextArgument

__all__ = [
    "context_selections",
    "satisfies_interface",
    "settle_externals",
    "with_usage",
]


def with_usage(subgraph: Subgraph) -> Subgraph:
    """Fill in which fields are used by federation itself."""
    key_fields = frozenset(_key_fields(subgraph))
    provided = frozenset(_provided_fields(subgraph))
    used = key_fields | provided | frozenset(_other_fields(subgraph))
    return replace(subgraph, key_fields=key_fields, provided=provided, used=used)


def settle_externals(subgraph: Subgraph) -> Subgraph:
    """Resolve what ``@external`` means in the older ways of writing.

    Key fields of an extension are resolvable, whatever they are marked as. In
    Federation 1, fields that are external and used by nothing are not there at all.
    """
    types = {
        name: replace(definition, fields=dict(_settled(definition, subgraph)))
        for name, definition in subgraph.types.items()
    }
    return replace(subgraph, types=types)


def context_selections(
    argument: ContextArgument, subgraph: Subgraph
) -> Iterator[tuple[str, Selections]]:
    """Yield each type that sets the argument's context, and what is read there.

    Raises:
        ConfigurationError: The selection does not parse.
    """
    selections = parse_field_set(argument.selection)
    for name, definition in subgraph.types.items():
        if argument.context in definition.contexts:
            yield name, selections


def _settled(
    definition: SubgraphType, subgraph: Subgraph
) -> Iterator[tuple[str, SubgraphField]]:
    for name, field in definition.fields.items():
        coordinate = (definition.name, name)
        is_key = coordinate in subgraph.key_fields
        if field.is_external and is_key and definition.is_extension:
            yield name, replace(field, is_external=False)
        elif field.is_external and not subgraph.is_federation_2:
            is_used = coordinate in subgraph.used
            if is_used or satisfies_interface(definition, name, subgraph):
                yield name, field
        else:
            yield name, field


def satisfies_interface(
    definition: SubgraphType, field_name: str, subgraph: Subgraph
) -> bool:
    """Tell whether an interface of the type demands the field in this subgraph."""
    return any(
        field_name in subgraph.types[interface].fields
        for interface in definition.interfaces
        if interface in subgraph.types
    )


def _key_fields(subgraph: Subgraph) -> Iterator[tuple[str, str]]:
    for name, definition in subgraph.types.items():
        for key in definition.keys:
            yield from _named(name, key.fields, subgraph)


def _provided_fields(subgraph: Subgraph) -> Iterator[tuple[str, str]]:
    for definition in subgraph.types.values():
        for field in definition.fields.values():
            yield from _named(field.type.named_type, field.provides, subgraph)


def _other_fields(subgraph: Subgraph) -> Iterator[tuple[str, str]]:
    for name, definition in subgraph.types.items():
        for field in definition.fields.values():
            yield from _named(name, field.requires, subgraph)
            for argument in field.context_arguments:
                try:
                    found = list(context_selections(argument, subgraph))
                except ConfigurationError:
                    continue
                for type_name, selections in found:
                    yield from _named(type_name, selections, subgraph)


def _named(
    type_name: str, selections: Selections, subgraph: Subgraph
) -> Iterator[tuple[str, str]]:
    definition = subgraph.types.get(type_name)
    for selection in selections:
        if isinstance(selection, Fragment):
            yield from _named(selection.type_condition, selection.selections, subgraph)
            continue
        field = definition.fields.get(selection.name) if definition else None
        if field is None:
            continue
        yield type_name, selection.name
        for name, other in subgraph.types.items():
            if type_name in other.interfaces:
                yield name, selection.name
        yield from _named(field.type.named_type, selection.selections, subgraph)
