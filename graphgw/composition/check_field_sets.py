"""Whether a field set names what its subgraph has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.federation.selection import Fragment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.composition.subgraph import Subgraph, SubgraphField, SubgraphType
    from graphgw.federation.selection import Field, Selections

__all__ = ["check_field_set"]


def check_field_set(
    selections: Selections,
    type_name: str,
    subgraph: Subgraph,
    *,
    allow_arguments: bool = True,
    must_be_external: bool = False,
) -> Iterator[str]:
    """Yield what is wrong with a field set on ``type_name``.

    With ``must_be_external`` each leaf, or a field above it, must be ``@external``:
    what the subgraph resolves itself is neither required nor provided.
    """
    definition = subgraph.types.get(type_name)
    if definition is None:
        return
    for selection in selections:
        if isinstance(selection, Fragment):
            if selection.type_condition not in subgraph.types:
                yield f'the type "{selection.type_condition}" is not defined'
            yield from check_field_set(
                selection.selections,
                selection.type_condition,
                subgraph,
                allow_arguments=allow_arguments,
                must_be_external=must_be_external,
            )
        elif selection.name != "__typename":
            field = definition.fields.get(selection.name)
            if field is None:
                yield f'"{type_name}" has no field "{selection.name}"'
                continue
            yield from _check_arguments(
                selection, field, type_name, allow_arguments=allow_arguments
            )
            yield from _check_shape(selection, field, type_name, subgraph)
            is_external = _is_external(definition, field, subgraph)
            if must_be_external and not is_external and not selection.selections:
                yield f'"{type_name}.{field.name}" is not @external'
            yield from check_field_set(
                selection.selections,
                field.type.named_type,
                subgraph,
                allow_arguments=allow_arguments,
                must_be_external=must_be_external and not is_external,
            )


def _check_arguments(
    selection: Field, field: SubgraphField, type_name: str, *, allow_arguments: bool
) -> Iterator[str]:
    given = {argument.name for argument in selection.arguments}
    coordinate = f'"{type_name}.{field.name}"'
    if given and not allow_arguments:
        yield f"{coordinate} may not have arguments here"
    for name in sorted(given - field.arguments.keys()):
        yield f'{coordinate} has no argument "{name}"'
    for argument in field.arguments.values():
        if argument.is_mandatory and argument.name not in given:
            yield f'{coordinate} needs the argument "{argument.name}"'


def _check_shape(
    selection: Field, field: SubgraphField, type_name: str, subgraph: Subgraph
) -> Iterator[str]:
    target = subgraph.types.get(field.type.named_type)
    is_composite = target is not None and target.kind in {
        "object",
        "interface",
        "union",
    }
    if is_composite and not selection.selections:
        yield f'"{type_name}.{field.name}" needs a selection of its fields'
    if not is_composite and selection.selections:
        yield f'"{type_name}.{field.name}" has no fields to select'


def _is_external(
    definition: SubgraphType, field: SubgraphField, subgraph: Subgraph
) -> bool:
    """Tell whether the field is external, for an interface on any implementation."""
    if field.is_external or definition.kind != "interface":
        return field.is_external
    return any(
        other.fields[field.name].is_external
        for other in subgraph.types.values()
        if definition.name in other.interfaces and field.name in other.fields
    )
