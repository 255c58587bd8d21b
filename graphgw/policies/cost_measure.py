"""The actual cost of an operation: its weights, counted in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.policies.arguments import read_arguments
from graphgw.policies.cost import input_costs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.policies.cost import CostNode, CostProgram
    from graphgw.types import JSON, JSONObject

__all__ = ["measure_cost"]


def measure_cost(program: CostProgram, variables: JSONObject, data: JSON) -> int:
    """Return what an answer cost; what is null cost nothing.

    A response key that several fragments select counts once for an object, at its
    highest cost.
    """
    if not isinstance(data, dict):
        return program.base
    return program.base + _object(program, program.nodes, variables, data)


def _object(
    program: CostProgram,
    nodes: tuple[CostNode, ...],
    variables: JSONObject,
    held: JSONObject,
) -> int:
    costs: dict[str, int] = {}
    for node in _fields(nodes):
        value = held.get(node.key)
        if value is None:
            continue
        cost = _value(program, node, variables, value)
        if node.weights:
            arguments = read_arguments(node.arguments, variables)
            cost += input_costs(program, node.weights, arguments)
        if cost > costs.get(node.key, 0):
            costs[node.key] = cost
    return sum(costs.values())


def _value(
    program: CostProgram, node: CostNode, variables: JSONObject, value: JSON
) -> int:
    if isinstance(value, list):
        if not node.inner and node.weight == 0:
            return 0
        return sum(_value(program, node, variables, item) for item in value)
    if isinstance(value, dict) and node.inner:
        return node.weight + _object(program, node.inner, variables, value)
    return 0 if value is None else node.weight


def _fields(nodes: tuple[CostNode, ...]) -> Iterator[CostNode]:
    for node in nodes:
        if node.name:
            yield node
        else:
            yield from _fields(node.inner)
