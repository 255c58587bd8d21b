"""A document, read once, to the functions that write its answer.

Entities are encoded once for each selection and its arguments, as the REST and gRPC
backends encode their rows; an answer is joined from what is there. So subgraphs take
little of the machine, and yet what they answer depends on the document alone, its
variables and the representations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    VariableNode,
    build_schema,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
    value_from_ast_untyped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from graphql import (
        DocumentNode,
        GraphQLField,
        GraphQLSchema,
        SelectionSetNode,
        ValueNode,
    )

    from benchmarks.remote.rows import Graph, Row

    Variables = dict[str, Any]
    Write = Callable[[Any, Variables], bytes]
    Fields = dict[str, list[FieldNode]]

__all__ = ["MACHINERY", "DocumentError", "Preparer"]

MACHINERY: Final = """
scalar _Any
scalar federation__FieldSet
scalar link__Import
directive @link(url: String!, import: [link__Import]) repeatable on SCHEMA
directive @key(fields: federation__FieldSet!, resolvable: Boolean = true)
  repeatable on OBJECT
directive @shareable repeatable on OBJECT | FIELD_DEFINITION
type _Service { sdl: String }
union _Entity = %s
extend type Query {
  _service: _Service!
  _entities(representations: [_Any!]!): [_Entity]!
}
"""
"""What a subgraph's schema has besides its own; ``%s`` is its entities."""


class DocumentError(Exception):
    """A document that cannot be answered."""


class Preparer:
    """Prepares the documents of one subgraph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        machinery = MACHINERY % " | ".join(graph.entities)
        self._schema: GraphQLSchema = build_schema(graph.sdl + machinery)

    def prepare(self, text: str) -> Callable[[Variables], bytes]:
        """Return what answers a document with the member ``data``.

        Raises:
            GraphQLSyntaxError: It is no GraphQL.
            DocumentError: It does not fit the schema, or is more than one query.
        """
        document = parse(text, no_location=True)
        errors = validate(self._schema, document)
        if errors:
            raise DocumentError(errors[0].message)
        return _Document(self._graph, self._schema, document).answer


class _Document:
    """What the selections of one document have in common."""

    def __init__(
        self, graph: Graph, schema: GraphQLSchema, document: DocumentNode
    ) -> None:
        self._graph = graph
        self._schema = schema
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        operations = [
            definition
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
        ]
        query = schema.query_type
        if len(operations) != 1 or query is None:
            raise DocumentError("a document is to have one query")
        fields = self._collect(query, [operations[0].selection_set])
        self._defaults = {
            definition.variable.name.value: _read(definition.default_value, {})
            for definition in operations[0].variable_definitions or ()
            if definition.default_value is not None
        }
        self._roots = [
            (_label(key), self._root(query, nodes)) for key, nodes in fields.items()
        ]

    def answer(self, variables: Variables) -> bytes:
        """Return the whole answer."""
        if self._defaults:
            variables = {**self._defaults, **variables}
        parts = [label + write(variables) for label, write in self._roots]
        return b'{"data":{%b}}' % b",".join(parts)

    def _root(
        self, query: GraphQLObjectType, nodes: list[FieldNode]
    ) -> Callable[[Variables], bytes]:
        name = nodes[0].name.value
        if name == "__typename":
            return lambda _variables: b'"Query"'
        field = query.fields[name]
        read = _read_arguments(field, nodes[0])
        if name == "_entities":
            return self._entities(read, nodes)
        write = self._value(field, nodes)
        if name == "_service":
            service = {"sdl": self._graph.sdl}
            return lambda variables: write(service, variables)
        find = self._graph.roots[name]
        return lambda variables: write(find(read(variables)), variables)

    def _entities(
        self, read: Callable[[Variables], Variables], nodes: list[FieldNode]
    ) -> Callable[[Variables], bytes]:
        selections = _selection_sets(nodes)
        by_type = {
            name: self._entity(self._object(name), selections)
            for name in self._graph.entities
        }

        def write(variables: Variables) -> bytes:
            found = [
                by_type[item["__typename"]](item, variables)
                for item in read(variables)["representations"]
            ]
            return b"[%b]" % b",".join(found)

        return write

    def _value(self, field: GraphQLField, nodes: list[FieldNode]) -> Write:
        """Return what writes the value of a field, however many lists it is in."""
        named = get_named_type(field.type)
        if is_leaf_type(named):
            return lambda value, _variables: orjson.dumps(value)
        found = self._object(named.name)
        selections = _selection_sets(nodes)
        is_entity = found.name in self._graph.entities
        write = (self._entity if is_entity else self._members)(found, selections)

        def write_value(value: Any, variables: Variables) -> bytes:
            if value is None:
                return b"null"
            if isinstance(value, list):
                return b"[%b]" % b",".join([write(row, variables) for row in value])
            return write(value, variables)

        return write_value

    def _entity(
        self, found: GraphQLObjectType, selections: Sequence[SelectionSetNode]
    ) -> Write:
        """Return what writes an entity, which it encodes once."""
        rows = self._graph.entities[found.name]
        write = self._members(found, selections)
        names = sorted(self._find_variables(found, selections))
        kept: dict[tuple[Any, ...], dict[str, bytes]] = {}

        def write_entity(row: Row, variables: Variables) -> bytes:
            arguments = tuple([variables.get(name) for name in names])
            encoded = kept.get(arguments)
            if encoded is None:
                encoded = kept[arguments] = {}
            text = encoded.get(row["id"])
            if text is None:
                whole = rows.get(row["id"])
                text = b"null" if whole is None else write(whole, variables)
                encoded[row["id"]] = text
            return text

        return write_entity

    def _members(
        self, found: GraphQLObjectType, selections: Sequence[SelectionSetNode]
    ) -> Write:
        members = [
            (_label(key), self._member(found, nodes))
            for key, nodes in self._collect(found, selections).items()
        ]

        def write(row: Row, variables: Variables) -> bytes:
            parts = [label + member(row, variables) for label, member in members]
            return b"{%b}" % b",".join(parts)

        return write

    def _member(self, found: GraphQLObjectType, nodes: list[FieldNode]) -> Write:
        name = nodes[0].name.value
        if name == "__typename":
            typename = orjson.dumps(found.name)
            return lambda _row, _variables: typename
        field = found.fields[name]
        write = self._value(field, nodes)
        resolve = self._graph.fields.get((found.name, name))
        if resolve is None:
            return lambda row, variables: write(row[name], variables)
        read = _read_arguments(field, nodes[0])
        return lambda row, variables: write(
            resolve(row[name], read(variables)), variables
        )

    def _object(self, name: str) -> GraphQLObjectType:
        found = self._schema.type_map[name]
        if not isinstance(found, GraphQLObjectType):
            raise DocumentError(f"{name} is not an object type")
        return found

    def _collect(
        self, found: GraphQLObjectType, selections: Sequence[SelectionSetNode]
    ) -> Fields:
        fields: Fields = {}
        for node in self._fields(found.name, selections):
            key = node.alias.value if node.alias else node.name.value
            fields.setdefault(key, []).append(node)
        return fields

    def _fields(
        self, typename: str, selections: Sequence[SelectionSetNode]
    ) -> Iterator[FieldNode]:
        for selection_set in selections:
            for node in selection_set.selections:
                if node.directives:
                    raise DocumentError("directives are not known here")
                if isinstance(node, FieldNode):
                    yield node
                    continue
                fragment: Any = node
                if isinstance(node, FragmentSpreadNode):
                    fragment = self._fragments[node.name.value]
                condition = fragment.type_condition
                if condition is None or condition.name.value in {typename, "_Entity"}:
                    yield from self._fields(typename, [fragment.selection_set])

    def _find_variables(
        self, found: GraphQLObjectType, selections: Sequence[SelectionSetNode]
    ) -> set[str]:
        names: set[str] = set()
        for nodes in self._collect(found, selections).values():
            name = nodes[0].name.value
            for argument in nodes[0].arguments or ():
                if isinstance(argument.value, VariableNode):
                    names.add(argument.value.name.value)
            inner = _selection_sets(nodes)
            if name != "__typename" and inner:
                named = get_named_type(found.fields[name].type)
                names |= self._find_variables(self._object(named.name), inner)
        return names


def _label(key: str) -> bytes:
    return orjson.dumps(key) + b":"


def _selection_sets(nodes: list[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _read_arguments(
    field: GraphQLField, node: FieldNode
) -> Callable[[Variables], Variables]:
    """Return what reads a field's arguments; variables are taken as they are."""
    defaults = {
        name: _read(argument.ast_node.default_value, {})
        for name, argument in field.args.items()
        if argument.ast_node and argument.ast_node.default_value
    }
    given = [(argument.name.value, argument.value) for argument in node.arguments or ()]
    fixed = {
        name: _read(value, {}) for name, value in given if not _has_variable(value)
    }
    asked = [(name, value) for name, value in given if _has_variable(value)]
    constant = {**defaults, **fixed}

    def read(variables: Variables) -> Variables:
        found = dict(constant)
        for name, value in asked:
            if not isinstance(value, VariableNode):
                found[name] = _read(value, variables)
            elif value.name.value in variables:
                found[name] = variables[value.name.value]
        return found

    return read


def _has_variable(value: ValueNode) -> bool:
    if isinstance(value, VariableNode):
        return True
    inner: Any = [*getattr(value, "values", ()), *getattr(value, "fields", ())]
    return any(_has_variable(getattr(item, "value", item)) for item in inner)


def _read(value: ValueNode, variables: Mapping[str, Any]) -> Any:
    return value_from_ast_untyped(value, dict(variables))
