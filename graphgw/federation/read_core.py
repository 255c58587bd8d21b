"""Types of a supergraph written with join v0.1 (Federation 1): owners, no externals.

A field belongs to its type's owner unless it says otherwise; a type without an owner
lives in every subgraph that can reach it. External fields are not written down: they
are what a key, ``@requires`` or ``@provides`` names without the subgraph having it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphql import ObjectTypeDefinitionNode, UnionTypeDefinitionNode, print_ast

from graphgw.federation.api_schema import named_type
from graphgw.federation.read_join import field_set_of, key_of, kind_of
from graphgw.federation.selection import Fragment
from graphgw.federation.supergraph import (
    FieldDefinition,
    FieldInGraph,
    TypeDefinition,
    TypeInGraph,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphql import TypeDefinitionNode

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph_document import SupergraphDocument

__all__ = ["read_types"]


def read_types(
    document: SupergraphDocument,
) -> tuple[dict[str, TypeDefinition], dict[str, dict[str, tuple[str, ...]]]]:
    """Read every type, and the runtime types that each has in each subgraph."""
    drafts = {node.name.value: _draft(node, document) for node in document.types}
    for name in document.root_types.values():
        _settle_root(drafts[name], document.graphs)
    for graph in document.graphs:
        _spread(graph, drafts)
    for draft in list(drafts.values()):
        _add_externals(draft, drafts)
    types = {name: _definition(draft, document) for name, draft in drafts.items()}
    return types, _possible(types, drafts)


@dataclass(slots=True)
class _Draft:
    """A type while its subgraphs are being found out."""

    node: Any
    owner: str | None
    graphs: dict[str, TypeInGraph] = field(default_factory=dict)
    stated: dict[str, dict[str, FieldInGraph]] = field(default_factory=dict)
    """What the SDL says of each field, by subgraph."""
    implements: tuple[str, ...] = ()

    @property
    def is_entity(self) -> bool:
        return bool(self.graphs)

    def fields_in(self, graph: str) -> Iterator[Any]:
        """Yield the nodes of the fields that a subgraph has."""
        for node in getattr(self.node, "fields", None) or ():
            if graph in self.stated[node.name.value]:
                yield node


def _draft(node: TypeDefinitionNode, document: SupergraphDocument) -> _Draft:
    name = node.name.value
    owner = None
    for arguments in document.joins(node, "owner"):
        owner = document.graph_of(arguments, name)
    interfaces = getattr(node, "interfaces", None) or ()
    draft = _Draft(node, owner, implements=tuple(i.name.value for i in interfaces))
    if owner:
        draft.graphs[owner] = TypeInGraph()
    for arguments in document.joins(node, "type"):
        graph = document.graph_of(arguments, name)
        if graph is None:
            continue
        keys = draft.graphs.get(graph, TypeInGraph()).keys
        key = key_of(arguments, name, document)
        draft.graphs[graph] = TypeInGraph(
            keys=(*keys, key) if key else keys,
            is_extension=owner is not None and graph != owner,
        )
    for member in getattr(node, "fields", None) or ():
        coordinate = f"{name}.{member.name.value}"
        stated: dict[str, FieldInGraph] = {}
        for arguments in document.joins(member, "field"):
            graph = document.graph_of(arguments, coordinate) or owner
            if graph is not None:
                stated[graph] = FieldInGraph(
                    requires=field_set_of(
                        arguments.get("requires"), coordinate, document
                    ),
                    provides=field_set_of(
                        arguments.get("provides"), coordinate, document
                    ),
                )
        if not stated:
            graphs = [owner] if owner else draft.graphs
            stated.update({graph: FieldInGraph() for graph in graphs})
        draft.stated[member.name.value] = stated
    return draft


def _settle_root(draft: _Draft, graphs: Iterable[str]) -> None:
    for stated in draft.stated.values():
        if not stated:
            stated.update({graph: FieldInGraph() for graph in graphs})
        for graph in stated:
            draft.graphs.setdefault(graph, TypeInGraph())


def _spread(graph: str, drafts: dict[str, _Draft]) -> None:
    """Put every value type that a subgraph can reach into that subgraph."""
    todo = [name for name, draft in drafts.items() if graph in draft.graphs]
    done = set(todo)
    while todo:
        draft = drafts[todo.pop()]
        for name in _next_types(graph, draft, drafts):
            if name not in done and name in drafts:
                target = drafts[name]
                if target.owner is None or graph in target.graphs:
                    done.add(name)
                    todo.append(name)
                    _enter(graph, target)


def _enter(graph: str, draft: _Draft) -> None:
    if graph in draft.graphs:
        return
    draft.graphs[graph] = TypeInGraph()
    for node in getattr(draft.node, "fields", None) or ():
        draft.stated[node.name.value].setdefault(graph, FieldInGraph())


def _next_types(graph: str, draft: _Draft, drafts: dict[str, _Draft]) -> Iterator[str]:
    for node in draft.fields_in(graph):
        yield named_type(node.type)
        for argument in getattr(node, "arguments", None) or ():
            yield named_type(argument.type)
    yield from draft.implements
    if isinstance(draft.node, UnionTypeDefinitionNode):
        yield from (member.name.value for member in draft.node.types or ())
    kind = kind_of(draft.node)
    if kind == "interface":
        name = draft.node.name.value
        yield from (n for n, other in drafts.items() if name in other.implements)
    yield from _types_of_keys(graph, draft, drafts)


def _types_of_keys(
    graph: str, draft: _Draft, drafts: dict[str, _Draft]
) -> Iterator[str]:
    """Yield the types that a subgraph's keys and requirements lead through."""
    name = draft.node.name.value
    for key in draft.graphs[graph].keys:
        yield from (t for t, _ in _named_fields(name, key.fields, drafts))
    for by_graph in draft.stated.values():
        stated = by_graph.get(graph)
        if stated and stated.requires:
            yield from (t for t, _ in _named_fields(name, stated.requires, drafts))


def _add_externals(draft: _Draft, drafts: dict[str, _Draft]) -> None:
    """Write down the fields that field sets name and the subgraph does not have."""
    name = draft.node.name.value
    for graph, in_graph in draft.graphs.items():
        for key in in_graph.keys:
            _mention(name, key.fields, graph, FieldInGraph(), drafts)
    external = FieldInGraph(is_external=True)
    for field_name, by_graph in draft.stated.items():
        returned = _return_type(draft, field_name)
        for graph, stated in list(by_graph.items()):
            _mention(name, stated.requires, graph, external, drafts)
            _mention(returned, stated.provides, graph, external, drafts)


def _mention(
    type_name: str,
    selections: Selections,
    graph: str,
    as_field: FieldInGraph,
    drafts: dict[str, _Draft],
) -> None:
    for owner, field_name in _named_fields(type_name, selections, drafts):
        target = drafts[owner]
        target.graphs.setdefault(graph, TypeInGraph())
        stated = target.stated[field_name]
        known = stated.get(graph)
        if known is None:
            stated[graph] = as_field
        elif known.is_external and not as_field.is_external:
            stated[graph] = replace(known, is_external=False)


def _named_fields(
    type_name: str, selections: Selections, drafts: dict[str, _Draft]
) -> Iterator[tuple[str, str]]:
    """Yield every (type, field) that a field set names and that exists."""
    draft = drafts.get(type_name)
    for selection in selections:
        if isinstance(selection, Fragment):
            yield from _named_fields(
                selection.type_condition, selection.selections, drafts
            )
        elif draft and selection.name in draft.stated:
            yield type_name, selection.name
            returned = _return_type(draft, selection.name)
            yield from _named_fields(returned, selection.selections, drafts)


def _return_type(draft: _Draft, field_name: str) -> str:
    return next(
        named_type(node.type)
        for node in draft.node.fields
        if node.name.value == field_name
    )


def _definition(draft: _Draft, document: SupergraphDocument) -> TypeDefinition:
    node = draft.node
    return TypeDefinition(
        name=node.name.value,
        kind=kind_of(node),
        graphs=_in_order(document.graphs, draft.graphs),
        fields={
            member.name.value: FieldDefinition(
                name=member.name.value,
                type=print_ast(member.type),
                named_type=named_type(member.type),
                graphs=_in_order(document.graphs, draft.stated[member.name.value]),
                is_inaccessible=document.has(member, "inaccessible"),
            )
            for member in getattr(node, "fields", None) or ()
        },
        is_inaccessible=document.has(node, "inaccessible"),
        interfaces={
            graph: draft.implements
            for graph in document.graphs
            if graph in draft.graphs and draft.implements
        },
        values={
            value.name.value: tuple(g for g in document.graphs if g in draft.graphs)
            for value in getattr(node, "values", None) or ()
        },
    )


def _in_order(graphs: Iterable[str], values: dict[str, Any]) -> dict[str, Any]:
    return {graph: values[graph] for graph in graphs if graph in values}


def _possible(
    types: dict[str, TypeDefinition], drafts: dict[str, _Draft]
) -> dict[str, dict[str, tuple[str, ...]]]:
    members: dict[str, list[str]] = {}
    for name, draft in drafts.items():
        if isinstance(draft.node, ObjectTypeDefinitionNode):
            members.setdefault(name, []).append(name)
            for interface in draft.implements:
                members.setdefault(interface, []).append(name)
        elif isinstance(draft.node, UnionTypeDefinitionNode):
            members[name] = [m.name.value for m in draft.node.types or ()]
    return {
        name: {
            graph: tuple(
                sorted(
                    member
                    for member in members.get(name, ())
                    if member in types and graph in types[member].graphs
                )
            )
            for graph in definition.graphs
        }
        for name, definition in types.items()
        if definition.is_composite
    }
