"""From a document to a normalized operation.

Conditions are evaluated, spreads inlined, fragments that do not narrow opened, those
that cannot apply dropped, equal fields merged, literals hoisted into variables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationType,
    VariableNode,
    get_named_type,
    is_composite_type,
    print_ast,
    type_from_ast,
)

from graphgw.federation.selection import Field, Fragment, variables_in
from graphgw.operations.coerce_input import build_coercer
from graphgw.operations.fingerprint import fingerprint_operation
from graphgw.operations.hoist import Hoist, HoistScope
from graphgw.operations.literals import literal_to_json
from graphgw.operations.operation import Operation, VariableDefinition
from graphgw.operations.schema_lookup import (
    field_definition,
    is_same_below,
    possible_types,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graphql import (
        DirectiveNode,
        GraphQLNamedType,
        GraphQLSchema,
        InlineFragmentNode,
        OperationDefinitionNode,
        SelectionNode,
        SelectionSetNode,
    )

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import OperationKind
    from graphgw.operations.budget import Budget
    from graphgw.operations.operation import Document

__all__ = ["HIDDEN_TYPENAME", "normalize"]

HIDDEN_TYPENAME: Final = Field("__typename", alias="__gw_typename")
"""Stands in a composite selection that has nothing left; clients never see it."""

_KINDS: Final[dict[OperationType, OperationKind]] = {
    OperationType.QUERY: "query",
    OperationType.MUTATION: "mutation",
    OperationType.SUBSCRIPTION: "subscription",
}

_INTROSPECTION: Final = frozenset({"__schema", "__type"})


def normalize(
    document: Document,
    conditions: Mapping[str, bool],
    schema: GraphQLSchema,
    *,
    budget: Budget | None = None,
) -> Operation:
    """Return the operation that a document asks for under these conditions.

    Fields stand in the order of the specification's CollectFields. A fragment is
    kept only where it narrows the type, or where fields have a wider type than the
    outer type gives them; it joins an earlier one on the same type
    unless something that applies to the same objects stands between them. What the
    root selects may come out empty. Introspection keeps its literals.

    Equal fields always merge into the first of them, so where a fragment between them
    selects that field too, its part comes last and not in the middle.

    Args:
        document: The validated document.
        conditions: A value for each of ``document.conditions``.
        schema: What clients see.
        budget: CPU time that the work may take.

    Raises:
        InvalidDocumentError: A number literal is out of range.
        PlanningError: The budget is used up.
    """
    operation = document.operation
    names = {
        definition.variable.name.value
        for definition in operation.variable_definitions or ()
    }
    walk = _Walk(document, conditions, schema, Hoist(names), budget)
    root = schema.get_root_type(operation.operation)
    if root is None:
        raise TypeError("the document was validated against another schema")
    selections, introspection, places = walk.root(operation.selection_set, root)
    used = frozenset(variables_in((*selections, *introspection)))
    variables = (
        *_declared(operation, used, schema),
        *(found for found in walk.hoist.variables if found.name in used),
    )
    kind = _KINDS[operation.operation]
    return Operation(
        kind=kind,
        name=None if operation.name is None else operation.name.value,
        selections=selections,
        introspection=introspection,
        variables=variables,
        literals={
            name: value for name, value in walk.hoist.literals.items() if name in used
        },
        fingerprint=fingerprint_operation(
            kind, selections, introspection, places, variables
        ),
        introspection_places=places,
    )


@dataclass(slots=True)
class _FieldGroup:
    """Fields that merge under one response key; the first one speaks for all."""

    key: str
    nodes: list[FieldNode]


@dataclass(slots=True)
class _Level:
    """What is selected on one type at one place, in order."""

    type: GraphQLNamedType
    possible: frozenset[str]
    entries: list[_Entry] = field(default_factory=list)
    fields: dict[str, _FieldGroup] = field(default_factory=dict)
    spread: set[str] = field(default_factory=set)

    def add_field(self, node: FieldNode) -> None:
        """Add a field to those of the same response key."""
        key = (node.alias or node.name).value
        group = self.fields.get(key)
        if group is None:
            group = self.fields[key] = _FieldGroup(key, [])
            self.entries.append(group)
        group.nodes.append(node)

    def open_fragment(
        self, type_: GraphQLNamedType, possible: frozenset[str]
    ) -> _Level | None:
        """Return the fragment that another one of the same type may join.

        Everything since then must be for other objects, or joining would change
        the order of the response.
        """
        for entry in reversed(self.entries):
            if isinstance(entry, _FieldGroup):
                return None
            if entry.type is type_:
                return entry
            if not entry.possible.isdisjoint(possible):
                return None
        return None


_Entry: TypeAlias = _FieldGroup | _Level


class _Walk:
    """One pass over the selection sets of an operation."""

    def __init__(
        self,
        document: Document,
        conditions: Mapping[str, bool],
        schema: GraphQLSchema,
        hoist: Hoist,
        budget: Budget | None,
    ) -> None:
        self.hoist = hoist
        self._conditions = conditions
        self._schema = schema
        self._budget = budget
        self._fragments = {
            definition.name.value: definition
            for definition in document.node.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._possible: dict[str, frozenset[str]] = {}
        self._opened: dict[tuple[str, str], bool] = {}
        self._literals: dict[int, bool] = {}
        self._done: dict[tuple[str, tuple[int, ...]], Selections] = {}

    def root(
        self, node: SelectionSetNode, type_: GraphQLNamedType
    ) -> tuple[Selections, tuple[Field, ...], tuple[int, ...]]:
        """Normalize the root and set introspection apart, with its places."""
        level = _Level(type_, self._possible_types(type_))
        self._collect(level, node)
        plain: list[_Entry] = []
        introspection: list[_Entry] = []
        places: list[int] = []
        for index, entry in enumerate(level.entries):
            is_meta = (
                isinstance(entry, _FieldGroup)
                and entry.nodes[0].name.value in _INTROSPECTION
            )
            (introspection if is_meta else plain).append(entry)
            if is_meta:
                places.append(index)
        selections = self._build(level.type, plain, HoistScope())
        scope = HoistScope(is_literal=True)
        meta = self._build(level.type, introspection, scope)
        fields = tuple(found for found in meta if isinstance(found, Field))
        return selections, fields, tuple(places)

    def _merge(
        self,
        nodes: Sequence[SelectionSetNode],
        type_: GraphQLNamedType,
        scope: HoistScope,
    ) -> Selections:
        """Normalize selection sets that merge at one place.

        Where no literal is below, the result does not depend on the place, so that
        a fragment that is spread often is normalized once.
        """
        is_anywhere = not any(self._has_literals(node) for node in nodes)
        key = (type_.name, tuple(id(node) for node in nodes))
        if is_anywhere and key in self._done:
            return self._done[key]
        if self._budget is not None:
            self._budget.check()
        level = _Level(type_, self._possible_types(type_))
        for node in nodes:
            self._collect(level, node)
        selections = self._build(type_, level.entries, scope) or (HIDDEN_TYPENAME,)
        if is_anywhere:
            self._done[key] = selections
        return selections

    def _collect(self, level: _Level, node: SelectionSetNode) -> None:
        for selection in node.selections:
            if not self._is_included(selection.directives or ()):
                continue
            if isinstance(selection, FieldNode):
                level.add_field(selection)
                continue
            if isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in level.spread:
                    continue
                level.spread.add(name)
            self._collect_fragment(level, *self._target(selection))

    def _collect_fragment(
        self, level: _Level, node: SelectionSetNode, condition: str | None
    ) -> None:
        type_ = level.type if condition is None else self._schema.type_map[condition]
        if self._can_open(type_, level.type):
            self._collect(level, node)
            return
        possible = level.possible & self._possible_types(type_)
        if not possible:
            return
        fragment = level.open_fragment(type_, possible)
        if fragment is not None:
            self._collect(fragment, node)
            return
        fragment = _Level(type_, possible)
        self._collect(fragment, node)
        if fragment.entries:
            level.entries.append(fragment)

    def _target(self, selection: SelectionNode) -> tuple[SelectionSetNode, str | None]:
        """Return what a fragment or spread selects, and on which type."""
        target: InlineFragmentNode | FragmentDefinitionNode
        if isinstance(selection, FragmentSpreadNode):
            target = self._fragments[selection.name.value]
        else:
            target = selection  # type: ignore[assignment]  # no other kind is left
        condition = target.type_condition
        return target.selection_set, None if condition is None else condition.name.value

    def _build(
        self,
        type_: GraphQLNamedType,
        entries: Sequence[_Entry],
        scope: HoistScope,
    ) -> Selections:
        return tuple(
            self._build_field(type_, entry, scope)
            if isinstance(entry, _FieldGroup)
            else Fragment(
                entry.type.name, self._build(entry.type, entry.entries, scope)
            )
            for entry in entries
        )

    def _build_field(
        self, parent: GraphQLNamedType, group: _FieldGroup, scope: HoistScope
    ) -> Field:
        first = group.nodes[0]
        name = first.name.value
        definition = field_definition(self._schema, parent, name)
        if definition is None:
            raise TypeError("the document was validated against another schema")
        arguments = (
            self.hoist.arguments(first, definition, scope) if first.arguments else ()
        )
        selections: Selections = ()
        type_ = get_named_type(definition.type)
        if is_composite_type(type_):
            nodes = [node.selection_set for node in group.nodes if node.selection_set]
            selections = self._merge(nodes, type_, scope.child(group.key))
        alias = None if group.key == name else group.key
        return Field(name, alias, arguments, selections)

    def _is_included(self, directives: Sequence[DirectiveNode]) -> bool:
        for directive in directives:
            name = directive.name.value
            if name not in {"skip", "include"}:
                continue
            value = (directive.arguments or ())[0].value
            if isinstance(value, VariableNode):
                holds = self._conditions[value.name.value]
            else:
                holds = isinstance(value, BooleanValueNode) and value.value
            if holds == (name == "skip"):
                return False
        return True

    def _possible_types(self, type_: GraphQLNamedType) -> frozenset[str]:
        found = self._possible.get(type_.name)
        if found is None:
            found = self._possible[type_.name] = possible_types(self._schema, type_)
        return found

    def _can_open(self, type_: GraphQLNamedType, outer: GraphQLNamedType) -> bool:
        """Tell whether a fragment on ``type_`` says nothing new inside ``outer``.

        It does where ``outer`` does not declare itself to be a ``type_``, or where a
        field's type is narrower there: opened, that field could not stand beside the
        wider one of the same key any more.
        """
        if type_ is outer:
            return True
        key = (type_.name, outer.name)
        found = self._opened.get(key)
        if found is None:
            found = self._opened[key] = is_same_below(self._schema, type_, outer)
        return found

    def _has_literals(self, node: SelectionSetNode) -> bool:
        """Tell whether an argument below may be hoisted, fragments included."""
        found = self._literals.get(id(node))
        if found is None:
            found = any(self._literals_in(selection) for selection in node.selections)
            self._literals[id(node)] = found
        return found

    def _literals_in(self, selection: SelectionNode) -> bool:
        if isinstance(selection, FieldNode):
            if any(
                not isinstance(argument.value, VariableNode)
                for argument in selection.arguments or ()
            ):
                return True
            nested = selection.selection_set
            return nested is not None and self._has_literals(nested)
        return self._has_literals(self._target(selection)[0])


def _declared(
    operation: OperationDefinitionNode, used: frozenset[str], schema: GraphQLSchema
) -> Iterator[VariableDefinition]:
    """Return the client's own variables, those that are still used."""
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name not in used:
            continue
        default = definition.default_value
        if default is None:
            yield VariableDefinition(name, print_ast(definition.type))
            continue
        type_ = type_from_ast(schema, definition.type)
        value = build_coercer(type_)(literal_to_json(default))  # type: ignore[arg-type]  # validated
        yield VariableDefinition(
            name, print_ast(definition.type), has_default=True, default=value
        )
