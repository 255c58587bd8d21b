"""Literals become variables, so that operations that differ only in them are one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from graphql import (
    GraphQLInputObjectType,
    GraphQLList,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    VariableNode,
    get_nullable_type,
)

from graphgw.federation.selection import Argument
from graphgw.operations.coerce_input import InvalidInputError, build_coercer
from graphgw.operations.literals import has_variables, literal_to_json, print_value
from graphgw.operations.operation import VariableDefinition

if TYPE_CHECKING:
    from collections.abc import Collection

    from graphql import FieldNode, GraphQLField, GraphQLInputType, ValueNode

    from graphgw.types import JSON

__all__ = ["Hoist", "HoistScope"]

_PREFIX: Final = "_gw"


@dataclass(slots=True)
class HoistScope:
    """One response path.

    Equal fields that meet there must have equal arguments, also where they are
    selected on different types and so are not merged; they share their variables.
    With ``is_literal`` nothing is hoisted.
    """

    is_literal: bool = False
    arguments: dict[tuple[str, ...], tuple[Argument, ...]] = field(default_factory=dict)
    children: dict[str, HoistScope] = field(default_factory=dict)

    def child(self, key: str) -> HoistScope:
        """Return the scope of the values under a response key."""
        found = self.children.get(key)
        if found is None:
            found = self.children[key] = HoistScope(self.is_literal)
        return found


class Hoist:
    """The literals of one operation, under the variables that replace them."""

    def __init__(self, taken: Collection[str]) -> None:
        self.literals: dict[str, JSON] = {}
        self.variables: list[VariableDefinition] = []
        self._taken = taken
        self._count = 0

    def arguments(
        self, node: FieldNode, definition: GraphQLField, scope: HoistScope
    ) -> tuple[Argument, ...]:
        """Return a field's arguments in the schema's order, without literals."""
        values = {
            argument.name.value: argument.value for argument in node.arguments or ()
        }
        key = [(node.alias or node.name).value, node.name.value]
        for name in definition.args:
            if name in values:
                key += (name, print_value(values[name]))
        known = scope.arguments.get(tuple(key))
        if known is None:
            known = tuple(
                Argument(name, self._value(values[name], argument.type, scope))
                for name, argument in definition.args.items()
                if name in values
            )
            scope.arguments[tuple(key)] = known
        return known

    def _value(
        self, node: ValueNode, type_: GraphQLInputType | None, scope: HoistScope
    ) -> str:
        """Return canonical text; what holds no variable becomes one of its own."""
        if isinstance(node, VariableNode | NullValueNode):
            return print_value(node)
        if not has_variables(node) and type_ is not None and not scope.is_literal:
            return self._hoist(node, type_)
        bare = None if type_ is None else get_nullable_type(type_)
        if isinstance(node, ListValueNode):
            item = bare.of_type if isinstance(bare, GraphQLList) else None
            inner = (self._value(value, item, scope) for value in node.values)
            return f"[{', '.join(inner)}]"
        while isinstance(bare, GraphQLList):
            bare = get_nullable_type(bare.of_type)
        if isinstance(node, ObjectValueNode):
            return self._object(node, bare, scope)
        return print_value(node)

    def _object(self, node: ObjectValueNode, type_: object, scope: HoistScope) -> str:
        values = {member.name.value: member.value for member in node.fields}
        if isinstance(type_, GraphQLInputObjectType):
            members = [
                f"{name}: {self._value(values[name], member.type, scope)}"
                for name, member in type_.fields.items()
                if name in values
            ]
        else:
            members = [
                f"{name}: {self._value(value, None, scope)}"
                for name, value in values.items()
            ]
        return f"{{{', '.join(members)}}}"

    def _hoist(self, node: ValueNode, type_: GraphQLInputType) -> str:
        self._count += 1
        while f"{_PREFIX}{self._count}" in self._taken:
            self._count += 1
        name = f"{_PREFIX}{self._count}"
        value = literal_to_json(node)
        try:
            value = build_coercer(type_)(value)
        except InvalidInputError:
            # A scalar that takes literals which it refuses as JSON: leave it be.
            self.literals[name] = value
        else:
            self.literals[name] = value
        self.variables.append(VariableDefinition(name, str(type_)))
        return f"${name}"
