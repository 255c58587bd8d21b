"""The estimated cost of an operation: ``@cost`` and ``@listSize``, as Apollo counts.

See https://ibm.github.io/graphql-specs/cost-spec.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_input_object_type,
    is_leaf_type,
)

from graphgw.federation.selection import Field
from graphgw.operations.schema_lookup import field_definition
from graphgw.policies.arguments import argument_readers, read_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLField, GraphQLNamedType

    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.policies.arguments import ArgumentReader
    from graphgw.types import JSON, JSONObject

__all__ = [
    "CostModel",
    "CostNode",
    "CostProgram",
    "estimate_cost",
    "find_unsized",
    "input_costs",
]

MUTATION: Final = 10
"""What a mutation costs before any field."""

_MAX: Final = 2**53


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How long lists are; ``assumed`` counts where no argument says so."""

    assumed: int | None = None
    arguments: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    needs_one: bool = False
    """Whether exactly one of the arguments must be given."""


@dataclass(frozen=True, slots=True)
class CostNode:
    """One selection: what each object costs, and what is selected in it.

    ``arguments`` are read only where the cost depends on them: ``weights`` holds the
    schema of those that cost something.
    """

    weight: int
    inner: tuple[CostNode, ...]
    name: str = ""
    is_list: bool = False
    sizes: _Sizes | None = None
    arguments: tuple[ArgumentReader, ...] = ()
    weights: Mapping[str, _InputCost] | None = None
    place: SelectionPath = ()
    key: str = ""
    coordinate: str = ""
    given: tuple[ArgumentReader, ...] = ()
    """The slicing arguments that the operation itself gives."""


@dataclass(frozen=True, slots=True)
class _InputCost:
    """What an argument or input field costs when it is given, beside its fields."""

    weight: int
    input_type: str | None


@dataclass(frozen=True, slots=True)
class CostProgram:
    """The cost of an operation, ready to be estimated for its variables."""

    base: int
    nodes: tuple[CostNode, ...]
    list_size: int
    inputs: Mapping[str, Mapping[str, _InputCost]]
    """The fields of each input type."""


def estimate_cost(
    program: CostProgram,
    variables: JSONObject,
    refused: frozenset[SelectionPath] = frozenset(),
) -> int:
    """Return the estimated cost of an operation without its refused selections."""
    total = program.base + sum(
        _cost(program, node, variables, refused, None) for node in program.nodes
    )
    return min(total, _MAX)


def _cost(
    program: CostProgram,
    node: CostNode,
    variables: JSONObject,
    refused: frozenset[SelectionPath],
    sized: tuple[frozenset[str], int] | None,
) -> int:
    if refused and node.place in refused:
        return 0
    if not node.name:
        return sum(
            _cost(program, inner, variables, refused, sized) for inner in node.inner
        )
    arguments = read_arguments(node.arguments, variables) if node.arguments else {}
    extra = input_costs(program, node.weights, arguments) if node.weights else 0
    size = _size(node.sizes, arguments)
    below = None
    if node.sizes is not None and node.sizes.fields and size is not None:
        below = (frozenset(node.sizes.fields), size)
        size = None
    each = node.weight + sum(
        _cost(program, inner, variables, refused, below) for inner in node.inner
    )
    if not node.is_list:
        return min(each + extra, _MAX)
    if size is None and sized is not None and node.name in sized[0]:
        size = sized[1]
    return min(each * (program.list_size if size is None else size) + extra, _MAX)


def _size(sizes: _Sizes | None, arguments: JSONObject) -> int | None:
    if sizes is None:
        return None
    given = [_number(arguments.get(name)) for name in sizes.arguments]
    numbers = [number for number in given if number is not None]
    return max(numbers) if numbers else sizes.assumed


def _number(value: JSON) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return max(0, value)


def input_costs(
    program: CostProgram, costs: Mapping[str, _InputCost], given: Any
) -> int:
    """Return what the arguments cost that are given."""
    if isinstance(given, list):
        return sum(input_costs(program, costs, item) for item in given)
    if not isinstance(given, dict):
        return 0
    total = 0
    for name, cost in costs.items():
        if name not in given:
            continue
        value = given[name]
        total += cost.weight * (len(value) if isinstance(value, list) else 1)
        if cost.input_type is not None:
            total += input_costs(program, program.inputs[cost.input_type], value)
    return total


def find_unsized(
    program: CostProgram,
    variables: JSONObject,
    refused: frozenset[SelectionPath] = frozenset(),
) -> tuple[str, tuple[str, ...]] | None:
    """Return a list whose size the operation must give and does not, or gives twice.

    One argument that is given counts, or else one that has a default.

    Returns:
        The field's coordinate and the names of its slicing arguments.
    """
    pending = list(reversed(program.nodes))
    while pending:
        node = pending.pop()
        if node.place in refused:
            continue
        sizes = node.sizes
        if sizes is not None and sizes.needs_one and sizes.arguments:
            given = _present(read_arguments(node.given, variables), sizes)
            known = _present(read_arguments(node.arguments, variables), sizes)
            if given > 1 or not known:
                return node.coordinate, sizes.arguments
        pending += reversed(node.inner)
    return None


def _present(arguments: JSONObject, sizes: _Sizes) -> int:
    return sum(arguments.get(name) is not None for name in sizes.arguments)


def _given_sizes(field: Field, sizes: _Sizes | None) -> tuple[ArgumentReader, ...]:
    if sizes is None or not sizes.needs_one:
        return ()
    readers = argument_readers(field, None)
    return tuple(reader for reader in readers if reader.name in sizes.arguments)


class CostModel:
    """The weights of one supergraph.

    Args:
        supergraph: Has the weights.
        list_size: Items that a list is assumed to have where nothing says so.
    """

    def __init__(self, supergraph: Supergraph, *, list_size: int) -> None:
        self._supergraph = supergraph
        self._list_size = list_size
        self._types: dict[str, int] = {}
        self._inputs = self._read_inputs()

    def prepare(self, operation: Operation) -> CostProgram:
        """Prepare the estimate of a normalized operation; may run in any thread."""
        supergraph = self._supergraph
        root = supergraph.schema.get_type(supergraph.root_types.get(operation.kind, ""))
        nodes = self._nodes(operation.selections, root, ()) if root else ()
        base = MUTATION if operation.kind == "mutation" else 0
        return CostProgram(base, nodes, self._list_size, self._inputs)

    def _nodes(
        self, selections: Selections, parent: GraphQLNamedType, place: SelectionPath
    ) -> tuple[CostNode, ...]:
        schema = self._supergraph.schema
        found = []
        for index, selection in enumerate(selections):
            here = (*place, index)
            if isinstance(selection, Field):
                found.append(self._field(selection, parent, here))
                continue
            type_ = schema.type_map[selection.type_condition]
            inner = self._nodes(selection.selections, type_, here)
            found.append(CostNode(0, inner, place=here))
        return tuple(found)

    def _field(
        self, field: Field, parent: GraphQLNamedType, place: SelectionPath
    ) -> CostNode:
        definition = field_definition(self._supergraph.schema, parent, field.name)
        if definition is None or field.name.startswith("__"):
            return CostNode(0, (), field.name, place=place)
        coordinates = self._coordinates(parent.name, field.name)
        named = get_named_type(definition.type)
        sizes = self._sizes(coordinates)
        weights = self._argument_weights(coordinates, definition)
        own = self._weight(coordinates)
        return CostNode(
            weight=self._type_weight(named) if own is None else own,
            inner=self._nodes(field.selections, named, place),
            name=field.name,
            is_list=_is_list(definition),
            sizes=sizes,
            arguments=argument_readers(field, definition)
            if weights or (sizes and sizes.arguments)
            else (),
            weights=weights,
            place=place,
            key=field.response_key,
            coordinate=f"{parent.name}.{field.name}",
            given=_given_sizes(field, sizes),
        )

    def _coordinates(self, type_name: str, field_name: str) -> list[str]:
        names = (type_name, *self._supergraph.possible_types(type_name))
        return [f"{name}.{field_name}" for name in dict.fromkeys(names)]

    def _given(self, coordinate: str, name: str) -> list[Mapping[str, JSON]]:
        rules = self._supergraph.rules.get(coordinate, ())
        return [applied.arguments for applied in rules if applied.name == name]

    def _weight(self, coordinates: list[str]) -> int | None:
        found = [
            weight
            for coordinate in coordinates
            for given in self._given(coordinate, "cost")
            if isinstance(weight := given.get("weight"), int)
        ]
        return max(found, default=None)

    def _type_weight(self, named: GraphQLNamedType) -> int:
        known = self._types.get(named.name)
        if known is None:
            names = (named.name, *self._supergraph.possible_types(named.name))
            own = self._weight(list(dict.fromkeys(names)))
            default = 0 if is_leaf_type(named) else 1
            known = self._types[named.name] = default if own is None else own
        return known

    def _sizes(self, coordinates: list[str]) -> _Sizes | None:
        for coordinate in coordinates:
            for given in self._given(coordinate, "listSize"):
                assumed = given.get("assumedSize")
                return _Sizes(
                    assumed if isinstance(assumed, int) else None,
                    tuple(given.get("slicingArguments") or ()),
                    tuple(given.get("sizedFields") or ()),
                    given.get("requireOneSlicingArgument") is not False,
                )
        return None

    def _argument_weights(
        self, coordinates: list[str], definition: GraphQLField
    ) -> Mapping[str, _InputCost] | None:
        found: dict[str, _InputCost] = {}
        for name, argument in definition.args.items():
            own = self._weight([f"{c}({name}:)" for c in coordinates]) or 0
            inner = get_named_type(argument.type).name
            if own or inner in self._inputs:
                found[name] = _InputCost(own, inner if inner in self._inputs else None)
        return found or None

    def _read_inputs(self) -> dict[str, dict[str, _InputCost]]:
        """Read the costs of input types; empty where no input field costs anything."""
        inputs: dict[str, dict[str, _InputCost]] = {}
        types = self._supergraph.schema.type_map
        for type_name, type_ in types.items():
            if not is_input_object_type(type_):
                continue
            inputs[type_name] = {
                name: _InputCost(
                    self._weight([f"{type_name}.{name}"]) or 0,
                    named if is_input_object_type(types.get(named)) else None,
                )
                for name, field in type_.fields.items()
                for named in (get_named_type(field.type).name,)
            }
        is_free = not any(c.weight for found in inputs.values() for c in found.values())
        return {} if is_free else inputs


def _is_list(definition: GraphQLField) -> bool:
    type_ = definition.type
    bare = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    return isinstance(bare, GraphQLList)
