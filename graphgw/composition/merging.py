"""What merging needs to know of all subgraphs together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphgw.composition.usage import satisfies_interface

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphgw.composition.findings import Findings
    from graphgw.composition.subgraph import Override, Subgraph, SubgraphType

__all__ = ["Merging"]


@dataclass(frozen=True, slots=True)
class Merging:
    """All subgraphs, sorted by name, and the relations between their types.

    ``overrides`` maps (type, field, id of the subgraph that loses it) to the label,
    ``None`` where the field is lost for good.
    """

    subgraphs: tuple[Subgraph, ...]
    findings: Findings
    subtypes: frozenset[tuple[str, str]]
    overrides: Mapping[tuple[str, str, str], str | None]
    taken_types: frozenset[str]
    """Types that some argument or input field has."""
    returned_types: frozenset[str]
    """Types that some field of an object or interface has."""

    @classmethod
    def of(cls, subgraphs: tuple[Subgraph, ...], findings: Findings) -> Merging:
        """Find out how the types of all subgraphs relate."""
        definitions = [d for s in subgraphs for d in s.types.values()]
        fields = [f for d in definitions for f in d.fields.values()]
        arguments = [a for f in fields for a in f.arguments.values()]
        inputs = [given for d in definitions for given in d.inputs.values()]
        return cls(
            subgraphs=subgraphs,
            findings=findings,
            subtypes=_find_subtypes(subgraphs),
            overrides=_find_overrides(subgraphs, findings),
            taken_types=frozenset(a.type.named_type for a in (*arguments, *inputs)),
            returned_types=frozenset(f.type.named_type for f in fields),
        )

    def is_subtype(self, inner: str, outer: str) -> bool:
        """Tell whether ``inner`` implements ``outer`` or is a member of it."""
        return (inner, outer) in self.subtypes

    def having(self, type_name: str) -> list[tuple[Subgraph, SubgraphType]]:
        """Return the subgraphs that have a type, with what they say of it."""
        return [
            (subgraph, subgraph.types[type_name])
            for subgraph in self.subgraphs
            if type_name in subgraph.types
        ]

    def is_lost(self, subgraph: Subgraph, type_name: str, field_name: str) -> bool:
        """Tell whether a subgraph's field is overridden without a label."""
        coordinate = (type_name, field_name, subgraph.id)
        return coordinate in self.overrides and self.overrides[coordinate] is None

    def is_still_needed(
        self, subgraph: Subgraph, definition: SubgraphType, field_name: str
    ) -> bool:
        """Tell whether the subgraph needs an overridden field for its own schema."""
        return (definition.name, field_name) in subgraph.used or satisfies_interface(
            definition, field_name, subgraph
        )


def _find_subtypes(subgraphs: tuple[Subgraph, ...]) -> frozenset[tuple[str, str]]:
    """Return every (type, abstract type) relation that any subgraph states."""
    return frozenset(
        pair
        for subgraph in subgraphs
        for definition in subgraph.types.values()
        for pair in (
            *((definition.name, interface) for interface in definition.interfaces),
            *((member, definition.name) for member in definition.members),
        )
    )


def _find_overrides(
    subgraphs: tuple[Subgraph, ...], findings: Findings
) -> dict[tuple[str, str, str], str | None]:
    """Find out which fields are taken from which subgraph, and check that they may."""
    by_name = {subgraph.name: subgraph for subgraph in subgraphs}
    taken: dict[tuple[str, str, str], str | None] = {}
    for subgraph, type_name, field_name, override in _overrides(subgraphs):
        where = f"{type_name}.{field_name}"
        source = by_name.get(override.source)
        if source is subgraph:
            findings.problem(
                f'subgraph "{subgraph.name}" overrides the field from itself', where
            )
            continue
        if source is None:
            findings.hint(
                f'subgraph "{subgraph.name}" overrides the field from'
                f' "{override.source}", which is not a subgraph',
                where,
            )
            continue
        definition = source.types.get(type_name)
        field = definition.fields.get(field_name) if definition else None
        if field is None:
            findings.hint(
                f'subgraph "{source.name}" does not have the field any more; the'
                f' @override in subgraph "{subgraph.name}" can go',
                where,
            )
            continue
        if field.override is not None:
            findings.problem(
                f'subgraph "{subgraph.name}" overrides the field from subgraph'
                f' "{source.name}", which overrides it itself',
                where,
            )
        taken[(type_name, field_name, source.id)] = override.label
    return taken


def _overrides(
    subgraphs: tuple[Subgraph, ...],
) -> Iterator[tuple[Subgraph, str, str, Override]]:
    for subgraph in subgraphs:
        for type_name, definition in subgraph.types.items():
            for field_name, field in definition.fields.items():
                if field.override is not None:
                    yield subgraph, type_name, field_name, field.override
