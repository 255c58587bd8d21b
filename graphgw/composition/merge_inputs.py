"""Arguments and input fields of several subgraphs become those of the supergraph.

Both are intersections: what one subgraph does not know cannot be sent to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import InputValueDefinitionNode, NameNode, parse_type, print_ast

from graphgw.composition.findings import quoted
from graphgw.composition.merge_rules import merge_applied
from graphgw.composition.type_refs import meet_types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphql import ConstDirectiveNode, StringValueNode

    from graphgw.composition.findings import Findings
    from graphgw.composition.subgraph import Element, Subgraph, SubgraphArgument
    from graphgw.composition.type_refs import TypeRef
    from graphgw.federation.supergraph import AppliedDirective

__all__ = ["MergedInput", "first_description", "merge_inputs", "merge_kept"]


@dataclass(frozen=True, slots=True)
class MergedInput:
    """An argument or input field of the supergraph, and the directives on it."""

    node: InputValueDefinitionNode
    type: TypeRef
    applied: tuple[AppliedDirective, ...]


def merge_inputs(
    sources: Sequence[tuple[Subgraph, Mapping[str, SubgraphArgument]]],
    coordinate: str,
    findings: Findings,
) -> dict[str, MergedInput]:
    """Merge the arguments of one field, or the fields of one input type.

    Args:
        sources: What each subgraph that has the field or type takes.
        coordinate: ``Type.field`` with a ``(%s:)`` for the argument, or ``Type.%s``.
        findings: Where mandatory arguments that some subgraph lacks are reported.
    """
    names = dict.fromkeys(name for _, inputs in sources for name in inputs)
    merged: dict[str, MergedInput] = {}
    for name in names:
        where = coordinate % name
        found = [(s, inputs[name]) for s, inputs in sources if name in inputs]
        missing = [s.name for s, inputs in sources if name not in inputs]
        if missing:
            _report_missing(found, missing, where, findings)
            continue
        ref = meet_types([given.type for _, given in found])
        if ref is None:
            stated = ", ".join(f'{given.type} in "{s.name}"' for s, given in found)
            findings.problem(f"its types do not fit together: {stated}", where)
            continue
        _check_defaults(found, where, findings)
        elements = [given for _, given in found]
        node = InputValueDefinitionNode(
            name=NameNode(value=name),
            description=first_description(elements),
            type=parse_type(str(ref), no_location=True),
            default_value=elements[0].default,
            directives=merge_kept(elements),
        )
        applied = merge_applied(element.applied for element in elements)
        if ref.is_required and node.default_value is None and _is_hidden(applied):
            findings.problem(
                "it is @inaccessible and mandatory, so that no client can give it",
                where,
                "Make it optional, or give it a default value.",
            )
        merged[name] = MergedInput(node, ref, applied)
    return merged


def first_description(elements: Sequence[Element]) -> StringValueNode | None:
    """Return the description that the first subgraph to have one gives."""
    return next((e.description for e in elements if e.description is not None), None)


def merge_kept(elements: Sequence[Element]) -> tuple[ConstDirectiveNode, ...]:
    """Return ``@deprecated`` and the like, each once."""
    kept: dict[str, ConstDirectiveNode] = {}
    for element in elements:
        for directive in element.kept:
            kept.setdefault(directive.name.value, directive)
    return tuple(kept.values())


def _is_hidden(applied: tuple[AppliedDirective, ...]) -> bool:
    return any(directive.name == "inaccessible" for directive in applied)


def _report_missing(
    found: Sequence[tuple[Subgraph, SubgraphArgument]],
    missing: Sequence[str],
    where: str,
    findings: Findings,
) -> None:
    mandatory = [s.name for s, given in found if given.is_mandatory]
    if mandatory:
        findings.problem(
            f"it is mandatory in {quoted(mandatory)} and missing in {quoted(missing)}",
            where,
            "Add it there, or make it optional.",
        )
    else:
        findings.hint(f"left out, because {quoted(missing)} does not have it", where)


def _check_defaults(
    found: Sequence[tuple[Subgraph, SubgraphArgument]], where: str, findings: Findings
) -> None:
    defaults = {
        s.name: print_ast(given.default) if given.default is not None else "none"
        for s, given in found
    }
    if len(set(defaults.values())) > 1:
        stated = ", ".join(f'{text} in "{name}"' for name, text in defaults.items())
        findings.problem(f"its default values differ: {stated}", where)
