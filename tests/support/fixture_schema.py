"""A fixture's subgraph SDL, read into a schema and what federation says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldDefinitionNode,
    GraphQLSchema,
    InterfaceTypeExtensionNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    SelectionSetNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    build_ast_schema,
    is_object_type,
    parse,
    value_from_ast_untyped,
)
from graphql.language import ast

__all__ = ["Key", "SubgraphSchema", "read_fields", "read_subgraph_schema"]

_ENTITIES = """
scalar _Any
type _Service { sdl: String! }
"""


@dataclass(frozen=True)
class Key:
    """One ``@key`` of a type."""

    fields: SelectionSetNode
    resolvable: bool


@dataclass
class SubgraphSchema:
    """What one subgraph declares; fields are named by (type, field)."""

    schema: GraphQLSchema
    keys: dict[str, list[Key]] = field(default_factory=dict)
    requires: dict[tuple[str, str], SelectionSetNode] = field(default_factory=dict)
    provides: dict[tuple[str, str], SelectionSetNode] = field(default_factory=dict)
    external: set[tuple[str, str]] = field(default_factory=set)
    overrides: set[tuple[str, str, str]] = field(default_factory=set)
    """(subgraph that lost the field, type, field)."""

    def possible(self, type_name: str) -> set[str]:
        """Return the object types that may stand where ``type_name`` is declared."""
        found = self.schema.type_map.get(type_name)
        if found is None:
            return set()
        if is_object_type(found):
            return {type_name}
        return {t.name for t in self.schema.get_possible_types(found)}  # type: ignore[arg-type]  # abstract


def read_fields(text: str) -> SelectionSetNode:
    """Parse a field set."""
    definition = parse("{" + text + "}").definitions[0]
    assert isinstance(definition, ast.OperationDefinitionNode)
    return definition.selection_set


def read_subgraph_schema(sdl: str) -> SubgraphSchema:
    """Read SDL of either dialect; federation's own fields are added to it."""
    document = parse(sdl)
    types = [
        node
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode | TypeExtensionNode)
    ]
    result = SubgraphSchema(GraphQLSchema())
    for node in types:
        if isinstance(node, FIELDED):
            _read_type(node, result)
    for node in types:
        if isinstance(node, FIELDED):
            _read_external(node, result)
    result.schema = _build(types, result)
    return result


FIELDED = (
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    ast.InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
)


def _read_type(node: Any, result: SubgraphSchema) -> None:
    name = node.name.value
    for given in _directives(node, "key"):
        key = Key(read_fields(given["fields"]), given.get("resolvable", True))
        result.keys.setdefault(name, []).append(key)
    for item in node.fields or ():
        where = (name, item.name.value)
        for given in _directives(item, "requires"):
            result.requires[where] = read_fields(given["fields"])
        for given in _directives(item, "provides"):
            result.provides[where] = read_fields(given["fields"])
        for given in _directives(item, "override"):
            result.overrides.add((given["from"], *where))


def _read_external(node: Any, result: SubgraphSchema) -> None:
    """Note external fields; an extension's key fields can be resolved after all."""
    name = node.name.value
    extends = isinstance(node, TypeExtensionNode) or bool(_directives(node, "extends"))
    in_key = {
        selection.name.value
        for key in result.keys.get(name, ())
        for selection in key.fields.selections
        if isinstance(selection, ast.FieldNode)
    }
    everything = bool(_directives(node, "external"))
    for item in node.fields or ():
        is_external = everything or bool(_directives(item, "external"))
        if is_external and not (extends and item.name.value in in_key):
            result.external.add((name, item.name.value))


def _directives(
    node: TypeDefinitionNode | TypeExtensionNode | FieldDefinitionNode, name: str
) -> list[dict[str, Any]]:
    return [
        {
            argument.name.value: value_from_ast_untyped(argument.value)
            for argument in directive.arguments or ()
        }
        for directive in node.directives or ()
        if directive.name.value == name
    ]


def _build(types: list[Any], result: SubgraphSchema) -> GraphQLSchema:
    defined = {t.name.value for t in types if isinstance(t, TypeDefinitionNode)}
    nodes: list[Any] = []
    for node in types:
        if isinstance(node, TypeExtensionNode) and node.name.value not in defined:
            defined.add(node.name.value)
            nodes.append(_as_definition(node))
        else:
            nodes.append(node)
    entities = [
        node.name.value
        for node in nodes
        if isinstance(node, ObjectTypeDefinitionNode)
        and any(key.resolvable for key in result.keys.get(node.name.value, ()))
    ]
    text = _ENTITIES + ("extend " if "Query" in defined else "") + "type Query {\n"
    text += "_service: _Service!\n"
    if entities:
        text += "_entities(representations: [_Any!]!): [_Entity]!\n"
    text += "}\n"
    if entities:
        text += "union _Entity = " + " | ".join(entities)
    nodes.extend(parse(text).definitions)
    return build_ast_schema(
        DocumentNode(definitions=tuple(nodes)), assume_valid_sdl=True
    )


def _as_definition(node: TypeExtensionNode) -> TypeDefinitionNode:
    kind = getattr(ast, type(node).__name__.replace("Extension", "Definition"))
    values = {key: getattr(node, key) for key in kind.keys if key != "description"}
    definition: TypeDefinitionNode = kind(**values)
    return definition
