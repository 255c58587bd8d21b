"""From text to a syntax tree, and to the one operation that shall run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphql import GraphQLError, OperationDefinitionNode, parse

from graphgw.errors import BadRequestError, InvalidDocumentError, Location
from graphgw.operations.limits import check_text

if TYPE_CHECKING:
    from graphql import DocumentNode

    from graphgw.operations.settings import LimitSettings

__all__ = ["choose_operation", "parse_document", "readable_error"]

_MAX_MESSAGE: Final = 1000


def parse_document(text: str, limits: LimitSettings) -> DocumentNode:
    """Parse a document that passes the cheap limits.

    Raises:
        LimitError: The text is too long, has too many tokens or nests too deeply.
        InvalidDocumentError: It is not GraphQL (``GRAPHQL_PARSE_FAILED``).
    """
    check_text(text, limits)
    try:
        return parse(
            text,
            allow_empty_selection_sets=False,
            max_lexical_tokens=limits.tokens + 2,  # the start and the end count too
        )
    except GraphQLError as error:
        raise InvalidDocumentError([readable_error(error)], parse=True) from None


def choose_operation(
    node: DocumentNode, operation_name: str | None
) -> tuple[int, OperationDefinitionNode]:
    """Return the operation to run and its index among the definitions.

    See https://spec.graphql.org/draft/#GetOperation()

    Raises:
        BadRequestError: The name is missing, or no operation has it.
    """
    operations = [
        (index, definition)
        for index, definition in enumerate(node.definitions)
        if isinstance(definition, OperationDefinitionNode)
    ]
    if not operations:
        raise BadRequestError("Must provide an operation.")
    # An empty name comes from forms and from clients that send every member.
    if not operation_name:
        if len(operations) > 1:
            raise BadRequestError(
                "Must provide operation name if query contains multiple operations."
            )
        return operations[0]
    for index, operation in operations:
        if operation.name is not None and operation.name.value == operation_name:
            return index, operation
    raise BadRequestError(f"Unknown operation named '{operation_name[:200]}'.")


def readable_error(error: GraphQLError) -> tuple[str, tuple[Location, ...]]:
    """Return an error's message, cut where it repeats a long text, and its places."""
    message = error.message
    if len(message) > _MAX_MESSAGE:
        message = f"{message[:_MAX_MESSAGE]}..."
    places = error.locations or ()
    return message, tuple(Location(place.line, place.column) for place in places)
