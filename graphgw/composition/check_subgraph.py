"""What must hold in each subgraph by itself before it is merged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from graphql import specified_scalar_types

from graphgw.composition.check_field_sets import check_field_set
from graphgw.composition.usage import context_selections, satisfies_interface
from graphgw.errors import ConfigurationError
from graphgw.federation.rule_arguments import errors_of_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.composition.findings import Findings
    from graphgw.composition.subgraph import (
        Element,
        Subgraph,
        SubgraphField,
        SubgraphType,
    )

__all__ = ["check_subgraph"]

_LABEL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_\-:./]*")
_PERCENT: Final = re.compile(r"percent\((\d{1,2}(?:\.\d{1,8})?|100)\)")


def check_subgraph(subgraph: Subgraph, findings: Findings) -> None:
    """Report everything that is wrong within one subgraph."""
    for definition in subgraph.types.values():
        _check_rules(definition, subgraph, findings)
        _check_references(definition, subgraph, findings)
        _check_keys(definition, subgraph, findings)
        _check_interface_object(definition, subgraph, findings)
        for field in definition.fields.values():
            where = f"{definition.name}.{field.name}"
            _check_field(definition, field, subgraph, findings)
            _check_override(field, where, subgraph, findings)
            _check_external(definition, field, subgraph, findings)


def _check_rules(
    definition: SubgraphType, subgraph: Subgraph, findings: Findings
) -> None:
    for where, element in _elements(definition):
        for applied in element.applied:
            for error in errors_of_rule(applied):
                findings.problem(f'subgraph "{subgraph.name}": {error}', where)


def _elements(definition: SubgraphType) -> Iterator[tuple[str, Element]]:
    """Yield the type and all it holds, with their coordinates."""
    name = definition.name
    yield name, definition
    for value in definition.values.values():
        yield f"{name}.{value.name}", value
    for given in definition.inputs.values():
        yield f"{name}.{given.name}", given
    for field in definition.fields.values():
        yield f"{name}.{field.name}", field
        for argument in field.arguments.values():
            yield f"{name}.{field.name}({argument.name}:)", argument


def _check_references(
    definition: SubgraphType, subgraph: Subgraph, findings: Findings
) -> None:
    for where, name in _references(definition):
        if name not in subgraph.types and name not in specified_scalar_types:
            findings.problem(
                f'subgraph "{subgraph.name}" does not define the type "{name}"', where
            )


def _references(definition: SubgraphType) -> Iterator[tuple[str, str]]:
    name = definition.name
    for field in definition.fields.values():
        yield f"{name}.{field.name}", field.type.named_type
        for argument in field.arguments.values():
            yield f"{name}.{field.name}({argument.name}:)", argument.type.named_type
    for given in definition.inputs.values():
        yield f"{name}.{given.name}", given.type.named_type
    for reference in (*definition.interfaces, *definition.members):
        yield name, reference


def _check_keys(
    definition: SubgraphType, subgraph: Subgraph, findings: Findings
) -> None:
    for key in definition.keys:
        errors = check_field_set(
            key.fields, definition.name, subgraph, allow_arguments=False
        )
        for error in errors:
            findings.problem(
                f'subgraph "{subgraph.name}": @key(fields: "{key.text}"): {error}',
                definition.name,
            )
    if definition.kind != "interface" or definition.is_interface_object:
        return
    for key in definition.keys:
        for name, other in subgraph.types.items():
            keys = {k.text for k in other.keys if k.is_resolvable}
            is_implementation = (
                definition.name in other.interfaces and other.kind == "object"
            )
            if is_implementation and key.is_resolvable and key.text not in keys:
                findings.problem(
                    f'subgraph "{subgraph.name}": the interface has'
                    f' @key(fields: "{key.text}"), and its implementation "{name}"'
                    " has not",
                    definition.name,
                    f'Add that @key to "{name}".',
                )


def _check_interface_object(
    definition: SubgraphType, subgraph: Subgraph, findings: Findings
) -> None:
    if definition.is_interface_object and not definition.keys:
        findings.problem(
            f'subgraph "{subgraph.name}": an @interfaceObject needs a @key',
            definition.name,
        )


def _check_field(
    definition: SubgraphType,
    field: SubgraphField,
    subgraph: Subgraph,
    findings: Findings,
) -> None:
    errors = [
        *_errors_of_requires(definition, field, subgraph),
        *_errors_of_provides(field, subgraph),
        *_errors_of_contexts(field, subgraph),
    ]
    for error in errors:
        findings.problem(
            f'subgraph "{subgraph.name}": {error}', f"{definition.name}.{field.name}"
        )


def _errors_of_requires(
    definition: SubgraphType, field: SubgraphField, subgraph: Subgraph
) -> Iterator[str]:
    is_interface = definition.kind == "interface" and not definition.is_interface_object
    if field.requires and is_interface:
        yield "@requires is not allowed on an interface's field"
    for error in check_field_set(
        field.requires,
        definition.name,
        subgraph,
        must_be_external=subgraph.is_federation_2,
    ):
        yield f"@requires: {error}"


def _errors_of_provides(field: SubgraphField, subgraph: Subgraph) -> Iterator[str]:
    returned = field.type.named_type
    target = subgraph.types.get(returned)
    is_composite = target is not None and (target.fields or target.members)
    if field.provides and not is_composite:
        yield f'@provides: "{returned}" has no fields'
    for error in check_field_set(
        field.provides,
        returned,
        subgraph,
        allow_arguments=False,
        must_be_external=subgraph.is_federation_2,
    ):
        yield f"@provides: {error}"


def _errors_of_contexts(field: SubgraphField, subgraph: Subgraph) -> Iterator[str]:
    for argument in field.context_arguments:
        try:
            found = list(context_selections(argument, subgraph))
        except ConfigurationError as error:
            yield f"@fromContext: {error.message}"
            continue
        if not found:
            name = argument.context.removeprefix(subgraph.name + "__")
            yield f'@fromContext: no type sets the context "{name}"'
        for type_name, selections in found:
            for message in check_field_set(selections, type_name, subgraph):
                yield f"@fromContext: {message}"


def _check_override(
    field: SubgraphField, where: str, subgraph: Subgraph, findings: Findings
) -> None:
    override = field.override
    if override is None:
        return
    if field.is_external:
        findings.problem(
            f'subgraph "{subgraph.name}" marks the field both @override and @external',
            where,
        )
    label = override.label
    if label is None:
        return
    if not (_LABEL.fullmatch(label) or _PERCENT.fullmatch(label)):
        findings.problem(
            f'subgraph "{subgraph.name}": the label "{label}" of @override is neither'
            " a name nor percent(0-100)",
            where,
        )


def _check_external(
    definition: SubgraphType,
    field: SubgraphField,
    subgraph: Subgraph,
    findings: Findings,
) -> None:
    if not field.is_external or not subgraph.is_federation_2:
        return
    is_used = (definition.name, field.name) in subgraph.used
    if not is_used and not satisfies_interface(definition, field.name, subgraph):
        findings.problem(
            f'subgraph "{subgraph.name}" marks the field @external, and no @key,'
            " @requires or @provides there names it",
            f"{definition.name}.{field.name}",
            "Remove the field, or its @external.",
        )
