"""What an operation uses of that which goes away, found once for each fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
)

from graphgw.federation.sunset import read_retirements
from graphgw.operations.cut import walk_selections
from graphgw.operations.schema_lookup import field_definition
from graphgw.policies.arguments import argument_readers, read_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import GraphQLNamedType

    from graphgw.federation.selection import Field
    from graphgw.federation.sunset import Retirement
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.policies.arguments import ArgumentReader
    from graphgw.types import JSON, JSONObject

__all__ = ["NO_USES", "SunsetUse", "SunsetUses", "UseFinder"]


@dataclass(frozen=True, slots=True)
class SunsetUse:
    """A selection that uses something which goes away; ``path`` is for its error."""

    selection: SelectionPath
    path: tuple[str, ...]
    retirement: Retirement


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument that counts only where it is given."""

    use: SunsetUse
    variable: str


@dataclass(frozen=True, slots=True)
class _Value:
    """An argument whose value may hold something that goes away."""

    selection: SelectionPath
    path: tuple[str, ...]
    reader: ArgumentReader
    type: GraphQLNamedType


@dataclass(frozen=True, slots=True)
class SunsetUses:
    """The uses of one operation; those of arguments depend on its variables."""

    fixed: tuple[SunsetUse, ...] = ()
    arguments: tuple[_Argument, ...] = ()
    values: tuple[_Value, ...] = ()
    finder: UseFinder | None = None

    def __bool__(self) -> bool:
        return bool(self.fixed or self.arguments or self.values)

    def of(self, variables: JSONObject) -> list[SunsetUse]:
        """Return the uses of one run."""
        found = list(self.fixed)
        found += (given.use for given in self.arguments if given.variable in variables)
        for item in self.values:
            value = read_arguments((item.reader,), variables).get(item.reader.name)
            for retirement in self._within(value, item.type):
                use = SunsetUse(item.selection, item.path, retirement)
                if use not in found:
                    found.append(use)
        return found

    def _within(self, value: JSON, type_: GraphQLNamedType) -> Iterator[Retirement]:
        return iter(()) if self.finder is None else self.finder.within(value, type_)


NO_USES = SunsetUses()


class UseFinder:
    """Finds the uses of operations on one supergraph.

    What an interface says of a field counts for the types that implement it, too.
    """

    def __init__(self, supergraph: Supergraph) -> None:
        self._schema = supergraph.schema
        self._retirements = read_retirements(supergraph)
        self._inputs = self._find_inputs()

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing goes away."""
        return not self._retirements

    def find(self, operation: Operation) -> SunsetUses:
        """Return what an operation uses, or may use."""
        if self.is_empty:
            return NO_USES
        fixed: list[SunsetUse] = []
        arguments: list[_Argument] = []
        values: list[_Value] = []
        for place, parent, field, path in walk_selections(operation, self._schema):
            owners = self._owners(parent)
            for owner in owners:
                coordinate = f"{owner}.{field.name}"
                retirement = self._retirements.get(coordinate)
                if retirement is not None:
                    fixed.append(SunsetUse(place, path, retirement))
                for argument in field.arguments:
                    found = self._retirements.get(f"{coordinate}({argument.name}:)")
                    if found is None:
                        continue
                    use = SunsetUse(place, path, found)
                    if argument.value.startswith("$"):
                        arguments.append(_Argument(use, argument.value[1:]))
                    else:
                        fixed.append(use)
            values += (
                _Value(place, path, reader, type_)
                for reader, type_ in self._readers(parent, field)
            )
        if not (fixed or arguments or values):
            return NO_USES
        return SunsetUses(tuple(fixed), tuple(arguments), tuple(values), self)

    def within(self, value: JSON, type_: GraphQLNamedType) -> Iterator[Retirement]:
        """Yield what goes away of the parts of an input value."""
        if isinstance(value, list):
            for item in value:
                yield from self.within(item, type_)
        elif isinstance(type_, GraphQLEnumType):
            found = self._retirements.get(f"{type_.name}.{value}")
            if found is not None:
                yield found
        elif isinstance(value, dict) and isinstance(type_, GraphQLInputObjectType):
            for name, inner in value.items():
                found = self._retirements.get(f"{type_.name}.{name}")
                if found is not None:
                    yield found
                field = type_.fields.get(name)
                if field is not None:
                    yield from self.within(inner, get_named_type(field.type))

    def _owners(self, type_name: str) -> tuple[str, ...]:
        type_ = self._schema.type_map.get(type_name)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            return (type_name, *(found.name for found in type_.interfaces))
        return (type_name,)

    def _readers(
        self, parent: str, field: Field
    ) -> Iterator[tuple[ArgumentReader, GraphQLNamedType]]:
        if not self._inputs or not field.arguments:
            return
        type_ = self._schema.type_map.get(parent)
        definition = field_definition(self._schema, type_, field.name)
        for reader in argument_readers(field, None):
            argument = definition.args.get(reader.name) if definition else None
            named: Any = get_named_type(argument.type) if argument else None
            if named is not None and named.name in self._inputs:
                yield reader, named

    def _find_inputs(self) -> frozenset[str]:
        """Return the input types that hold something which goes away, at any depth."""
        found = {
            owner
            for coordinate in self._retirements
            if isinstance(
                self._schema.type_map.get(owner := coordinate.partition(".")[0]),
                GraphQLEnumType | GraphQLInputObjectType,
            )
        }
        inputs = [
            type_
            for type_ in self._schema.type_map.values()
            if isinstance(type_, GraphQLInputObjectType)
        ]
        size = -1
        while found and size != len(found):
            size = len(found)
            for type_ in inputs:
                named = (get_named_type(f.type).name for f in type_.fields.values())
                if not found.isdisjoint(named):
                    found.add(type_.name)
        return frozenset(found)
