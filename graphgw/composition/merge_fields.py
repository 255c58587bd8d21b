"""A field of several subgraphs becomes one field of the supergraph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import FieldDefinitionNode, NameNode, parse_type

from graphgw.composition.findings import quoted
from graphgw.composition.merge_inputs import (
    first_description,
    merge_inputs,
    merge_kept,
)
from graphgw.composition.merge_rules import merge_applied
from graphgw.composition.type_refs import is_output_of, join_types
from graphgw.federation.supergraph import FieldDefinition, FieldInGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.composition.merging import Merging
    from graphgw.composition.subgraph import Subgraph, SubgraphField, SubgraphType
    from graphgw.composition.type_refs import TypeRef
    from graphgw.federation.supergraph import AppliedDirective

__all__ = ["MergedField", "merge_field"]


@dataclass(frozen=True, slots=True)
class MergedField:
    """A field of the supergraph, its definition and the directives on it."""

    definition: FieldDefinition
    node: FieldDefinitionNode
    rules: Mapping[str, tuple[AppliedDirective, ...]]


@dataclass(frozen=True, slots=True)
class _Source:
    """The field as one subgraph has it."""

    subgraph: Subgraph
    owner: SubgraphType
    field: SubgraphField
    is_lost: bool

    @property
    def is_resolver(self) -> bool:
        return not self.field.is_external and not self.is_lost


def merge_field(type_name: str, name: str, merging: Merging) -> MergedField | None:
    """Merge one field of an object or interface; ``None`` where that is impossible."""
    coordinate = f"{type_name}.{name}"
    sources = _sources(type_name, name, merging)
    resolvers = [source for source in sources if source.is_resolver]
    if not sources:  # overridden in a circle, which is reported elsewhere
        return None
    if not resolvers:
        merging.findings.problem(
            f"it is @external in {quoted(s.subgraph.name for s in sources)}, and no"
            " subgraph resolves it",
            coordinate,
            "Define it in one subgraph without @external.",
        )
        return None
    _check_shareable(sources, coordinate, merging)
    ref = join_types([s.field.type for s in resolvers], merging.is_subtype)
    if ref is None:
        stated = ", ".join(
            f'{source.field.type} in "{source.subgraph.name}"' for source in resolvers
        )
        merging.findings.problem(f"its types do not fit together: {stated}", coordinate)
        return None
    _check_externals(sources, ref, coordinate, merging)
    arguments = merge_inputs(
        [(source.subgraph, source.field.arguments) for source in resolvers],
        coordinate + "(%s:)",
        merging.findings,
    )
    elements = [source.field for source in sources]
    rules = {coordinate: _rules(type_name, name, merging)}
    for argument, given in arguments.items():
        rules[f"{coordinate}({argument}:)"] = given.applied
    return MergedField(
        definition=FieldDefinition(
            name=name,
            type=str(ref),
            named_type=ref.named_type,
            graphs={
                source.subgraph.id: _in_graph(source, ref, coordinate, merging)
                for source in sources
            },
            is_inaccessible=any(a.name == "inaccessible" for a in rules[coordinate]),
        ),
        node=FieldDefinitionNode(
            name=NameNode(value=name),
            description=first_description(elements),
            arguments=tuple(given.node for given in arguments.values()),
            type=parse_type(str(ref), no_location=True),
            directives=merge_kept(elements),
        ),
        rules=rules,
    )


def _rules(type_name: str, name: str, merging: Merging) -> tuple[AppliedDirective, ...]:
    """Merge the directives of every subgraph, of those that lost the field too.

    So a field that moves does not lose what protects it.
    """
    return merge_applied(
        owner.fields[name].applied
        for _, owner in merging.having(type_name)
        if name in owner.fields
    )


def _sources(type_name: str, name: str, merging: Merging) -> list[_Source]:
    """Return the subgraphs in which the field is mentioned in the supergraph."""
    found = []
    for subgraph, owner in merging.having(type_name):
        field = owner.fields.get(name)
        if field is None:
            continue
        is_lost = merging.is_lost(subgraph, type_name, name)
        is_mentioned = field.is_external or merging.is_still_needed(
            subgraph, owner, name
        )
        if is_mentioned or not is_lost:
            found.append(_Source(subgraph, owner, field, is_lost))
    return found


def _in_graph(
    source: _Source, ref: TypeRef, coordinate: str, merging: Merging
) -> FieldInGraph:
    field = source.field
    type_name, _, name = coordinate.partition(".")
    given_up = merging.overrides.get((type_name, name, source.subgraph.id))
    override = field.override
    return FieldInGraph(
        type=str(field.type) if field.type != ref else None,
        is_external=field.is_external,
        requires=field.requires,
        provides=field.provides,
        override=override.source if override else None,
        override_label=override.label if override else given_up,
        is_overridden=source.is_lost and not field.is_external,
        context_arguments=field.context_arguments,
    )


def _check_shareable(sources: list[_Source], coordinate: str, merging: Merging) -> None:
    """Refuse a field that several subgraphs resolve and not all agree to share.

    Who provides a field on some path resolves it there, although it is external.
    """
    type_name, _, name = coordinate.partition(".")
    candidates = [
        source
        for source in sources
        if source.is_resolver
        if source.owner.kind == "object" or source.owner.is_interface_object
        if not _is_given_up(source, coordinate, merging)
    ]
    providers = [
        source
        for source in sources
        if source.field.is_external and source.owner.kind == "object"
        if (type_name, name) in source.subgraph.provided
    ]
    selfish = [
        source.subgraph.name
        for source in candidates
        if not source.field.is_shareable
        and (type_name, name) not in source.subgraph.key_fields
    ]
    if len(candidates) + len(providers) > 1 and selfish:
        names = quoted(source.subgraph.name for source in candidates)
        also = [source.subgraph.name for source in providers]
        provided = f", provided by {quoted(also)}" if also else ""
        merging.findings.problem(
            f"it is resolved by {names}{provided}, and not @shareable in"
            f" {quoted(selfish)}",
            coordinate,
            "Mark it @shareable in all of them, or keep it in one.",
        )


def _is_given_up(source: _Source, coordinate: str, merging: Merging) -> bool:
    type_name, _, name = coordinate.partition(".")
    return (type_name, name, source.subgraph.id) in merging.overrides


def _check_externals(
    sources: list[_Source], ref: TypeRef, coordinate: str, merging: Merging
) -> None:
    for source in sources:
        if source.is_resolver or not source.field.is_external:
            continue
        stated = source.field.type
        fits = is_output_of(ref, stated, merging.is_subtype) or is_output_of(
            stated, ref, merging.is_subtype
        )
        if not fits:
            merging.findings.problem(
                f"its @external type {stated} in subgraph"
                f' "{source.subgraph.name}" does not fit its type {ref}',
                coordinate,
            )
