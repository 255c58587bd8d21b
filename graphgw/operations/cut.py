"""Walk the selections of an operation, and leave out those that are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphql import GraphQLList, GraphQLNonNull, get_named_type

from graphgw.federation.selection import Field, variables_in
from graphgw.operations.fingerprint import fingerprint_operation
from graphgw.operations.normalize import HIDDEN_TYPENAME
from graphgw.operations.schema_lookup import field_definition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from graphql import GraphQLNamedType, GraphQLOutputType, GraphQLSchema

    from graphgw.federation.selection import Selection, Selections
    from graphgw.operations.operation import Operation, SelectionPath

__all__ = ["cut", "walk_selections"]


def cut(operation: Operation, refused: Collection[SelectionPath]) -> Operation:
    """Return the operation without the refused selections.

    A fragment with nothing left goes too; a field keeps a hidden ``__typename``, so
    that its own value (null or not) is still asked for.
    """
    if not refused:
        return operation
    selections = _keep(operation.selections, frozenset(refused), ())
    used = frozenset(variables_in((*selections, *operation.introspection)))
    variables = tuple(found for found in operation.variables if found.name in used)
    places = _move_places(operation, frozenset(refused))
    return replace(
        operation,
        selections=selections,
        variables=variables,
        literals={
            name: value for name, value in operation.literals.items() if name in used
        },
        fingerprint=fingerprint_operation(
            operation.kind, selections, operation.introspection, places, variables
        ),
        introspection_places=places,
    )


def _move_places(
    operation: Operation, refused: frozenset[SelectionPath]
) -> tuple[int, ...]:
    """Return where introspection stands once the refused root fields are gone."""
    return tuple(
        place - sum((index,) in refused for index in range(place - before))
        for before, place in enumerate(operation.introspection_places)
    )


def walk_selections(
    operation: Operation, schema: GraphQLSchema
) -> Iterator[tuple[SelectionPath, str, Field, tuple[str, ...]]]:
    """Visit every field, parents first, introspection left out.

    Yields:
        Where the selection stands, the name of the type it is selected on, the
        field, and its response path, which ends at the first list.
    """
    root = next(
        found
        for kind, found in (
            ("query", schema.query_type),
            ("mutation", schema.mutation_type),
            ("subscription", schema.subscription_type),
        )
        if kind == operation.kind
    )
    if root is not None:
        yield from _walk(operation.selections, root, (), (), schema, is_open=True)


def _walk(
    selections: Selections,
    parent: GraphQLNamedType,
    place: SelectionPath,
    path: tuple[str, ...],
    schema: GraphQLSchema,
    *,
    is_open: bool,
) -> Iterator[tuple[SelectionPath, str, Field, tuple[str, ...]]]:
    for index, selection in enumerate(selections):
        here = (*place, index)
        if not isinstance(selection, Field):
            type_ = schema.type_map[selection.type_condition]
            inner = selection.selections
            yield from _walk(inner, type_, here, path, schema, is_open=is_open)
            continue
        key = (*path, selection.response_key) if is_open else path
        yield here, parent.name, selection, key
        definition = field_definition(schema, parent, selection.name)
        if not selection.selections or definition is None:
            continue
        yield from _walk(
            selection.selections,
            get_named_type(definition.type),
            here,
            key,
            schema,
            is_open=is_open and not _is_list(definition.type),
        )


def _is_list(type_: GraphQLOutputType) -> bool:
    bare = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(bare, GraphQLList)


def _keep(
    selections: Selections, refused: frozenset[SelectionPath], place: SelectionPath
) -> Selections:
    kept: list[Selection] = []
    is_whole = True
    for index, selection in enumerate(selections):
        here = (*place, index)
        if here in refused:
            is_whole = False
            continue
        inner = _keep(selection.selections, refused, here)
        if inner is selection.selections:
            kept.append(selection)
            continue
        is_whole = False
        if isinstance(selection, Field):
            kept.append(replace(selection, selections=inner or (HIDDEN_TYPENAME,)))
        elif inner:
            kept.append(replace(selection, selections=inner))
    return selections if is_whole else tuple(kept)
