"""An operation that answers at a route: its variables and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLInputType, GraphQLSchema

    from graphgw.operations.operation import Operation
    from graphgw.routes.settings import RouteSettings
    from graphgw.types import JSON

__all__ = ["BoundVariable", "Endpoint", "Part", "Source"]

Part: TypeAlias = Literal["path", "query", "header", "claim", "body"]


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a request; the body as a whole has no name."""

    part: Part
    name: str = ""

    def __str__(self) -> str:
        return f"{self.part}.{self.name}" if self.name else self.part


@dataclass(frozen=True, slots=True)
class BoundVariable:
    """A variable, and the first of its sources that is there gives its value."""

    name: str
    type: GraphQLInputType
    sources: tuple[Source, ...]
    is_required: bool
    default: JSON = None


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One operation at one route.

    ``operation`` is normalized with what conditions may add: all that an answer has.
    ``select`` is the path, in response keys, of what is answered with.
    """

    route: RouteSettings
    text: str = field(repr=False)
    operation_name: str | None
    operation: Operation
    schema: GraphQLSchema = field(repr=False)
    variables: tuple[BoundVariable, ...]
    select: tuple[str, ...] = ()
    status: int = 200
    keeps_partial: bool = False
    statuses: Mapping[str, int] = field(default_factory=dict)
    """The HTTP status of each error code."""
    description: str = ""
    """What the file's author says of the operation."""
    has_conditions: bool = False
    """Whether ``@skip`` and ``@include`` may leave something out."""

    @property
    def is_mutation(self) -> bool:
        """Tell whether a request changes something."""
        return self.operation.kind == "mutation"

    @property
    def body_variables(self) -> tuple[BoundVariable, ...]:
        """The variables that the body may give."""
        return tuple(
            variable
            for variable in self.variables
            if any(source.part == "body" for source in variable.sources)
        )
