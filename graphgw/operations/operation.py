"""The artefacts of an operation: request, document, normalized operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import DocumentNode, OperationDefinitionNode

    from graphgw.federation.selection import Field, Selections
    from graphgw.federation.supergraph import OperationKind
    from graphgw.types import JSON, JSONObject

__all__ = [
    "Document",
    "GraphQLRequest",
    "Operation",
    "SelectionPath",
    "VariableDefinition",
]

SelectionPath = tuple[int, ...]
"""Where a selection stands in an operation: an index for each level."""


@record
class GraphQLRequest:
    """The transport message that carries an operation."""

    query: str | None
    operation_name: str | None = None
    variables: JSONObject = field(default_factory=dict, repr=False)
    extensions: JSONObject = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed, limited and validated document with its one chosen operation."""

    hash: str
    node: DocumentNode = field(repr=False)
    operation: OperationDefinitionNode = field(repr=False)
    conditions: tuple[str, ...]
    """Variables used in ``@skip`` and ``@include``, sorted."""
    size: int
    """Bytes of its text."""


@dataclass(frozen=True, slots=True)
class VariableDefinition:
    """A declared variable; ``default`` counts only where ``has_default``."""

    name: str
    type: str
    has_default: bool = False
    default: JSON = None


@dataclass(frozen=True, slots=True)
class Operation:
    """A normalized operation: no conditions, no spreads, no literals.

    ``selections`` excludes ``__schema`` and ``__type``, which stand in
    ``introspection``. ``literals`` holds the hoisted literals as JSON input values
    under the variable names that replaced them; they are also declared in
    ``variables``. Operations that differ only in literals share a fingerprint.
    ``introspection_places`` are the indexes at which the introspection fields stand
    among all root fields; where it is empty, they come last.
    """

    kind: OperationKind
    name: str | None
    selections: Selections
    introspection: tuple[Field, ...]
    variables: tuple[VariableDefinition, ...]
    literals: Mapping[str, JSON] = field(repr=False)
    fingerprint: str
    introspection_places: tuple[int, ...] = ()
