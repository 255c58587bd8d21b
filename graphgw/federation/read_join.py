"""Types of a supergraph written with join v0.2 to v0.5 (Federation 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    EnumTypeDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    UnionTypeDefinitionNode,
    print_ast,
)

from graphgw.errors import ConfigurationError
from graphgw.federation.api_schema import named_type
from graphgw.federation.field_sets import parse_field_set, print_field_set
from graphgw.federation.links import directive_arguments
from graphgw.federation.selection import Field
from graphgw.federation.supergraph import (
    ContextArgument,
    FieldDefinition,
    FieldInGraph,
    Key,
    TypeDefinition,
    TypeInGraph,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import TypeDefinitionNode

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import TypeKind
    from graphgw.federation.supergraph_document import SupergraphDocument
    from graphgw.types import JSON

__all__ = ["field_set_of", "key_of", "kind_of", "read_possible", "read_types"]

_KINDS: Final[tuple[tuple[type, TypeKind], ...]] = (
    (ObjectTypeDefinitionNode, "object"),
    (InterfaceTypeDefinitionNode, "interface"),
    (UnionTypeDefinitionNode, "union"),
    (EnumTypeDefinitionNode, "enum"),
    (InputObjectTypeDefinitionNode, "input"),
)


def kind_of(node: TypeDefinitionNode) -> TypeKind:
    """Return the kind of a type definition."""
    return next((kind for cls, kind in _KINDS if isinstance(node, cls)), "scalar")


def field_set_of(value: JSON, where: str, document: SupergraphDocument) -> Selections:
    """Parse a directive's field set; what is wrong becomes a problem."""
    if value is None:
        return ()
    try:
        return parse_field_set(str(value), where)
    except ConfigurationError as error:
        document.problems.extend(error.problems)
        return ()


def key_of(
    arguments: Mapping[str, JSON], where: str, document: SupergraphDocument
) -> Key | None:
    """Return the key that a ``@join__type`` names, if it names one."""
    fields = field_set_of(arguments.get("key"), where, document)
    if not fields:
        return None
    is_resolvable = arguments.get("resolvable", True) is not False
    return Key(fields, print_field_set(fields), is_resolvable)


def read_types(document: SupergraphDocument) -> dict[str, TypeDefinition]:
    """Read every type with its subgraphs; implicit membership is made explicit."""
    return {node.name.value: _type(node, document) for node in document.types}


def read_possible(
    document: SupergraphDocument, types: Mapping[str, TypeDefinition]
) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the runtime types of each composite type in each of its subgraphs."""
    found: dict[str, dict[str, set[str]]] = {
        name: {graph: set() for graph in definition.graphs}
        for name, definition in types.items()
        if definition.is_composite
    }
    for node in document.types:
        name = node.name.value
        if isinstance(node, ObjectTypeDefinitionNode):
            for graph in types[name].graphs:
                found[name][graph].add(name)
            for graph, interfaces in types[name].interfaces.items():
                for interface in interfaces:
                    found.get(interface, {}).get(graph, set()).add(name)
        elif isinstance(node, UnionTypeDefinitionNode):
            for member, graph in _members(node, document, types):
                found[name].get(graph, set()).add(member)
    return {
        name: {graph: tuple(sorted(names)) for graph, names in by_graph.items()}
        for name, by_graph in found.items()
    }


def _type(node: TypeDefinitionNode, document: SupergraphDocument) -> TypeDefinition:
    name = node.name.value
    graphs: dict[str, TypeInGraph] = {}
    for arguments in document.joins(node, "type"):
        graph = document.graph_of(arguments, name)
        if graph is None:
            continue
        known = graphs.get(graph, TypeInGraph())
        key = key_of(arguments, name, document)
        graphs[graph] = TypeInGraph(
            keys=(*known.keys, key) if key and key not in known.keys else known.keys,
            is_interface_object=known.is_interface_object
            or arguments.get("isInterfaceObject") is True,
            is_extension=known.is_extension or arguments.get("extension") is True,
        )
    fields: dict[str, FieldDefinition] = {}
    for field in getattr(node, "fields", None) or ():
        fields[field.name.value] = _field(name, field, graphs, document)
    _mark_external(node, graphs, fields, document)
    return TypeDefinition(
        name=name,
        kind=kind_of(node),
        graphs=graphs,
        fields=fields,
        is_inaccessible=document.has(node, "inaccessible"),
        contexts=_contexts(node, graphs, document),
        interfaces=_interfaces(node, graphs, document),
        values=_values(node, graphs, document),
    )


def _mark_external(
    node: TypeDefinitionNode,
    graphs: Mapping[str, TypeInGraph],
    fields: dict[str, FieldDefinition],
    document: SupergraphDocument,
) -> None:
    """Mark what an interface object requires as external there.

    It has to be, but some composers do not say so on the fields of interfaces.
    """
    unsaid = {
        field.name.value
        for field in getattr(node, "fields", None) or ()
        if not any(document.joins(field, "field"))
    }
    for graph, there in graphs.items():
        if not there.is_interface_object:
            continue
        in_keys = {name for key in there.keys for name in _leaves(key.fields)}
        required = {
            name
            for field in fields.values()
            if graph in field.graphs
            for name in _leaves(field.graphs[graph].requires)
        }
        for name in sorted((required & unsaid) - in_keys):
            found = fields[name]
            external = {**found.graphs, graph: FieldInGraph(is_external=True)}
            fields[name] = replace(found, graphs=external)


def _leaves(selections: Selections) -> list[str]:
    return [
        selection.name
        for selection in selections
        if isinstance(selection, Field) and not selection.selections
    ]


def _field(
    type_name: str,
    node: Any,
    type_graphs: Mapping[str, TypeInGraph],
    document: SupergraphDocument,
) -> FieldDefinition:
    coordinate = f"{type_name}.{node.name.value}"
    applications = list(document.joins(node, "field"))
    graphs = {
        graph: _field_in_graph(arguments, coordinate, document)
        for arguments in applications
        if (graph := document.graph_of(arguments, coordinate)) is not None
    }
    if not applications:
        graphs = {graph: FieldInGraph() for graph in type_graphs}
    return FieldDefinition(
        name=node.name.value,
        type=print_ast(node.type),
        named_type=named_type(node.type),
        graphs=graphs,
        is_inaccessible=document.has(node, "inaccessible"),
    )


def _field_in_graph(
    arguments: Mapping[str, JSON], coordinate: str, document: SupergraphDocument
) -> FieldInGraph:
    return FieldInGraph(
        type=_text(arguments.get("type")),
        is_external=arguments.get("external") is True,
        requires=field_set_of(arguments.get("requires"), coordinate, document),
        provides=field_set_of(arguments.get("provides"), coordinate, document),
        override=_text(arguments.get("override")),
        override_label=_text(arguments.get("overrideLabel")),
        is_overridden=arguments.get("usedOverridden") is True,
        context_arguments=tuple(
            ContextArgument(
                name=str(given.get("name")),
                type=str(given.get("type")),
                context=str(given.get("context")),
                selection=str(given.get("selection")),
            )
            for given in arguments.get("contextArguments") or ()
        ),
    )


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None


def _contexts(
    node: TypeDefinitionNode,
    graphs: Mapping[str, TypeInGraph],
    document: SupergraphDocument,
) -> dict[str, tuple[str, ...]]:
    """Read ``@context``; its names begin with the name of the subgraph."""
    contexts: dict[str, tuple[str, ...]] = {}
    for directive in node.directives or ():
        meaning = document.links.directive(directive.name.value)
        if meaning.name != "context" or not meaning.is_in("context"):
            continue
        name = str(directive_arguments(directive).get("name"))
        owners = [
            graph
            for graph in graphs
            if name.startswith((document.graphs[graph].name + "__", graph + "__"))
        ]
        for graph in owners or graphs:
            contexts[graph] = (*contexts.get(graph, ()), name)
    return contexts


def _interfaces(
    node: TypeDefinitionNode,
    graphs: Mapping[str, TypeInGraph],
    document: SupergraphDocument,
) -> dict[str, tuple[str, ...]]:
    """Return the interfaces that a type implements, by subgraph."""
    name = node.name.value
    found: dict[str, tuple[str, ...]] = {}
    stated = list(document.joins(node, "implements"))
    for arguments in stated:
        graph = document.graph_of(arguments, name)
        if graph is not None:
            found[graph] = (*found.get(graph, ()), str(arguments.get("interface")))
    plain = tuple(i.name.value for i in getattr(node, "interfaces", None) or ())
    return dict.fromkeys(graphs, plain) if plain and not stated else found


def _values(
    node: TypeDefinitionNode,
    graphs: Mapping[str, TypeInGraph],
    document: SupergraphDocument,
) -> dict[str, tuple[str, ...]]:
    """Return the subgraphs that know each value of an enum."""
    if not isinstance(node, EnumTypeDefinitionNode):
        return {}
    values: dict[str, tuple[str, ...]] = {}
    for value in node.values or ():
        coordinate = f"{node.name.value}.{value.name.value}"
        stated = list(document.joins(value, "enumValue"))
        known = (document.graph_of(arguments, coordinate) for arguments in stated)
        in_graphs = tuple(graph for graph in known if graph is not None)
        values[value.name.value] = in_graphs if stated else tuple(graphs)
    return values


def _members(
    node: UnionTypeDefinitionNode,
    document: SupergraphDocument,
    types: Mapping[str, TypeDefinition],
) -> Iterator[tuple[str, str]]:
    """Yield each member of a union and a subgraph in which it is one."""
    name = node.name.value
    stated = list(document.joins(node, "unionMember"))
    for arguments in stated:
        graph = document.graph_of(arguments, name)
        if graph is not None:
            yield str(arguments.get("member")), graph
    for member in () if stated else node.types or ():
        definition = types.get(member.name.value)
        for graph in definition.graphs if definition else ():
            yield member.name.value, graph
