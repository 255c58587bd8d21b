"""One subgraph as a supergraph of its own, with the fields that routers ask for.

See https://www.apollographql.com/docs/graphos/reference/federation/subgraph-specific-fields.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    REMOVE,
    DirectiveNode,
    ObjectTypeDefinitionNode,
    OperationType,
    Visitor,
    parse,
    print_ast,
    visit,
)

from graphgw.composition.compose import compose
from graphgw.federation.links import read_links, schema_nodes
from graphgw.federation.read_supergraph import read_supergraph

if TYPE_CHECKING:
    from graphql import DocumentNode, FieldDefinitionNode

    from graphgw.composition.subgraph import SubgraphSDL
    from graphgw.federation.links import Links
    from graphgw.federation.supergraph import Supergraph

__all__ = ["compose_alone"]

_ABOUT_OTHERS: Final = frozenset(
    {"external", "interfaceObject", "override", "provides", "requires"}
)
"""Directives that mean nothing without other subgraphs."""

_PLACEHOLDER: Final = "graphgw__placeholder"
"""A query field for composition, which demands one; a subgraph of entities has none."""

_MACHINERY: Final = """
scalar _Any @join__type(graph: {graph})
type _Service @join__type(graph: {graph}) {{ sdl: String! }}
"""


def compose_alone(subgraph: SubgraphSDL) -> Supergraph:
    """Return the supergraph that serves a subgraph to any federation router.

    It has what the subgraph has, ``_service``, and ``_entities`` if there are some:
    a subgraph without a query field has these alone.

    Raises:
        ConfigurationError: The subgraph's schema is wrong; all problems.
    """
    document = parse(subgraph.sdl)
    own = visit(document, _Stripping(read_links(document)))
    held = f"extend type {_query_root(document)} {{ {_PLACEHOLDER}: Boolean }}"
    sdl = f"{print_ast(own)}\n{held}"
    composed = compose([replace(subgraph, sdl=sdl)]).supergraph
    (graph,) = composed.graphs
    entities = [
        name
        for name, found in composed.types.items()
        if found.kind == "object"
        and any(key.is_resolvable for key in found.graphs[graph].keys)
    ]
    fields = "_service: _Service!"
    added = _MACHINERY.format(graph=graph)
    if entities:
        fields += " _entities(representations: [_Any!]!): [_Entity]!"
        members = " ".join(
            f'@join__unionMember(graph: {graph}, member: "{name}")' for name in entities
        )
        added += (
            f"union _Entity @join__type(graph: {graph}) {members}"
            f" = {' | '.join(entities)}\n"
        )
    supergraph = parse(composed.sdl)
    query = composed.root_types["query"]
    (asked,) = parse(f"type Query {{ {fields} }}").definitions
    definitions: list[Any] = [
        replace(node, fields=(*_own_fields(node), *(asked.fields or ())))
        if isinstance(node, ObjectTypeDefinitionNode)
        and isinstance(asked, ObjectTypeDefinitionNode)
        and node.name.value == query
        else node
        for node in supergraph.definitions
    ]
    whole = replace(supergraph, definitions=tuple(definitions))
    return read_supergraph(f"{print_ast(whole)}\n{added}")


def _query_root(document: DocumentNode) -> str:
    """Return the name of a subgraph's query type."""
    roots = (
        root
        for node in schema_nodes(document)
        for root in node.operation_types or ()
        if root.operation is OperationType.QUERY
    )
    return next((root.type.name.value for root in roots), "Query")


def _own_fields(query: ObjectTypeDefinitionNode) -> list[FieldDefinitionNode]:
    return [node for node in query.fields or () if node.name.value != _PLACEHOLDER]


class _Stripping(Visitor):
    """Removes what a subgraph says about others, and what may point to them."""

    def __init__(self, links: Links) -> None:
        super().__init__()
        self._links = links

    def enter_directive(self, node: DirectiveNode, *_: Any) -> Any:
        meaning = self._links.directive(node.name.value)
        is_ours = meaning.link is None or meaning.is_in("federation")
        if is_ours and meaning.name in _ABOUT_OTHERS:
            return REMOVE
        if meaning.name != "sunset":
            return None
        kept = (a for a in node.arguments or () if a.name.value != "replacement")
        return replace(node, arguments=tuple(kept))
