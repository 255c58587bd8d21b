"""Which elements of a schema a contract hides, decided by the tags they carry.

The rules are those of Apollo's contracts: a tag on an object type or interface counts
for each of its fields; where tags are to be included, fields and unions without one
are hidden, while scalars, enums, inputs and arguments stay unless they are excluded.
Beyond them, what a type must have because of an interface stays too, and a field that
is there only because of its type's tag goes with what it refers to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from graphql import (
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    UnionTypeDefinitionNode,
)

from graphgw.errors import Problem
from graphgw.federation.api_schema import named_type
from graphgw.federation.contract_elements import (
    arguments_of,
    field_of,
    find_hidden_default,
    members_of,
    owner_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import TypeDefinitionNode

    from graphgw.federation.supergraph import AppliedDirective

__all__ = ["ContractFilter", "FilteredElements", "filter_elements"]

_Reason: TypeAlias = Literal["excluded", "untagged", "emptied", "reference"]

_COMPOSITE: Final = (ObjectTypeDefinitionNode, InterfaceTypeDefinitionNode)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFilter:
    """The tags of what is shown, and of what is not; an excluded tag wins."""

    include: tuple[str, ...] = ()
    """Empty shows everything that is not excluded."""
    exclude: tuple[str, ...] = ()
    hides_unreachable: bool = True
    """Whether types go to which no field leads any more."""

    @property
    def is_open(self) -> bool:
        """Tell whether it hides nothing."""
        return not self.include and not self.exclude


@dataclass(frozen=True, slots=True)
class FilteredElements:
    """The coordinates of what is hidden, and why the rest is no valid schema.

    What stands within something hidden is not named again.
    """

    hidden: frozenset[str]
    problems: tuple[Problem, ...]


def filter_elements(
    types: Mapping[str, TypeDefinitionNode],
    roots: tuple[str, ...],
    rules: Mapping[str, tuple[AppliedDirective, ...]],
    contract: ContractFilter,
    used: frozenset[str] = frozenset(),
) -> FilteredElements:
    """Decide for every element whether a contract shows it.

    Args:
        types: The definitions that clients see without the contract.
        roots: The names of the root types, the query type first.
        rules: The directives by coordinate; those named ``tag`` count.
        contract: What is to be shown.
        used: Types that stay reachable whatever the fields lead to.
    """
    tags = {
        coordinate: frozenset(
            str(found.arguments.get("name")) for found in applied if found.name == "tag"
        )
        for coordinate, applied in rules.items()
    }
    walk = _Filter(types, tags, contract)
    walk.run()
    return walk.result(roots, used)


class _Filter:
    """The state of one decision: it hides more and more until nothing changes."""

    def __init__(
        self,
        types: Mapping[str, TypeDefinitionNode],
        tags: Mapping[str, frozenset[str]],
        contract: ContractFilter,
    ) -> None:
        self._types: Mapping[str, Any] = types
        self._tags = tags
        self._contract = contract
        self._include = frozenset(contract.include)
        self._exclude = frozenset(contract.exclude)
        self._hidden_types: dict[str, _Reason] = {}
        self._hidden: dict[str, _Reason] = {}
        self._needed: set[str] = set()
        self._problems: dict[Problem, str] = {}  # with the type that each concerns
        self._implementations: dict[str, list[str]] = {}
        for name, node in self._types.items():
            for interface in getattr(node, "interfaces", None) or ():
                found = self._implementations.setdefault(interface.name.value, [])
                if isinstance(node, ObjectTypeDefinitionNode):
                    found.append(name)

    def run(self) -> None:
        for name, node in self._types.items():
            self._start(name, node)
        is_settled = False
        while not is_settled:
            before = self._progress()
            for name, node in self._visible():
                self._obey_interfaces(name, node)
            for name, node in self._visible():
                self._drop_references(name, node)
            for name, node in self._visible():
                self._drop_emptied(name, node)
            is_settled = before == self._progress()
        for name, node in self._visible():
            self._check_defaults(name, node)

    def _progress(self) -> tuple[int, ...]:
        """Return how much is decided; more with every change."""
        return len(self._hidden_types), len(self._hidden), len(self._needed)

    def result(self, roots: tuple[str, ...], used: frozenset[str]) -> FilteredElements:
        query = roots[0]
        reached = self._reach(roots, used)
        if self._contract.hides_unreachable:
            for name, _ in self._visible():
                if name not in reached:
                    self._hidden_types[name] = "reference"
        else:
            reached = {name for name, _ in self._visible()}
        problems = [p for p, owner in self._problems.items() if owner in reached]
        if query in self._hidden_types:
            message = "nothing is left of it, and every graph needs a query"
            mend = f'tag fields of "{query}" with one of: {_texts(self._include)}'
            if not self._include:
                mend = f'exclude less of "{query}"'
            problems.insert(0, Problem(message, query, mend))
        members = (c for c in self._hidden if owner_of(c) not in self._hidden_types)
        within = {
            c for c in members if field_of(c) == c or field_of(c) not in self._hidden
        }
        return FilteredElements(
            frozenset((*self._hidden_types, *within)), tuple(problems)
        )

    # What the tags say

    def _start(self, name: str, node: Any) -> None:
        if self._is_excluded(name):
            self._hidden_types[name] = "excluded"
            return
        is_field = isinstance(node, _COMPOSITE)
        demands = bool(self._include) and is_field and not self._is_included(name)
        for coordinate, _ in members_of(name, node):
            if self._is_excluded(coordinate):
                self._hidden[coordinate] = "excluded"
            elif demands and not self._is_included(coordinate):
                self._hidden[coordinate] = "untagged"
        if isinstance(node, UnionTypeDefinitionNode):
            is_shown = not self._include or self._is_included(name)
        else:
            is_shown = not demands or any(
                self._is_included(c) for c, _ in members_of(name, node)
            )
        if not is_shown:
            self._hidden_types[name] = "untagged"
        for coordinate, field in members_of(name, node):
            for inner, argument in arguments_of(coordinate, field):
                if self._is_excluded(inner):
                    self._hidden[inner] = "excluded"
                    self._check_required(name, inner, argument)
            if isinstance(node, InputObjectTypeDefinitionNode) and (
                coordinate in self._hidden
            ):
                self._check_required(name, coordinate, field)

    def _is_included(self, coordinate: str) -> bool:
        return not self._include.isdisjoint(self._tags.get(coordinate, ()))

    def _is_excluded(self, coordinate: str) -> bool:
        return not self._exclude.isdisjoint(self._tags.get(coordinate, ()))

    # What follows from it

    def _visible(self) -> Iterator[tuple[str, Any]]:
        for name, node in self._types.items():
            if name not in self._hidden_types:
                yield name, node

    def _visible_members(self, name: str, node: Any) -> Iterator[tuple[str, Any]]:
        for coordinate, member in members_of(name, node):
            if coordinate not in self._hidden:
                yield coordinate, member

    def _obey_interfaces(self, name: str, node: Any) -> None:
        """Show the fields that the interfaces of a type demand of it."""
        for reference in getattr(node, "interfaces", None) or ():
            interface = reference.name.value
            if interface in self._hidden_types or interface not in self._types:
                continue
            demanded = self._visible_members(interface, self._types[interface])
            for coordinate, _ in demanded:
                own = f"{name}.{coordinate.partition('.')[2]}"
                reason = self._hidden.get(own)
                if reason == "untagged":
                    del self._hidden[own]
                    self._needed.add(own)
                elif reason is not None:
                    self._report(
                        name,
                        f'it is hidden, and the interface "{interface}" demands it',
                        own,
                        f'hide "{coordinate}" too',
                    )

    def _drop_references(self, name: str, node: Any) -> None:
        for coordinate, member in list(self._visible_members(name, node)):
            if not hasattr(member, "type"):
                continue
            target = named_type(member.type)
            if target in self._hidden_types:
                self._drop(name, coordinate, target)
                if isinstance(node, InputObjectTypeDefinitionNode):
                    self._check_required(name, coordinate, member)
                continue
            for inner, argument in arguments_of(coordinate, member):
                if inner not in self._hidden and (
                    named_type(argument.type) in self._hidden_types
                ):
                    self._hidden[inner] = "reference"
                    self._check_required(name, inner, argument)

    def _drop(self, name: str, coordinate: str, target: str) -> None:
        """Hide a field whose type is hidden; say so where it is meant to be there."""
        reason = self._hidden_types[target]
        if reason == "emptied":
            message = f'nothing is left of its type "{target}"'
            self._report(name, message, coordinate, "hide the field too")
        elif self._is_included(coordinate) or coordinate in self._needed:
            what = "is excluded" if reason == "excluded" else "has none of the tags"
            self._report(
                name,
                f'it is shown, and its type "{target}" {what}',
                coordinate,
                "hide the field too"
                if reason == "excluded"
                else f'tag "{target}", or fields of it, with one of:'
                f" {_texts(self._include)}",
            )
        else:
            self._hidden[coordinate] = "reference"

    def _drop_emptied(self, name: str, node: Any) -> None:
        if isinstance(node, UnionTypeDefinitionNode):
            members = [reference.name.value for reference in node.types or ()]
            is_empty = all(member in self._hidden_types for member in members)
        else:
            members = [coordinate for coordinate, _ in members_of(name, node)]
            is_empty = bool(members) and all(c in self._hidden for c in members)
        if isinstance(node, InterfaceTypeDefinitionNode):
            implementations = self._implementations.get(name, ())
            is_empty |= bool(implementations) and all(
                found in self._hidden_types for found in implementations
            )
        if is_empty:
            self._hidden_types[name] = "emptied"

    # What is wrong with the rest

    def _report(
        self, owner: str, message: str, where: str, mend: str | None = None
    ) -> None:
        self._problems.setdefault(Problem(message, where, mend), owner)

    def _check_required(self, owner: str, coordinate: str, node: Any) -> None:
        if field_of(coordinate) != coordinate and field_of(coordinate) in self._hidden:
            return
        if isinstance(node.type, NonNullTypeNode) and node.default_value is None:
            message = "it is required, and cannot be hidden alone"
            self._report(owner, message, coordinate, "hide what it belongs to")

    def _check_defaults(self, name: str, node: Any) -> None:
        for coordinate, member in self._visible_members(name, node):
            for inner, argument in arguments_of(coordinate, member):
                if inner not in self._hidden:
                    self._check_default(name, inner, argument)
            if getattr(member, "default_value", None) is not None:
                self._check_default(name, coordinate, member)

    def _check_default(self, owner: str, coordinate: str, node: Any) -> None:
        named = named_type(node.type)
        found = find_hidden_default(
            node.default_value, named, self._types, self._hidden
        )
        if found is not None:
            message = f'its default value uses "{found}", which is hidden'
            self._report(owner, message, coordinate, "hide it too")

    def _reach(self, roots: tuple[str, ...], used: frozenset[str]) -> set[str]:
        """Return the types that are shown and that something leads to."""
        reached: set[str] = set()
        pending = [*roots, *used]
        while pending:
            name = pending.pop()
            if name in reached or name in self._hidden_types or name not in self._types:
                continue
            reached.add(name)
            node = self._types[name]
            for attribute in ("interfaces", "types"):
                references = getattr(node, attribute, None) or ()
                pending += (reference.name.value for reference in references)
            for coordinate, member in self._visible_members(name, node):
                if not hasattr(member, "type"):
                    continue
                target = named_type(member.type)
                pending += (target, *self._implementations.get(target, ()))
                pending += (
                    named_type(argument.type)
                    for inner, argument in arguments_of(coordinate, member)
                    if inner not in self._hidden
                )
        return reached


def _texts(tags: frozenset[str]) -> str:
    return ", ".join(sorted(tags))
