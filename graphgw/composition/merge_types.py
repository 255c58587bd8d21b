"""A type of several subgraphs becomes one type of the supergraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from graphql import (
    EnumTypeDefinitionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    NamedTypeNode,
    NameNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    UnionTypeDefinitionNode,
)

from graphgw.composition.findings import quoted
from graphgw.composition.merge_enums import merge_values
from graphgw.composition.merge_fields import merge_field
from graphgw.composition.merge_inputs import (
    first_description,
    merge_inputs,
    merge_kept,
)
from graphgw.composition.merge_rules import merge_applied
from graphgw.federation.supergraph import (
    AppliedDirective,
    FieldDefinition,
    FieldInGraph,
    TypeDefinition,
    TypeInGraph,
)

if TYPE_CHECKING:
    from graphql import TypeDefinitionNode

    from graphgw.composition.merging import Merging
    from graphgw.composition.subgraph import Subgraph, SubgraphType

__all__ = ["MergedType", "add_interface_object_fields", "merge_type"]

_Sources: TypeAlias = Sequence[tuple["Subgraph", "SubgraphType"]]
_Rules: TypeAlias = dict[str, tuple[AppliedDirective, ...]]


@dataclass(frozen=True, slots=True)
class MergedType:
    """A type of the supergraph, its definition and the directives on its parts.

    ``members`` are those of a union, by subgraph.
    """

    definition: TypeDefinition
    node: TypeDefinitionNode
    rules: Mapping[str, tuple[AppliedDirective, ...]]
    members: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class _Parts:
    """What the kinds of type differ in."""

    fields: dict[str, FieldDefinition]
    nodes: list[Any]
    rules: _Rules
    values: dict[str, tuple[str, ...]]


def merge_type(name: str, merging: Merging) -> MergedType | None:
    """Merge one type; ``None`` where it has not the same kind everywhere."""
    sources = merging.having(name)
    kinds = dict.fromkeys(definition.kind for _, definition in sources)
    if len(kinds) > 1:
        stated = ", ".join(f'{d.kind} in "{s.name}"' for s, d in sources)
        merging.findings.problem(f"it is not the same kind of type: {stated}", name)
        return None
    if all(d.is_interface_object for _, d in sources):
        merging.findings.problem(
            f"it is an @interfaceObject in {quoted(s.name for s, _ in sources)}, and"
            " no subgraph defines the interface",
            name,
        )
        return None
    parts = _merge_parts(name, sources, merging)
    elements = [definition for _, definition in sources]
    parts.rules[name] = merge_applied(element.applied for element in elements)
    definition = TypeDefinition(
        name=name,
        kind=elements[0].kind,
        graphs=_graphs(name, sources, merging),
        fields=parts.fields,
        is_inaccessible=any(element.is_inaccessible for element in elements),
        contexts={s.id: d.contexts for s, d in sources if d.contexts},
        interfaces={s.id: d.interfaces for s, d in sources if d.interfaces},
        values=parts.values,
    )
    return MergedType(
        definition,
        _node(definition, elements, parts),
        {coordinate: found for coordinate, found in parts.rules.items() if found},
        {s.id: d.members for s, d in sources if d.members},
    )


def add_interface_object_fields(
    merged: Mapping[str, MergedType], merging: Merging
) -> dict[str, MergedType]:
    """Give implementations the fields that only an interface object resolves.

    Such a field comes from no subgraph by itself: it is reached through the
    interface.
    """
    completed = dict(merged)
    for name, interface in merged.items():
        in_graphs = interface.definition.graphs
        if not any(there.is_interface_object for there in in_graphs.values()):
            continue
        for other, implementation in merged.items():
            is_implementation = merging.is_subtype(other, name)
            if is_implementation and implementation.definition.kind == "object":
                completed[other] = _inheriting(completed[other], interface)
    return completed


def _inheriting(merged: MergedType, interface: MergedType) -> MergedType:
    own = merged.definition.fields
    fields = {
        name: replace(field, graphs={})
        for name, field in interface.definition.fields.items()
        if name not in own and any(_is_object_field(field, interface))
    }
    interface_nodes: Any = interface.node
    nodes = [node for node in interface_nodes.fields if node.name.value in fields]
    node: Any = merged.node
    return replace(
        merged,
        definition=replace(merged.definition, fields={**own, **fields}),
        node=replace(node, fields=(*node.fields, *nodes)),
    )


def _is_object_field(field: FieldDefinition, interface: MergedType) -> Sequence[bool]:
    """Tell of each subgraph that has the field whether it is an object there."""
    in_graphs = interface.definition.graphs
    return [in_graphs[graph].is_interface_object for graph in field.graphs]


def _graphs(name: str, sources: _Sources, merging: Merging) -> dict[str, TypeInGraph]:
    graphs = {subgraph.id: _in_graph(d) for subgraph, d in sources}
    if name == "Query":  # every subgraph answers _service and _entities there
        for subgraph in merging.subgraphs:
            graphs.setdefault(subgraph.id, TypeInGraph())
    return graphs


def _in_graph(definition: SubgraphType) -> TypeInGraph:
    return TypeInGraph(
        keys=definition.keys,
        is_interface_object=definition.is_interface_object,
        is_extension=definition.is_extension,
    )


def _merge_parts(name: str, sources: _Sources, merging: Merging) -> _Parts:
    kind = sources[0][1].kind
    if kind in {"object", "interface"}:
        return _merge_fields(name, sources, merging)
    if kind == "input":
        return _merge_input_fields(name, sources, merging)
    if kind == "enum":
        values, nodes, rules = merge_values(name, sources, merging)
        return _Parts({}, list[EnumValueDefinitionNode](nodes), rules, values)
    return _Parts({}, [], {}, {})


def _merge_fields(name: str, sources: _Sources, merging: Merging) -> _Parts:
    parts = _Parts({}, [], {}, {})
    for field_name in dict.fromkeys(f for _, d in sources for f in d.fields):
        merged = merge_field(name, field_name, merging)
        if merged is not None:
            parts.fields[field_name] = merged.definition
            parts.nodes.append(merged.node)
            parts.rules.update(merged.rules)
    return parts


def _merge_input_fields(name: str, sources: _Sources, merging: Merging) -> _Parts:
    parts = _Parts({}, [], {}, {})
    inputs = merge_inputs(
        [(subgraph, definition.inputs) for subgraph, definition in sources],
        f"{name}.%s",
        merging.findings,
    )
    for field_name, merged in inputs.items():
        parts.nodes.append(merged.node)
        parts.rules[f"{name}.{field_name}"] = merged.applied
        graphs = {}
        for subgraph, definition in sources:
            stated = definition.inputs[field_name].type
            there = FieldInGraph(type=str(stated) if stated != merged.type else None)
            graphs[subgraph.id] = there
        parts.fields[field_name] = FieldDefinition(
            name=field_name,
            type=str(merged.type),
            named_type=merged.type.named_type,
            graphs=graphs,
            is_inaccessible=any(a.name == "inaccessible" for a in merged.applied),
        )
    if not inputs:
        found = quoted(subgraph.name for subgraph, _ in sources)
        merging.findings.problem(f"no field of it is common to {found}", name)
    return parts


def _node(
    definition: TypeDefinition, elements: Sequence[SubgraphType], parts: _Parts
) -> TypeDefinitionNode:
    common: Any = {
        "name": NameNode(value=definition.name),
        "description": first_description(elements),
        "directives": merge_kept(elements),
    }
    if definition.kind in {"object", "interface"}:
        interfaces = sorted({i for element in elements for i in element.interfaces})
        cls = (
            ObjectTypeDefinitionNode
            if definition.kind == "object"
            else InterfaceTypeDefinitionNode
        )
        fields: tuple[FieldDefinitionNode, ...] = tuple(parts.nodes)
        return cls(**common, interfaces=_references(interfaces), fields=fields)
    if definition.kind == "input":
        inputs: tuple[InputValueDefinitionNode, ...] = tuple(parts.nodes)
        return InputObjectTypeDefinitionNode(**common, fields=inputs)
    if definition.kind == "enum":
        return EnumTypeDefinitionNode(**common, values=tuple(parts.nodes))
    if definition.kind == "union":
        members = sorted({m for element in elements for m in element.members})
        return UnionTypeDefinitionNode(**common, types=_references(members))
    return ScalarTypeDefinitionNode(**common)


def _references(names: Sequence[str]) -> tuple[NamedTypeNode, ...]:
    return tuple(NamedTypeNode(name=NameNode(value=name)) for name in names)
