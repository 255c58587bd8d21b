"""The head of a supergraph SDL: links, and the definitions of the join machinery."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from graphgw.federation.rule_definitions import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.federation.supergraph import Supergraph

__all__ = [
    "CONTEXT_DEFINITION",
    "JOIN_DEFINITIONS",
    "has_contexts",
    "print_schema_definition",
]

_LINKS: Final = (
    '@link(url: "https://specs.apollo.dev/link/v1.0")',
    '@link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION)',
)

JOIN_DEFINITIONS: Final = tuple(
    """
directive @join__directive(
  graphs: [join__Graph!]
  name: String!
  args: join__DirectiveArguments
) repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION

directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE

directive @join__field(
  graph: join__Graph
  requires: join__FieldSet
  provides: join__FieldSet
  type: String
  external: Boolean
  override: String
  usedOverridden: Boolean
  overrideLabel: String
  contextArguments: [join__ContextArgument!]
) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION

directive @join__graph(name: String!, url: String!) on ENUM_VALUE

directive @join__implements(
  graph: join__Graph!
  interface: String!
) repeatable on OBJECT | INTERFACE

directive @join__type(
  graph: join__Graph!
  key: join__FieldSet
  extension: Boolean! = false
  resolvable: Boolean! = true
  isInterfaceObject: Boolean! = false
) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR

directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION

directive @link(
  url: String
  as: String
  for: link__Purpose
  import: [link__Import]
) repeatable on SCHEMA

input join__ContextArgument {
  name: String!
  type: String!
  context: String!
  selection: join__FieldValue!
}

scalar join__DirectiveArguments

scalar join__FieldSet

scalar join__FieldValue

scalar link__Import

enum link__Purpose {
  SECURITY
  EXECUTION
}
""".strip().split("\n\n")
)
"""What the join and link specifications define, one block each."""

CONTEXT_DEFINITION: Final = (
    "directive @context(name: String!) repeatable on INTERFACE | OBJECT | UNION"
)
"""What marks a type whose fields fill arguments further down."""


def print_schema_definition(supergraph: Supergraph, rules: Iterable[str]) -> str:
    """Print the ``schema`` definition with a link for all that the SDL uses."""
    links = [*_LINKS, *_rule_links(frozenset(rules))]
    if has_contexts(supergraph):
        links.append(
            '@link(url: "https://specs.apollo.dev/context/v0.1", for: SECURITY)'
        )
    roots = [f"  {kind}: {name}" for kind, name in supergraph.root_types.items()]
    return "\n".join(["schema", *(f"  {link}" for link in links), "{", *roots, "}"])


def has_contexts(supergraph: Supergraph) -> bool:
    """Tell whether any type sets a context."""
    return any(definition.contexts for definition in supergraph.types.values())


def _rule_links(used: frozenset[str]) -> Iterable[str]:
    by_url: dict[str, list[str]] = {}
    for name, rule in RULES.items():
        if name in used:
            by_url.setdefault(rule.url, []).append(name)
    for url, names in by_url.items():
        rule = RULES[names[0]]
        arguments = f"url: {json.dumps(url)}"
        if names != [rule.spec]:
            imports = ", ".join(f'"@{name}"' for name in names)
            arguments += f", import: [{imports}]"
        if rule.purpose:
            arguments += f", for: {rule.purpose}"
        yield f"@link({arguments})"
