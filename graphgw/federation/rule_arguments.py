"""Arguments of policy directives: lists where lists are due, and what is wrong."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graphql import ListTypeNode, NonNullTypeNode, parse

from graphgw.federation.rule_definitions import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import DirectiveDefinitionNode, InputValueDefinitionNode, TypeNode

    from graphgw.federation.supergraph import AppliedDirective
    from graphgw.types import JSON, JSONObject

__all__ = ["complete_arguments", "errors_of_rule", "rule_definition"]


@lru_cache(maxsize=len(RULES))
def rule_definition(name: str) -> DirectiveDefinitionNode:
    """Return the definition of a policy directive."""
    document: Any = parse(f"directive @{name} {RULES[name].signature}")
    definition: DirectiveDefinitionNode = document.definitions[0]
    return definition


def complete_arguments(name: str, arguments: JSONObject) -> JSONObject:
    """Put single values into the lists that the directive's definition demands.

    GraphQL takes ``scopes: ["a", "b"]`` for ``[["a"], ["b"]]``; so must every policy.
    Directives that are not policies keep what they were given.
    """
    if name not in RULES:
        return arguments
    known = _arguments(name)
    return {
        key: _listed(value, known[key].type) if key in known else value
        for key, value in arguments.items()
    }


def errors_of_rule(applied: AppliedDirective) -> Iterator[str]:
    """Yield what is wrong with the arguments of an applied policy directive."""
    if applied.name not in RULES:
        return
    known = _arguments(applied.name)
    for name in applied.arguments:
        if name not in known:
            yield f'"@{applied.name}" has no argument "{name}"'
    for name, argument in known.items():
        is_required = isinstance(argument.type, NonNullTypeNode)
        is_missing = applied.arguments.get(name) is None
        if is_required and is_missing and argument.default_value is None:
            yield f'"@{applied.name}" needs the argument "{name}"'


def _arguments(name: str) -> Mapping[str, InputValueDefinitionNode]:
    return {a.name.value: a for a in rule_definition(name).arguments or ()}


def _listed(value: JSON, node: TypeNode) -> JSON:
    if isinstance(node, NonNullTypeNode):
        return _listed(value, node.type)
    if not isinstance(node, ListTypeNode) or value is None:
        return value
    items = value if isinstance(value, list) else [value]
    return [_listed(item, node.type) for item in items]
