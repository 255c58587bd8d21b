"""Whether fields with one response key can be merged, in near-linear time.

Pairs of fields are never compared with each other. All selection sets that merge at
one response path are taken together, once; fields are grouped by response key, and
each is compared with its group's first. Two questions are asked of each group:

- fields that can meet on one object must be the same field with the same arguments;
- fields that cannot meet must still have values of the same shape.

See https://spec.graphql.org/draft/#sec-Field-Selection-Merging
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    get_named_type,
    is_leaf_type,
    print_ast,
)
from graphql.utilities.sort_value_node import sort_value_node

from graphgw.operations.schema_lookup import field_definition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphql import (
        DocumentNode,
        GraphQLNamedType,
        GraphQLOutputType,
        GraphQLSchema,
        SelectionSetNode,
    )

    from graphgw.operations.budget import Budget

__all__ = ["find_conflicts"]


def find_conflicts(
    node: DocumentNode, schema: GraphQLSchema, budget: Budget, *, max_errors: int
) -> list[GraphQLError]:
    """Return the conflicts of a document that is otherwise valid.

    Raises:
        PlanningError: The budget is used up.
    """
    search = _Search(node, schema, budget, max_errors)
    for definition in node.definitions:
        if isinstance(definition, OperationDefinitionNode):
            root = schema.get_root_type(definition.operation)
            sets = (_Scope(definition.selection_set, root),)
            search.same_fields(sets, ())
            if not search.errors:
                search.same_shapes(sets, ())
    return search.errors


@dataclass(frozen=True, slots=True)
class _Scope:
    """A selection set and the type that it selects on, fixed by its place."""

    node: SelectionSetNode
    parent: GraphQLNamedType | None


@dataclass(frozen=True, slots=True)
class _Selected:
    """A field as it is selected in one place of the document."""

    node: FieldNode
    parent: GraphQLNamedType | None
    type: GraphQLOutputType | None

    @property
    def scope(self) -> _Scope | None:
        """The field's own selection set."""
        nested = self.node.selection_set
        if nested is None:
            return None
        return _Scope(nested, get_named_type(self.type))


class _Search:
    """One walk over the merged selection sets of a document."""

    def __init__(
        self,
        node: DocumentNode,
        schema: GraphQLSchema,
        budget: Budget,
        max_errors: int,
    ) -> None:
        self.errors: list[GraphQLError] = []
        self._schema = schema
        self._budget = budget
        self._max_errors = max_errors
        self._fragments = {
            definition.name.value: definition
            for definition in node.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._own: dict[int, tuple[list[_Selected], list[str]]] = {}
        self._seen: set[tuple[str, frozenset[int]]] = set()
        self._arguments: dict[int, tuple[tuple[str, str], ...]] = {}

    def same_fields(self, scopes: Sequence[_Scope], path: tuple[str, ...]) -> None:
        """Look for fields that meet on one object and are not the same."""
        if not self._is_new("fields", scopes):
            return
        for key, fields in self._group(scopes).items():
            if len(self.errors) >= self._max_errors:
                return
            if len(fields) == 1 and fields[0].node.selection_set is None:
                continue
            for meeting in _split_by_parent(fields):
                conflict = self._first_other(meeting)
                if conflict is not None:
                    self._report(path, key, *conflict)
                    break
                self.same_fields(_scopes_of(meeting), _below(path, key, meeting))

    def same_shapes(self, scopes: Sequence[_Scope], path: tuple[str, ...]) -> None:
        """Look for fields under one key whose values differ in shape."""
        if not self._is_new("shapes", scopes):
            return
        for key, fields in self._group(scopes).items():
            if len(self.errors) >= self._max_errors:
                return
            first = fields[0]
            for other in fields[1:]:
                if _shapes_differ(first.type, other.type):
                    one, two = _in_order(first, other)
                    reason = (
                        f"they return conflicting types '{one.type}' and '{two.type}'"
                    )
                    self._report(path, key, reason, one, two)
                    break
            else:
                self.same_shapes(_scopes_of(fields), _below(path, key, fields))

    def _is_new(self, question: str, scopes: Sequence[_Scope]) -> bool:
        self._budget.check()
        key = (question, frozenset(id(scope.node) for scope in scopes))
        if not scopes or key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _group(self, scopes: Iterable[_Scope]) -> dict[str, list[_Selected]]:
        """Collect the fields of merged selection sets, each fragment once."""
        groups: dict[str, list[_Selected]] = {}
        spread: set[str] = set()
        stack = list(reversed(list(scopes)))
        while stack:
            scope = stack.pop()
            fields, names = self._own_fields(scope)
            for selected in fields:
                key = (selected.node.alias or selected.node.name).value
                groups.setdefault(key, []).append(selected)
            for name in reversed(names):
                if name not in spread and name in self._fragments:
                    spread.add(name)
                    fragment = self._fragments[name]
                    condition = fragment.type_condition.name.value
                    parent = self._schema.get_type(condition)
                    stack.append(_Scope(fragment.selection_set, parent))
        return groups

    def _own_fields(self, scope: _Scope) -> tuple[list[_Selected], list[str]]:
        """Return a selection set's fields and spreads, inline fragments opened."""
        known = self._own.get(id(scope.node))
        if known is None:
            known = ([], [])
            self._own[id(scope.node)] = known
            for selection, parent in self._open(scope):
                if isinstance(selection, FragmentSpreadNode):
                    known[1].append(selection.name.value)
                else:
                    name = selection.name.value
                    definition = field_definition(self._schema, parent, name)
                    type_ = None if definition is None else definition.type
                    known[0].append(_Selected(selection, parent, type_))
        return known

    def _open(
        self, scope: _Scope
    ) -> Iterator[tuple[FieldNode | FragmentSpreadNode, GraphQLNamedType | None]]:
        stack = [(iter(scope.node.selections), scope.parent)]
        while stack:
            selections, parent = stack[-1]
            selection = next(selections, None)
            if selection is None:
                stack.pop()
            elif isinstance(selection, InlineFragmentNode):
                inner = parent
                if selection.type_condition is not None:
                    inner = self._schema.get_type(selection.type_condition.name.value)
                stack.append((iter(selection.selection_set.selections), inner))
            elif isinstance(selection, FieldNode | FragmentSpreadNode):
                yield selection, parent

    def _first_other(
        self, fields: Sequence[_Selected]
    ) -> tuple[str, _Selected, _Selected] | None:
        """Find the first field that is not the same as the group's first."""
        first = fields[0]
        name = first.node.name.value
        for other in fields[1:]:
            if other.node.name.value != name:
                one, two = _in_order(first, other)
                reason = (
                    f"'{one.node.name.value}' and '{two.node.name.value}'"
                    " are different fields"
                )
                return reason, one, two
            if (first.node.arguments or other.node.arguments) and (
                self._arguments_of(first.node) != self._arguments_of(other.node)
            ):
                return "they have differing arguments", *_in_order(first, other)
        return None

    def _arguments_of(self, node: FieldNode) -> tuple[tuple[str, str], ...]:
        known = self._arguments.get(id(node))
        if known is None:
            known = tuple(
                sorted(
                    (argument.name.value, print_ast(sort_value_node(argument.value)))
                    for argument in node.arguments or ()
                )
            )
            self._arguments[id(node)] = known
        return known

    def _report(
        self,
        path: tuple[str, ...],
        key: str,
        reason: str,
        first: _Selected,
        other: _Selected,
    ) -> None:
        for outer in reversed((*path, key)[1:]):
            reason = f"subfields '{outer}' conflict because {reason}"
        message = (
            f"Fields '{(*path, key)[0]}' conflict because {reason}."
            " Use different aliases on the fields to fetch both"
            " if this was intentional."
        )
        self.errors.append(GraphQLError(message, [first.node, other.node]))


def _scopes_of(fields: Iterable[_Selected]) -> list[_Scope]:
    return [field.scope for field in fields if field.scope is not None]


def _in_order(first: _Selected, other: _Selected) -> tuple[_Selected, _Selected]:
    """Return two fields as they stand in the text."""
    starts = [field.node.loc.start if field.node.loc else 0 for field in (first, other)]
    return (first, other) if starts[0] <= starts[1] else (other, first)


def _below(
    path: tuple[str, ...], key: str, fields: Sequence[_Selected]
) -> tuple[str, ...]:
    """Return the keys that a conflict further down is reported under.

    It starts at the outermost field that is selected more than once.
    """
    return (*path, key) if path or len(fields) > 1 else ()


def _split_by_parent(fields: list[_Selected]) -> Iterator[list[_Selected]]:
    """Divide fields into the groups that can meet on one object.

    An object has one type, so fields of different object types never meet; a field
    of an abstract type may meet any.
    """
    first = fields[0].parent
    if all(field.parent is first for field in fields):
        yield fields
        return
    anywhere: list[_Selected] = []
    by_type: dict[int, list[_Selected]] = {}
    for field in fields:
        if isinstance(field.parent, GraphQLObjectType):
            by_type.setdefault(id(field.parent), []).append(field)
        else:
            anywhere.append(field)
    if not by_type:
        yield anywhere
    for group in by_type.values():
        yield anywhere + group


def _shapes_differ(
    first: GraphQLOutputType | None, other: GraphQLOutputType | None
) -> bool:
    while first is not other:
        if isinstance(first, GraphQLNonNull | GraphQLList):
            if type(other) is not type(first):
                return True
            first, other = first.of_type, other.of_type
        elif isinstance(other, GraphQLNonNull | GraphQLList):
            return True
        else:
            return is_leaf_type(first) or is_leaf_type(other)
    return False
