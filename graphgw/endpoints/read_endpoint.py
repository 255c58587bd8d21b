"""From a route and the file that it names to its endpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from graphql import REMOVE, BooleanValueNode, Visitor, visit

from graphgw.endpoints.open_endpoint import open_endpoint
from graphgw.errors import ConfigurationError, Problem, RequestError
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.validate import prepare_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphql import (
        DirectiveNode,
        DocumentNode,
        GraphQLSchema,
        OperationDefinitionNode,
    )
    from graphql.language.visitor import VisitorAction

    from graphgw.endpoints.endpoint import Endpoint
    from graphgw.operations.operation import Document
    from graphgw.operations.settings import LimitSettings
    from graphgw.routes.settings import RouteSettings

__all__ = ["read_endpoint"]


def read_endpoint(
    route: RouteSettings, schema: GraphQLSchema, limits: LimitSettings
) -> Endpoint:
    """Return the endpoint of a route that leads to an operation; takes CPU time.

    Args:
        route: The route.
        schema: The API schema of the graph, or variant, that it asks.
        limits: Those of documents there.

    Raises:
        ConfigurationError: The file cannot be read, its operation does not fit the
            schema or the route; holds all problems with file and line.
    """
    where = f"routes.{route.name}.operation"
    target = route.operation
    if target is None:
        raise ConfigurationError([Problem("it names no operation", where)])
    try:
        text = target.file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(f"the file cannot be read: {error}", f"{where}.file")
        raise ConfigurationError([problem]) from error
    budget = Budget(limits.preparation_seconds)
    try:
        document = prepare_document(text, target.operation, schema, limits, budget)
        operation = normalize(_show_all(document), {}, schema, budget=budget)
    except RequestError as error:
        problems = list(_problems(error, where, target.file))
        raise ConfigurationError(problems) from error
    return open_endpoint(route, text, document, operation, schema)


def _show_all(document: Document) -> Document:
    """Return a document without the conditions that variables decide."""
    if not document.conditions:
        return document
    node: DocumentNode = visit(document.node, _Unconditional())
    place = document.node.definitions.index(document.operation)
    operation = cast("OperationDefinitionNode", node.definitions[place])
    return replace(document, node=node, operation=operation, conditions=())


class _Unconditional(Visitor):
    """Takes away ``@skip`` and ``@include`` where a variable decides."""

    def enter_directive(self, node: DirectiveNode, *_: object) -> VisitorAction | None:
        if node.name.value not in {"skip", "include"}:
            return None
        values = (argument.value for argument in node.arguments or ())
        is_decided = all(isinstance(value, BooleanValueNode) for value in values)
        return None if is_decided else REMOVE


def _problems(error: RequestError, where: str, file: Path) -> Iterator[Problem]:
    found = getattr(error, "errors", ((error.message, error.locations),))
    for message, locations in found:
        line = f":{locations[0].line}" if locations else ""
        yield Problem(message, f"{where} ({file}{line})")
