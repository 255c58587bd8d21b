"""Enum values: a union for what is returned, an intersection for what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import EnumValueDefinitionNode, NameNode

from graphgw.composition.findings import quoted
from graphgw.composition.merge_inputs import first_description, merge_kept
from graphgw.composition.merge_rules import merge_applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.composition.merging import Merging
    from graphgw.composition.subgraph import Subgraph, SubgraphType
    from graphgw.federation.supergraph import AppliedDirective

__all__ = ["merge_values"]


def merge_values(
    name: str, sources: Sequence[tuple[Subgraph, SubgraphType]], merging: Merging
) -> tuple[
    dict[str, tuple[str, ...]],
    list[EnumValueDefinitionNode],
    dict[str, tuple[AppliedDirective, ...]],
]:
    """Merge an enum: the subgraphs of each value, the definitions, the directives.

    A value that some subgraph lacks is an error where the enum is both sent and
    returned, and left out where it is only sent; unless clients do not see it.
    """
    is_input = name in merging.taken_types
    is_output = name in merging.returned_types
    graphs: dict[str, tuple[str, ...]] = {}
    nodes: list[EnumValueDefinitionNode] = []
    rules: dict[str, tuple[AppliedDirective, ...]] = {}
    for value in dict.fromkeys(v for _, d in sources for v in d.values):
        coordinate = f"{name}.{value}"
        elements = [d.values[value] for _, d in sources if value in d.values]
        missing = [s.name for s, d in sources if value not in d.values]
        is_hidden = any(element.is_inaccessible for element in elements)
        if missing and is_input and not is_hidden:
            if is_output:
                merging.findings.problem(
                    f"{quoted(missing)} does not have the value, and the enum is both"
                    " returned by fields and taken by arguments",
                    coordinate,
                    "Add the value everywhere, or mark it @inaccessible.",
                )
            else:
                merging.findings.hint(
                    f"left out, because {quoted(missing)} does not have it", coordinate
                )
                continue
        graphs[value] = tuple(s.id for s, d in sources if value in d.values)
        rules[coordinate] = merge_applied(element.applied for element in elements)
        nodes.append(
            EnumValueDefinitionNode(
                name=NameNode(value=value),
                description=first_description(elements),
                directives=merge_kept(elements),
            )
        )
    if not nodes:
        merging.findings.problem("its subgraphs have no value in common", name)
    return graphs, nodes, rules
