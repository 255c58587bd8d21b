"""What a route's handler says of itself, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.types import JSONObject

__all__ = ["DescribedHandler", "OperationDescription", "RouteDescription"]


@dataclass(frozen=True, slots=True)
class OperationDescription:
    """One operation: ``operation`` is an OpenAPI operation object.

    It has no ``operationId``, ``security`` and ``tags``: those are the route's. Its
    path's parameters have the names of ``path``, a template as routes have; answers
    that are problems are added where it has none.
    """

    method: str
    """In capitals."""
    path: str
    operation: JSONObject
    name: str = ""
    """Parts it from the route's other operations; in ``operationId``."""


@dataclass(frozen=True, slots=True)
class RouteDescription:
    """What a route answers, under which heading, with the schemas it refers to.

    A reference to a schema is ``#/components/schemas/NAME``.
    """

    tag: str
    operations: tuple[OperationDescription, ...]
    schemas: Mapping[str, JSONObject] = field(default_factory=dict)


@runtime_checkable
class DescribedHandler(Protocol):
    """A handler that knows what it answers."""

    def describe(self) -> RouteDescription:
        """Return what it answers."""
        ...
