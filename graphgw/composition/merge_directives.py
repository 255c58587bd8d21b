"""Directive definitions of several subgraphs become those of the supergraph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphql import print_ast

from graphgw.composition.findings import quoted
from graphgw.federation.api_schema import EXECUTABLE_LOCATIONS

if TYPE_CHECKING:
    from graphql import DirectiveDefinitionNode

    from graphgw.composition.merging import Merging

__all__ = ["merge_composed", "merge_executable"]


def merge_executable(merging: Merging) -> list[DirectiveDefinitionNode]:
    """Return the directives that operations may use: those every subgraph knows."""
    names = dict.fromkeys(n for s in merging.subgraphs for n in s.executable)
    return [
        node
        for name in sorted(names)
        if (node := _executable(name, merging)) is not None
    ]


def merge_composed(merging: Merging) -> dict[str, DirectiveDefinitionNode]:
    """Return the subgraphs' own directives that the supergraph takes over."""
    merged: dict[str, DirectiveDefinitionNode] = {}
    for subgraph in merging.subgraphs:
        for name, node in subgraph.composed.items():
            known = merged.setdefault(name, node)
            if print_ast(known) != print_ast(node):
                merging.findings.problem(
                    f'subgraph "{subgraph.name}" defines "@{name}" otherwise than the'
                    " subgraphs before it",
                    f"@{name}",
                    "Compose one definition of it.",
                )
    return merged


def _executable(name: str, merging: Merging) -> DirectiveDefinitionNode | None:
    nodes = [s.executable[name] for s in merging.subgraphs if name in s.executable]
    missing = [s.name for s in merging.subgraphs if name not in s.executable]
    if missing:
        merging.findings.hint(
            f"left out, because {quoted(missing)} does not define it", f"@{name}"
        )
        return None
    allowed = set(EXECUTABLE_LOCATIONS)
    for node in nodes:
        allowed &= {location.value for location in node.locations}
    locations = tuple(x for x in nodes[0].locations if x.value in allowed)
    arguments = tuple(
        argument
        for argument in nodes[0].arguments or ()
        if all(
            _has_argument(node, print_ast(argument.type), argument.name.value)
            for node in nodes
        )
    )
    if not locations:
        return None
    return replace(
        nodes[0],
        arguments=arguments,
        locations=locations,
        repeatable=all(node.repeatable for node in nodes),
    )


def _has_argument(node: DirectiveDefinitionNode, type_text: str, name: str) -> bool:
    return any(
        argument.name.value == name and print_ast(argument.type) == type_text
        for argument in node.arguments or ()
    )
