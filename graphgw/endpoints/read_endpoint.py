"""From a route and the file that it names to its endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphql import VariableNode, Visitor, visit

from graphgw.endpoints.open_endpoint import open_endpoint
from graphgw.errors import ConfigurationError, Problem, RequestError
from graphgw.operations.budget import Budget
from graphgw.operations.normalize import normalize
from graphgw.operations.validate import prepare_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphql import DirectiveNode, GraphQLSchema

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
        operation = normalize(document, _show_all(document), schema, budget=budget)
    except RequestError as error:
        problems = list(_problems(error, where, target.file))
        raise ConfigurationError(problems) from error
    return open_endpoint(route, text, document, operation, schema)


def _show_all(document: Document) -> dict[str, bool]:
    """Return the conditions' values with which as much as possible is selected.

    A variable that stands in ``@skip`` and in ``@include`` is true.
    """
    including = _Including()
    visit(document.node, including)
    return {name: name in including.names for name in document.conditions}


class _Including(Visitor):
    """Collects the variables of ``@include``."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        if node.name.value != "include":
            return
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.names.add(argument.value.name.value)


def _problems(error: RequestError, where: str, file: Path) -> Iterator[Problem]:
    found = getattr(error, "errors", ((error.message, error.locations),))
    for message, locations in found:
        line = f":{locations[0].line}" if locations else ""
        yield Problem(message, f"{where} ({file}{line})")
