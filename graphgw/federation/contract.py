"""A supergraph and a filter to the supergraph as one variant's clients see it.

A contract is the same graph with more ``@inaccessible`` elements: what it hides is
unknown to clients, and still there for keys, requirements and row rules.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphql import (
    SchemaDefinitionNode,
    TypeDefinitionNode,
    is_specified_directive,
)

from graphgw.errors import ConfigurationError
from graphgw.federation.api_schema import (
    build_schema_of,
    named_type,
    problems_of_schema,
    without_elements,
)
from graphgw.federation.contract_filter import ContractFilter, filter_elements
from graphgw.federation.supergraph import AppliedDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import DirectiveDefinitionNode

    from graphgw.federation.supergraph import Supergraph, TypeDefinition

__all__ = ["ContractFilter", "build_contract", "find_unknown_tags"]

_INACCESSIBLE = AppliedDirective("inaccessible", {})


def build_contract(supergraph: Supergraph, contract: ContractFilter) -> Supergraph:
    """Return the supergraph whose API schema shows only what the contract does.

    Everything else is as it was, so that plans of the one run on the other.

    Raises:
        ConfigurationError: What is left is no valid schema; holds all problems, each
            with its coordinate.
    """
    if contract.is_open:
        return supergraph
    definitions = dict(_definitions(supergraph))
    directives = tuple(_executable(supergraph))
    schema = supergraph.api_schema
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    arguments = (a for node in directives for a in node.arguments or ())
    found = filter_elements(
        definitions,
        tuple(root.name for root in roots if root is not None),
        supergraph.rules,
        contract,
        frozenset(named_type(argument.type) for argument in arguments),
    )
    if found.problems:
        raise ConfigurationError(found.problems)
    visible = without_elements(list(definitions.values()), found.hidden)
    definition = schema.ast_node or SchemaDefinitionNode(operation_types=())
    api_schema = build_schema_of(visible, directives, definition)
    problems = problems_of_schema(api_schema)
    if problems:
        raise ConfigurationError(problems)
    return _hide(replace(supergraph, api_schema=api_schema), found.hidden)


def find_unknown_tags(
    supergraph: Supergraph, contract: ContractFilter
) -> tuple[str, ...]:
    """Return the tags of a contract that no element of the supergraph has."""
    known = {
        applied.arguments.get("name")
        for found in supergraph.rules.values()
        for applied in found
        if applied.name == "tag"
    }
    wanted = dict.fromkeys((*contract.include, *contract.exclude))
    return tuple(tag for tag in wanted if tag not in known)


def _definitions(supergraph: Supergraph) -> Iterator[tuple[str, TypeDefinitionNode]]:
    for name, type_ in supergraph.api_schema.type_map.items():
        if isinstance(type_.ast_node, TypeDefinitionNode):
            yield name, type_.ast_node


def _executable(supergraph: Supergraph) -> Iterator[DirectiveDefinitionNode]:
    for directive in supergraph.api_schema.directives:
        if directive.ast_node and not is_specified_directive(directive):
            yield directive.ast_node


def _hide(supergraph: Supergraph, hidden: frozenset[str]) -> Supergraph:
    """Mark elements as inaccessible in the model too, for those who print it."""
    rules = dict(supergraph.rules)
    for coordinate in sorted(hidden):
        rules[coordinate] = (_INACCESSIBLE, *rules.get(coordinate, ()))
    types = {
        name: _hide_in_type(definition, hidden)
        for name, definition in supergraph.types.items()
    }
    return replace(supergraph, types=types, rules=rules)


def _hide_in_type(definition: TypeDefinition, hidden: frozenset[str]) -> Any:
    name = definition.name
    fields = {
        field_name: replace(field, is_inaccessible=True)
        if f"{name}.{field_name}" in hidden
        else field
        for field_name, field in definition.fields.items()
    }
    is_hidden = definition.is_inaccessible or name in hidden
    return replace(definition, fields=fields, is_inaccessible=is_hidden)
